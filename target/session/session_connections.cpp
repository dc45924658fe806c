// The connections of a session (RFC 3720 3.2.4.1, 5.3.4, 6.4, 10.14): how they join, how they
// leave, and what becomes of the commands that were allegiant to them.
#include <algorithm>
#include <set>
#include <utility>

#include "target/session/connection.h"
#include "target/session/guard.h"
#include "target/session/registry.h"
#include "target/session/session.h"

namespace tsihd::session {

std::uint32_t Session::bind(Connection& connection) {
  log_out_suspended(connection.cid(), recovers_connections());  // implicitly (5.3.4)
  connections_.push_back(&connection);
  peer_ = connection.endpoints().remote();
  peer_address_ = connection.endpoints().remote_address;
  portal_ = connection.endpoints().local();
  return ++last_link_;
}

Connection* Session::find_connection(std::uint16_t cid) const {
  for (Connection* connection : connections_)
    if (connection->cid() == cid) return connection;
  return nullptr;
}

bool Session::has_place_for_connection() const {
  return connections_.size() <
         std::min(parameters_.max_connections, service_.limits().session_connections);
}

bool Session::holds_commands_of(std::uint32_t link) const {
  for (const Task* task = tasks_.first_in_use(); task; task = task->next_in_use)
    if (task->at_device && task->link == link) return true;
  return false;
}

void Session::part(Connection& connection, Departure how) {
  if (connection.has_parted()) return;
  connection.mark_parted();
  forget_managements(connection);
  window_.discard(connection, [this](Task& task) { release(task); });
  if (recovers_connections() && how != Departure::closed && state_ == State::active)
    suspend(connection, how == Departure::recovery);
  else
    terminate(connection);
}

void Session::leave(Connection& connection, Departure how, std::string_view why) {
  part(connection, how);
  std::erase(connections_, &connection);
  for (Task* task = tasks_.first_in_use(); task; task = task->next_in_use)
    if (task->connection == &connection) task->connection = nullptr;
  if (state_ == State::ended) service_.registry().session_ended(*this);  // it can be buried now
  if (state_ != State::active) return;
  if (how == Departure::failed && !connections_.empty())
    connections_.front()->announce_lost(
        connection.cid(), parameters_.default_time2wait_s,
        recovers_connections() ? parameters_.default_time2retain_s : 0);
  if (has_future(how)) return;
  if (how == Departure::failed) ++service_.counters().sessions_dropped;
  end(why);
}

bool Session::waits_for_reassignment() const {
  return std::ranges::any_of(suspensions_, [&](const Suspension& lost) {
    if (!lost.logged_out) return true;
    for (const Task* task = tasks_.first_in_use(); task; task = task->next_in_use)
      if (task->link == lost.link) return true;
    return false;
  });
}

/// Someone serves it, is about to, or may come back to what was lost. A last connection that was
/// closed ends the session all the same, unless something waits for it (5.3.5).
bool Session::has_future(Departure how) const {
  if (!connections_.empty() || held_open_ > 0) return true;
  return how == Departure::closed ? waits_for_reassignment() : !suspensions_.empty();
}

void Session::forget_managements(Connection& connection) {
  for (TaskManagement& request : managements_) {
    if (request.connection != &connection) continue;
    if (request.phase == TaskManagement::Phase::disks ||
        request.phase == TaskManagement::Phase::acknowledgement)
      service_.add_management_waiting(-1);
    if (request.phase == TaskManagement::Phase::line) connection.withdraw(request);
    if (request.phase != TaskManagement::Phase::idle) --managing_;
    request.phase = TaskManagement::Phase::idle;
    request.connection = nullptr;
  }
}

/// Ends the commands of this connection that have no response under way, without a word to the
/// initiator but with a unit attention at each unit that lost some (6.5).
void Session::terminate(Connection& connection) {
  terminate_where([&](const Task& task) { return task.connection == &connection; });
}

template <class Predicate>
void Session::terminate_where(Predicate predicate) {
  std::set<scsi::LogicalUnit*> units;
  abort_where([&](const Task& task) {
    if (task.stage == Task::Stage::responding || !predicate(task)) return false;
    if (scsi::LogicalUnit* unit = luns_.find(task.lun)) units.insert(unit);
    return true;
  });
  if (state_ != State::active) return;
  for (scsi::LogicalUnit* unit : units) unit->note_commands_cleared(nexus_);
}

std::chrono::seconds Session::retention() const {
  return std::chrono::seconds(parameters_.default_time2wait_s + parameters_.default_time2retain_s);
}

/// Keeps the commands of this connection for TASK REASSIGN, but for immediate ones (6.12).
void Session::suspend(Connection& connection, bool logged_out) {
  terminate_where(
      [&](const Task& task) { return task.connection == &connection && task.immediate; });
  if (parameters_.default_time2retain_s == 0) {
    terminate(connection);
    return;
  }
  for (Task* task = tasks_.first_in_use(); task; task = task->next_in_use)
    if (task->connection == &connection && task->stage != Task::Stage::responding)
      task->connection = nullptr;
  if (suspensions_.size() >= service_.limits().suspended_connections)
    give_up(suspensions_.front().link);
  suspensions_.push_back(
      {connection.link(), connection.cid(), logged_out, service_.now() + retention()});
  service_.note_deadline(suspensions_.back().until);
}

/// Nobody came back for the commands of this connection.
void Session::give_up(std::uint32_t link) {
  terminate_where([&](const Task& task) { return !task.connection && task.link == link; });
  std::erase_if(suspensions_, [&](const Suspension& lost) { return lost.link == link; });
}

std::optional<std::uint32_t> Session::log_out_suspended(std::uint16_t cid, bool for_recovery) {
  for (Suspension& lost : suspensions_) {
    if (lost.cid != cid || lost.logged_out) continue;
    const std::uint32_t link = lost.link;
    if (for_recovery) {
      lost.logged_out = true;
      lost.until = service_.now() + retention();
      service_.note_deadline(lost.until);
    } else {
      give_up(link);
    }
    return link;
  }
  return std::nullopt;
}

Instant Session::next_deadline() const {
  Instant deadline = Instant::max();
  for (const Suspension& lost : suspensions_) deadline = std::min(deadline, lost.until);
  return deadline;
}

void Session::tick() {
  while (state_ == State::active) {
    const auto over = std::ranges::find_if(
        suspensions_, [&](const Suspension& lost) { return lost.until <= service_.now(); });
    if (over == suspensions_.end()) return;
    service_.log().info(
        "connection given up initiator={} tsih={} cid={} reason=\"nobody came back "
        "for it within Time2Wait and Time2Retain\"",
        identity_.initiator_name, tsih_, over->cid);
    give_up(over->link);
    if (has_future(Departure::failed)) continue;
    ++service_.counters().sessions_dropped;
    end("its last connection was lost and nobody came back");
  }
}

/// The command of this tag that lost its connection, or null.
Task* Session::find_stranded(std::uint32_t initiator_task_tag) const {
  for (Task* task = tasks_.first_in_use(); task; task = task->next_in_use)
    if (!task->connection && !task->silent && task->stage != Task::Stage::responding &&
        task->initiator_task_tag == initiator_task_tag)
      return task;
  return nullptr;
}

/// A command of this tag is here whose status is not acknowledged.
bool Session::knows(std::uint32_t initiator_task_tag) const {
  for (const Task* task = tasks_.first_in_use(); task; task = task->next_in_use)
    if (!task->silent && task->initiator_task_tag == initiator_task_tag) return true;
  return false;
}

bool Session::is_logged_out(std::uint32_t link) const {
  return std::ranges::any_of(
      suspensions_, [&](const Suspension& lost) { return lost.link == link && lost.logged_out; });
}

/// 6.2.2: a command is taken up only after its connection was logged out for recovery. Task
/// management and text negotiations are never reassigned (10.5.1-18).
void Session::execute_reassign(TaskManagement& request) {
  using enum TaskManagementResponse;
  const std::uint32_t tag = request.referenced_task_tag;
  const bool is_management = std::ranges::any_of(managements_, [&](const TaskManagement& other) {
    return &other != &request && other.phase != TaskManagement::Phase::idle &&
           other.initiator_task_tag == tag;
  });
  const bool is_text = std::ranges::any_of(
      connections_, [&](const Connection* connection) { return connection->negotiates(tag); });
  const Task* const task = find_stranded(tag);
  if (!recovers_connections())
    answer(request, reassignment_not_supported);
  else if (is_management || is_text)
    answer(request, function_rejected);
  else if (task && task->pdus_unsent == 0 && is_logged_out(task->link))
    answer(request, function_complete);
  else
    answer(request, knows(tag) ? task_still_allegiant : task_does_not_exist);
}

/// The answer is on its way: now the new allegiance holds (10.6).
void Session::reassign(const TaskManagement& request) {
  if (Task* task = find_stranded(request.referenced_task_tag))
    request.connection->resume(*task, request.exp_data_sn);
}

void Session::retire(Connection& connection) {
  ++service_.counters().connection_reinstatements;
  connection.reset("its connection is reinstated",
                   recovers_connections() ? Departure::recovery : Departure::closed);
}

void Session::release_hold() {
  --held_open_;
  if (state_ == State::active && !has_future(Departure::failed))
    end("a connection was to be reinstated and was not");
}

}  // namespace tsihd::session
