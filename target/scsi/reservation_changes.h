// How reservations change: one PERSISTENT RESERVE OUT at a time, and what APTPL keeps is on the
// medium before the change counts and its command ends.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "target/backstore/state_store.h"
#include "target/base/log.h"
#include "target/scsi/reservations.h"
#include "target/scsi/task.h"

namespace tsihd::scsi {

class ReservationChanges {
 public:
  ReservationChanges(DeviceServer& server, Log log) : server_(server), log_(std::move(log)) {}

  /// From now on APTPL is offered. `image` is what the store holds.
  void keep_in(std::unique_ptr<backstore::StateStore> store, std::string image) {
    store_ = std::move(store);
    stored_ = std::move(image);
  }
  bool can_keep() const { return store_ != nullptr; }

  /// Runs `step` when no change is on its way to the medium: now or later.
  void take_turn(Task& task, Task::Step step);
  /// Makes `next` the unit's reservations, stored first where it has to be, tells the nexuses that
  /// `outcome` names and goes on with `step`. When it cannot be stored nothing changes and the
  /// task fails. Aborting the task while the medium is busy does not undo the change.
  void commit(Task& task, Reservations next, Reservations::Outcome outcome, Task::Step step);
  /// Of the change that just came true: whose commands PREEMPT AND ABORT aborts.
  std::vector<PortIdentity> take_preempted() { return std::move(preempted_); }

  /// The task is about to be recycled.
  void forget(Task& task) {
    if (!waiting_.empty()) std::erase(waiting_, &task);
  }

 private:
  struct Change {
    Task* task;
    Reservations next;
    Reservations::Outcome outcome;
    std::string image;
  };
  void apply(Reservations next, const Reservations::Outcome& outcome);
  static void stored(backstore::Io& io);
  void finish(Task& task, int error);
  void run_waiting();

  DeviceServer& server_;
  const Log log_;
  std::unique_ptr<backstore::StateStore> store_;
  std::optional<std::string> stored_ = "";  ///< null: an error left it unknown
  std::optional<Change> change_;            ///< with the store
  std::vector<Task*> waiting_;
  std::vector<PortIdentity> preempted_;
};

}  // namespace tsihd::scsi
