#include "target/control/client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tsihd::control {
namespace {

/// An answer is a list at most; more than this is not one of ours.
constexpr std::size_t kMaxAnswerBytes = 64u << 20;

struct Socket {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ~Socket() {
    if (fd >= 0) close(fd);
  }
};

bool connect_to(int fd, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

Result<std::string> ask(const std::string& socket_path, std::string_view request,
                        unsigned timeout_s) {
  Socket socket;
  if (socket.fd < 0 || !connect_to(socket.fd, socket_path)) {
    return fail(
        fmt::format("no tsihd answers at {}: {}; start one, or name its socket with "
                    "--control",
                    socket_path, std::strerror(errno)));
  }
  timeval timeout{static_cast<time_t>(timeout_s), 0};
  setsockopt(socket.fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(socket.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  std::string answer;
  bool sent = send_all(socket.fd, std::string(request) + "\n");
  char chunk[65536];
  while (sent && answer.size() <= kMaxAnswerBytes && answer.find('\n') == std::string::npos) {
    ssize_t bytes = recv(socket.fd, chunk, sizeof(chunk), 0);
    if (bytes <= 0) break;
    answer.append(chunk, static_cast<std::size_t>(bytes));
  }
  auto end = answer.find('\n');
  if (end == std::string::npos) {
    return fail(
        fmt::format("tsihd at {} did not answer within {} s; see its log", socket_path, timeout_s));
  }
  answer.resize(end);
  return answer;
}

}  // namespace tsihd::control
