#include "harness/conformance/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace tsih::conformance {
namespace {

int remaining_ms(Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 1'000'000));
}

bool ready(int fd, short events, Clock::time_point until) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  int result = 0;
  do result = poll(&entry, 1, remaining_ms(until));
  while (result < 0 && errno == EINTR);
  return result > 0;
}

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
    if (reason.empty()) {
      const int one = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      return fd;
    }
    ::close(fd);
  }
  throw Inconclusive{fmt::format("no connection to {} port {}: {}", url.host, url.port, reason)};
}

}  // namespace

Connection::Connection(CaseContext& context) : context_(context), number_(++context.connections) {
  const auto until = std::min(
      context.deadline, Clock::now() + std::chrono::milliseconds(context.settings.timeout_ms));
  fd_ = connect_to(context.settings.url, until);
  note(wire::From::initiator, "open", {});
}

Connection::~Connection() { close(); }

void Connection::close() {
  if (fd_ < 0) return;
  if (!closed_by_peer_) note(wire::From::initiator, "close", {});
  ::close(fd_);
  fd_ = -1;
}

void Connection::note(wire::From from, std::string_view event, std::string_view words) {
  context_.transcript.add({.from = from, .connection = number_, .event = event, .note = words});
}

void Connection::send(const wire::Pdu& pdu, const wire::Digests& digests) {
  // Shown as it goes out: with its lengths, and with the digests that it was given.
  wire::Pdu shown = pdu;
  shown.set(wire::field::data_segment_length,
            pdu.claimed_data_bytes.value_or(static_cast<std::uint32_t>(pdu.data.size())));
  shown.set(wire::field::total_ahs_length,
            pdu.claimed_ahs_words.value_or(static_cast<std::uint8_t>(pdu.ahs.size() / 4)));
  shown.header_digest_ok = !digests.spoil_header;
  shown.data_digest_ok = !digests.spoil_data;
  context_.transcript.add({.connection = number_, .event = "pdu", .pdu = &shown, .note = {}});
  write_all(wire::encode(pdu, digests));
}

void Connection::send_raw(const wire::Bytes& bytes, const std::string& words) {
  note(wire::From::initiator, "note", words);
  write_all(bytes);
}

void Connection::write_all(const wire::Bytes& bytes) {
  const auto until = std::min(
      context_.deadline, Clock::now() + std::chrono::milliseconds(context_.settings.timeout_ms));
  std::size_t done = 0;
  while (fd_ >= 0 && done < bytes.size()) {
    const ssize_t sent = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == EINTR) {
      if (!ready(fd_, POLLOUT, until)) {
        context_.went_silent = true;
        throw Inconclusive{"the target takes no more bytes"};
      }
    } else {
      return;  // closed: the next receive() says so
    }
  }
}

std::optional<Event> Connection::take_pdu() {
  if (auto pdu = reader_.next()) {
    context_.transcript.add({.from = wire::From::target,
                             .connection = number_,
                             .event = "pdu",
                             .pdu = &*pdu,
                             .note = {}});
    return Event{Heard::pdu, *pdu, wire::describe(*pdu)};
  }
  if (reader_.broken().empty()) return std::nullopt;
  note(wire::From::target, "note", reader_.broken());
  return Event{Heard::garbage, {}, reader_.broken()};
}

Event Connection::receive(Clock::time_point until) {
  until = std::min(until, context_.deadline);
  while (true) {
    if (auto event = take_pdu()) return *event;
    if (fd_ < 0 || closed_by_peer_) return {Heard::closed, {}, "the connection was closed"};
    if (received_bytes_ > kLimitReceivedBytes)
      return {Heard::garbage, {}, fmt::format("more than {} bytes", kLimitReceivedBytes)};
    if (!ready(fd_, POLLIN, until)) return {Heard::silence, {}, "nothing"};
    std::uint8_t buffer[65536];
    const ssize_t count = recv(fd_, buffer, sizeof buffer, 0);
    if (count > 0) {
      received_bytes_ += static_cast<std::size_t>(count);
      reader_.feed(std::span(buffer, static_cast<std::size_t>(count)));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      closed_by_peer_ = true;
      note(wire::From::target, "close", count == 0 ? "FIN" : std::strerror(errno));
    }
  }
}

}  // namespace tsih::conformance
