// Data from the initiator (RFC 3720 10.7, 10.8): R2Ts out, Data-Out in, every field checked.
//
// At ErrorRecoveryLevel 0 nothing is asked for twice. Data that is lost or wrong ends its task with
// CHECK CONDITION (6.7 b, 10.4.7.2), after the last PDU that the initiator still owes.
#include <algorithm>
#include <cstring>

#include "target/session/connection.h"
#include "target/session/connection_numbering.h"
#include "target/session/session.h"

namespace tsihd::session {

using wire::RejectReason;

void Connection::solicit(Task& task, std::uint32_t goal_bytes) {
  if (goal_bytes > service_.limits().command_data_bytes || !make_room(task, goal_bytes)) {
    task.condemn(scsi::Status::busy);
    session_->condemned(task);
    return;
  }
  const auto most_open =
      std::min<std::uint32_t>(parameters_.max_outstanding_r2t, Task::kMaxTransfers);
  if (task.r2t_sn == 0) task.solicited_bytes = task.received_bytes;
  for (Transfer& transfer : task.transfers) {
    if (task.open_transfers >= most_open || task.solicited_bytes >= goal_bytes) return;
    if (transfer.open) continue;
    transfer = {};
    transfer.target_transfer_tag = std::uint32_t{task.index} << 16 | task.next_tag++;
    transfer.offset_bytes = task.solicited_bytes;
    transfer.length_bytes =
        std::min(parameters_.max_burst_length_bytes, goal_bytes - task.solicited_bytes);
    transfer.open = true;
    ++task.open_transfers;
    task.solicited_bytes += transfer.length_bytes;
    wire::R2tBhs bhs;
    bhs.lun = task.lun;
    bhs.initiator_task_tag = task.initiator_task_tag;
    bhs.target_transfer_tag = transfer.target_transfer_tag;
    bhs.r2t_sn = task.r2t_sn++;
    bhs.buffer_offset_bytes = transfer.offset_bytes;
    bhs.desired_data_transfer_bytes = transfer.length_bytes;
    ++service_.counters().r2ts;
    send(bhs, false);
  }
}

void Connection::on_data_out(const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::DataOutBhs>();
  const std::uint32_t tag = bhs.target_transfer_tag;
  if (!pdu.data_digest_ok) ++service_.counters().data_digest_errors;
  Task* task = nullptr;
  Transfer* transfer = nullptr;
  if (tag == wire::kReservedTag) {
    task = session_->tasks().find(bhs.initiator_task_tag);
  } else {
    task = session_->tasks().at(tag >> 16);
    if (task && (task->initiator_task_tag != bhs.initiator_task_tag || task->lun != bhs.lun))
      task = nullptr;
    transfer = task ? task->find_transfer(tag) : nullptr;
  }
  const bool expected = task && (transfer || (tag == wire::kReservedTag && task->unsolicited_open));
  if (expected) {
    if (transfer)
      on_solicited(*task, *transfer, pdu);
    else
      on_unsolicited(*task, pdu);
    return;
  }
  if (discards_.takes(bhs)) {
    service_.counters().data_discarded_bytes += pdu.data.size();
    return;
  }
  on_uncalled(tag == wire::kReservedTag ? task : nullptr, pdu);
}

/// Data-Out that nothing allows: a tag that is not out, or unsolicited data after its end.
void Connection::on_uncalled(Task* task, const wire::Pdu& pdu) {
  reject(pdu,
         pdu.data_digest_ok ? RejectReason::invalid_pdu_field : RejectReason::data_digest_error);
  if (!task || !task->write || task->stage == Task::Stage::responding || task->silent) return;
  if (!task->condemned) task->condemn(Task::Condition::unexpected_unsolicited_data);
  task->unsolicited_open = !pdu.is_final();
  session_->condemned(*task);
}

void Connection::on_unsolicited(Task& task, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::DataOutBhs>();
  using Condition = Task::Condition;
  const std::uint32_t offset_bytes = bhs.buffer_offset_bytes;
  if (!pdu.data_digest_ok) {
    reject(pdu, RejectReason::data_digest_error);
    if (!task.condemned) task.condemn(Condition::crc_error);
  } else if (!task.condemned) {
    if (bhs.data_sn != task.unsolicited_data_sn) {
      task.condemn(Condition::crc_error);  // a PDU before it is missing (6.8)
    } else if (offset_bytes != task.received_bytes) {
      reject(pdu, RejectReason::invalid_pdu_field);
      task.condemn(Condition::incorrect_amount_of_data);
    } else if (pdu.data.size() > task.unsolicited_limit_bytes - task.received_bytes) {
      task.condemn(Condition::incorrect_amount_of_data);
    } else {
      store(task, offset_bytes, pdu.data);
    }
  }
  ++task.unsolicited_data_sn;
  if (!pdu.is_final()) return;
  task.unsolicited_open = false;
  if (!task.condemned && task.expected_data_out_bytes > task.unsolicited_limit_bytes &&
      task.received_bytes != task.unsolicited_limit_bytes)
    task.condemn(Condition::incorrect_amount_of_data);
  went_on(task);
}

void Connection::on_solicited(Task& task, Transfer& transfer, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::DataOutBhs>();
  using Condition = Task::Condition;
  const std::uint32_t offset_bytes = bhs.buffer_offset_bytes;
  const std::uint32_t expected_offset = transfer.offset_bytes + transfer.received_bytes;
  const bool in_order = parameters_.data_pdu_in_order;
  // Without DataPDUInOrder a PDU may lie anywhere in its burst.
  const std::uint32_t first = in_order ? expected_offset : transfer.offset_bytes;
  const std::uint64_t end = std::uint64_t{offset_bytes} + pdu.data.size();
  if (!pdu.data_digest_ok) {
    reject(pdu, RejectReason::data_digest_error);
    if (!task.condemned) task.condemn(Condition::crc_error);
  } else if (!task.condemned) {
    if (bhs.data_sn != transfer.data_sn) {
      task.condemn(Condition::crc_error);
    } else if (offset_bytes < first || (in_order && offset_bytes > first) ||
               end > std::uint64_t{transfer.offset_bytes} + transfer.length_bytes ||
               pdu.data.size() > transfer.length_bytes - transfer.received_bytes) {
      reject(pdu, RejectReason::invalid_pdu_field);
      task.condemn(Condition::incorrect_amount_of_data);
    } else {
      store(task, offset_bytes, pdu.data);
      transfer.received_bytes += static_cast<std::uint32_t>(pdu.data.size());
    }
  }
  ++transfer.data_sn;
  if (!pdu.is_final()) return;
  transfer.open = false;
  --task.open_transfers;
  if (!task.condemned && transfer.received_bytes != transfer.length_bytes)
    task.condemn(Condition::incorrect_amount_of_data);
  went_on(task);
}

/// A sequence of data has come to its end.
void Connection::went_on(Task& task) {
  if (task.condemned)
    session_->condemned(task);
  else
    session_->data_arrived(task);
  if (session_ && session_->managing()) session_->advance_task_management();
}

void Connection::store(Task& task, std::uint32_t offset_bytes, std::span<const std::byte> data) {
  if (data.empty()) return;
  std::memcpy(task.out_buffer.data() + offset_bytes, data.data(), data.size());
  task.received_bytes += static_cast<std::uint32_t>(data.size());
  service_.counters().data_out_bytes += data.size();
}

void Connection::discard_rest(Task& task) {
  if (task.unsolicited_open) discards_.expect(task.initiator_task_tag, wire::kReservedTag);
  for (const Transfer& transfer : task.transfers)
    if (transfer.open) discards_.expect(task.initiator_task_tag, transfer.target_transfer_tag);
}

}  // namespace tsihd::session
