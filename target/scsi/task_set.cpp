#include "target/scsi/task_set.h"

#include "target/scsi/device_server.h"
#include "target/scsi/operations.h"

namespace tsihd::scsi {

void TaskSet::enter(Task& task) {
  Command& command = *task.command;
  const bool head =
      command.attribute == TaskAttribute::head || command.attribute == TaskAttribute::aca;
  command.previous = head ? nullptr : last_;
  command.next = head ? first_ : nullptr;
  (command.previous == nullptr ? first_ : command.previous->next) = &command;
  (command.next == nullptr ? last_ : command.next->previous) = &command;
  ++size_;
  task.special = head || command.attribute == TaskAttribute::ordered;
  if (task.special) ++special_;
}

void TaskSet::leave(Task& task) {
  Command& command = *task.command;
  (command.previous == nullptr ? first_ : command.previous->next) = command.next;
  (command.next == nullptr ? last_ : command.next->previous) = command.previous;
  command.previous = command.next = nullptr;
  --size_;
  if (task.special) --special_;
  if (task.blocked) --blocked_;
  stop(task);
}

void TaskSet::stop(Task& task) {
  if (!task.running) return;
  task.running = false;
  --running_;
  if (task.exclusive) exclusive_running_ = false;
}

void TaskSet::make_exclusive(Task& task) {
  task.exclusive = true;
  if (!task.special) ++special_;
  task.special = true;
}

void TaskSet::request_turn(Task& task) {
  if ((special_ == 0 && !constrained_) || may_run(task)) return run(task);
  task.blocked = true;
  ++blocked_;
}

namespace {

/// Whether one of two commands of a nexus changes what the other reads or writes (QAM 0000b).
bool keeps_order(const Task& task, const Task& before) {
  return task.command->nexus == before.command->nexus &&
         (task.operation->access == Access::write || before.operation->access == Access::write);
}

/// `before` came earlier, or is HEAD OF QUEUE.
bool waits_for(const Task& task, const Task& before) {
  const DeviceServer& server = *task.server;
  if (before.exclusive) return !server.aca().blocks(before);
  const ModeState& mode = server.mode();
  if (mode.separate_task_sets && before.command->nexus != task.command->nexus) return false;
  if (before.special || task.command->attribute == TaskAttribute::ordered) return true;
  return mode.restricted_reordering && keeps_order(task, before);
}

}  // namespace

/// A SANITIZE that began while the task collected its data or waited ends it.
void TaskSet::run(Task& task) {
  if (const Sanitizer& sanitizer = task.server->sanitizer(); !sanitizer.idle())
    if (const auto why = sanitizer.refuses(*task.operation)) return task.fail(*why);
  task.running = true;
  ++running_;
  if (task.exclusive) exclusive_running_ = true;
  task.step(task);
}

/// An exclusive task waits only for those that run: one that still collects its data must not let
/// its initiator hold up the others. The parts of a copy follow one another without end, so they
/// let an exclusive task go first; they wait for nobody else, who may be waiting for their copy.
bool TaskSet::may_run(const Task& task) const {
  if (exclusive_running_) return false;
  if (task.exclusive && running_ > 0) return false;
  if (task.server->aca().blocks(task)) return false;
  return task.part ? !exclusive_is_next() : turn_has_come(task);
}

bool TaskSet::exclusive_is_next() const {
  for (const Command* it = first_; it != nullptr; it = it->next) {
    const Task& task = *it->task;
    const bool waits = task.exclusive && task.blocked && !it->aborted;
    if (waits && !task.server->aca().blocks(task) && turn_has_come(task)) return true;
  }
  return false;
}

/// SAM-5 8.6: an ORDERED task waits for all before it, everything but HEAD OF QUEUE and ACA waits
/// for ORDERED, HEAD OF QUEUE and exclusive tasks before it.
bool TaskSet::turn_has_come(const Task& task) const {
  const TaskAttribute attribute = task.command->attribute;
  if (attribute == TaskAttribute::head || attribute == TaskAttribute::aca) return true;
  for (const Command* before = task.command->previous; before != nullptr; before = before->previous)
    if (waits_for(task, *before->task)) return false;
  return true;
}

void TaskSet::run_ready() {
  if (blocked_ == 0 || scanning_) return;
  scanning_ = true;
  Command* at = first_;
  while (at != nullptr && blocked_ > 0) {
    Task& task = *at->task;
    if (!task.blocked || at->aborted || !may_run(task)) {
      at = at->next;
      continue;
    }
    task.blocked = false;
    --blocked_;
    run(task);    // may end it, and with it anything else
    at = first_;  // so the list is read anew
  }
  scanning_ = false;
}

}  // namespace tsihd::scsi
