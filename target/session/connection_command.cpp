// SCSI Command PDUs (RFC 3720 10.3): their faults, their turn, and the data that comes with them.
#include <algorithm>
#include <cstring>

#include "target/session/connection.h"
#include "target/session/session.h"

namespace tsihd::session {
namespace {

using wire::RejectReason;
using wire::ScsiCommandBhs;

/// What contradicts itself within the header (10.3.1, 10.3.4).
bool is_inconsistent(const ScsiCommandBhs& bhs, std::size_t data_bytes) {
  const bool read = bhs.has(ScsiCommandBhs::kRead), write = bhs.has(ScsiCommandBhs::kWrite);
  const std::uint32_t expected_bytes = bhs.expected_data_transfer_bytes;
  constexpr std::uint8_t kLastAttribute = 4;
  if (bhs.attribute() > kLastAttribute) return true;
  if (!write && !bhs.is_final()) return true;
  if (!write && data_bytes > 0) return true;
  if (!read && !write && expected_bytes > 0) return true;
  if (write && !bhs.is_final() && expected_bytes == data_bytes) return true;
  return bhs.initiator_task_tag == wire::kReservedTag;
}

/// Additional headers: the rest of a long CDB, the read length of a bidirectional command.
bool read_ahs(std::span<const std::byte> rest, Task& task, std::uint32_t& read_bytes) {
  wire::Ahs ahs;
  bool bidirectional_seen = false;
  while (!rest.empty()) {
    if (!wire::next_ahs(rest, ahs)) return false;
    if (ahs.type == wire::AhsType::extended_cdb) {
      const auto spill = ahs.specific.empty() ? ahs.specific : ahs.specific.subspan(1);
      if (spill.size() > task.cdb.size() - wire::Cdb{}.size()) return false;
      std::memcpy(task.cdb.data() + wire::Cdb{}.size(), spill.data(), spill.size());
      task.cdb_bytes = static_cast<std::uint8_t>(wire::Cdb{}.size() + spill.size());
    } else if (ahs.type == wire::AhsType::bidirectional_read_length) {
      constexpr std::size_t kLengthAt = 1;  // after a reserved byte (10.2.2.4)
      if (ahs.specific.size() != kLengthAt + sizeof(wire::U32)) return false;
      wire::U32 length;
      std::memcpy(&length, ahs.specific.data() + kLengthAt, sizeof(length));
      read_bytes = length;
      bidirectional_seen = true;
    } else {
      return false;
    }
  }
  return !(task.read && task.write) || bidirectional_seen;
}

}  // namespace

void Connection::on_scsi_command(const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<ScsiCommandBhs>();
  CommandWindow& window = session_->window();
  const bool immediate = bhs.is_immediate();
  const auto verdict = immediate ? CommandWindow::Verdict::deliver : window.judge(bhs.cmd_sn);
  if (verdict == CommandWindow::Verdict::ignore) {
    ++service_.counters().commands_ignored;
    if (!session_->tasks().find(bhs.initiator_task_tag)) expect_stray_data(pdu);
    return;
  }
  if (is_inconsistent(bhs, pdu.data.size())) {
    refuse_request(pdu, RejectReason::invalid_pdu_field);
    return;
  }
  if (session_->tasks().find(bhs.initiator_task_tag)) {
    reject(pdu, RejectReason::task_in_progress);
    return;
  }
  if (immediate && session_->immediate_in_use() >= service_.limits().immediate_commands) {
    refuse_request(pdu, RejectReason::too_many_immediate_commands);
    return;
  }
  Task* const task = session_->new_task(*this, bhs.initiator_task_tag, immediate);
  if (!task) {
    refuse_request(pdu, RejectReason::long_operation_reject);
    return;
  }
  if (!fill_command(*task, pdu)) {
    session_->release(*task);
    refuse_request(pdu, RejectReason::invalid_pdu_field);
    return;
  }
  take_unsolicited(*task, pdu);
  if (verdict == CommandWindow::Verdict::hold) {
    window.hold(bhs.cmd_sn, {.kind = HeldRequest::Kind::task, .task = task});
    return;
  }
  if (!immediate) window.advance();
  session_->deliver(*task);
  if (!immediate) turn_taken();
}

bool Connection::fill_command(Task& task, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<ScsiCommandBhs>();
  task.cmd_sn = bhs.cmd_sn;
  task.lun = bhs.lun;
  task.read = bhs.has(ScsiCommandBhs::kRead);
  task.write = bhs.has(ScsiCommandBhs::kWrite);
  task.attribute = static_cast<scsi::TaskAttribute>(bhs.attribute());
  std::memcpy(task.cdb.data(), bhs.cdb.data(), bhs.cdb.size());
  task.cdb_bytes = static_cast<std::uint8_t>(bhs.cdb.size());
  const std::uint32_t expected_bytes = bhs.expected_data_transfer_bytes;
  if (task.write)
    task.expected_data_out_bytes = expected_bytes;
  else
    task.expected_data_in_bytes = expected_bytes;
  return pdu.ahs().empty() ? !(task.read && task.write)
                           : read_ahs(pdu.ahs(), task, task.expected_data_in_bytes);
}

/// Immediate data, and whether unsolicited data follows (3.2.4.2, 12.10, 12.11, 12.14). What was
/// not negotiated ends the task with the condition that 10.4.7.2 has for it.
void Connection::take_unsolicited(Task& task, const wire::Pdu& pdu) {
  if (!task.write) return;
  Transfer& unsolicited = task.unsolicited;
  unsolicited.target_transfer_tag = wire::kReservedTag;
  unsolicited.length_bytes =
      std::min(parameters_.first_burst_length_bytes, task.expected_data_out_bytes);
  unsolicited.open = !pdu.is_final();
  if (!pdu.data.empty() && !parameters_.immediate_data)
    task.condemn(Task::Condition::unexpected_unsolicited_data);
  else if (unsolicited.open && parameters_.initial_r2t)
    task.condemn(Task::Condition::unexpected_unsolicited_data);
  else if (pdu.data.size() > unsolicited.length_bytes)
    task.condemn(Task::Condition::incorrect_amount_of_data);
  if (task.condemned || (pdu.data.empty() && !unsolicited.open)) return;
  const std::uint32_t whole_bytes =
      std::min(task.expected_data_out_bytes, service_.limits().command_data_bytes);
  const std::uint32_t room_bytes =
      session_->reserve_ahead(task, whole_bytes, unsolicited.length_bytes);
  if (!make_room(task, room_bytes)) {
    task.condemn(scsi::Status::task_set_full);
    return;
  }
  const auto bytes = static_cast<std::uint32_t>(pdu.data.size());
  unsolicited.got.add(0, bytes);
  store(task, 0, pdu.data);
  task.solicited_bytes = bytes;
  if (unsolicited.open) expect_data(task);
}

/// A buffer of at least `bytes` for the task's data_out, with what has come so far.
bool Connection::make_room(Task& task, std::uint32_t bytes) {
  if (task.out_buffer && task.out_buffer.capacity_bytes() >= bytes) return true;
  scsi::Buffer buffer = scsi::BufferPool::local().take(bytes);
  if (!buffer) return false;
  if (task.received_bytes > 0)
    std::memcpy(buffer.data(), task.out_buffer.data(), task.received_bytes);
  task.out_buffer = std::move(buffer);
  return true;
}

}  // namespace tsihd::session
