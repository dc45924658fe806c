// SNACK (RFC 3720 10.16): what was sent and not acknowledged is sent once more, at
// ErrorRecoveryLevel 1 and 2.
#include <algorithm>
#include <cstring>

#include "target/session/connection.h"
#include "target/session/connection_numbering.h"
#include "target/session/session.h"
#include "target/wire/serial.h"

namespace tsihd::session {
namespace {

using wire::RejectReason;
using wire::SnackRequestBhs;

enum class SnackType : std::uint8_t { data_or_r2t = 0, status = 1, data_ack = 2, r_data = 3 };

/// The run that a SNACK asks for, of what was sent: [begin, end).
struct Run {
  std::uint32_t begin;
  std::uint32_t end;
};

/// `acknowledged` is the first number that may be asked for, `next` the first that was not sent.
/// Nothing when the run reaches beyond either: that is a protocol error (10.16).
std::optional<Run> run_of(const SnackRequestBhs& bhs, std::uint32_t acknowledged,
                          std::uint32_t next) {
  const std::uint32_t begin = bhs.beg_run, length = bhs.run_length;
  if (begin == 0 && length == 0) return Run{acknowledged, next};
  const std::uint32_t end = length == 0 ? next : begin + length;
  const bool sent = wire::serial_less(begin, next) && wire::serial_less_equal(end, next) &&
                    wire::serial_less(begin, end);
  if (!sent || wire::serial_less(begin, acknowledged)) return std::nullopt;
  return Run{begin, end};
}

}  // namespace

void Connection::on_snack(const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<SnackRequestBhs>();
  ++service_.counters().snacks;
  std::optional<RejectReason> refused;
  switch (static_cast<SnackType>(bhs.type())) {
    case SnackType::data_or_r2t:
      refused = on_data_snack(bhs);
      break;
    case SnackType::status:
      refused = on_status_snack(bhs);
      break;
    case SnackType::data_ack:
      refused = on_data_ack(bhs);
      break;
    case SnackType::r_data:
      refused = on_r_data_snack(bhs);
      break;
    default:
      refused = RejectReason::protocol_error;
  }
  if (refused) reject(pdu, *refused);
}

/// A task of this connection whose status is not acknowledged, or null.
Task* Connection::find_unacknowledged(std::uint32_t initiator_task_tag) {
  Task* const task = session_->tasks().find(initiator_task_tag);
  if (task && task->connection == this) return task;
  return history_.find_task(initiator_task_tag);
}

Connection::Refused Connection::on_data_snack(const SnackRequestBhs& bhs) {
  Task* const task = find_unacknowledged(bhs.initiator_task_tag);
  if (!task) return RejectReason::protocol_error;
  return task->write && !task->read ? resend_r2ts(*task, bhs) : resend_data_in(*task, bhs);
}

/// An R2T is acknowledged by the last of its data. Replicas but for the current numbers (10.16); of
/// one that was replaced meanwhile, too: what answers it is passed over.
Connection::Refused Connection::resend_r2ts(Task& task, const SnackRequestBhs& bhs) {
  const auto run = run_of(bhs, task.first_unanswered_r2t(), task.r2t_sn);
  if (!run) return RejectReason::protocol_error;
  const auto asked = [&](std::uint32_t r2t_sn) {
    return r2t_sn >= run->begin && r2t_sn < run->end;
  };
  for (std::size_t i = 0; i < task.replaced_count; ++i) {
    const R2tRequest& old = task.replaced[i];
    if (!asked(old.r2t_sn)) continue;
    discards_.expect(task.initiator_task_tag, old.target_transfer_tag);
    send_r2t(task, old);
  }
  for (const Transfer& transfer : task.transfers)
    if (transfer.open && asked(transfer.r2t_sn)) send_r2t(task, transfer);
  return {};
}

Connection::Refused Connection::resend_data_in(Task& task, const SnackRequestBhs& bhs) {
  const auto run = run_of(bhs, task.acknowledged_data_sn, task.data_sn);
  if (!run) return RejectReason::protocol_error;
  if (run->begin == run->end) return {};
  Replay& replay = task.replay;
  std::uint32_t begin = run->begin, end = run->end;
  if (replay.task) {  // one is under way: what is left of it, and this
    begin = std::min(begin, replay.data_sn);
    end = std::max(end, replay.end_data_sn);
  }
  const auto offset = task.offset_of(begin, burst_bytes());
  // Cut otherwise than now they cannot be replicas: that takes an R-Data SNACK (10.16.3).
  if (!offset || begin < task.segmentations[task.segmentation_count - 1].data_sn ||
      task.segment_bytes() > max_data_in_bytes_)
    return RejectReason::snack_reject;
  if (!replay.task) line_.push_front(replay);
  replay.task = &task;
  replay.data_sn = begin;
  replay.end_data_sn = end;
  replay.offset_bytes = *offset;
  ready_to_send();
  return {};
}

/// One PDU of a replay; the last takes it out of the line.
void Connection::emit_replay(Replay& replay) {
  Task& task = *replay.task;
  const std::uint32_t bytes = task.data_in_bytes_at(replay.offset_bytes, burst_bytes());
  push_data_in(task, replay.data_sn, replay.offset_bytes, bytes);
  replay.offset_bytes += bytes;
  if (++replay.data_sn != replay.end_data_sn) return;
  line_.pop();
  replay.task = nullptr;
  task_sent(task);
}

Connection::Refused Connection::on_status_snack(const SnackRequestBhs& bhs) {
  const auto run = run_of(bhs, acknowledged_stat_sn_, stat_sn_);
  if (!run || bhs.initiator_task_tag != wire::kReservedTag) return RejectReason::protocol_error;
  for (std::uint32_t sn = run->begin; sn != run->end; ++sn)
    if (!history_.find(sn)) return RejectReason::snack_reject;
  for (std::uint32_t sn = run->begin; sn != run->end; ++sn) resend_response(*history_.find(sn));
  return {};
}

void Connection::resend_response(const ResponseHistory::Entry& entry) {
  if (!entry.task) {
    wire::ResponseBhs bhs;
    std::memcpy(static_cast<void*>(&bhs), entry.header.data(), sizeof(bhs));
    bhs.exp_cmd_sn = exp_cmd_sn();
    bhs.max_cmd_sn = max_cmd_sn();
    ++service_.counters().pdus_sent;
    output_.push_copy(bhs, entry.data, digests_);
    ready_to_send();
    return;
  }
  Task& task = *entry.task;
  if (!task.emitted) return;  // an R-Data SNACK has put it back in line: the status comes anyway
  if (!task.status_in_data) {
    push_scsi_response(task);
  } else {
    const std::uint32_t last = task.data_sn - 1;
    if (const auto offset = task.offset_of(last, burst_bytes()))
      push_data_in(task, last, *offset, task.data_in_bytes - *offset);
  }
  ready_to_send();
}

/// 10.16.2: frees nothing here, as the data is one piece; it moves the reference for what may be
/// asked for again.
Connection::Refused Connection::on_data_ack(const SnackRequestBhs& bhs) {
  Task* const task = session_->tasks().at(bhs.target_transfer_tag >> 16);
  const bool known = task && task->connection == this &&
                     task->acknowledge_tag == bhs.target_transfer_tag && task->lun == bhs.lun &&
                     bhs.initiator_task_tag == wire::kReservedTag && bhs.run_length == 0;
  if (!known || bhs.beg_run < task->acknowledged_data_sn || bhs.beg_run > task->data_sn)
    return RejectReason::invalid_data_ack;
  task->acknowledged_data_sn = bhs.beg_run;
  return {};
}

/// 10.16.3: all that is not acknowledged comes once more, cut anew, and the status with the tag of
/// this SNACK.
Connection::Refused Connection::on_r_data_snack(const SnackRequestBhs& bhs) {
  Task* const task = find_unacknowledged(bhs.initiator_task_tag);
  const std::uint32_t tag = bhs.target_transfer_tag;
  const bool in_form =
      tag != 0 && tag != wire::kReservedTag && bhs.beg_run == 0 && bhs.run_length == 0;
  if (!in_form || !task || task->data_sn <= task->acknowledged_data_sn)
    return RejectReason::protocol_error;
  const auto offset = task->offset_of(task->acknowledged_data_sn, burst_bytes());
  if (!offset) return RejectReason::snack_reject;
  stop_replay(*task);
  task->snack_tag = tag;
  rewind(*task, task->acknowledged_data_sn, *offset);
  if (task->emitted) {
    task->emitted = false;
    line_.push_front(*task);
  }
  ready_to_send();
  return {};
}

/// Data-In goes on from here, in segments of this connection's size.
void Connection::rewind(Task& task, std::uint32_t data_sn, std::uint32_t offset_bytes) {
  task.data_sn = data_sn;
  task.sent_bytes = offset_bytes;
  task.status_in_data = false;
  task.segmentation_count = 0;
  if (task.data_in_bytes > 0) task.segment(max_data_in_bytes_);
}

void Connection::stop_replay(Task& task) {
  if (!task.replay.task) return;
  line_.remove(task.replay);
  task.replay.task = nullptr;
}

/// This response may be asked for again until it is acknowledged.
void Connection::remember(Task& task) {
  task.retained = task.status_sent = true;
  history_.note(task.stat_sn, task, [this](Task& other) { let_go(other); });
  session_->answered(task);
  solicit_acknowledgement();
}

/// The history fills up: a ping brings the initiator's ExpStatSN (6.1.4.2).
void Connection::solicit_acknowledgement() {
  if (history_.size() % (ResponseHistory::kResponses / 2) == 0) ping();
}

/// Acknowledged, or lost to recovery.
void Connection::let_go(Task& task) {
  task.retained = false;
  stop_replay(task);
  if (!task.emitted) {
    line_.remove(task);
    task.emitted = true;
  }
  task_sent(task);
}

void Connection::forget_retained() {
  history_.clear([this](Task& task) { let_go(task); });
}

}  // namespace tsihd::session
