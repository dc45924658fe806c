#include "harness/suite/connection.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tsih::suite {
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

Connection::Connection(CaseRecord& record, int fd, wire::From self)
    : record_(record),
      self_(self),
      peer_(self == wire::From::target ? wire::From::initiator : wire::From::target),
      number_(++record.connections),
      fd_(fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  note(wire::From::initiator, "open", {});
}

Connection::~Connection() { close(); }

void Connection::shut_down_sending() {
  if (fd_ < 0) return;
  note(self_, "close", "FIN, and still listening");
  shutdown(fd_, SHUT_WR);
}

void Connection::close() {
  if (fd_ < 0) return;
  if (!closed_by_peer_) note(self_, "close", {});
  ::close(fd_);
  fd_ = -1;
}

void Connection::note(wire::From from, std::string_view event, std::string_view words) {
  record_.transcript.add({.from = from, .connection = number_, .event = event, .note = words});
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
  record_.transcript.add(
      {.from = self_, .connection = number_, .event = "pdu", .pdu = &shown, .note = {}});
  const wire::Bytes bytes = wire::encode(pdu, digests);
  write_all(marker_writer_ ? marker_writer_->mark(bytes) : bytes);
}

void Connection::send_raw(const wire::Bytes& bytes, const std::string& words) {
  note(self_, "note", words);
  write_all(bytes);
}

void Connection::write_all(const wire::Bytes& bytes) {
  const auto until = record_.soon();
  std::size_t done = 0;
  while (fd_ >= 0 && done < bytes.size()) {
    const ssize_t sent = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
      sent_bytes_ += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == EINTR) {
      if (!ready(fd_, POLLOUT, until)) {
        record_.went_silent = true;
        throw Inconclusive{"the other side takes no more bytes"};
      }
    } else {
      return;  // closed: the next receive() says so
    }
  }
}

void Connection::use_markers(std::optional<std::uint32_t> incoming_interval_bytes,
                             std::optional<std::uint32_t> outgoing_interval_bytes) {
  if (reader_.pending_bytes() > 0) throw Inconclusive{"more came along with the end of the login"};
  if (incoming_interval_bytes) marker_reader_.emplace(*incoming_interval_bytes, received_bytes_);
  if (outgoing_interval_bytes) marker_writer_.emplace(*outgoing_interval_bytes, sent_bytes_);
}

std::vector<wire::Marker> Connection::markers() const {
  return marker_reader_ ? marker_reader_->markers() : std::vector<wire::Marker>{};
}

std::string Connection::marker_problem() const {
  constexpr std::uint32_t kReservedBits = 3;  // of each pointer (A.1)
  for (const wire::Marker& marker : markers()) {
    const auto next = std::ranges::lower_bound(pdu_ends_, marker.payload_bytes);
    if (marker.payload_bytes > 0 && next == pdu_ends_.end()) break;
    const std::uint64_t expected = marker.payload_bytes == 0 ? 0 : *next - marker.payload_bytes;
    for (const std::uint32_t pointer : marker.pointers)
      if ((pointer & ~kReservedBits) != expected)
        return fmt::format(
            "a marker after {} bytes points {} bytes on, the next PDU begins after {}",
            marker.payload_bytes, pointer, expected);
  }
  return {};
}

std::optional<Event> Connection::take_pdu() {
  if (auto pdu = reader_.next()) {
    if (marker_reader_)
      pdu_ends_.push_back(marker_reader_->payload_bytes() - reader_.pending_bytes());
    record_.transcript.add(
        {.from = peer_, .connection = number_, .event = "pdu", .pdu = &*pdu, .note = {}});
    return Event{Heard::pdu, *pdu, wire::describe(*pdu)};
  }
  if (reader_.broken().empty()) return std::nullopt;
  note(peer_, "note", reader_.broken());
  return Event{Heard::garbage, {}, reader_.broken()};
}

Event Connection::receive(Clock::time_point until) {
  until = std::min(until, record_.deadline);
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
      const auto bytes = std::span(buffer, static_cast<std::size_t>(count));
      if (marker_reader_)
        reader_.feed(marker_reader_->strip(bytes));
      else
        reader_.feed(bytes);
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      closed_by_peer_ = true;
      note(peer_, "close", count == 0 ? "FIN" : std::strerror(errno));
    }
  }
}

}  // namespace tsih::suite
