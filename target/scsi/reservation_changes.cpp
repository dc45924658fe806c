#include "target/scsi/reservation_changes.h"

#include <cstring>
#include <utility>

#include "target/scsi/device_server.h"
#include "target/scsi/reservation_image.h"

namespace tsihd::scsi {

void ReservationChanges::take_turn(Task& task, Task::Step step) {
  if (!change_) return step(task);
  task.step = step;
  waiting_.push_back(&task);
}

void ReservationChanges::commit(Task& task, Reservations next, Reservations::Outcome outcome,
                                Task::Step step) {
  std::string image = encode_reservations(next, server_.identity().serial);
  if (store_ == nullptr || stored_ == image) {
    apply(std::move(next), outcome);
    return step(task);
  }
  change_ = Change{&task, std::move(next), std::move(outcome), std::move(image)};
  task.step = step;
  task.disk_busy = true;
  task.io.error = 0;
  task.io.data = std::as_writable_bytes(std::span(change_->image));
  task.io.owner = &task;
  task.io.done = stored;
  store_->replace(task.io);
}

void ReservationChanges::apply(Reservations next, const Reservations::Outcome& outcome) {
  server_.reservations() = std::move(next);
  for (const auto& notice : outcome.notices)
    for (NexusState* state : server_.nexuses_of(notice.port))
      state->attentions.establish(notice.condition);
  preempted_ = outcome.preempted;
}

void ReservationChanges::stored(backstore::Io& io) {
  Task& task = *static_cast<Task*>(io.owner);
  task.server->reservation_changes().finish(task, io.error);
}

void ReservationChanges::finish(Task& task, int error) {
  task.disk_busy = false;
  Change change = std::move(*change_);
  change_.reset();
  if (error == 0) {
    stored_ = std::move(change.image);
    apply(std::move(change.next), change.outcome);
  } else {
    stored_.reset();
    log_.warning("scsi.reservations_not_stored disk={} error=\"{}\"", server_.identity().name,
                 std::strerror(error));
  }
  if (task.command->aborted)
    server_.drop(task);
  else if (error != 0)
    task.fail(sense::kInternalTargetFailure);
  else
    task.step(task);
  run_waiting();
}

/// Each may start the next change, which the rest then wait for.
void ReservationChanges::run_waiting() {
  while (!change_ && !waiting_.empty()) {
    Task& task = *waiting_.front();
    waiting_.erase(waiting_.begin());
    task.step(task);
  }
}

}  // namespace tsihd::scsi
