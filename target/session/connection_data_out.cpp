// Data from the initiator (RFC 3720 10.7, 10.8): R2Ts out, Data-Out in, every field checked.
//
// At ErrorRecoveryLevel 0 nothing is asked for twice: data that is lost or wrong ends its task with
// CHECK CONDITION (6.7 b, 10.4.7.2), after the last PDU that the initiator still owes. Above it,
// what is missing at the end of a sequence is asked for by a recovery R2T (6.7 a, 6.8).
#include <algorithm>
#include <chrono>
#include <cstring>

#include "target/session/connection.h"
#include "target/session/connection_numbering.h"
#include "target/session/session.h"
#include "target/wire/serial.h"

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
  for (Transfer& transfer : task.transfers) {
    if (task.open_transfers >= most_open) return;
    if (transfer.open) continue;
    ByteRanges::Run next;
    while (task.hole_count > 0 && next.empty()) {
      next = task.holes[--task.hole_count];
      next.end = std::min(next.end, goal_bytes);
    }
    if (next.empty()) {
      if (task.solicited_bytes >= goal_bytes || task.stopped) return;
      next = {task.solicited_bytes, goal_bytes};
      next.end = std::min(next.end, next.begin + parameters_.max_burst_length_bytes);
      task.solicited_bytes = next.end;
    }
    ask(task, transfer, next);
  }
}

void Connection::ask(Task& task, Transfer& transfer, ByteRanges::Run wanted) {
  transfer = {};
  transfer.target_transfer_tag = task.new_tag();
  transfer.r2t_sn = task.r2t_sn++;
  transfer.offset_bytes = wanted.begin;
  transfer.length_bytes = wanted.end - wanted.begin;
  transfer.open = true;
  ++task.open_transfers;
  send_r2t(task, transfer);
  expect_data(task);
}

void Connection::send_r2t(const Task& task, const R2tRequest& request) {
  wire::R2tBhs bhs;
  bhs.lun = task.lun;
  bhs.initiator_task_tag = task.initiator_task_tag;
  bhs.target_transfer_tag = request.target_transfer_tag;
  bhs.r2t_sn = request.r2t_sn;
  bhs.buffer_offset_bytes = request.offset_bytes;
  bhs.desired_data_transfer_bytes = request.length_bytes;
  ++service_.counters().r2ts;
  send(bhs, false);
}

void Connection::on_data_out(const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::DataOutBhs>();
  const std::uint32_t tag = bhs.target_transfer_tag;
  if (!pdu.data_digest_ok) ++service_.counters().data_digest_errors;
  const bool is_unsolicited = tag == wire::kReservedTag;
  Task* task = is_unsolicited ? session_->tasks().find(bhs.initiator_task_tag)
                              : session_->tasks().at(tag >> 16);
  if (task && task->connection != this) task = nullptr;  // allegiance (3.2.4.1)
  if (task && !is_unsolicited &&
      (task->initiator_task_tag != bhs.initiator_task_tag || task->lun != bhs.lun))
    task = nullptr;
  Transfer* transfer = nullptr;
  if (task)
    transfer = !is_unsolicited          ? task->find_transfer(tag)
               : task->unsolicited.open ? &task->unsolicited
                                        : nullptr;
  if (transfer) {
    on_sequence(*task, *transfer, pdu);
    return;
  }
  if (discards_.takes(bhs)) {
    service_.counters().data_discarded_bytes += pdu.data.size();
    return;
  }
  on_uncalled(is_unsolicited ? task : nullptr, pdu);
}

/// Data-Out that nothing allows: a tag that is not out, or unsolicited data after its end.
void Connection::on_uncalled(Task* task, const wire::Pdu& pdu) {
  reject(pdu,
         pdu.data_digest_ok ? RejectReason::invalid_pdu_field : RejectReason::data_digest_error);
  if (!task || !task->write || task->stage == Task::Stage::responding || task->silent) return;
  if (!task->condemned) task->condemn(Task::Condition::unexpected_unsolicited_data);
  task->unsolicited.open = !pdu.is_final();
  session_->condemned(*task);
}

void Connection::on_sequence(Task& task, Transfer& transfer, const wire::Pdu& pdu) {
  if (session_->recovers()) task.last_data = service_.now();
  if (!in_sequence(task, transfer, pdu.as<wire::DataOutBhs>().data_sn)) return;
  if (!pdu.data_digest_ok) {
    reject(pdu, RejectReason::data_digest_error);
    lost_some(task, transfer);
  } else if (!task.condemned) {
    take_data(task, transfer, pdu);
  }
  if (pdu.is_final()) end_sequence(task, transfer);
}

/// DataSN counts from 0 (10.7.5). False: the PDU is a duplicate, to be passed over.
bool Connection::in_sequence(Task& task, Transfer& transfer, std::uint32_t data_sn) {
  if (data_sn == transfer.data_sn) {
    ++transfer.data_sn;
    return true;
  }
  if (!session_->recovers()) {
    ++transfer.data_sn;
    lost_some(task, transfer);
    return true;
  }
  if (wire::serial_less(data_sn, transfer.data_sn)) return false;
  transfer.data_sn = data_sn + 1;
  lost_some(task, transfer);
  return true;
}

/// A PDU of the sequence did not arrive whole (6.7, 6.8).
void Connection::lost_some(Task& task, Transfer& transfer) {
  if (session_->recovers())
    transfer.lossy = true;
  else if (!task.condemned)
    task.condemn(Task::Condition::crc_error);
}

void Connection::take_data(Task& task, Transfer& transfer, const wire::Pdu& pdu) {
  using Condition = Task::Condition;
  const auto& bhs = pdu.as<wire::DataOutBhs>();
  const std::uint32_t begin = bhs.buffer_offset_bytes;
  const std::uint64_t end = std::uint64_t{begin} + pdu.data.size();
  const std::uint32_t next = transfer.got.end_or(transfer.offset_bytes);
  const bool in_order = parameters_.data_pdu_in_order;
  // In order each PDU begins where the last ended, or behind it when one is known to be missing.
  const bool misplaced = begin < (in_order ? next : transfer.offset_bytes) ||
                         (in_order && begin > next && !transfer.lossy);
  if (misplaced) {
    reject(pdu, RejectReason::invalid_pdu_field);
    task.condemn(Condition::incorrect_amount_of_data);
    return;
  }
  if (end > transfer.end_bytes()) {
    if (&transfer != &task.unsolicited) reject(pdu, RejectReason::invalid_pdu_field);
    task.condemn(Condition::incorrect_amount_of_data);
    return;
  }
  switch (transfer.got.add(begin, static_cast<std::uint32_t>(end))) {
    case ByteRanges::Added::fresh:
      store(task, begin, pdu.data);
      break;
    case ByteRanges::Added::overlap:  // overlays are forbidden (10.7.6)
      reject(pdu, RejectReason::invalid_pdu_field);
      task.condemn(Condition::incorrect_amount_of_data);
      break;
    case ByteRanges::Added::too_scattered:
      if (session_->recovers())
        transfer.lossy = true;
      else
        task.condemn(scsi::Status::busy);
      break;
  }
}

/// The F bit has come, or nothing comes any more.
void Connection::end_sequence(Task& task, Transfer& transfer) {
  const bool is_unsolicited = &transfer == &task.unsolicited;
  const bool whole = transfer.got.bytes() == transfer.length_bytes;
  if (!task.condemned && !whole && transfer.lossy) {
    if (++task.recoveries > service_.limits().recovery_r2ts) {
      task.condemn(Task::Condition::crc_error);
    } else {
      ++service_.counters().recovery_r2ts;
      task.give_up(transfer);
    }
  } else if (!task.condemned && !whole) {
    // Unsolicited data may end early only when R2Ts could not follow it anyway (3.2.4.2).
    if (!is_unsolicited || task.expected_data_out_bytes > transfer.length_bytes)
      task.condemn(Task::Condition::incorrect_amount_of_data);
  }
  if (transfer.open) {
    transfer.open = false;
    if (is_unsolicited)
      task.solicited_bytes = task.received_bytes;
    else
      --task.open_transfers;
  }
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
  if (task.unsolicited.open) discards_.expect(task.initiator_task_tag, wire::kReservedTag);
  for (const Transfer& transfer : task.transfers)
    if (transfer.open) discards_.expect(task.initiator_task_tag, transfer.target_transfer_tag);
}

/// From now on the initiator has data_out_timeout_s for the next PDU.
void Connection::expect_data(Task& task) {
  if (!session_->recovers()) return;
  task.last_data = service_.now();
  if (data_deadline_ != Instant::max()) return;
  data_deadline_ = service_.now() + std::chrono::seconds(service_.limits().data_out_timeout_s);
  service_.note_deadline(data_deadline_);
}

/// Sequences that stand still have lost their end: a sequence reception timeout (6.1.4.1).
void Connection::look_for_lost_data() {
  const auto timeout = std::chrono::seconds(service_.limits().data_out_timeout_s);
  data_deadline_ = Instant::max();
  std::vector<std::pair<Task*, std::uint64_t>> late;
  for (Task* task = session_->tasks().first_in_use(); task; task = task->next_in_use) {
    if (task->connection != this || !task->owes_data()) continue;
    if (task->last_data + timeout <= service_.now())
      late.emplace_back(task, task->serial);
    else
      data_deadline_ = std::min(data_deadline_, task->last_data + timeout);
  }
  for (auto [task, serial] : late)
    if (session_ && task->serial == serial && task->owes_data()) time_out_data(*task);
}

void Connection::time_out_data(Task& task) {
  service_.log().warning("data timeout itt={:#010x} initiator={} peer={} received_bytes={}",
                         task.initiator_task_tag, session_->identity().initiator_name,
                         endpoints_.remote(), task.received_bytes);
  discard_rest(task);  // what comes late all the same
  const std::uint64_t serial = task.serial;
  const auto over = [&](Transfer& transfer) {
    if (task.serial != serial || !transfer.open) return;
    transfer.lossy = true;
    end_sequence(task, transfer);
  };
  std::array<std::uint32_t, Task::kMaxTransfers> tags;
  for (std::size_t i = 0; i < tags.size(); ++i)
    tags[i] = task.transfers[i].open ? task.transfers[i].target_transfer_tag : wire::kReservedTag;
  over(task.unsolicited);
  for (std::size_t i = 0; i < tags.size(); ++i)  // a slot may have been taken anew by now
    if (task.transfers[i].target_transfer_tag == tags[i]) over(task.transfers[i]);
}

}  // namespace tsihd::session
