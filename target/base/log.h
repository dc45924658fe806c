// The log of tsihd: one line an event, `name key=value ...`, so that a scenario or an operator can
// grep a decision and both of its peers. Never called on the way of a PDU that is in order.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>

namespace tsihd {

enum class Severity { debug, info, warning, error };

/// Where the lines go. The program installs a sink that prefixes the time and writes to stderr;
/// tests install one that collects. Used from the event loop's thread only.
class Log {
 public:
  using Sink = std::function<void(Severity, std::string_view line)>;

  Log() = default;
  explicit Log(Sink sink) : sink_(std::move(sink)) {}

  template <class... Args>
  void write(Severity severity, fmt::format_string<Args...> format, Args&&... args) const {
    if (sink_) sink_(severity, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) const {
    write(Severity::info, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warning(fmt::format_string<Args...> format, Args&&... args) const {
    write(Severity::warning, format, std::forward<Args>(args)...);
  }

 private:
  Sink sink_;
};

}  // namespace tsihd
