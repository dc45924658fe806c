// Talking and serving; the answers themselves are in peer_answers.cpp.
#include "harness/initiators/peer.h"

#include <algorithm>

#include "harness/initiators/negotiation.h"

namespace tsih::initiators {

using wire::Bytes;
using wire::Opcode;
using wire::Pdu;
namespace field = wire::field;

namespace {

// A write that is longer is refused: no case needs more, and an initiator must not make us grow.
constexpr std::uint32_t kLimitWriteBytes = 4u << 20;
constexpr std::size_t kLimitTextBytes = 64u << 10;

bool is_numbered_request(const Pdu& pdu) {
  return !pdu[field::immediate] &&
         (pdu.is(Opcode::scsi_command) || pdu.is(Opcode::nop_out) || pdu.is(Opcode::text_request) ||
          pdu.is(Opcode::logout_request) || pdu.is(Opcode::task_management_request));
}

bool bears_status(const Pdu& pdu) {
  switch (static_cast<Opcode>(pdu.opcode())) {
    case Opcode::data_in:
      return pdu[field::has_status];
    case Opcode::nop_in:
      return pdu[field::initiator_task_tag] != wire::kReservedTag;
    case Opcode::r2t:
      return false;
    default:
      return true;
  }
}

std::span<const std::uint8_t> cdb_of(const Pdu& command) {
  return std::span(command.header).subspan(32, 16);
}

}  // namespace

Peer::Peer(suite::CaseRecord& record, Service& service, int fd, unsigned its_portal)
    : portal(its_portal),
      stat_sn(service.first_stat_sn),
      service_(service),
      connection_(record, fd, wire::From::target) {}

void Peer::put_numbers(Pdu& pdu) {
  pdu.set(field::exp_cmd_sn, exp_cmd_sn);
  pdu.set(field::max_cmd_sn, exp_cmd_sn + service_.window - 1);
  const bool data_without_status = pdu.is(Opcode::data_in) && !pdu[field::has_status];
  if (!data_without_status) pdu.set(field::stat_sn, stat_sn);
  if (bears_status(pdu)) ++stat_sn;
}

void Peer::send(Pdu pdu, const wire::Digests& spoiled) {
  put_numbers(pdu);
  send_as_is(pdu, spoiled);
}

void Peer::send_as_is(const Pdu& pdu, const wire::Digests& spoiled) {
  wire::Digests digests = digests_;
  digests.spoil_header = spoiled.spoil_header;
  digests.spoil_data = spoiled.spoil_data;
  connection_.send(pdu, digests);
}

Bytes Peer::encoded(Pdu pdu) {
  put_numbers(pdu);
  return wire::encode(pdu, digests_);
}

suite::Event Peer::receive(suite::Clock::time_point until) {
  suite::Event event = connection_.receive(until);
  if (event.heard == suite::Heard::pdu) note_request(event.pdu);
  return event;
}

void Peer::note_request(const Pdu& pdu) {
  acknowledged = pdu.u32(field::exp_stat_sn);
  if (pdu.is(Opcode::login_request)) {
    isid = pdu[field::isid];
    cid = static_cast<std::uint16_t>(pdu[field::cid]);
    exp_cmd_sn = pdu.u32(field::cmd_sn);
  } else if (is_numbered_request(pdu) && pdu.u32(field::cmd_sn) == exp_cmd_sn) {
    ++exp_cmd_sn;
  }
  if (pdu.is(Opcode::data_out)) take_data_out(pdu);
}

void Peer::serve(const Pdu& pdu) {
  switch (static_cast<Opcode>(pdu.opcode())) {
    case Opcode::login_request:
      return serve_login(pdu);
    case Opcode::scsi_command:
      return serve_command(pdu);
    case Opcode::text_request:
      return serve_text(pdu);
    case Opcode::nop_out:
      if (pdu[field::initiator_task_tag] != wire::kReservedTag) send(nop_in_answer(pdu));
      return;
    case Opcode::task_management_request:
      return send(task_management_response(pdu));
    case Opcode::logout_request:
      send(logout_response(pdu));
      logged_out = true;
      return;
    default:
      return;
  }
}

// ---- login --------------------------------------------------------------------------------------

void Peer::serve_login(const Pdu& request) { answer_login(login_response(request)); }

void Peer::answer_login(const Pdu& response) {
  send(response);
  if (response[field::transit] && response[field::nsg] == kFullFeature) begin_full_feature();
}

void Peer::begin_full_feature() {
  full_feature = true;
  digests_.header = answered.value("HeaderDigest") == "CRC32C";
  digests_.data = answered.value("DataDigest") == "CRC32C";
  connection_.expect_digests(digests_.header, digests_.data);
}

std::uint64_t Peer::agreed(std::string_view key, std::uint64_t otherwise) const {
  return agreed_number(offered, answered, key, otherwise);
}

// ---- text: SendTargets and any keys -------------------------------------------------------------

void Peer::serve_text(const Pdu& request) {
  text_so_far_.insert(text_so_far_.end(), request.data.begin(), request.data.end());
  if (request[field::continues] && text_so_far_.size() < kLimitTextBytes) {
    send(text_response(request, {}).set(field::final, 0).set(field::target_transfer_tag, 1));
    return;
  }
  const wire::TextKeys asked = wire::parse_text(text_so_far_).keys;
  text_so_far_.clear();
  if (const auto declared = asked.value("MaxRecvDataSegmentLength"))
    offered.set("MaxRecvDataSegmentLength", *declared);
  wire::TextKeys answers;
  if (asked.has("SendTargets")) {
    answers.add("TargetName", service_.target_name);
    answers.add("TargetAddress", service_.portal + ",1");
  }
  answers.append(answer_keys(asked, service_.wishes));
  send(text_response(request, answers).set(field::final, request[field::final]));
}

// ---- commands -----------------------------------------------------------------------------------

Bytes Peer::data_of(const Pdu& command) const {
  ScsiOutcome outcome = service_.disk.carry_out(command[field::lun], cdb_of(command));
  const auto expected = command.u32(field::expected_data_transfer_length);
  if (outcome.data.size() > expected) outcome.data.resize(expected);
  return outcome.data;
}

void Peer::serve_command(const Pdu& command) {
  const ScsiOutcome outcome = service_.disk.carry_out(command[field::lun], cdb_of(command));
  if (outcome.status != kGood)
    send(scsi_response(command, outcome.status, 0, outcome.sense));
  else if (outcome.write_bytes > 0)
    begin_write(command, true);
  else
    serve_read(command);
}

void Peer::serve_read(const Pdu& command, std::uint32_t data_sn, std::uint32_t offset) {
  const Bytes data = data_of(command);
  const auto declared = offered.value("MaxRecvDataSegmentLength").value_or("");
  std::size_t most = wire::parse_number(declared).value_or(8192);
  if (service_.data_in_bytes > 0) most = std::min(most, service_.data_in_bytes);
  const std::size_t burst = agreed("MaxBurstLength", 262144);
  for (std::size_t at = offset; at < data.size(); ++data_sn) {
    const std::size_t sequence_end = (at / burst + 1) * burst;
    const std::size_t count = std::min({most, data.size() - at, sequence_end - at});
    const bool last = at + count == data.size() || at + count == sequence_end;
    send(data_in(command, std::span(data).subspan(at, count), data_sn,
                 static_cast<std::uint32_t>(at), last));
    at += count;
  }
  send(scsi_response(command, kGood, static_cast<std::uint32_t>(data.size()))
           .set(field::exp_data_sn, data_sn));
}

Write& Peer::begin_write(const Pdu& command, bool soliciting) {
  Task& task = writes_[command.u32(field::initiator_task_tag)];
  const ScsiOutcome outcome = service_.disk.carry_out(command[field::lun], cdb_of(command));
  task = {.write = {.command = command, .data = {}, .data_outs = {}},
          .solicited = soliciting,
          .disk_offset = outcome.write_offset};
  const auto bytes = std::min(command.u32(field::expected_data_transfer_length), kLimitWriteBytes);
  task.write.data.resize(bytes);
  const std::size_t immediate = std::min<std::size_t>(command.data.size(), bytes);
  std::copy_n(command.data.begin(), immediate, task.write.data.begin());
  task.write.received_bytes = static_cast<std::uint32_t>(immediate);
  if (soliciting && command[field::final]) solicit(task.write);
  return task.write;
}

// One R2T at a time, each for as much as one burst may be.
void Peer::solicit(Write& write) {
  const auto total = static_cast<std::uint32_t>(write.data.size());
  if (write.received_bytes >= total) return finish_write(write.command);
  const auto burst = static_cast<std::uint32_t>(agreed("MaxBurstLength", 262144));
  send(r2t(write.command, next_transfer_tag(), write.r2ts++, write.received_bytes,
           std::min(burst, total - write.received_bytes)));
}

void Peer::take_data_out(const Pdu& data_out) {
  const auto found = writes_.find(data_out.u32(field::initiator_task_tag));
  if (found == writes_.end()) return;
  Task& task = found->second;
  Write& write = task.write;
  const std::size_t offset = data_out[field::buffer_offset];
  if (offset <= write.data.size() && data_out.data.size() <= write.data.size() - offset)
    std::ranges::copy(data_out.data, write.data.begin() + static_cast<std::ptrdiff_t>(offset));
  write.received_bytes += static_cast<std::uint32_t>(data_out.data.size());
  write.data_outs.push_back(data_out);
  if (task.solicited && data_out[field::final]) solicit(write);
}

void Peer::finish_write(const Pdu& command) {
  const auto found = writes_.find(command.u32(field::initiator_task_tag));
  if (found == writes_.end()) return;
  const Task& task = found->second;
  service_.disk.store(task.disk_offset, task.write.data);
  send(scsi_response(command, kGood, task.write.received_bytes));
  writes_.erase(found);
}

const Write& Peer::write_of(const Pdu& command) const {
  return writes_.at(command.u32(field::initiator_task_tag)).write;
}

}  // namespace tsih::initiators
