// SANITIZE: an operation of the unit, not of the command that asked for it. It goes on when that
// command, its nexus or the task set is gone, and refuses all other work until it has ended.
#pragma once

#include <cstdint>
#include <optional>

#include "target/backstore/backstore.h"
#include "target/scsi/buffer.h"
#include "target/scsi/sense.h"

namespace tsihd::scsi {

class DeviceServer;
struct Operation;
struct Task;

/// One chunk is with the disk at a time, and no more than kSanitizeChunksPerTick between two ticks:
/// that keeps the event loop free where the disk is memory, leaves the other disks their share, and
/// bounds what is left to wait for when the target stops. An operation that a stop of the target
/// cuts off is not taken up again.
///
/// What a filesystem or a device keeps beneath the blocks that we can name is beyond it.
class Sanitizer {
 public:
  struct Plan {
    Buffer pattern;  ///< kChunkBytes of what is written; empty: every block is deallocated
    std::uint32_t passes = 1;
    bool invert = false;                   ///< each pass writes the complement of the last
    bool allow_unrestricted_exit = false;  ///< AUSE
  };

  explicit Sanitizer(DeviceServer& server) : server_(server) {}
  ~Sanitizer();
  Sanitizer(const Sanitizer&) = delete;
  Sanitizer& operator=(const Sanitizer&) = delete;

  /// Begins; none may be running. `waiter` ends with it, null: nobody waits.
  void start(Plan plan, Task* waiter);
  /// About once a second.
  void tick();
  /// EXIT FAILURE MODE. False: the failed operation did not allow it.
  bool exit_failure_mode();
  /// The waiting task is gone; the operation is not.
  void forget(const Task& task);

  bool idle() const { return !running_ && !failed_; }
  /// Why `operation` may not be done now.
  std::optional<Sense> refuses(const Operation& operation) const;
  /// What REQUEST SENSE says of it.
  std::optional<Sense> state() const;

 private:
  void advance();
  void submit_next();
  void take_result();
  void finish_pass();
  void finish(bool good);
  std::uint16_t progress() const;
  static void disk_done(backstore::Io& io);

  DeviceServer& server_;
  Plan plan_;
  Task* waiter_ = nullptr;
  backstore::Io io_;
  std::uint64_t position_bytes_ = 0;
  std::uint32_t pass_ = 0;
  std::uint32_t chunks_left_ = 0;
  bool running_ = false;
  bool failed_ = false;
  bool disk_busy_ = false;
  bool submitting_ = false;
};

}  // namespace tsihd::scsi
