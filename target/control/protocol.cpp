#include "target/control/protocol.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

namespace tsihd::control {

std::string default_socket_path() {
  if (geteuid() == 0) return "/run/tsihd.sock";
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/') return fmt::format("{}/tsihd.sock", runtime);
  return fmt::format("/tmp/tsihd-{}.sock", geteuid());
}

LineReader::State LineReader::next(std::string& line) {
  auto end = buffer_.find('\n');
  if (end == std::string::npos) {
    return buffer_.size() > kMaxRequestBytes ? State::too_long : State::incomplete;
  }
  if (end > kMaxRequestBytes) return State::too_long;
  line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return State::line;
}

}  // namespace tsihd::control
