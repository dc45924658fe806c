// The ACA condition (auto contingent allegiance, SAM-5 5.10): when a command whose CONTROL byte has
// NACA set ends with CHECK CONDITION, its I_T nexus is held, so that nothing of what is under way
// runs over the error before the initiator has looked. With one task set for all I_T nexuses (TST
// 000b) that holds the others up as well.
#pragma once

#include <cstddef>
#include <optional>

#include "target/scsi/task.h"

namespace tsihd::scsi {

class TaskSet;

class AcaConditions {
 public:
  explicit AcaConditions(const DeviceServer& server) : server_(server) {}

  /// False on the hot path: nothing further is asked.
  bool any() const { return faulted_ > 0; }
  void establish(NexusState& nexus);
  void clear(NexusState& nexus);

  /// The task may neither start nor end while the condition lasts.
  bool blocks(const Task& task) const;
  /// What a command that arrives now gets instead of being carried out; null: it goes on, and does
  /// so although the condition lasts.
  std::optional<Status> refuses(const Task& task, const TaskSet& tasks) const;

 private:
  std::optional<Status> refuses_faulted(const Task& task, const TaskSet& tasks) const;

  const DeviceServer& server_;
  std::size_t faulted_ = 0;  ///< nexuses with NexusState::faulted
};

/// NACA of the CONTROL byte, the last of the CDB.
bool has_naca(const Command& command);

}  // namespace tsihd::scsi
