// The raw initiator: talking, waiting, expecting.
#include "harness/conformance/initiator.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/conformance/connect.h"

namespace tsih::conformance {

using wire::Opcode;
using wire::Pdu;
namespace field = wire::field;

namespace {

// A target may send this many things that nobody asked for while we wait for one answer.
constexpr int kLimitUnasked = 500;

std::unique_ptr<Connection> connection_to_target(CaseContext& context) {
  return std::make_unique<Connection>(context, connect_to_target(context), wire::From::initiator);
}

bool is_numbered_request(const Pdu& pdu) {
  return !pdu[field::immediate] && !pdu.is(Opcode::data_out) && !pdu.is(Opcode::snack_request) &&
         !pdu.is(Opcode::login_request);
}

}  // namespace

void setting_up(const std::string& what, const std::function<void()>& steps) {
  try {
    steps();
  } catch (const Broken& broken) {
    throw Inconclusive{
        fmt::format("{}: expected {}, got {}", what, broken.expected, broken.actual)};
  }
}

Initiator::Initiator(CaseContext& context)
    : session_cmd_sn_(std::make_shared<std::uint32_t>()),
      initiator_name(context.settings.initiator_name),
      cmd_sn(*session_cmd_sn_),
      context_(context),
      connection_(connection_to_target(context)) {
  // An ISID of the "random" kind (10.12.5): no two cases meet in one session by accident.
  isid = 0x800000000000 | (context.random() & 0x00ffffffffff);
  cmd_sn = static_cast<std::uint32_t>(context.random());
  next_tag_ = static_cast<std::uint32_t>(context.random()) & 0x3fffffff;
  login_tag_ = next_tag_++;
}

Initiator::Initiator(CaseContext& context, const Initiator& of_session, std::uint16_t its_cid)
    : session_cmd_sn_(of_session.session_cmd_sn_),
      isid(of_session.isid),
      tsih(of_session.tsih),
      cid(its_cid),
      initiator_name(of_session.initiator_name),
      cmd_sn(*session_cmd_sn_),
      context_(context),
      connection_(connection_to_target(context)) {
  // Task tags are unique in the session (10.2.1.8): this connection takes them from another range.
  next_tag_ = (static_cast<std::uint32_t>(context.random()) & 0x00ffffff) | (0x40u + its_cid % 0x40)
                                                                                << 24;
  login_tag_ = next_tag_++;
}

Clock::time_point Initiator::soon() const { return context_.soon(); }

void Initiator::send(const Pdu& pdu, bool spoil_header_digest, bool spoil_data_digest) {
  wire::Digests digests = digests_;
  digests.spoil_header = spoil_header_digest;
  digests.spoil_data = spoil_data_digest;
  connection_->send(pdu, digests);
  if (established_ && is_numbered_request(pdu) && pdu[field::cmd_sn] == cmd_sn) ++cmd_sn;
}

void Initiator::note_numbers(const Pdu& pdu) {
  const bool status_free =
      pdu.is(Opcode::r2t) || (pdu.is(Opcode::data_in) && !pdu[field::has_status]) ||
      (pdu.is(Opcode::nop_in) && pdu[field::initiator_task_tag] == wire::kReservedTag);
  if (status_free) return;
  // A status that was sent again takes nothing back. The first one of a connection may be any.
  const std::uint32_t after = pdu.u32(field::stat_sn) + 1;
  const bool forward = static_cast<std::int32_t>(after - exp_stat_sn) > 0;
  if (!established_ || forward) exp_stat_sn = after;
}

bool Initiator::handled(const Pdu& pdu) {
  if (pdu.is(Opcode::async_message)) return true;
  if (!pdu.is(Opcode::nop_in) || pdu[field::initiator_task_tag] != wire::kReservedTag) return false;
  if (pdu[field::target_transfer_tag] == wire::kReservedTag) return true;
  send(pong(pdu));
  return true;
}

Event Initiator::receive_any(Clock::time_point until) {
  Event event = connection_->receive(until);
  if (event.heard == Heard::pdu) note_numbers(event.pdu);
  if (event.heard == Heard::silence) context_.went_silent = true;
  return event;
}

Event Initiator::receive() {
  const auto until = soon();
  for (int i = 0; i < kLimitUnasked; ++i) {
    Event event = receive_any(until);
    if (event.heard != Heard::pdu || !established_ || !handled(event.pdu)) return event;
  }
  throw Inconclusive{fmt::format("the target sent {} PDUs that nobody asked for", kLimitUnasked)};
}

Fence Initiator::fence(bool immediate) {
  Pdu ping = nop_out();
  ping.set(field::immediate, immediate);
  send(ping);
  Fence fence;
  for (int i = 0; i < kLimitUnasked; ++i) {
    Event event = receive();
    if (event.heard == Heard::closed) return fence;
    if (event.heard != Heard::pdu)
      throw Inconclusive{fmt::format("a ping to mark the place was not answered: {} came in {} ms",
                                     event.words, context_.settings.timeout_ms)};
    if (event.pdu.is(Opcode::nop_in) &&
        event.pdu[field::initiator_task_tag] == ping[field::initiator_task_tag]) {
      fence.answer = event.pdu;
      return fence;
    }
    fence.before.push_back(event.pdu);
  }
  throw Inconclusive{fmt::format("{} PDUs came before a ping's answer", kLimitUnasked)};
}

void Initiator::fail_on(const std::string& expected, const Event& event) {
  if (event.heard != Heard::silence) context_.fail(expected, event.words);
  // Silence proves nothing by itself. An answer to a later ping does: the target lives and passed
  // it by.
  // (A discovery session takes no pings.)
  if (established_ && !discovery) {
    const Fence fence = this->fence(true);
    if (fence.answer)
      context_.fail(expected, fmt::format("nothing within {} ms, while a later ping was answered",
                                          context_.settings.timeout_ms));
  }
  throw Inconclusive{fmt::format("the target is silent: expected {}, nothing came within {} ms",
                                 expected, context_.settings.timeout_ms)};
}

Pdu Initiator::expect(Opcode opcode) { return expect_one_of({opcode}); }

Pdu Initiator::expect_one_of(std::initializer_list<Opcode> opcodes) {
  Event event = receive();
  std::string names;
  for (const Opcode opcode : opcodes) {
    if (event.heard == Heard::pdu && event.pdu.is(opcode)) return event.pdu;
    names += (names.empty() ? "a " : " or a ") +
             std::string(wire::opcode_name(static_cast<std::uint8_t>(opcode)));
  }
  fail_on(names, event);
}

Refusal Initiator::expect_refusal() {
  Event event = receive();
  if (event.heard == Heard::closed) return {std::nullopt, event.words};
  const bool refused = event.heard == Heard::pdu &&
                       (event.pdu.is(Opcode::reject) || (event.pdu.is(Opcode::login_response) &&
                                                         event.pdu[field::status] >= 0x0100));
  if (!refused) fail_on("a refusal (a Reject, a login status of failure, or a close)", event);
  return {event.pdu, event.words};
}

void Initiator::expect_close() {
  const auto until = soon();
  for (int i = 0; i < kLimitUnasked; ++i) {
    const Event event = receive_any(until);
    if (event.heard == Heard::closed) return;
    if (event.heard == Heard::silence)
      context_.fail("the connection to be closed",
                    fmt::format("still open after {} ms", context_.settings.timeout_ms));
    if (event.heard == Heard::garbage) break;
  }
  context_.fail("the connection to be closed", "more and more PDUs");
}

void Initiator::expect_replaced() {
  Pdu ping = nop_out();
  ping.set(field::immediate, 1);
  send(ping);
  const auto until = soon();
  for (int i = 0; i < kLimitUnasked; ++i) {
    const Event event = receive_any(until);
    if (event.heard == Heard::closed) return;
    const bool alive = event.heard != Heard::pdu || event.pdu.is(Opcode::nop_in);
    if (alive)
      context_.fail("the old connection to be closed",
                    event.heard == Heard::pdu ? "it still answers a ping: " + event.words
                                              : "it is still open: " + event.words);
  }
  context_.fail("the old connection to be closed", "it sends more and more PDUs");
}

void Initiator::ready() {
  const ScsiCommand test_unit_ready{.cdb = wire::Bytes(6, 0)};
  for (int i = 0; i < 8; ++i)
    if (transfer(test_unit_ready).good()) return;
  throw Inconclusive{"the logical unit does not get ready: TEST UNIT READY failed 8 times"};
}

void Initiator::answer_r2t(const Pdu& command, const Pdu& r2t, std::span<const std::uint8_t> data) {
  const auto limit_text = negotiated_.value("MaxRecvDataSegmentLength").value_or("8192");
  const std::size_t limit_bytes =
      std::max<std::uint64_t>(wire::parse_number(limit_text).value_or(8192), 512);
  std::size_t offset = r2t.u32(field::buffer_offset);
  const std::size_t end = offset + r2t.u32(field::desired_length);
  if (end > data.size())
    throw Inconclusive{fmt::format("an R2T asks for bytes up to {} of {}", end, data.size())};
  for (std::uint32_t sn = 0; offset < end; ++sn) {
    const std::size_t size = std::min(limit_bytes, end - offset);
    send(data_out(command, r2t.u32(field::target_transfer_tag), static_cast<std::uint32_t>(offset),
                  data.subspan(offset, size), sn, offset + size == end));
    offset += size;
  }
}

Transfer Initiator::transfer(const ScsiCommand& command, std::span<const std::uint8_t> write_data) {
  const Pdu request = scsi_command(command);
  send(request);
  return finish(request, write_data);
}

namespace {
[[noreturn]] void not_finished(const Event& event) {
  throw Inconclusive{fmt::format("a SCSI command was not finished: {}", event.words)};
}
}  // namespace

Transfer Initiator::finish(const Pdu& command, std::span<const std::uint8_t> write_data) {
  return carry(command, write_data, true, not_finished);
}

Transfer Initiator::finish_unacknowledged(const Pdu& command) {
  return carry(command, {}, false, not_finished);
}

Transfer Initiator::expect_finish(const Pdu& command, std::span<const std::uint8_t> write_data) {
  return carry(command, write_data, true, [this](const Event& event) {
    fail_on("the command to go on to its status", event);
  });
}

Transfer Initiator::carry(const Pdu& command, std::span<const std::uint8_t> data, bool acknowledge,
                          const Stopped& stopped) {
  Transfer transfer;
  for (int i = 0; i < 10000; ++i) {
    const Event event = receive();
    const Pdu& pdu = event.pdu;
    if (event.heard == Heard::pdu && pdu.is(Opcode::r2t)) {
      transfer.r2ts.push_back(pdu);
      answer_r2t(command, pdu, data);
    } else if (event.heard == Heard::pdu && pdu.is(Opcode::data_in)) {
      transfer.data_in.push_back(pdu);
      transfer.data.insert(transfer.data.end(), pdu.data.begin(), pdu.data.end());
      transfer.status = static_cast<std::uint8_t>(pdu[field::scsi_status]);
      if (pdu[field::has_status]) return transfer;
      if (acknowledge && pdu[field::acknowledge]) send(data_ack(pdu));
    } else if (event.heard == Heard::pdu && pdu.is(Opcode::scsi_response)) {
      transfer.response = pdu;
      transfer.status = static_cast<std::uint8_t>(pdu[field::scsi_status]);
      return transfer;
    } else {
      stopped(event);
    }
  }
  throw Inconclusive{"a SCSI command does not end"};
}

}  // namespace tsih::conformance
