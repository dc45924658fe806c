// Writes that are whole or not at all, on disks that promise nothing of the kind (fileio, block): a
// journal beside the disk, for one write at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "target/backstore/aligned_bytes.h"
#include "target/backstore/atomic_entry.h"
#include "target/backstore/atomic_file.h"
#include "target/backstore/backstore.h"
#include "target/backstore/io_pool.h"
#include "target/base/log.h"
#include "target/base/result.h"

namespace tsihd::backstore {

/// How a write goes: the disk is flushed, so that what is read of it is what a power loss would
/// leave; the range is read; digests of it, the new data and their place go to the journal, durable
/// before the disk is touched; the data goes in place with FUA; the journal is cleared, durable;
/// only then the write has ended. At the next start (open_atomic_journal) whatever a power loss or
/// a kill has left is settled before anybody sees it:
///
/// | lost in            | journal      | the range            | at the start                    |
/// |--------------------|--------------|----------------------|---------------------------------|
/// | reading            | cleared      | old                  | nothing to do                   |
/// | the journal        | torn         | old                  | the journal is cleared          |
/// | putting in place   | whole        | old, new, or a mix   | a mix is finished, then cleared |
/// | clearing           | whole or not | new                  | cleared                         |
/// | after the clearing | cleared      | new, or what came on | nothing to do                   |
///
/// A range that is as it was stays so: nobody was told that the write had been done. With a journal
/// that is whole, a sector that is neither old nor new says that the disk was written elsewhere
/// since: then nothing is touched, for what is there may have been acknowledged there. The promise
/// is this target's and holds where the disk is started again with its journal. It stands on what
/// disks promise: a sector of 512 bytes is written whole, and a flush or FUA is one.
///
/// Nothing may change the range from the start of the write to its end, nor read it if it must not
/// see a part of it: the caller's matter (the device server runs the command alone). With that,
/// no write that was acknowledged can be undone by finishing one, for while the journal is whole
/// there is none.
class AtomicJournal {
 public:
  /// `disk` and `pool` outlive it. The journal is clear: open_atomic_journal() sees to that.
  AtomicJournal(IoPool& pool, Backstore& disk, AtomicFile file, std::string serial,
                std::string disk_name, Log log);

  static constexpr std::uint32_t kMaxWriteBytes = kMaxAtomicWriteBytes;

  /// As Backstore::submit for a write of whole blocks, kMaxWriteBytes at the most, that is durable
  /// when it completes; one at a time. Never blocks; `done` may be called before it returns.
  /// Errors, of which io.op then says what failed: flush and read came before anything else.
  /// - the disk's: the range is as it was, except that where the disk fails that as well the range
  ///   is torn until the next start. Then the disk takes no change any more
  ///   (Backstore::refuse_changes), for the journal must stay true until it is settled.
  /// - ENOTRECOVERABLE: the journal's. The range is as it was, or as it was to be if only the
  ///   clearing failed. A journal that cannot be cleared stops changes as above.
  void write(Io& io);

  /// What to call before the disk's size is gone by after an error: it may have shrunk, which its
  /// owner has to hear of (Backstore::refresh_size).
  void look_again_by(std::function<void()> refresh_size) {
    refresh_size_ = std::move(refresh_size);
  }

 private:
  using Step = void (AtomicJournal::*)();

  void on_disk(Op op, std::uint64_t offset_bytes, std::span<std::byte> data, Step next);
  void on_journal(Op op, Step next);
  static void step_done(Io& io);
  static void run_step(void* self, Io* batch);
  void read_before();
  void record();
  void put_in_place();
  void check_in_place();
  void read_again();
  void put_back();
  void clear();
  void end();
  void give_up(const Io& failed);
  void stay_unsettled();
  void finish();

  IoPool& pool_;
  Backstore& disk_;
  const AtomicFile file_;
  const std::string serial_;
  const std::string disk_name_;
  const Log log_;
  IoLane lane_;
  std::function<void()> refresh_size_;

  // Of the write that is under way.
  Io* request_ = nullptr;
  int error_ = 0;
  Io step_;
  Step next_ = nullptr;
  AlignedBytes before_;
  AlignedBytes found_;  ///< after an error: what is in place
  std::size_t found_bytes_ = 0;
  std::size_t position_bytes_ = 0;  ///< how much of it is as it was
};

/// Opens the journal of a disk in a folder that exists, and settles what is in it, with a line in
/// the log. Blocks; for the start, while nothing else is outstanding in the pool. One-line errors,
/// with the way out: the file cannot be used, is in use, belongs to another disk, or the disk
/// cannot be read or written where a write has to be settled.
Result<std::unique_ptr<AtomicJournal>> open_atomic_journal(IoPool& pool, Backstore& disk,
                                                           const std::string& folder,
                                                           const std::string& serial,
                                                           const std::string& disk_name,
                                                           const Log& log);

}  // namespace tsihd::backstore
