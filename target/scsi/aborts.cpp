// How commands end before their time: task management, resets, a lost nexus, PREEMPT AND ABORT, and
// what the error of one command means for the others (QERR, ACA).
#include <algorithm>

#include "target/scsi/copy_manager.h"
#include "target/scsi/device_server.h"

namespace tsihd::scsi {

/// SAM-5 5.6: the commands of `by` itself end without a word. Those of others end with TASK ABORTED
/// (TAS), or their nexuses get COMMANDS CLEARED BY ANOTHER INITIATOR.
template <class Predicate>
void DeviceServer::mark_aborted(const Nexus* by, Predicate predicate) {
  for (Command* it = tasks_.first(); it != nullptr; it = it->next) {
    if (it->aborted || !predicate(*it)) continue;
    it->aborted = true;
    Task& task = *it->task;
    if (by == nullptr || it->nexus == by || task.nexus == nullptr) continue;
    task.tells_abort = mode_.task_aborted_status;
    if (!task.tells_abort) task.nexus->attentions.establish(UnitAttention::commands_cleared);
  }
}

/// All are marked first, so that nothing of the chosen ones runs on while the others end. Those
/// whose disk request is out end when it is back: until then their writes could still land.
void DeviceServer::sweep_aborted() {
  for (Command* it = tasks_.first(); it != nullptr;) {
    if (it->aborted && !it->task->disk_busy) {
      drop(*it->task);
      it = tasks_.first();  // the owner may have changed anything
    } else {
      it = it->next;
    }
  }
  if (copies_ != nullptr) copies_->look_for_aborts();
}

void DeviceServer::detach(Nexus& nexus) {
  abort_where(nullptr, [&](const Command& command) { return command.nexus == &nexus; });
  for (const Command* it = tasks_.first(); it != nullptr; it = it->next)
    if (it->nexus == &nexus) it->task->nexus = nullptr;
  reservations_.nexus_lost(nexus);
  if (copies_ != nullptr) copies_->nexus_lost(*this, nexus);
  if (NexusState* state = find(nexus)) {
    aca_.clear(*state);
    lost_writes_.leave(state->told, nexus.initiator_name);
  }
  last_found_ = nullptr;
  std::erase_if(nexuses_, [&](const auto& state) { return state->nexus == &nexus; });
  settle_fault();
  tasks_.run_ready();
}

void DeviceServer::abort(Command& command) {
  if (command.task == nullptr || command.aborted) return;
  command.aborted = true;
  if (!command.task->disk_busy) return drop(*command.task);
  if (copies_ != nullptr) copies_->look_for_aborts();
}

void DeviceServer::abort_task_set(const Nexus& nexus) {
  abort_where(&nexus, [&](const Command& command) { return command.nexus == &nexus; });
}

/// With a task set for each nexus (TST 001b) there is nobody else's command in it.
void DeviceServer::clear_task_set(const Nexus& nexus) {
  abort_where(&nexus, [&](const Command& command) {
    return !mode_.separate_task_sets || command.nexus == &nexus;
  });
}

void DeviceServer::note_commands_cleared(const Nexus& nexus) {
  if (NexusState* state = find(nexus))
    state->attentions.establish(UnitAttention::commands_cleared_by_transport);
}

void DeviceServer::reset(const Nexus* by) {
  log_.info("scsi.unit_reset disk={} commands={}", identity_.name, tasks_.size());
  mark_aborted(by, [](const Command&) { return true; });  // by the TAS of before
  reservations_.reset();
  mode_ = initial_mode();
  space_.rearm();
  stopped_ = false;
  for (const auto& state : nexuses_) aca_.clear(*state);
  update_constraints();
  if (copies_ != nullptr) copies_->unit_reset(*this);
  establish_for_all(UnitAttention::unit_reset, nullptr);
  sweep_aborted();
}

// -- PREEMPT AND ABORT

void DeviceServer::abort_and_wait(Task& task, std::vector<PortIdentity> ports) {
  const auto preempted = [&ports](const Nexus& nexus) {
    return std::ranges::any_of(ports, [&](const auto& port) { return port.is(nexus); });
  };
  const Command* self = task.command;
  quiet_waits_.push_back({&task, ports});
  for (const auto& state : nexuses_)
    if (preempted(*state->nexus)) aca_.clear(*state);  // SAM-5 5.10.6
  abort_where(self->nexus, [&](const Command& it) { return &it != self && preempted(*it.nexus); });
  settle_fault();
  end_quiet_waits();
}

/// No aborted command of these ports is with the disk any more.
bool DeviceServer::quiet(const QuietWait& wait) const {
  for (const Command* it = tasks_.first(); it != nullptr; it = it->next)
    if (it->aborted &&
        std::ranges::any_of(wait.ports, [&](const auto& port) { return port.is(*it->nexus); }))
      return false;
  return true;
}

void DeviceServer::end_quiet_waits() {
  for (std::size_t i = 0; i < quiet_waits_.size();) {
    if (!quiet(quiet_waits_[i])) {
      ++i;
      continue;
    }
    quiet_waits_[i].task->good();  // release() takes it off the list
    i = 0;
  }
}

// -- the error of one command and the others

void DeviceServer::note_fault(const Command& command) {
  NexusState* state = find(*command.nexus);
  if (state == nullptr) return;
  mark_after_fault(*state, command);
  settle_fault();
  tasks_.run_ready();
}

/// SAM-5 5.10.2: the condition is there with NACA; and by QERR, with NACA or without, commands are
/// aborted. A command with the ACA attribute that fails ends the condition that let it run.
void DeviceServer::mark_after_fault(NexusState& nexus, const Command& command) {
  if (has_naca(command))
    aca_.establish(nexus);
  else if (command.attribute == TaskAttribute::aca)
    aca_.clear(nexus);
  update_constraints();
  if (mode_.queue_error == QueueError::others_go_on) return;
  const bool everybody = mode_.queue_error == QueueError::aborts_all && !mode_.separate_task_sets;
  mark_aborted(command.nexus, [&](const Command& it) {
    return &it != &command && (everybody || it.nexus == command.nexus);
  });
}

void DeviceServer::settle_fault() {
  update_constraints();
  if (mode_.queue_error != QueueError::others_go_on) sweep_aborted();
  resume_held();
}

bool DeviceServer::clear_aca(const Nexus& nexus) {
  NexusState* state = find(nexus);
  const bool mine = state != nullptr && state->faulted;
  if (!mine) return !aca_.any() || mode_.separate_task_sets;
  abort_where(&nexus, [&](const Command& it) {
    return it.nexus == &nexus && it.attribute == TaskAttribute::aca;
  });
  aca_.clear(*state);
  settle_fault();
  tasks_.run_ready();
  return true;
}

bool DeviceServer::refused_by_aca(Task& task) {
  const auto status = aca_.refuses(task, tasks_);
  task.passes_aca = status || task.nexus->faulted || !mode_.separate_task_sets;
  if (status) task.finish(*status);
  return status.has_value();
}

void DeviceServer::update_constraints() {
  tasks_.set_constrained(aca_.any() || mode_.restricted_reordering);
}

void DeviceServer::hold(Task& task, Task::Step resume) {
  tasks_.stop(task);
  task.held = true;
  task.resume = resume;
  ++held_;
}

/// Each may end in a condition of its own, which then holds those that are left.
void DeviceServer::resume_held() {
  if (held_ == 0 || resuming_) return;
  resuming_ = true;
  for (Command* it = tasks_.first(); held_ > 0 && it != nullptr;) {
    Task& task = *it->task;
    if (!task.held || it->aborted || aca_.blocks(task)) {
      it = it->next;
      continue;
    }
    task.held = false;
    --held_;
    task.resume(task);
    it = tasks_.first();  // the owner may have changed anything
  }
  resuming_ = false;
}

}  // namespace tsihd::scsi
