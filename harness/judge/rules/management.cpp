// Task management requests and their answers (RFC 3720 10.5, 10.6).
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kRequest = pdus(Opcode::task_management_request);
constexpr std::uint64_t kResponse = pdus(Opcode::task_management_response);
constexpr unsigned kAbortTask = 1, kTaskReassign = 8;

const Task* referenced(const Moment& m) {
  return m.session.find(m.pdu.u32(field::referenced_task_tag));
}

Ruling tag_is_reserved_without_task(const Moment& m) {
  const auto function = m.pdu[field::function];
  if (function == kAbortTask || function == kTaskReassign) return Ruling::aside();
  const std::uint32_t tag = m.pdu.u32(field::referenced_task_tag);
  if (tag == wire::kReservedTag) return Ruling::kept();
  return Ruling::broken(fmt::format("Referenced Task Tag 0xffffffff for function {}", function),
                        hex(tag));
}

Ruling abort_names_the_commands_number(const Moment& m) {
  if (m.pdu[field::function] != kAbortTask) return Ruling::aside();
  const Task* task = referenced(m);
  if (!task) return Ruling::unseen();
  const std::uint32_t wanted =
      task->immediate() ? m.pdu.u32(field::cmd_sn) : task->request.u32(field::cmd_sn);
  return equal("RefCmdSN", wanted, m.pdu.u32(field::ref_cmd_sn));
}

Ruling abort_keeps_the_connection(const Moment& m) {
  if (m.pdu[field::function] != kAbortTask) return Ruling::aside();
  const Task* task = referenced(m);
  if (!task) return Ruling::unseen();
  if (task->connection == m.connection.number) return Ruling::kept();
  if (!m.session.alive.contains(task->connection)) return Ruling::aside();  // it is dead
  return Ruling::broken("ABORT TASK on the connection of the task, which is alive", "another");
}

Ruling reassign_is_immediate(const Moment& m) {
  if (m.pdu[field::function] != kTaskReassign) return Ruling::aside();
  if (m.pdu[field::immediate]) return Ruling::kept();
  return Ruling::broken("TASK REASSIGN as an immediate command", "I clear");
}

// The old connection was logged out, by Logout or by a login under its CID, and the initiator has
// seen that it was.
Ruling reassign_follows_a_logout(const Moment& m) {
  if (m.pdu[field::function] != kTaskReassign) return Ruling::aside();
  const Task* task = referenced(m);
  if (!task || !task->whole) return Ruling::unseen();
  if (m.session.logged_out.contains(task->connection)) return Ruling::kept();
  if (!m.session.tasks_known) return Ruling::unseen();
  return Ruling::broken("TASK REASSIGN behind the logout of the task's old connection",
                        "one for a connection that was not logged out");
}

Ruling reassign_expects_what_can_come(const Moment& m) {
  if (m.pdu[field::function] != kTaskReassign) return Ruling::aside();
  const Task* task = referenced(m);
  if (!task || !task->reads()) return Ruling::aside();
  if (!task->whole) return Ruling::unseen();
  const std::uint32_t number = m.pdu.u32(field::exp_data_sn);
  if (number == 0 || (serial_distance(number, task->acknowledged_data_sn) >= 0 &&
                      serial_distance(number, task->next_data_sn) <= 0))
    return Ruling::kept();
  return Ruling::broken(
      fmt::format("ExpDataSN 0 or within {}..{}", task->acknowledged_data_sn, task->next_data_sn),
      fmt::format("{}", number));
}

Ruling answers_a_request(const Moment& m) {
  if (m.task && m.task->is(TaskKind::management)) return Ruling::kept();
  if (!m.session.tasks_known || m.session.parameters.error_recovery_level > 0)
    return Ruling::unseen();
  return Ruling::broken("the tag of a task management request that waits",
                        hex(m.pdu.u32(field::initiator_task_tag)));
}

constexpr Rule kRules[] = {
    {"management.no_referenced_tag",
     {"R3720-10.5.4-01"},
     Judged::initiator,
     kRequest,
     tag_is_reserved_without_task},
    {"management.ref_cmd_sn",
     {"R3720-10.5.5-01", "R3720-10.5.5-02", "R3720-10.5.1-09"},
     Judged::initiator,
     kRequest,
     abort_names_the_commands_number},
    {"management.abort_connection",
     {"R3720-10.5.1-10"},
     Judged::initiator,
     kRequest,
     abort_keeps_the_connection},
    {"management.reassign_immediate",
     {"R3720-10.5.1-19"},
     Judged::initiator,
     kRequest,
     reassign_is_immediate},
    {"management.reassign_after_logout",
     {"R3720-6.2.2-01", "R3720-10.5.1-16", "R3720-10.14-07"},
     Judged::initiator,
     kRequest,
     reassign_follows_a_logout},
    {"management.reassign_exp_data_sn",
     {"R3720-10.5.6-03"},
     Judged::initiator,
     kRequest,
     reassign_expects_what_can_come},
    {"management.answer", {"R3720-10.5.1-01"}, Judged::target, kResponse, answers_a_request},
};

}  // namespace

std::span<const Rule> management_rules() { return kRules; }

}  // namespace tsih::judge
