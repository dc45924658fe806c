#include "target/session/session.h"

#include <algorithm>
#include <chrono>
#include <ranges>
#include <set>
#include <utility>

#include "target/session/connection.h"
#include "target/session/guard.h"
#include "target/session/registry.h"

namespace tsihd::session {
namespace {

/// Every unit that a map shows, once.
std::set<scsi::LogicalUnit*> units_of(const scsi::LunMap& luns) {
  std::set<scsi::LogicalUnit*> units;
  for (const auto& [number, entry] : luns.entries) units.insert(entry.unit.get());
  return units;
}

/// What this initiator sees: its ACL's LUNs, or in demo mode the group's.
scsi::LunMap luns_for(const LoginIdentity& identity) {
  if (identity.type == SessionType::discovery || !identity.portal_group) return {};
  if (identity.acl) return identity.acl->luns;
  scsi::LunMap luns = identity.portal_group->luns;
  if (identity.portal_group->attributes.demo_mode_write_protect)
    for (auto& [number, entry] : luns.entries) entry.write_protected = true;
  return luns;
}

}  // namespace

Session::Session(Service& service, std::uint64_t id, std::uint16_t tsih,
                 const LoginIdentity& identity, const NegotiatedParameters& parameters,
                 std::uint32_t first_cmd_sn)
    : service_(service),
      id_(id),
      tsih_(tsih),
      identity_(identity),
      parameters_(parameters),
      born_(service.now()),
      luns_(luns_for(identity)),
      window_(first_cmd_sn, command_window_depth(identity)),
      managements_(service.limits().task_management_waiting) {
  nexus_.id = id;
  nexus_.initiator_name = identity.initiator_name;
  const auto& isid = identity.isid;
  nexus_.initiator_port_name =
      fmt::format("{},i,0x{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}", identity.initiator_name, isid[0],
                  isid[1], isid[2], isid[3], isid[4], isid[5]);
  if (identity.target) nexus_.target_name = identity.target->name;
  if (identity.portal_group) nexus_.target_portal_group_tag = identity.portal_group->tag;
  for (scsi::LogicalUnit* unit : units_of(luns_)) unit->attach(nexus_);
}

Session::~Session() = default;

SessionInfo Session::info() const {
  const auto seconds = [](auto duration) {
    return std::chrono::duration<double>(duration).count();
  };
  SessionInfo info;
  info.id = id_;
  info.type = identity_.type;
  info.initiator_name = identity_.initiator_name;
  info.initiator_alias = identity_.initiator_alias;
  info.isid = identity_.isid;
  info.tsih = tsih_;
  info.cid = identity_.cid;
  info.target_name = nexus_.target_name;
  if (identity_.portal_group) info.portal_group_tag = identity_.portal_group->tag;
  for (const Connection* connection : connections_)
    info.connections.push_back(
        {connection->cid(), connection->endpoints().remote(), connection->endpoints().local()});
  info.connections_awaited = suspensions_.size();
  info.peer = peer_;
  info.portal = portal_;
  info.parameters = parameters_;
  info.age_s = seconds(service_.now() - born_);
  info.idle_s = lead() ? seconds(service_.now() - lead()->last_received()) : info.age_s;
  info.commands = commands_;
  info.commands_active = tasks_.in_use();
  info.ending = state_ != State::active;
  return info;
}

std::uint32_t Session::nop_in_interval_s() const {
  if (!identity_.portal_group) return 0;
  if (identity_.acl && identity_.acl->nop_in_interval_s) return *identity_.acl->nop_in_interval_s;
  return identity_.portal_group->attributes.nop_in_interval_s;
}

std::uint32_t Session::nop_in_response_timeout_s() const {
  if (!identity_.portal_group) return 0;
  if (identity_.acl && identity_.acl->nop_in_response_timeout_s)
    return *identity_.acl->nop_in_response_timeout_s;
  return identity_.portal_group->attributes.nop_in_response_timeout_s;
}

void Session::abort_where(const std::function<bool(const Task&)>& predicate) {
  // Aborting one can end others (a task set moves on), so the list is fixed first.
  std::vector<std::pair<Task*, std::uint64_t>> chosen;
  for (Task* task = tasks_.first_in_use(); task; task = task->next_in_use)
    if (predicate(*task)) chosen.emplace_back(task, task->serial);
  // The latest first: who waits for his turn must not get it from the end of the one before.
  for (auto [task, serial] : chosen | std::views::reverse)
    if (task->stage != Task::Stage::idle && task->serial == serial) abort(*task);
}

void Session::deliver_held() {
  while (state_ == State::active) {
    HeldRequest held = window_.take_held();
    switch (held.kind) {
      case HeldRequest::Kind::none:
        return;
      case HeldRequest::Kind::received:
        break;
      case HeldRequest::Kind::task:
        deliver(*held.task);
        break;
      case HeldRequest::Kind::pdu:
        held.connection->execute_held(wire::Pdu{held.header, held.data, true});
        break;
    }
  }
}

Task* Session::new_task(Connection& connection, std::uint32_t initiator_task_tag, bool immediate) {
  Task* task = tasks_.take();
  if (!task) return nullptr;
  task->stage = Task::Stage::ordering;
  task->session = this;
  task->connection = &connection;
  task->link = connection.link();
  task->serial = service_.next_serial();
  task->initiator_task_tag = initiator_task_tag;
  task->immediate = immediate;
  tasks_.list(*task);
  if (immediate) ++immediate_in_use_;
  return task;
}

void Session::deliver(Task& task) {
  ++commands_;
  ++service_.counters().commands;
  if (!task.immediate) {
    task.counted = true;
    window_.begin();
  }
  if (task.condemned) {
    task.stage = Task::Stage::device;
    settle(task);
    return;
  }
  if (!queued_head_ && try_reserve(task)) {
    launch(task);
    return;
  }
  ++service_.counters().waits_for_memory;
  task.stage = Task::Stage::queued;
  task.next_queued = nullptr;
  (queued_tail_ ? queued_tail_->next_queued : queued_head_) = &task;
  queued_tail_ = &task;
}

void Session::launch(Task& task) {
  task.stage = Task::Stage::device;
  task.launched = true;
  moving_bytes_ += task.reserved_bytes;
  task.owner = this;
  task.nexus = &nexus_;
  task.at_device = true;
  ++at_device_;
  luns_.start(task);
  if (!task.at_device || task.wanted_data_out_bytes == 0) return;
  task.collecting = true;
  data_arrived(task);
}

void Session::data_arrived(Task& task) {
  if (!task.collecting) {
    settle(task);
    return;
  }
  if (task.unsolicited.open) return;
  const std::uint32_t goal_bytes =
      std::min(task.wanted_data_out_bytes, task.expected_data_out_bytes);
  if (task.condemned) {
    if (!task.owes_data()) condemned(task);
    return;
  }
  if (task.received_bytes >= goal_bytes && task.open_transfers == 0 && task.hole_count == 0) {
    task.collecting = false;
    task.data_out = task.out_buffer.first(goal_bytes);
    scsi::LunMap::data_out_ready(task);
    return;
  }
  if (task.connection && (!task.stopped || task.hole_count > 0))
    task.connection->solicit(task, goal_bytes);
}

void Session::condemned(Task& task) {
  if (task.owes_data()) return;  // the response waits for the last of the data (10.4.2)
  if (task.stage == Task::Stage::queued) {
    unqueue(task);
    task.stage = Task::Stage::device;
  }
  task.collecting = false;
  if (task.at_device && task.unit) {
    task.unit->abort(task);
    return;
  }
  settle(task);
}

/// The task ends as far as it can: with a response, or without one when it was aborted.
void Session::settle(Task& task) {
  if (task.at_device) return;
  if (task.silent) {
    if (task.owes_data() && task.connection) task.connection->discard_rest(task);
    if (task.pdus_unsent > 0) {  // a connection that is closing still sends what it has of it
      task.stage = Task::Stage::responding;
      task.emitted = true;
      return;
    }
    release(task);
    return;
  }
  if (!task.connection) {  // suspended: its response waits for a connection
    task.stage = Task::Stage::stranded;
    return;
  }
  if (task.owes_data() || task.stage != Task::Stage::device) return;
  task.stage = Task::Stage::responding;
  if (task.condemned) note_fault(task);
  task.connection->respond(task);
}

/// A CHECK CONDITION of ours counts for the unit as one of its own (10.4.7.2): QERR, ACA.
void Session::note_fault(Task& task) {
  if (task.status != scsi::Status::check_condition) return;
  scsi::LogicalUnit* unit = luns_.find(task.lun);
  if (!unit) return;
  task.nexus = &nexus_;
  unit->note_fault(task);
}

void Session::abort(Task& task) {
  switch (task.stage) {
    case Task::Stage::idle:
    case Task::Stage::responding:
    case Task::Stage::answered:
      return;  // its response is on its way, before anything that is said later
    case Task::Stage::ordering:
      window_.forget(task);
      break;
    case Task::Stage::queued:
      unqueue(task);
      break;
    case Task::Stage::device:
    case Task::Stage::stranded:
      break;
  }
  task.silent = true;
  task.collecting = false;
  if (task.at_device && task.unit)
    task.unit->abort(task);
  else
    settle(task);
}

void Session::command_done(scsi::Command& command) {
  auto& task = static_cast<Task&>(command);
  task.at_device = false;
  task.collecting = false;
  --at_device_;
  settle(task);
  service_.wake_task_management();
  look_for_the_end();
}

void Session::command_aborted(scsi::Command& command) {
  auto& task = static_cast<Task&>(command);
  task.at_device = false;
  task.collecting = false;
  --at_device_;
  ++service_.counters().tasks_aborted;
  if (!task.condemned) task.silent = true;
  settle(task);
  service_.wake_task_management();
  look_for_the_end();
}

void Session::status_queued(Task& task) {
  tasks_.unlist(task);
  if (task.counted) window_.finish();
  task.counted = false;
}

/// Its status is sent; what may be asked for again stays until that is acknowledged.
void Session::answered(Task& task) {
  task.stage = Task::Stage::answered;
  task.out_buffer = {};
  if (task.launched) moving_bytes_ -= task.reserved_bytes;
  task.launched = false;
  if (task.data_in_bytes == 0) give_back_memory(task);
}

void Session::give_back_memory(Task& task) {
  if (task.reserved_bytes == 0) return;
  reserved_bytes_ -= task.reserved_bytes;
  if (task.launched) moving_bytes_ -= task.reserved_bytes;
  service_.give_back_data_bytes(task.reserved_bytes);
  task.reserved_bytes = 0;
}

void Session::release(Task& task) {
  status_queued(task);
  if (task.immediate) --immediate_in_use_;
  give_back_memory(task);
  tasks_.give_back(task);
  if (state_ == State::ended && tasks_.in_use() == 0)
    service_.registry().session_ended(*this);  // it can be buried now
}

bool Session::has_memory_for(std::uint64_t more_bytes) const {
  const Limits& limits = service_.limits();
  return reserved_bytes_ + more_bytes <= limits.session_data_bytes &&
         service_.data_bytes() + more_bytes <= limits.total_data_bytes;
}

bool Session::try_reserve(Task& task) {
  const std::uint32_t most_bytes = service_.limits().command_data_bytes;
  const std::uint64_t wanted = std::uint64_t{std::min(task.expected_data_in_bytes, most_bytes)} +
                               std::min(task.expected_data_out_bytes, most_bytes);
  if (wanted <= task.reserved_bytes) return true;
  const std::uint64_t more = wanted - task.reserved_bytes;
  const bool alone = moving_bytes_ == 0;  // one always may: no standstill
  if (!has_memory_for(more) && !make_memory_for(more) && !alone) return false;
  reserve(task, more);
  return true;
}

/// What is only kept for recovery gives way: this session's first, then everybody's.
bool Session::make_memory_for(std::uint64_t bytes) {
  forget_retained();
  if (has_memory_for(bytes)) return true;
  for (const auto& session : service_.registry().sessions()) session->forget_retained();
  return has_memory_for(bytes);
}

void Session::forget_retained() {
  if (!recovers()) return;
  for (Connection* connection : connections_) connection->forget_retained();
}

std::uint32_t Session::reserve_ahead(Task& task, std::uint32_t whole_bytes,
                                     std::uint32_t least_bytes) {
  const std::uint32_t bytes = has_memory_for(whole_bytes) ? whole_bytes : least_bytes;
  reserve(task, bytes);
  return bytes;
}

void Session::reserve(Task& task, std::uint64_t bytes) {
  task.reserved_bytes += bytes;
  reserved_bytes_ += bytes;
  service_.add_data_bytes(bytes);
}

void Session::grant_memory() {
  while (queued_head_ && state_ == State::active && try_reserve(*queued_head_)) {
    Task& task = *queued_head_;
    unqueue(task);
    launch(task);
  }
}

void Session::unqueue(Task& task) {
  Task* previous = nullptr;
  for (Task* at = queued_head_; at; previous = at, at = at->next_queued) {
    if (at != &task) continue;
    (previous ? previous->next_queued : queued_head_) = at->next_queued;
    if (queued_tail_ == at) queued_tail_ = previous;
    break;
  }
  task.next_queued = nullptr;
}

void Session::end(std::string_view why, Closing closing) {
  if (state_ != State::active) return;
  state_ = State::ending;
  service_.log().info("session end initiator={} tsih={} peer={} target={} reason=\"{}\"",
                      identity_.initiator_name, tsih_, peer_, nexus_.target_name, why);
  for (Connection* connection : std::vector(connections_)) connection->session_ended(closing);
  window_.drop_held();
  for (scsi::LogicalUnit* unit : units_of(luns_)) unit->detach(nexus_);
  abort_where([](const Task&) { return true; });
  check_ended();
}

/// A command has come back from the device server: was it the last?
void Session::look_for_the_end() {
  if (state_ == State::ending) check_ended();
  for (Connection* connection : connections_) connection->command_came_back();
  if (held_open_ > 0) service_.guard().wake();
}

void Session::check_ended() {
  if (state_ != State::ending || at_device_ > 0) return;
  state_ = State::ended;
  service_.registry().session_ended(*this);
  for (Connection* connection : std::vector(connections_)) connection->command_came_back();
}

}  // namespace tsihd::session
