// From finished commands to response PDUs (RFC 3720 10.4, 10.7): data cut to the initiator's
// limits, status with the last of it, residual counts. PDUs are made as the socket takes them, so
// that a large read holds no more headers than fit one write.
#include <algorithm>
#include <cstring>

#include "target/session/connection.h"
#include "target/session/connection_numbering.h"
#include "target/session/session.h"
#include "target/wire/serial.h"

namespace tsihd::session {
namespace {

struct Residual {
  bool overflow = false;
  bool underflow = false;
  std::uint32_t bytes = 0;
};

/// What was expected against what the command called for and what was moved (10.4.4 to 10.4.6).
Residual residual(std::uint32_t expected, std::uint64_t required, std::uint32_t moved) {
  constexpr std::uint64_t kMost = 0xffffffff;
  if (required > expected)
    return {true, false, static_cast<std::uint32_t>(std::min(required - expected, kMost))};
  if (moved < expected) return {false, true, expected - moved};
  return {};
}

Residual read_residual(const Task& task) {
  const std::uint64_t required = task.condemned ? 0 : task.required_data_in_bytes;
  return residual(task.expected_data_in_bytes, required, task.data_in_bytes);
}

Residual write_residual(const Task& task) {
  if (task.status != scsi::Status::good)
    return residual(task.expected_data_out_bytes, 0,
                    std::min(task.received_bytes, task.expected_data_out_bytes));
  const auto moved = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(task.required_data_out_bytes, task.expected_data_out_bytes));
  return residual(task.expected_data_out_bytes, task.required_data_out_bytes, moved);
}

bool may_ride_on_data(const Task& task) {
  return !task.write && task.snack_tag == 0 &&
         (task.status == scsi::Status::good || task.status == scsi::Status::condition_met);
}

}  // namespace

void Connection::respond(Pending& pending) {
  const bool is_task = pending.kind == Pending::Kind::task;
  // A task that ends while the connection leaves (others were aborted before it) has nobody to
  // tell.
  if (state_ == State::closed || state_ == State::closing || (is_task && has_parted())) {
    if (is_task) {
      auto& task = static_cast<Task&>(pending);
      task.session->release(task);
    }
    return;
  }
  line_.push(pending);
  ready_to_send();
}

/// Makes PDUs of what is in line, up to what one write is likely to take.
void Connection::fill_output() {
  constexpr std::size_t kAheadPdus = 512, kAheadBytes = 4u << 20;
  while (!line_.empty() && output_.pdus() < kAheadPdus && output_.bytes() < kAheadBytes) {
    Pending& front = *line_.front();
    if (front.kind == Pending::Kind::task) {
      if (!emit_task(static_cast<Task&>(front))) continue;
    } else if (front.kind == Pending::Kind::replay) {
      emit_replay(static_cast<Replay&>(front));
    } else {
      line_.pop();
      if (front.kind == Pending::Kind::task_management) {
        emit_task_management(static_cast<TaskManagement&>(front));
      } else {
        emit_logout_response(LogoutResponse::success);
        if (state_ != State::logging_out) continue;
        leave_session(logout_for_recovery_ ? Departure::recovery : Departure::closed, "logout");
        close_output("logout");
      }
    }
  }
}

/// One PDU of a task. True when it was the last one; then the task is out of the line.
bool Connection::emit_task(Task& task) {
  if (task.sent_bytes < task.data_in_bytes) {
    const bool last = emit_data_in(task);
    if (!last) return false;
  } else {
    line_.pop();
    emit_scsi_response(task);
  }
  task.emitted = true;
  task_sent(task);
  if (session_->managing()) session_->advance_task_management();
  return true;
}

/// The next of its Data-In PDUs. True when the status went with it.
bool Connection::emit_data_in(Task& task) {
  if (task.segmentation_count == 0) task.segment(max_data_in_bytes_);
  const std::uint32_t bytes = task.data_in_bytes_at(task.sent_bytes, burst_bytes());
  const std::uint32_t data_sn = task.data_sn++, offset_bytes = task.sent_bytes;
  task.sent_bytes += bytes;
  service_.counters().data_in_bytes += bytes;
  const bool with_status = task.sent_bytes == task.data_in_bytes && may_ride_on_data(task);
  if (with_status) {
    line_.pop();
    session_->status_queued(task);  // before numbering: its place in the window is free again
    task.status_in_data = true;
    task.stat_sn = stat_sn_++;
  }
  push_data_in(task, data_sn, offset_bytes, bytes);
  if (with_status && session_->recovers()) remember(task);
  return with_status;
}

/// This Data-In PDU, now or once more: the same but for ExpCmdSN and MaxCmdSN.
void Connection::push_data_in(Task& task, std::uint32_t data_sn, std::uint32_t offset_bytes,
                              std::uint32_t bytes) {
  const bool last = offset_bytes + bytes == task.data_in_bytes;
  const bool ends_burst = last || (offset_bytes + bytes) % burst_bytes() == 0;
  wire::DataInBhs bhs;
  number(bhs, false);
  bhs.stat_sn = 0;  // has no meaning without status (10.7.3)
  if (ends_burst) bhs.flags = wire::kFinalBit;
  bhs.initiator_task_tag = task.initiator_task_tag;
  bhs.data_sn = data_sn;
  bhs.buffer_offset_bytes = offset_bytes;
  if (last && task.status_in_data) {
    bhs.flags |= wire::DataInBhs::kStatus;
    bhs.stat_sn = task.stat_sn;
    bhs.set_status(static_cast<std::uint8_t>(task.status));
    const Residual rest = read_residual(task);
    if (rest.overflow) bhs.flags |= wire::DataInBhs::kOverflow;
    if (rest.underflow) bhs.flags |= wire::DataInBhs::kUnderflow;
    bhs.residual_bytes = rest.bytes;
  } else if (ends_burst && session_->recovers()) {  // once a burst at most (10.7.2)
    if (task.acknowledge_tag == Task::kNoTag) task.acknowledge_tag = task.new_tag();
    bhs.flags |= wire::DataInBhs::kAcknowledge;
    bhs.target_transfer_tag = task.acknowledge_tag;
    bhs.lun = task.lun;
  }
  output_.push(bhs, std::span<const std::byte>{task.data_in.data() + offset_bytes, bytes}, &task,
               digests_);
}

void Connection::emit_scsi_response(Task& task) {
  session_->status_queued(task);
  const bool again = task.retained;  // after an R-Data SNACK: under the same StatSN (10.16.3)
  if (!again) task.stat_sn = stat_sn_++;
  push_scsi_response(task);
  if (session_->recovers() && !again) remember(task);
}

void Connection::push_scsi_response(Task& task) {
  wire::ScsiResponseBhs bhs;
  number(bhs, false);
  bhs.stat_sn = task.stat_sn;
  bhs.set_status(static_cast<std::uint8_t>(task.status));
  bhs.initiator_task_tag = task.initiator_task_tag;
  bhs.snack_tag = task.snack_tag;
  // R2Ts count only beside Data-In: without any, the field is 0 (10.4.8).
  bhs.exp_data_sn = task.data_sn == 0 ? 0 : task.data_sn + task.r2t_sn;
  const Residual rest = task.write ? write_residual(task) : read_residual(task);
  if (rest.overflow) bhs.flags |= wire::ScsiResponseBhs::kOverflow;
  if (rest.underflow) bhs.flags |= wire::ScsiResponseBhs::kUnderflow;
  bhs.residual_bytes = rest.bytes;
  if (task.read && task.write) {
    const Residual read_rest = read_residual(task);
    if (read_rest.overflow) bhs.flags |= wire::ScsiResponseBhs::kBidirectionalOverflow;
    if (read_rest.underflow) bhs.flags |= wire::ScsiResponseBhs::kBidirectionalUnderflow;
    bhs.bidirectional_read_residual_bytes = read_rest.bytes;
  }
  if (task.sense_bytes == 0) {
    output_.push(bhs, {}, nullptr, digests_);
    return;
  }
  std::array<std::byte, sizeof(wire::U16) + 96> segment;  // SenseLength, then the sense (10.4.7)
  const wire::U16 length{task.sense_bytes};
  std::memcpy(segment.data(), &length, sizeof(length));
  std::memcpy(segment.data() + sizeof(length), task.sense.data(), task.sense_bytes);
  output_.push_copy(bhs, std::span(segment).first(sizeof(length) + task.sense_bytes), digests_);
}

/// A task set function answers once the responses before it are confirmed (10.6.2 d).
void Connection::emit_task_management(TaskManagement& request) {
  const bool waits = request.is_task_set() &&
                     request.response == TaskManagementResponse::function_complete &&
                     state_ == State::full_feature && session_->await_acknowledgement(request);
  if (!waits) answer_acknowledged(request);
}

void Connection::answer_acknowledged(TaskManagement& request) {
  send_task_management_response(request.initiator_task_tag, request.response);
  session_->task_management_answered(request);
}

void Connection::send_task_management_response(std::uint32_t initiator_task_tag,
                                               TaskManagementResponse response) {
  wire::TaskManagementResponseBhs bhs;
  bhs.set_response(static_cast<std::uint8_t>(response));
  bhs.initiator_task_tag = initiator_task_tag;
  send(bhs, true);
}

void Connection::task_sent(Task& task) {
  if (task.pdus_unsent == 0 && task.emitted && !task.retained && !task.replay.task)
    task.session->release(task);
}

/// Data-In PDUs end on four-byte words unless they are the last (10.7.7). Reads under way are cut
/// anew from their next PDU on.
void Connection::update_data_in_limit() {
  const std::uint32_t before = max_data_in_bytes_;
  max_data_in_bytes_ = parameters_.initiator_max_recv_data_segment_length_bytes & ~3u;
  if (max_data_in_bytes_ == before) return;
  for (Task* task = session_->tasks().first_in_use(); task; task = task->next_in_use)
    if (task->connection == this && task->segmentation_count > 0 && !task->emitted)
      task->segment(max_data_in_bytes_);
}

/// What was sent on the connection that is lost is void; data goes on from what the initiator says
/// it has.
void Connection::resume(Task& task, std::uint32_t exp_data_sn) {
  task.connection = this;
  task.link = link_;
  task.snack_tag = 0;  // 6.2.2
  task.acknowledge_tag = Task::kNoTag;
  ++service_.counters().tasks_reassigned;
  task.give_up_sequences(exp_data_sn);
  if (task.stage != Task::Stage::stranded) {
    if (task.condemned && task.stage == Task::Stage::device)
      session_->condemned(task);
    else if (task.collecting)
      session_->data_arrived(task);
    return;
  }
  const bool in_range = exp_data_sn >= task.acknowledged_data_sn && exp_data_sn <= task.data_sn;
  if (task.read && exp_data_sn != 0 && in_range) task.acknowledged_data_sn = exp_data_sn;
  const auto offset = task.offset_of(task.acknowledged_data_sn, burst_bytes());
  rewind(task, offset ? task.acknowledged_data_sn : 0, offset.value_or(0));
  task.stage = Task::Stage::responding;
  task.emitted = false;
  respond(task);
}

}  // namespace tsihd::session
