// The raw initiator: requests.
#include "harness/conformance/initiator.h"

namespace tsih::conformance {

using wire::Opcode;
using wire::Pdu;
namespace field = wire::field;

Pdu Initiator::request(Opcode opcode) {
  Pdu pdu(opcode);
  pdu.set(field::initiator_task_tag, next_tag());
  pdu.set(field::exp_stat_sn, exp_stat_sn);
  return pdu;
}

wire::TextKeys Initiator::names() const {
  // SessionType has a default, but not every target knows: LIO refuses a login without the key.
  wire::TextKeys keys{{"InitiatorName", initiator_name},
                      {"SessionType", discovery ? "Discovery" : "Normal"}};
  if (!discovery) keys.add("TargetName", context_.settings.url.target_name);
  return keys;
}

Pdu Initiator::login_request(Stage stage, std::optional<Stage> next, const wire::TextKeys& keys) {
  Pdu pdu(Opcode::login_request);
  pdu.set(field::immediate, 1).set(field::csg, stage);
  if (next) pdu.set(field::transit, 1).set(field::nsg, *next);
  pdu.set(field::isid, isid).set(field::tsih, tsih).set(field::cid, cid);
  pdu.set(field::initiator_task_tag, login_tag_);  // one task for the whole login
  pdu.set(field::cmd_sn, cmd_sn).set(field::exp_stat_sn, exp_stat_sn);
  wire::TextKeys all;
  if (!named_) all = names();
  named_ = true;
  all.append(keys);
  pdu.data = wire::encode_text(all);
  return pdu;
}

Pdu Initiator::nop_out(wire::Bytes ping_data) {
  Pdu pdu = request(Opcode::nop_out);
  pdu.set(field::final, 1).set(field::cmd_sn, cmd_sn);
  pdu.set(field::target_transfer_tag, wire::kReservedTag);
  pdu.data = std::move(ping_data);
  return pdu;
}

Pdu Initiator::pong(const Pdu& ping) {
  Pdu pdu = nop_out();
  pdu.set(field::immediate, 1).set(field::initiator_task_tag, wire::kReservedTag);
  pdu.set(field::target_transfer_tag, ping[field::target_transfer_tag]);
  return pdu.set(field::lun, ping[field::lun]);
}

namespace {
// Peripheral device addressing, which does for LUNs below 256 (SAM).
std::uint64_t lun_field(std::uint8_t lun) { return static_cast<std::uint64_t>(lun) << 48; }
}  // namespace

Pdu Initiator::scsi_command(const ScsiCommand& command) {
  Pdu pdu = request(Opcode::scsi_command);
  pdu.set(field::final, 1).set(field::cmd_sn, cmd_sn);
  pdu.set(field::read, command.read_bytes > 0).set(field::write, command.write_bytes > 0);
  pdu.set(field::attribute, 1);
  pdu.set(field::lun, lun_field(context_.settings.url.lun));
  pdu.set(field::expected_data_transfer_length,
          command.read_bytes > 0 ? command.read_bytes : command.write_bytes);
  pdu.set_cdb(command.cdb);
  return pdu;
}

Pdu Initiator::data_out(const Pdu& command, std::uint32_t transfer_tag, std::uint32_t offset,
                        std::span<const std::uint8_t> data, std::uint32_t data_sn, bool final) {
  Pdu pdu(Opcode::data_out);
  pdu.set(field::initiator_task_tag, command[field::initiator_task_tag]);
  pdu.set(field::target_transfer_tag, transfer_tag).set(field::lun, command[field::lun]);
  pdu.set(field::exp_stat_sn, exp_stat_sn).set(field::data_sn, data_sn);
  pdu.set(field::buffer_offset, offset).set(field::final, final);
  pdu.data.assign(data.begin(), data.end());
  return pdu;
}

Pdu Initiator::text_request(const wire::TextKeys& keys) {
  Pdu pdu = request(Opcode::text_request);
  pdu.set(field::final, 1).set(field::cmd_sn, cmd_sn);
  pdu.set(field::target_transfer_tag, wire::kReservedTag);
  pdu.data = wire::encode_text(keys);
  return pdu;
}

Pdu Initiator::logout_request(std::uint8_t reason) {
  Pdu pdu = request(Opcode::logout_request);
  pdu.set(field::immediate, 1).set(field::final, 1).set(field::logout_reason, reason);
  pdu.set(field::cmd_sn, cmd_sn).set(field::cid, cid);
  return pdu;
}

Pdu Initiator::task_management_request(std::uint8_t function, std::uint32_t referenced_tag) {
  Pdu pdu = request(Opcode::task_management_request);
  pdu.set(field::immediate, 1).set(field::final, 1).set(field::function, function);
  pdu.set(field::lun, lun_field(context_.settings.url.lun));
  pdu.set(field::referenced_task_tag, referenced_tag).set(field::cmd_sn, cmd_sn);
  return pdu;
}

Pdu Initiator::unnamed_request(std::uint8_t opcode) {
  Pdu pdu = request(Opcode::nop_out);
  pdu.set(field::opcode, opcode).set(field::final, 1).set(field::cmd_sn, cmd_sn);
  return pdu;
}

Pdu Initiator::snack_request(Snack type, std::uint32_t beg_run, std::uint32_t run_length,
                             const Pdu* command) {
  Pdu pdu(Opcode::snack_request);
  pdu.set(field::final, 1).set(field::snack_type, type).set(field::exp_stat_sn, exp_stat_sn);
  pdu.set(field::initiator_task_tag, wire::kReservedTag);
  if (command) {
    pdu.set(field::initiator_task_tag, (*command)[field::initiator_task_tag]);
    pdu.set(field::lun, (*command)[field::lun]);
  }
  pdu.set(field::target_transfer_tag, wire::kReservedTag);
  pdu.set(field::beg_run, beg_run).set(field::run_length, run_length);
  return pdu;
}

Pdu Initiator::data_ack(const Pdu& data_in) {
  Pdu pdu = snack_request(kDataAck, data_in.u32(field::data_sn) + 1, 0);
  pdu.set(field::target_transfer_tag, data_in[field::target_transfer_tag]);
  return pdu.set(field::lun, data_in[field::lun]);
}

}  // namespace tsih::conformance
