#include "harness/lab/by_hand.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "harness/lab/failure.h"

namespace tsih::lab {
using Json = nlohmann::json;

namespace {

constexpr char leave_key = 0x1D;  // Ctrl-]

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

/// Enters the folder first: a socket's whole path must have less than 108 bytes, a run's may not.
int connect_in(const std::string& directory, const std::string& socket_name) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_name.c_str(), sizeof address.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0 || ::chdir(directory.c_str()) != 0 ||
      ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw Failure("host", fmt::format("no lab answers at {}/{}: {}", directory, socket_name,
                                      std::strerror(errno)));
  return socket;
}

bool write_all(int descriptor, std::string_view data) {
  while (!data.empty()) {
    const auto wrote = ::write(descriptor, data.data(), data.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

/// The terminal hands over every key while this lives.
class RawTerminal {
 public:
  RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    auto raw = before_;
    ::cfmakeraw(&raw);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~RawTerminal() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_ = {};
  bool changed_ = false;
};

}  // namespace

int call_lab(const std::string& run_dir, const std::string& request) {
  auto message = Json::parse(request, nullptr, false);
  if (!message.is_object())
    throw Failure("bad_request", "the request must be a JSON object, as '{\"op\":\"guest.list\"}'");
  message["id"] = "by-hand";
  const Descriptor socket(connect_in(run_dir, "control.sock"));
  write_all(socket.get(), message.dump() + "\n");
  std::string input;
  std::array<char, 65536> buffer;
  for (;;) {
    const auto got = ::read(socket.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Failure("host", "the lab closed without a reply");
    input.append(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1)) {
      const auto line = Json::parse(input.substr(0, end), nullptr, false);
      if (!line.is_object() || line.value("id", Json()) != "by-hand") continue;
      const bool is_ok = line.value("ok", false);
      fmt::print("{}\n", line.value(is_ok ? "result" : "error", Json()).dump(2));
      return is_ok ? 0 : 1;
    }
  }
}

int open_console(const std::string& run_dir, const std::string& guest) {
  const Descriptor socket(connect_in(run_dir + "/" + guest, "console.sock"));
  fmt::print(stderr, "tsih-lab: the console of {}; Enter shows the prompt, Ctrl-] leaves\n", guest);
  const RawTerminal raw;
  std::array<pollfd, 2> wait = {pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{socket.get(), POLLIN, 0}};
  std::array<char, 4096> buffer;
  for (;;) {
    if (::poll(wait.data(), wait.size(), -1) < 0 && errno != EINTR) return 1;
    for (std::size_t i = 0; i < wait.size(); ++i) {
      if (wait[i].revents == 0) continue;
      const auto got = ::read(wait[i].fd, buffer.data(), buffer.size());
      if (got <= 0) return 0;
      const std::string_view data(buffer.data(), static_cast<std::size_t>(got));
      if (i == 0 && data.find(leave_key) != std::string_view::npos) return 0;
      if (!write_all(i == 0 ? socket.get() : STDOUT_FILENO, data)) return 0;
    }
  }
}

}  // namespace tsih::lab
