// What comes in full feature phase: numbering first, then one function an opcode.
#include <algorithm>
#include <string>
#include <utility>

#include "target/session/connection.h"
#include "target/session/connection_numbering.h"
#include "target/session/session.h"
#include "target/wire/serial.h"

namespace tsihd::session {

using wire::Opcode;
using wire::RejectReason;

void Connection::on_full_feature_pdu(const wire::Pdu& pdu) {
  acknowledge(pdu.as<wire::RequestBhs>().exp_stat_sn);
  const Opcode opcode = pdu.opcode();
  if (opcode == Opcode::data_out) {
    on_data_out(pdu);
    return;
  }
  if (!pdu.data_digest_ok) {
    ++service_.counters().data_digest_errors;
    refuse_request(pdu, RejectReason::data_digest_error);
    return;
  }
  if (const auto reason = inadmissible(pdu)) {
    refuse_request(pdu, *reason);
    return;
  }
  if (opcode == Opcode::scsi_command) {
    on_scsi_command(pdu);
    return;
  }
  if (opcode == Opcode::snack_request) {
    on_snack(pdu);
    return;
  }
  if (opcode == Opcode::nop_out && pdu.initiator_task_tag() == wire::kReservedTag) {
    // An answer to our NOP-In, or news of ExpStatSN; it bears no number (10.18.1).
    if (!pdu.is_immediate()) reject(pdu, RejectReason::invalid_pdu_field);
    return;
  }
  on_numbered(pdu);
}

void Connection::acknowledge(std::uint32_t exp_stat_sn) {
  if (!wire::serial_less(acknowledged_stat_sn_, exp_stat_sn) ||
      wire::serial_less(stat_sn_, exp_stat_sn))
    return;
  acknowledged_stat_sn_ = exp_stat_sn;
  if (!history_.empty()) history_.acknowledge(exp_stat_sn, [this](Task& task) { let_go(task); });
  service_.wake_task_management();
}

/// Why this request is not for this session at all, before any number is looked at.
std::optional<RejectReason> Connection::inadmissible(const wire::Pdu& pdu) const {
  const Opcode opcode = pdu.opcode();
  switch (opcode) {
    case Opcode::nop_out:
    case Opcode::scsi_command:
    case Opcode::task_management_request:
    case Opcode::text_request:
    case Opcode::logout_request:
      break;
    case Opcode::snack_request:
      if (session_->recovers()) return std::nullopt;
      return RejectReason::protocol_error;  // ErrorRecoveryLevel 0 knows none (10.16)
    case Opcode::login_request:
      return RejectReason::protocol_error;
    default:
      return RejectReason::command_not_supported;
  }
  if (state_ == State::logging_out) return RejectReason::waiting_for_logout;
  if (session_->is_discovery()) {
    // Only SendTargets and a Logout that closes the session (3.3).
    const bool logout =
        opcode == Opcode::logout_request && pdu.as<wire::LogoutRequestBhs>().reason() == 0;
    if (opcode != Opcode::text_request && !logout) return RejectReason::protocol_error;
  }
  return std::nullopt;
}

/// Rejects a request that never became a task: its CmdSN counts as not received (6.3), and data
/// that was to follow it unsolicited is dropped as it comes.
void Connection::refuse_request(const wire::Pdu& pdu, RejectReason reason) {
  expect_stray_data(pdu);
  reject(pdu, reason);
}

void Connection::expect_stray_data(const wire::Pdu& pdu) {
  if (pdu.opcode() != Opcode::scsi_command || pdu.is_final()) return;
  if (pdu.as<wire::ScsiCommandBhs>().has(wire::ScsiCommandBhs::kWrite))
    discards_.expect(pdu.initiator_task_tag(), wire::kReservedTag);
}

void Connection::on_numbered(const wire::Pdu& pdu) {
  if (pdu.is_immediate()) {
    execute(pdu, false);
    return;
  }
  CommandWindow& window = session_->window();
  const std::uint32_t cmd_sn = pdu.as<wire::RequestBhs>().cmd_sn;
  switch (window.judge(cmd_sn)) {
    case CommandWindow::Verdict::ignore:
      ++service_.counters().commands_ignored;
      return;
    case CommandWindow::Verdict::hold:
      window.hold(cmd_sn, {HeldRequest::Kind::pdu,
                           nullptr,
                           this,
                           {pdu.header.begin(), pdu.header.end()},
                           {pdu.data.begin(), pdu.data.end()}});
      return;
    case CommandWindow::Verdict::deliver:
      execute(pdu, true);
      turn_taken();
      return;
  }
}

/// The window may have moved: what waited for that goes on.
void Connection::turn_taken() {
  if (!session_) return;
  if (session_->window().holds_any()) session_->deliver_held();
  if (session_ && session_->managing()) session_->advance_task_management();
}

/// `advance`: the request takes its turn in the numbering once it is found good.
void Connection::execute(const wire::Pdu& pdu, bool advance) {
  switch (pdu.opcode()) {
    case Opcode::nop_out:
      if (advance) session_->window().advance();
      on_nop_out(pdu);
      break;
    case Opcode::task_management_request:
      if (advance) session_->window().advance();
      session_->manage(*this, pdu);
      break;
    case Opcode::text_request:
      on_text(pdu, advance);
      break;
    case Opcode::logout_request:
      on_logout(pdu, advance);
      break;
    default:
      break;
  }
}

void Connection::on_nop_out(const wire::Pdu& pdu) {
  wire::NopInBhs bhs;
  bhs.initiator_task_tag = pdu.initiator_task_tag();
  const std::size_t limit_bytes = parameters_.initiator_max_recv_data_segment_length_bytes;
  send_copy(bhs, pdu.data.first(std::min(pdu.data.size(), limit_bytes)), true);
}

void Connection::on_text(const wire::Pdu& pdu, bool advance) {
  wire::TextResponseBhs bhs;
  std::string data;
  const auto result = text_->on_request(pdu, bhs, data);
  if (!result) {
    if (result.error() == RejectReason::long_operation_reject ||
        result.error() == RejectReason::negotiation_reset)
      ++service_.counters().limit_text;
    reject(pdu, result.error());
    return;
  }
  if (advance) session_->window().advance();
  send_copy(bhs, std::as_bytes(std::span(data)), true);
  update_data_in_limit();  // MaxRecvDataSegmentLength may have been declared anew
}

void Connection::reject(const wire::Pdu& pdu, RejectReason reason) {
  ++service_.counters().rejects_sent;
  if (reason == RejectReason::protocol_error) ++service_.counters().protocol_errors;
  service_.log().warning("reject reason={:#04x} opcode={:#04x} itt={:#010x} initiator={} peer={}",
                         static_cast<unsigned>(reason), static_cast<unsigned>(pdu.opcode()),
                         pdu.initiator_task_tag(), session_->identity().initiator_name,
                         endpoints_.remote());
  wire::RejectBhs bhs;
  bhs.set_reason(static_cast<std::uint8_t>(reason));
  if (pdu.opcode() == Opcode::snack_request && reason == RejectReason::protocol_error)
    if (const Task* task = find_unacknowledged(pdu.initiator_task_tag()))
      bhs.data_sn = task->data_sn + task->r2t_sn;  // what comes next (10.17.2)
  send_copy(bhs, pdu.header, true);
}

}  // namespace tsihd::session
