// The task set of a logical unit: which commands are in it, and when each may run by its task
// attribute (SAM-5 8). One set for all I_T nexuses, or with TST 001b in the control mode page one
// for each: the list is the same, but only tasks of one nexus wait for one another.
#pragma once

#include <cstddef>

#include "target/scsi/task.h"

namespace tsihd::scsi {

class TaskSet {
 public:
  /// Enters the set: HEAD OF QUEUE before all others, everything else at the end.
  void enter(Task& task);
  /// More than task attributes may keep tasks from running: ACA, restricted reordering.
  void set_constrained(bool constrained) { constrained_ = constrained; }
  /// The task has done its work, but may not end yet.
  void stop(Task& task);
  /// Leaves it; who waited for it may run when run_ready() is called.
  void leave(Task& task);

  /// Runs task.step now if the task's turn has come, else when it comes.
  void request_turn(Task& task);
  /// From now on the task runs only alone.
  void make_exclusive(Task& task);
  /// Gives the turn to those who wait and may run. Safe against reentry.
  void run_ready();

  Command* first() const { return first_; }
  std::size_t size() const { return size_; }

 private:
  bool may_run(const Task& task) const;
  bool turn_has_come(const Task& task) const;
  bool exclusive_is_next() const;
  void run(Task& task);

  Command* first_ = nullptr;
  Command* last_ = nullptr;
  std::size_t size_ = 0;
  std::size_t special_ = 0;  ///< ORDERED, HEAD OF QUEUE and exclusive ones in the set
  std::size_t blocked_ = 0;
  std::size_t running_ = 0;
  bool exclusive_running_ = false;
  bool constrained_ = false;
  bool scanning_ = false;
};

}  // namespace tsihd::scsi
