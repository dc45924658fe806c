// The simulator's virtual time: things that happen later, in the order of their times.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "target/base/time.h"

namespace tsihd::session::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Events {
 public:
  using Action = std::function<void()>;

  Instant now() const { return now_; }
  /// Things due at the same time happen in the order in which they were asked for.
  void after(microseconds delay, Action action) {
    heap_.push_back({now_ + delay, ++asked_, std::move(action)});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  bool empty() const { return heap_.empty(); }
  Instant next() const { return heap_.empty() ? Instant::max() : heap_.front().due; }
  /// Time moves to the next thing, and it happens.
  void run_next() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Event event = std::move(heap_.back());
    heap_.pop_back();
    now_ = event.due;
    event.action();
  }
  /// Nothing of what was asked for happens any more.
  void forget_all() { heap_.clear(); }
  /// Time moves on although nothing of ours happens; not past next().
  void pass_until(Instant time) { now_ = std::max(now_, time); }

 private:
  struct Event {
    Instant due;
    std::uint64_t order;
    Action action;
  };
  static bool later(const Event& a, const Event& b) {
    return std::pair(a.due, a.order) > std::pair(b.due, b.order);
  }

  Instant now_{std::chrono::hours(1)};
  std::uint64_t asked_ = 0;
  std::vector<Event> heap_;
};

}  // namespace tsihd::session::sim
