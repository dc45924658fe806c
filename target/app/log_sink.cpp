#include "target/app/log_sink.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <chrono>

namespace tsihd::app {
namespace {

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::debug:
      return "debug";
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "?";
}

}  // namespace

Log::Sink stderr_sink(Severity least) {
  return [least](Severity severity, std::string_view line) {
    if (severity < least) return;
    using namespace std::chrono;
    auto now = time_point_cast<milliseconds>(system_clock::now());
    auto milliseconds_part = (now.time_since_epoch() % 1000ms).count();
    std::string text = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z {} {}\n",
                                   fmt::gmtime(system_clock::to_time_t(now)), milliseconds_part,
                                   name_of(severity), line);
    // A log that cannot be written is no reason to stop serving.
    [[maybe_unused]] ssize_t ignored = write(STDERR_FILENO, text.data(), text.size());
  };
}

}  // namespace tsihd::app
