// The answers of a good target, PDU by PDU (RFC 3720 section 10).
#include <algorithm>

#include "harness/initiators/negotiation.h"
#include "harness/initiators/peer.h"

namespace tsih::initiators {

using wire::Bytes;
using wire::Opcode;
using wire::Pdu;
namespace field = wire::field;

Pdu Peer::answer_to(const Pdu& request, Opcode opcode) const {
  Pdu pdu(opcode);
  pdu.set(field::final, 1);
  pdu.set(field::initiator_task_tag, request[field::initiator_task_tag]);
  return pdu;
}

Pdu Peer::login_response(const Pdu& request) {
  Pdu pdu(Opcode::login_response);
  for (const auto& same : {field::csg, field::isid, field::initiator_task_tag})
    pdu.set(same, request[same]);
  const wire::TextKeys keys = wire::parse_text(request.data).keys;
  offered.append(keys);
  discovery = offered.value("SessionType") == "Discovery";
  if (request[field::continues]) return pdu;  // the rest is asked for by an answer without keys

  wire::TextKeys answers = answer_keys(keys, service_.wishes);
  const bool operational = request[field::csg] == kOperational;
  if (!discovery && !answered.has("TargetPortalGroupTag"))
    answers.add("TargetPortalGroupTag", *service_.wishes.value("TargetPortalGroupTag"));
  if (operational && !answered.has("MaxRecvDataSegmentLength"))
    answers.add("MaxRecvDataSegmentLength", *service_.wishes.value("MaxRecvDataSegmentLength"));
  bool wait = false;
  if (operational && !proposed_) {
    for (const auto& [key, value] : service_.proposals.pairs()) {
      answers.add(key, value);
      wait = true;  // for the initiator's answer
    }
    proposed_ = true;
  }
  answered.append(answers);
  pdu.data = wire::encode_text(answers);
  if (request[field::transit] && !wait) {
    pdu.set(field::transit, 1).set(field::nsg, request[field::nsg]);
    if (request[field::nsg] == kFullFeature) pdu.set(field::tsih, service_.tsih);
  }
  return pdu;
}

Pdu Peer::login_failure(const Pdu& request, std::uint16_t status) {
  Pdu pdu(Opcode::login_response);
  for (const auto& same : {field::csg, field::isid, field::initiator_task_tag})
    pdu.set(same, request[same]);
  return pdu.set(field::status, status);
}

Pdu Peer::data_in(const Pdu& command, std::span<const std::uint8_t> data, std::uint32_t data_sn,
                  std::uint32_t offset, bool last) {
  Pdu pdu = answer_to(command, Opcode::data_in);
  pdu.set(field::final, last).set(field::target_transfer_tag, wire::kReservedTag);
  pdu.set(field::data_sn, data_sn).set(field::buffer_offset, offset);
  pdu.data.assign(data.begin(), data.end());
  return pdu;
}

Pdu Peer::data_in_with_status(const Pdu& command, std::span<const std::uint8_t> data,
                              std::uint32_t data_sn, std::uint32_t offset) {
  const auto moved = static_cast<std::uint32_t>(offset + data.size());
  const auto expected = command.u32(field::expected_data_transfer_length);
  Pdu pdu = data_in(command, data, data_sn, offset, true).set(field::has_status, 1);
  if (moved < expected) pdu.set(field::underflow, 1).set(field::residual, expected - moved);
  return pdu;
}

Pdu Peer::scsi_response(const Pdu& command, std::uint8_t status, std::uint32_t moved_bytes,
                        std::span<const std::uint8_t> sense) {
  Pdu pdu = answer_to(command, Opcode::scsi_response).set(field::scsi_status, status);
  const auto expected = command.u32(field::expected_data_transfer_length);
  if (moved_bytes < expected)
    pdu.set(field::underflow, 1).set(field::residual, expected - moved_bytes);
  if (!sense.empty()) {
    pdu.data = {static_cast<std::uint8_t>(sense.size() >> 8),
                static_cast<std::uint8_t>(sense.size())};
    pdu.data.insert(pdu.data.end(), sense.begin(), sense.end());
  }
  return pdu;
}

Pdu Peer::r2t(const Pdu& command, std::uint32_t transfer_tag, std::uint32_t r2t_sn,
              std::uint32_t offset, std::uint32_t bytes) {
  Pdu pdu = answer_to(command, Opcode::r2t);
  pdu.set(field::lun, command[field::lun]).set(field::target_transfer_tag, transfer_tag);
  pdu.set(field::r2t_sn, r2t_sn).set(field::buffer_offset, offset);
  return pdu.set(field::desired_length, bytes);
}

Pdu Peer::nop_in_answer(const Pdu& nop_out) {
  Pdu pdu = answer_to(nop_out, Opcode::nop_in);
  pdu.set(field::lun, nop_out[field::lun]).set(field::target_transfer_tag, wire::kReservedTag);
  pdu.data = nop_out.data;
  return pdu;
}

Pdu Peer::ping(std::uint32_t transfer_tag) {
  return nop_in().set(field::target_transfer_tag, transfer_tag);
}

Pdu Peer::nop_in() {
  Pdu pdu(Opcode::nop_in);
  pdu.set(field::final, 1).set(field::initiator_task_tag, wire::kReservedTag);
  return pdu.set(field::target_transfer_tag, wire::kReservedTag);
}

Pdu Peer::text_response(const Pdu& request, const wire::TextKeys& keys) {
  Pdu pdu = answer_to(request, Opcode::text_response);
  pdu.set(field::target_transfer_tag, wire::kReservedTag);
  pdu.data = wire::encode_text(keys);
  return pdu;
}

Pdu Peer::logout_response(const Pdu& request) {
  return answer_to(request, Opcode::logout_response);
}

Pdu Peer::task_management_response(const Pdu& request, std::uint8_t response) {
  return answer_to(request, Opcode::task_management_response).set(field::response, response);
}

Pdu Peer::async_message(std::uint8_t event, std::uint16_t parameter1, std::uint16_t parameter2,
                        std::uint16_t parameter3) {
  Pdu pdu(Opcode::async_message);
  pdu.set(field::final, 1).set(field::initiator_task_tag, wire::kReservedTag);
  pdu.set(field::async_event, event).set(field::parameter1, parameter1);
  return pdu.set(field::parameter2, parameter2).set(field::parameter3, parameter3);
}

Pdu Peer::reject(std::uint8_t reason, const Pdu& rejected) {
  Pdu pdu(Opcode::reject);
  pdu.set(field::final, 1).set(field::initiator_task_tag, wire::kReservedTag);
  pdu.set(field::reject_reason, reason);
  const Bytes sent = wire::encode(rejected);
  pdu.data.assign(sent.begin(), sent.begin() + wire::kHeaderBytes);
  return pdu;
}

}  // namespace tsih::initiators
