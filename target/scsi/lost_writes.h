// Whom a failed flush concerns. A disk that could not write back what it had cached says so once,
// to the flush that came first (a SCSI device behind the unit also by a deferred error, to
// whichever command comes first); the writes that are gone may be anybody's. So each initiator's
// next command that settles the cache (SYNCHRONIZE CACHE, STOP, the end of WCE) fails as well,
// once. Otherwise a flush that was aborted, or another initiator's, would take the only word of the
// loss, and GOOD would be the answer to whoever asks for his own writes.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

namespace tsihd::scsi {

class LostWrites {
 public:
  /// What one I_T nexus has been told: losses up to this one.
  using Mark = std::uint64_t;
  /// Names of initiators that left without having been told; beyond it the oldest is forgotten.
  static constexpr std::size_t kMaxNames = 1024;

  /// Writes were lost. `gone`: it was of an initiator without a nexus by now; else null. True when
  /// the flush before was good: a dead disk is no news with every command.
  bool note(const std::string* gone);
  void note_good_flush() { failing_ = false; }
  /// The mark of a new nexus: nothing from before it concerns it, unless its initiator left
  /// without having been told.
  Mark mark_for(const std::string& initiator_name) const;
  /// A nexus goes.
  void leave(Mark mark, const std::string& initiator_name);
  /// True when there is something to tell, which is told thereby.
  bool take(Mark& mark, const std::string& initiator_name);

 private:
  void remember(const std::string& initiator_name);

  Mark losses_ = 0;
  bool failing_ = false;
  std::deque<std::string> untold_;
};

}  // namespace tsihd::scsi
