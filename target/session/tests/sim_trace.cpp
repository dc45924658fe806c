#include "target/session/tests/sim_trace.h"

#include <iterator>

namespace tsihd::session::sim {
namespace {

using wire::Opcode;

std::string_view name_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::nop_out:
      return "NOP-Out";
    case Opcode::scsi_command:
      return "SCSI Command";
    case Opcode::task_management_request:
      return "Task Management Request";
    case Opcode::login_request:
      return "Login Request";
    case Opcode::text_request:
      return "Text Request";
    case Opcode::data_out:
      return "Data-Out";
    case Opcode::logout_request:
      return "Logout Request";
    case Opcode::snack_request:
      return "SNACK";
    case Opcode::nop_in:
      return "NOP-In";
    case Opcode::scsi_response:
      return "SCSI Response";
    case Opcode::task_management_response:
      return "Task Management Response";
    case Opcode::login_response:
      return "Login Response";
    case Opcode::text_response:
      return "Text Response";
    case Opcode::data_in:
      return "Data-In";
    case Opcode::logout_response:
      return "Logout Response";
    case Opcode::r2t:
      return "R2T";
    case Opcode::async_message:
      return "Async Message";
    case Opcode::reject:
      return "Reject";
  }
  return "PDU";
}

bool is_request(Opcode opcode) { return (static_cast<unsigned>(opcode) & 0x20) == 0; }

}  // namespace

std::string describe(const wire::Pdu& pdu) {
  const auto number = [](const auto& field) { return static_cast<std::uint32_t>(field); };
  std::string text =
      fmt::format("{}{} {:#x}", name_of(pdu.opcode()), pdu.is_immediate() ? ", immediate," : "",
                  pdu.initiator_task_tag());
  const auto add = std::back_inserter(text);
  if (pdu.is_final()) text += " F";
  const auto& response = pdu.as<wire::ResponseBhs>();
  if (is_request(pdu.opcode()) && pdu.opcode() != Opcode::data_out)
    fmt::format_to(add, " CmdSN={}", number(pdu.as<wire::RequestBhs>().cmd_sn));
  if (is_request(pdu.opcode()))
    fmt::format_to(add, " ExpStatSN={}", number(pdu.as<wire::RequestBhs>().exp_stat_sn));
  else
    fmt::format_to(add, " StatSN={} ExpCmdSN={} MaxCmdSN={}", number(response.stat_sn),
                   number(response.exp_cmd_sn), number(response.max_cmd_sn));
  if (pdu.opcode() == Opcode::data_in || pdu.opcode() == Opcode::data_out) {
    const auto& bhs = pdu.as<wire::DataInBhs>();  // the fields named here lie alike in both
    fmt::format_to(add, " DataSN={} offset={} TTT={:#x}", number(bhs.data_sn),
                   number(bhs.buffer_offset_bytes), number(bhs.target_transfer_tag));
    if (pdu.opcode() == Opcode::data_in && bhs.has(wire::DataInBhs::kStatus)) text += " S";
  } else if (pdu.opcode() == Opcode::r2t) {
    const auto& bhs = pdu.as<wire::R2tBhs>();
    fmt::format_to(add, " R2TSN={} offset={} length={} TTT={:#x}", number(bhs.r2t_sn),
                   number(bhs.buffer_offset_bytes), number(bhs.desired_data_transfer_bytes),
                   number(bhs.target_transfer_tag));
  } else if (pdu.opcode() == Opcode::scsi_command) {
    const auto& bhs = pdu.as<wire::ScsiCommandBhs>();
    fmt::format_to(add, " CDB={:02x} EDTL={}", bhs.cdb[0],
                   number(bhs.expected_data_transfer_bytes));
  } else if (pdu.opcode() == Opcode::scsi_response) {
    const auto& bhs = pdu.as<wire::ScsiResponseBhs>();
    fmt::format_to(add, " status={:#04x} ExpDataSN={}", bhs.status(), number(bhs.exp_data_sn));
  } else if (pdu.opcode() == Opcode::task_management_request) {
    const auto& bhs = pdu.as<wire::TaskManagementRequestBhs>();
    fmt::format_to(add, " function={} of={:#x} ExpDataSN={}", bhs.function(),
                   number(bhs.referenced_task_tag), number(bhs.exp_data_sn));
  } else if (pdu.opcode() == Opcode::snack_request) {
    const auto& bhs = pdu.as<wire::SnackRequestBhs>();
    fmt::format_to(add, " type={} run={}+{}", bhs.type(), number(bhs.beg_run),
                   number(bhs.run_length));
  } else if (pdu.opcode() == Opcode::reject) {
    fmt::format_to(add, " reason={:#04x}", pdu.as<wire::RejectBhs>().reason());
  } else if (!is_request(pdu.opcode()) || pdu.opcode() == Opcode::logout_request) {
    fmt::format_to(add, " byte 2={:#04x}", pdu.bhs().specific_2);
  }
  if (!pdu.data.empty()) fmt::format_to(add, " data={}", pdu.data.size());
  return text;
}

}  // namespace tsihd::session::sim
