#include "harness/judge/tasks.h"

#include <algorithm>

#include "harness/judge/parameters.h"
#include "harness/judge/partings.h"
#include "harness/judge/retransmission.h"
#include "harness/judge/rule.h"

namespace tsih::judge {
namespace {

constexpr Ending kAborted{
    .status_in_data = false, .aborted = true, .stat_sn = {}, .response_tag = 0};

TaskKind kind_of(const Pdu& pdu) {
  switch (static_cast<Opcode>(pdu.opcode())) {
    case Opcode::task_management_request:
      return TaskKind::management;
    case Opcode::text_request:
      return TaskKind::text;
    case Opcode::logout_request:
      return TaskKind::logout;
    case Opcode::nop_out:
      return TaskKind::nop;
    default:
      return TaskKind::scsi;
  }
}

// The length in the additional header of a bidirectional command (10.2.2.4).
std::uint32_t bidirectional_read_bytes(const Pdu& pdu) {
  const auto& ahs = pdu.ahs;
  for (std::size_t at = 0; at + 8 <= ahs.size();) {
    const std::size_t length = ahs[at] << 8 | ahs[at + 1];
    if (ahs[at + 2] == 2)
      return static_cast<std::uint32_t>(ahs[at + 4]) << 24 | ahs[at + 5] << 16 | ahs[at + 6] << 8 |
             ahs[at + 7];
    at += (length + 6) / 4 * 4;
  }
  return 0;
}

void begin_write(Connection& connection, Task& task, const SeenPdu& seen) {
  const Session& session = *connection.session;
  task.unsolicited_bytes = seen.data_bytes;
  task.unsolicited_open = !seen.pdu[field::final];
  // Where unsolicited data is still to come, R2Ts ask for what lies behind it.
  task.next_r2t_offset = task.unsolicited_open
                             ? std::min(session.parameters.first_burst_bytes, task.write_bytes)
                             : seen.data_bytes;
  if (task.unsolicited_open && connection.write_order.size() < limits::kTasks)
    connection.write_order.push_back(seen.pdu.u32(field::initiator_task_tag));
}

void forget_orders(Connection& connection, std::uint32_t tag) {
  std::erase(connection.write_order, tag);
  std::erase_if(connection.r2t_order, [&](const auto& one) { return one.tag == tag; });
}

Task* find(Connection& connection, const Pdu& pdu) {
  const auto found = connection.session->tasks.find(pdu.u32(field::initiator_task_tag));
  return found == connection.session->tasks.end() ? nullptr : &found->second;
}

// A command that was rejected counts as not received: its number stays open (6.3).
void note_rejected(Session& session, const Pdu& bad) {
  constexpr std::uint64_t kNumbered =
      pdus(Opcode::nop_out, Opcode::scsi_command, Opcode::task_management_request,
           Opcode::text_request, Opcode::logout_request);
  if (!(kNumbered >> bad.opcode() & 1) || bad[field::immediate]) return;
  if (bad.is(Opcode::text_request) && bad.u32(field::target_transfer_tag) != wire::kReservedTag)
    return;  // goes on with a task, begins none
  if (session.rejected.size() < limits::kEndedTasks)
    session.rejected.push_back(bad.u32(field::cmd_sn));
}

}  // namespace

void begin_task(Connection& connection, const SeenPdu& seen) {
  Session& session = *connection.session;
  const Pdu& pdu = seen.pdu;
  const std::uint32_t tag = pdu.u32(field::initiator_task_tag);
  if (tag == wire::kReservedTag) return;
  if (pdu.is(Opcode::text_request)) {
    if (connection.text_tag && pdu.u32(field::target_transfer_tag) == wire::kReservedTag)
      end_negotiation(connection, false);  // another one begins before that is over
    connection.text_tag = tag;
    connection.text_transfer_tag.reset();
    connection.text_lun.reset();
  }
  if (Task* old = find(connection, pdu)) {
    if (old->request[field::opcode] == pdu[field::opcode] && old->is(TaskKind::scsi) &&
        old->request[field::cmd_sn] == pdu[field::cmd_sn]) {
      old->recovered = true;  // a retry: the target may answer twice
      note_retry(connection, pdu);
      return;
    }
    forget_orders(connection, tag);
  } else if (session.tasks.size() >= limits::kTasks) {
    session.tasks_known = false;  // rather blind than without bound
    return;
  }
  Task task;
  task.kind = kind_of(pdu);
  task.connection = connection.number;
  task.place = seen.place;
  task.request.header = pdu.header;
  task.whole = !connection.blind[0] && !connection.blind[1];
  task.request_data_bytes = seen.data_bytes;
  task.receive_changes = connection.receive_changes;
  if (task.is(TaskKind::nop)) task.request.data = pdu.data;
  task.request_data_kept = seen.data_kept;
  if (task.is(TaskKind::scsi)) {
    const std::uint32_t expected = pdu.u32(field::expected_data_transfer_length);
    if (task.writes()) task.write_bytes = expected;
    if (task.reads()) task.read_bytes = task.writes() ? bidirectional_read_bytes(pdu) : expected;
    if (task.writes()) begin_write(connection, task, seen);
  }
  std::erase_if(session.ended, [&](const EndedTask& one) { return one.tag == tag; });
  forget_data_ins(connection, tag);
  session.tasks[tag] = std::move(task);
}

void take_data_out(Connection& connection, const SeenPdu& seen) {
  Task* task = find(connection, seen.pdu);
  if (!task) return;
  const std::uint32_t tag = seen.pdu.u32(field::initiator_task_tag);
  const std::uint32_t transfer_tag = seen.pdu.u32(field::target_transfer_tag);
  if (transfer_tag == wire::kReservedTag) {
    task->unsolicited_bytes += seen.data_bytes;
    task->next_unsolicited_sn = seen.pdu.u32(field::data_sn) + 1;
    if (!seen.pdu[field::final]) return;
    task->unsolicited_open = false;
    // Should it end early, R2Ts go on from there.
    if (task->r2ts == 0)
      task->next_r2t_offset = static_cast<std::uint32_t>(task->unsolicited_bytes);
    std::erase(connection.write_order, tag);
    return;
  }
  const auto transfer =
      std::ranges::find(task->transfers, transfer_tag, &Transfer::target_transfer_tag);
  if (transfer == task->transfers.end()) return;
  transfer->received_bytes += seen.data_bytes;
  transfer->next_data_sn = seen.pdu.u32(field::data_sn) + 1;
  if (!seen.pdu[field::final]) return;
  task->transfers.erase(transfer);
  std::erase_if(connection.r2t_order, [&](const auto& one) {
    return one.tag == tag && one.target_transfer_tag == transfer_tag;
  });
}

void take_data_in(Connection& connection, const SeenPdu& seen) {
  note_data_in_again(connection, seen);
  note_data_in(connection, seen);
  Task* task = find(connection, seen.pdu);
  if (!task) return;
  const Pdu& pdu = seen.pdu;
  ++task->data_ins;
  task->data_in_bytes += seen.data_bytes;
  if (const std::uint32_t next = pdu.u32(field::data_sn) + 1;
      !task->recovered || serial_distance(next, task->next_data_sn) > 0)
    task->next_data_sn = next;
  note_asked_ack(connection, *task, seen);
  task->next_in_offset = pdu.u32(field::buffer_offset) + seen.data_bytes;
  task->in_sequence_bytes = pdu[field::final] ? 0 : task->in_sequence_bytes + seen.data_bytes;
  task->bytes_since_ack = pdu[field::acknowledge] ? 0 : task->bytes_since_ack + seen.data_bytes;
  if (pdu[field::acknowledge]) task->asked_for_ack = true;
  if (pdu[field::has_status])
    end_task(connection, pdu.u32(field::initiator_task_tag),
             {.status_in_data = true,
              .aborted = false,
              .stat_sn = pdu.u32(field::stat_sn),
              .response_tag = 0});
}

void take_r2t(Connection& connection, const SeenPdu& seen) {
  Task* task = find(connection, seen.pdu);
  if (!task) return;
  const Pdu& pdu = seen.pdu;
  ++task->r2ts;
  task->next_r2t_sn = task->next_data_sn = pdu.u32(field::r2t_sn) + 1;
  Transfer transfer;
  transfer.target_transfer_tag = pdu.u32(field::target_transfer_tag);
  transfer.offset = pdu.u32(field::buffer_offset);
  transfer.bytes = pdu.u32(field::desired_length);
  task->next_r2t_offset = transfer.offset + transfer.bytes;
  if (task->transfers.size() >= limits::kTransfers) {
    task->whole = false;
    return;
  }
  task->transfers.push_back(transfer);
  if (connection.r2t_order.size() < limits::kTasks)
    connection.r2t_order.push_back(
        {pdu.u32(field::initiator_task_tag), transfer.target_transfer_tag});
}

void end_task(Connection& connection, std::uint32_t tag, const Ending& ending) {
  Session& session = *connection.session;
  const auto found = session.tasks.find(tag);
  if (found == session.tasks.end()) return;
  EndedTask ended;
  static_cast<Ending&>(ended) = ending;
  ended.tag = tag;
  ended.connection = connection.number;
  ended.asked_again = found->second.asked_again;
  const auto& snack_tags = found->second.snack_tags;
  if (ending.stat_sn && !snack_tags.empty()) ended.snack_tag = snack_tags.back();
  ended.tagged = ended.snack_tag == ending.response_tag;
  session.tasks.erase(found);
  forget_orders(connection, tag);
  session.ended.push_front(ended);
  if (session.ended.size() > limits::kEndedTasks) session.ended.pop_back();
}

void take_management_response(Connection& connection, const SeenPdu& seen) {
  enum Function : unsigned {
    kAbortTask = 1,
    kLogicalUnitReset = 5,
    kTargetColdReset = 7,
    kTaskReassign = 8
  };
  Session& session = *connection.session;
  const std::uint32_t tag = seen.pdu.u32(field::initiator_task_tag);
  const Task* found = session.find(tag);
  if (!found || !found->is(TaskKind::management)) return;
  const Pdu request = found->request;
  end_task(connection, tag, {});
  if (seen.pdu[field::response] != 0) return;
  const auto function = request[field::function];
  if (function == kTaskReassign) {
    const auto task = session.tasks.find(request.u32(field::referenced_task_tag));
    if (task == session.tasks.end()) return;
    reassign(connection, task->second, request);
    return;
  }
  if (function == kAbortTask) {
    end_task(connection, request.u32(field::referenced_task_tag), kAborted);
    return;
  }
  if (function == 3) return;  // CLEAR ACA ends no task
  session.cold_reset |= function == kTargetColdReset;
  std::vector<std::uint32_t> over;
  for (const auto& [other, task] : session.tasks) {
    if (!task.is(TaskKind::scsi)) continue;
    // What was numbered behind the request is not its matter.
    const bool before = serial_distance(task.request.u32(field::cmd_sn),
                                        request.u32(field::cmd_sn)) < (task.immediate() ? 1 : 0);
    const bool same_unit = task.request[field::lun] == request[field::lun];
    if (before && (same_unit || function > kLogicalUnitReset)) over.push_back(other);
  }
  for (std::uint32_t other : over) end_task(connection, other, kAborted);
}

void note_logout(Connection& connection, const SeenPdu& seen) {
  const bool whole_session = seen.pdu[field::logout_reason] == 0;
  if (whole_session || seen.pdu[field::cid] == connection.cid) connection.logout_sent = true;
  if (whole_session) connection.session->closing_connection = connection.number;
}

void take_async(Connection& connection, const SeenPdu& seen) {
  constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
  const Pdu& pdu = seen.pdu;
  const std::uint64_t now = seen.place.time_ns;
  const AsyncRequest request{.stat_sn = pdu.u32(field::stat_sn),
                             .time_ns = now,
                             .deadline_ns = now + pdu[field::parameter3] * kNsPerSecond};
  const auto event = pdu[field::async_event];
  if (event == kConnectionDropped || event == kSessionDropped)
    connection.session->drop_announced = true;
  note_announcement(connection, seen);
  if (event == kLogoutRequested && !connection.logout_asked) connection.logout_asked = request;
  if (event == kNegotiationRequested && !connection.text_tag)
    connection.negotiation_asked = request;
}

void take_reject(Connection& connection, const SeenPdu& seen) {
  if (seen.pdu.data.size() < wire::kHeaderBytes) return;
  Pdu bad;
  std::copy_n(seen.pdu.data.begin(), wire::kHeaderBytes, bad.header.begin());
  Session& session = *connection.session;
  note_rejected(session, bad);
  const auto task = session.tasks.find(bad.u32(field::initiator_task_tag));
  if (task == session.tasks.end()) return;
  if (task->second.is(TaskKind::scsi)) {
    task->second.recovered = true;
    return;
  }
  if (task->second.is(TaskKind::text)) {
    connection.text_tag.reset();
    connection.text_transfer_tag.reset();
    connection.text_reset_due = bad.is(Opcode::text_request);
    end_negotiation(connection, false);
  }
  session.tasks.erase(task);
}

void take_text_response(Connection& connection, const SeenPdu& seen) {
  if (seen.pdu[field::final]) {
    end_negotiation(connection, true);
    connection.text_tag.reset();
    connection.text_transfer_tag.reset();
    end_task(connection, seen.pdu.u32(field::initiator_task_tag), {});
    return;
  }
  connection.text_transfer_tag = seen.pdu.u32(field::target_transfer_tag);
  connection.text_lun = seen.pdu[field::lun];
}

}  // namespace tsih::judge
