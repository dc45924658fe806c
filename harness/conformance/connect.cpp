#include "harness/conformance/connect.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace tsih::conformance {
namespace {

// Empty on success, else the reason.
std::string try_connect(int fd, const addrinfo& address, Clock::time_point until) {
  if (connect(fd, address.ai_addr, address.ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS) return std::strerror(errno);
  if (!ready(fd, POLLOUT, until)) return "no answer in time";
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? std::string() : std::strerror(error);
}

int connect_to(const TargetUrl& url, Clock::time_point until) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &list);
  if (error != 0)
    throw Inconclusive{fmt::format("\"{}\" is no address: {}", url.host, gai_strerror(error))};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, freeaddrinfo);
  std::string reason = "no address";
  for (const addrinfo* address = list; address; address = address->ai_next) {
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) throw Inconclusive{fmt::format("no socket: {}", std::strerror(errno))};
    reason = try_connect(fd, *address, until);
    if (reason.empty()) return fd;
    ::close(fd);
  }
  throw Inconclusive{fmt::format("no connection to {} port {}: {}", url.host, url.port, reason)};
}

}  // namespace

int connect_to_target(const CaseContext& context) {
  return connect_to(context.settings.url, context.soon());
}

}  // namespace tsih::conformance
