#include "target/scsi/aca.h"

#include "target/scsi/device_server.h"
#include "target/scsi/operations.h"

namespace tsihd::scsi {
namespace {

bool preempts_and_aborts(const Command& command) {
  constexpr std::uint8_t kPersistentReserveOut = 0x5f;
  constexpr std::uint8_t kPreemptAndAbort = 0x05;
  return command.cdb[0] == kPersistentReserveOut && (command.cdb[1] & 0x1f) == kPreemptAndAbort;
}

}  // namespace

bool has_naca(const Command& command) {
  constexpr std::uint8_t kNaca = 0x04;
  const std::uint8_t length = cdb_bytes_of(command.cdb[0]);
  return length > 0 && (command.cdb[length - 1u] & kNaca) != 0;
}

void AcaConditions::establish(NexusState& nexus) {
  if (!nexus.faulted) ++faulted_;
  nexus.faulted = true;
}

void AcaConditions::clear(NexusState& nexus) {
  if (nexus.faulted) --faulted_;
  nexus.faulted = false;
}

bool AcaConditions::blocks(const Task& task) const {
  if (faulted_ == 0 || task.passes_aca) return false;
  if (!server_.mode().separate_task_sets) return true;
  return task.nexus != nullptr && task.nexus->faulted;
}

/// SAM-5 5.10.4: the one command with the ACA attribute, and only if no other is there already.
std::optional<Status> AcaConditions::refuses_faulted(const Task& task, const TaskSet& tasks) const {
  if (task.command->attribute != TaskAttribute::aca) return Status::aca_active;
  for (const Command* it = tasks.first(); it != nullptr; it = it->next)
    if (it->task != &task && it->nexus == task.command->nexus &&
        it->attribute == TaskAttribute::aca)
      return Status::aca_active;
  return std::nullopt;
}

/// SAM-5 5.10.5 for the other nexuses: PREEMPT AND ABORT is their way out.
std::optional<Status> AcaConditions::refuses(const Task& task, const TaskSet& tasks) const {
  if (task.nexus->faulted) return refuses_faulted(task, tasks);
  if (server_.mode().separate_task_sets) return std::nullopt;
  const Command& command = *task.command;
  if (command.attribute == TaskAttribute::aca) return Status::aca_active;
  if (preempts_and_aborts(command)) return std::nullopt;
  return has_naca(command) ? Status::aca_active : Status::busy;
}

}  // namespace tsihd::scsi
