// Third-party copies of all units: those under way, what became of them, and the tokens that stand
// for data (SPC-4 5.16). One copy manager serves every unit of the target, so that a token made at
// one is known at another.
//
// A copy is carried out by commands of its own (copy_operation.h), in the name of the nexus that
// asked for it: reservations, write protection and everything else that a unit checks holds for
// them as for any other. The nexus reaches no unit but those of its LUN map.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "target/base/time.h"
#include "target/scsi/copy_operation.h"
#include "target/scsi/copy_tokens.h"

namespace tsihd::scsi {

/// Bounds (limits.h): kMaxCopies and kMaxCopiesOfNexus at a time, one chunk of memory each;
/// kMaxCopyRecords ended ones; kMaxTokens. All members are called on the event loop's thread.
class CopyManager {
 public:
  /// `random` fills its span with unpredictable bytes. `wake` is called when a copy has more to do:
  /// advance() is due in the next turn of the event loop.
  CopyManager(void (*random)(std::span<std::byte>), std::function<void()> wake);
  ~CopyManager();
  CopyManager(const CopyManager&) = delete;
  CopyManager& operator=(const CopyManager&) = delete;

  // -- for whoever drives the loop
  void advance();
  /// About once a second: tokens that nobody has used for long enough go.
  void tick(Instant now) { tokens_.tick(now); }

  // -- for device servers
  void nexus_lost(const DeviceServer& unit, const Nexus& nexus);
  void unit_reset(const DeviceServer& unit);
  /// Commands were aborted; copies may be among them.
  void look_for_aborts() {
    if (!running_.empty()) wake();
  }
  void note_change(const DeviceServer& unit, std::uint64_t offset_bytes,
                   std::uint64_t length_bytes) {
    tokens_.note_change(unit, offset_bytes, length_bytes);
  }

  // -- for handlers
  /// Carries out the copy that the task asks for; the task, which has had its turn, ends with it.
  /// BUSY at the limits; OPERATION IN PROGRESS when the nexus uses the list identifier already.
  void start(Task& task, CopyRequest request);
  /// A copy with this list identifier that the task's nexus began at the task's unit, or null.
  const CopyRecord* find(const Task& task, std::uint32_t list_identifier) const;
  /// The same, but only one that is under way.
  CopyOperation* find_running(const Task& task, std::uint32_t list_identifier) const;
  /// Keeps what is to be told of a copy; it takes the place of an older one with the same list
  /// identifier.
  void keep(CopyRecord record);
  RodTokens& tokens() { return tokens_; }

  // -- for CopyOperation
  void wake();
  void end(CopyOperation& operation);

 private:
  std::vector<std::unique_ptr<CopyOperation>> running_;
  /// Ended. They are still on the stack, and what they hold may be too: freed in the next turn.
  std::vector<std::unique_ptr<CopyOperation>> ended_;
  std::deque<CopyRecord> records_;  ///< oldest first
  RodTokens tokens_;
  std::function<void()> wake_;
  bool advancing_ = false;
};

}  // namespace tsihd::scsi
