// Asynchronous Messages (RFC 3720 10.9): what the target says unasked.
#include <algorithm>
#include <array>
#include <cstring>

#include "target/scsi/lun.h"
#include "target/session/connection.h"
#include "target/session/connection_numbering.h"
#include "target/session/session.h"

namespace tsihd::session {
namespace {

enum AsyncEvent : std::uint8_t {
  kScsiEvent = 0,
  kRequestLogout = 1,
  kDropConnection = 2,
  kDropAllConnections = 3,
  kRequestNegotiation = 4,
};

}  // namespace

void Connection::ask_for_logout() {
  if (state_ != State::full_feature || logout_deadline_ != Instant::max()) return;
  send_async(kRequestLogout, 0, 0, service_.limits().logout_request_s);
  logout_deadline_ = service_.now() + std::chrono::seconds(service_.limits().logout_request_s);
  service_.note_deadline(logout_deadline_);
}

void Connection::announce_lost(std::uint16_t cid, std::uint32_t wait_s, std::uint32_t retain_s) {
  send_async(kDropConnection, cid, wait_s, retain_s);
}

void Connection::announce_drop(std::uint32_t wait_s) {
  send_async(kDropAllConnections, 0, wait_s, 0);  // nothing of this session is kept
}

void Connection::send_async(std::uint8_t event, std::uint16_t parameter_1,
                            std::uint32_t parameter_2, std::uint32_t parameter_3) {
  if (state_ != State::full_feature) return;
  wire::AsyncMessageBhs bhs;
  bhs.async_event = event;
  bhs.parameter_1 = parameter_1;
  bhs.parameter_2 = static_cast<std::uint16_t>(std::min(parameter_2, 0xffffu));
  bhs.parameter_3 = static_cast<std::uint16_t>(std::min(parameter_3, 0xffffu));
  send(bhs, true);
}

void Connection::announce_and_drop(bool whole_session) {
  const std::uint32_t wait_s = parameters_.default_time2wait_s;
  const std::uint32_t retain_s =
      session_->recovers_connections() ? parameters_.default_time2retain_s : 0;
  if (whole_session)
    send_async(kDropAllConnections, 0, wait_s, retain_s);
  else
    announce_lost(cid_, wait_s, retain_s);
  close_and_suspend("dropped on command");
}

void Connection::ask_for_negotiation() {
  send_async(kRequestNegotiation, 0, 0, service_.limits().negotiation_request_s);
}

void Connection::tell_scsi_event(std::uint16_t lun, const scsi::Sense& sense) {
  if (state_ != State::full_feature) return;
  std::array<std::byte, 96> bytes{};
  const std::uint8_t length = scsi::write_sense(bytes, sense, false);
  std::array<std::byte, sizeof(wire::U16) + bytes.size()> segment{};  // SenseLength first (10.9.4)
  const wire::U16 sense_length{length};
  std::memcpy(segment.data(), &sense_length, sizeof(sense_length));
  std::memcpy(segment.data() + sizeof(sense_length), bytes.data(), length);
  wire::AsyncMessageBhs bhs;
  bhs.async_event = kScsiEvent;
  bhs.lun = scsi::encode_lun(lun);
  send_copy(bhs, std::span(segment).first(sizeof(sense_length) + length), true);
}

}  // namespace tsihd::session
