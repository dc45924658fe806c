// What a simulation says: the ladder of a seed that is looked at, and the one line of a failure.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

#include "target/session/tests/sim_events.h"
#include "target/wire/pdu.h"

namespace tsihd::session::sim {

/// A property of the target does not hold; what() says which, with the values.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Failure(fmt::format(format, std::forward<Args>(args)...));
}

/// One line of a ladder: opcode, tag and the numbers that matter for it.
std::string describe(const wire::Pdu& pdu);

class Trace {
 public:
  Trace(const Events& events, bool on) : events_(events), on_(on) {}
  bool on() const { return on_; }
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) const {
    if (!on_) return;
    const auto since_start = events_.now() - Instant(std::chrono::hours(1));
    const auto us = std::chrono::duration_cast<microseconds>(since_start).count();
    fmt::print("{:12.3f} ms  {}\n", static_cast<double>(us) / 1000,
               fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  const Events& events_;
  bool on_;
};

}  // namespace tsihd::session::sim
