// Task management functions (RFC 3720 10.5 and 10.6): what they act on, what they wait for, what
// they answer.
#include <algorithm>
#include <set>

#include "target/session/connection.h"
#include "target/session/registry.h"
#include "target/session/session.h"
#include "target/wire/serial.h"

namespace tsihd::session {

using Phase = TaskManagement::Phase;
using Response = TaskManagementResponse;

void Session::manage(Connection& connection, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::TaskManagementRequestBhs>();
  ++service_.counters().task_management;
  TaskManagement* free = nullptr;
  for (TaskManagement& request : managements_)
    if (request.phase == Phase::idle) free = &request;
  if (!free) {
    connection.send_task_management_response(bhs.initiator_task_tag, Response::function_rejected);
    return;
  }
  TaskManagement& request = *free;
  request.function = static_cast<TaskFunction>(bhs.function());
  request.connection = &connection;
  request.lun = bhs.lun;
  request.unit = nullptr;
  request.initiator_task_tag = bhs.initiator_task_tag;
  request.referenced_task_tag = bhs.referenced_task_tag;
  request.ref_cmd_sn = bhs.ref_cmd_sn;
  request.cmd_sn = bhs.cmd_sn;
  request.exp_data_sn = bhs.exp_data_sn;
  request.before_serial = service_.next_serial();
  request.phase = Phase::commands;
  ++managing_;
  service_.log().info("task management function={} initiator={} peer={}", bhs.function(),
                      identity_.initiator_name, peer_);
  switch (request.function) {
    case TaskFunction::abort_task:
      execute_abort_task(request);
      break;
    case TaskFunction::abort_task_set:
    case TaskFunction::clear_aca:
    case TaskFunction::clear_task_set:
    case TaskFunction::logical_unit_reset:
      request.unit = luns_.find(request.lun);
      if (!request.unit)
        answer(request, Response::lun_does_not_exist);
      else if (!request.is_task_set())
        execute(request);
      break;
    case TaskFunction::target_warm_reset:
    case TaskFunction::target_cold_reset:
      execute(request);
      break;
    case TaskFunction::task_reassign:
      execute_reassign(request);
      break;
    default:
      answer(request, Response::function_not_supported);
      break;
  }
  advance_task_management();
}

/// 10.6.1: the task is there; or it never came and counts as received from now on; or it is gone.
void Session::execute_abort_task(TaskManagement& request) {
  for (const TaskManagement& other : managements_)
    if (&other != &request && other.phase != Phase::idle &&
        other.initiator_task_tag == request.referenced_task_tag) {
      answer(request, Response::function_rejected);  // 10.5.1: none aborts task management
      return;
    }
  if (Task* task = find_stranded(request.referenced_task_tag); task && task->status_sent) {
    // Its status was issued and not acknowledged: it is issued again, before this answer (10.5.1).
    request.connection->resume(*task, 0);
    answer(request, Response::task_does_not_exist);
    return;
  }
  if (Task* task = tasks_.find(request.referenced_task_tag)) {
    // A task whose status is on its way has ended: "function complete" would tell the initiator
    // that the status it is about to see is that of no task.
    if (task->lun != request.lun || task->stage == Task::Stage::responding) {
      answer(request, Response::task_does_not_exist);
      return;
    }
    abort(*task);
    request.phase = Phase::disks;
    service_.add_management_waiting(1);
    return;
  }
  const bool in_window =
      wire::serial_in_window(request.ref_cmd_sn, window_.exp_cmd_sn(), window_.max_cmd_sn()) &&
      wire::serial_less(request.ref_cmd_sn, request.cmd_sn);
  if (!in_window) {
    answer(request, Response::task_does_not_exist);
    return;
  }
  if (window_.judge(request.ref_cmd_sn) != CommandWindow::Verdict::ignore) {
    window_.hold(request.ref_cmd_sn, {.kind = HeldRequest::Kind::received});
    deliver_held();
  }
  answer(request, Response::function_complete);
}

bool Session::covers(const TaskManagement& request, const Task& task) const {
  if (task.stage == Task::Stage::responding || task.serial >= request.before_serial) return false;
  if (request.function == TaskFunction::abort_task)
    return task.initiator_task_tag == request.referenced_task_tag;
  if (request.unit && luns_.find(task.lun) != request.unit) return false;
  return !request.is_task_set() || task.immediate || wire::serial_less(task.cmd_sn, request.cmd_sn);
}

void Session::advance_task_management() {
  if (advancing_) {
    advance_again_ = true;
    return;
  }
  advancing_ = true;
  do {
    advance_again_ = false;
    for (TaskManagement& request : managements_)
      while (step(request)) {
      }
  } while (advance_again_);
  advancing_ = false;
}

/// One step on; false when there is something to wait for.
bool Session::step(TaskManagement& request) {
  switch (request.phase) {
    case Phase::commands:
      if (wire::serial_less(window_.exp_cmd_sn(), request.cmd_sn)) return false;
      // Commands that came while this one waited for others are of its set all the same.
      request.before_serial = service_.next_serial();
      request.phase = Phase::data;
      return true;
    case Phase::data:
      if (wait_for_data(request)) return false;
      execute(request);
      return true;
    case Phase::disks:
      if (!commands_gone(request) || responses_pending(request)) return false;
      service_.add_management_waiting(-1);
      answer(request, Response::function_complete);
      return false;
    case Phase::acknowledgement:
      if (!acknowledged(request)) return false;
      service_.add_management_waiting(-1);
      request.phase = Phase::line;
      request.connection->answer_acknowledged(request);
      return false;
    case Phase::idle:
    case Phase::line:
      return false;
  }
  return false;
}

/// 10.6.2 b: every R2T that is out in the task set is answered first; new ones are not sent.
bool Session::wait_for_data(TaskManagement& request) {
  bool owed = false;
  for (Task* task = tasks_.first_in_use(); task; task = task->next_in_use) {
    if (!covers(request, *task)) continue;
    task->stopped = true;
    owed = owed || task->owes_data();
  }
  return owed;
}

void Session::execute(TaskManagement& request) {
  if (request.function == TaskFunction::clear_aca && !request.unit->clear_aca(nexus_)) {
    answer(request, Response::function_rejected);
    return;
  }
  request.phase = Phase::disks;
  service_.add_management_waiting(1);
  if (request.function == TaskFunction::clear_task_set)
    request.unit->clear_task_set(nexus_);
  else if (request.is_reset())
    reset_units(request);
  if (request.function == TaskFunction::clear_aca) return;  // only what the unit aborted by it
  abort_where([&](const Task& task) { return covers(request, task); });
}

void Session::reset_units(const TaskManagement& request) {
  std::set<scsi::LogicalUnit*> units;
  for (const auto& [number, entry] : luns_.entries)
    if (!request.unit || request.unit == entry.unit.get()) units.insert(entry.unit.get());
  for (scsi::LogicalUnit* unit : units) unit->reset(&nexus_);
}

/// The disks hold nothing any more of what the function covers, in any session that shares them.
bool Session::commands_gone(const TaskManagement& request) const {
  const auto waits = [&](const Session& session) {
    for (Task* task = session.tasks_.first_in_use(); task; task = task->next_in_use)
      if (task->at_device && (task->silent || task->aborted) &&
          task->serial < request.before_serial &&
          (request.function != TaskFunction::abort_task || covers(request, *task)) &&
          (!request.unit || task->unit == request.unit))
        return true;
    return false;
  };
  const bool own_only = request.function == TaskFunction::abort_task ||
                        request.function == TaskFunction::abort_task_set ||
                        request.function == TaskFunction::clear_aca;
  if (own_only) return !waits(*this);
  for (const auto& session : service_.registry().sessions())
    if (waits(*session)) return false;
  return true;
}

/// Responses of covered tasks that other connections have not sent yet: none may come after the
/// answer (10.5.1).
bool Session::responses_pending(const TaskManagement& request) const {
  if (connections_.size() < 2 || request.function == TaskFunction::abort_task) return false;
  for (const Task* task = tasks_.first_in_use(); task; task = task->next_in_use)
    if (task->stage == Task::Stage::responding && !task->emitted && task->connection &&
        task->connection != request.connection && task->serial < request.before_serial &&
        (!request.unit || luns_.find(task->lun) == request.unit))
      return true;
  return false;
}

void Session::answer(TaskManagement& request, Response response) {
  request.response = response;
  request.phase = Phase::line;
  request.connection->respond(request);
}

void Session::task_management_answered(TaskManagement& request) {
  request.phase = Phase::idle;
  --managing_;
  if (request.function == TaskFunction::task_reassign) {
    if (request.response == Response::function_complete) reassign(request);
    return;
  }
  if (request.function != TaskFunction::target_cold_reset) return;
  // 10.5.1: as a power on; every connection to this target goes.
  for (const auto& session : service_.registry().sessions())
    if (session->identity().target == identity_.target) session->end("target cold reset");
}

/// 10.6.2 d: on every connection that may have sent responses of the task set. False when nothing
/// is to be waited for.
bool Session::await_acknowledgement(TaskManagement& request) {
  request.marks.clear();
  for (const auto& session : service_.registry().sessions()) {
    const bool shares = session.get() == this ||
                        (request.function == TaskFunction::clear_task_set &&
                         std::ranges::any_of(session->luns_.entries, [&](const auto& entry) {
                           return entry.second.unit.get() == request.unit;
                         }));
    if (!shares) continue;
    for (Connection* connection : session->connections_) {
      const std::uint32_t stat_sn = connection->next_stat_sn();
      if (!wire::serial_less(connection->acknowledged_stat_sn(), stat_sn)) continue;
      request.marks.push_back({session->id_, connection->link(), stat_sn});
      connection->ping();
    }
  }
  if (request.marks.empty()) return false;
  request.phase = Phase::acknowledgement;
  service_.add_management_waiting(1);
  return true;
}

bool Session::acknowledged(TaskManagement& request) {
  std::erase_if(request.marks, [&](const TaskManagement::Mark& mark) {
    const Session* session = service_.registry().find_id(mark.session_id);
    if (!session) return true;
    for (const Connection* connection : session->connections_)
      if (connection->link() == mark.link)
        return !wire::serial_less(connection->acknowledged_stat_sn(), mark.stat_sn);
    return true;
  });
  return request.marks.empty();
}

}  // namespace tsihd::session
