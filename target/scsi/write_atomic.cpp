// WRITE ATOMIC: all of the data or none of it, for every other command and after every failure
// (SBC-4, atomic writes). A disk in memory does it by itself, in one piece; a file or a device with
// a journal (backstore/atomic_journal.h), while no other command of the unit runs.
#include <algorithm>

#include "target/backstore/atomic_journal.h"
#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

void write_now(Task& task) {
  // The disk may have shrunk while the task waited its turn.
  if (!check_range(task, {task.lba, task.blocks})) return;
  const std::uint32_t block_bytes = task.server->block_bytes();
  const auto data = task.data_out().first(task.blocks * block_bytes);
  if (data.empty()) return task.good();
  if (task.server->atomic_journal() != nullptr)
    return task.write_atomically(task.lba * block_bytes, data, &Task::good_step);
  constexpr std::uint8_t kFua = 0x08;
  task.write(task.lba * block_bytes, data, (task.cdb()[1] & kFua) != 0, &Task::good_step);
}

/// What the journal has to have for itself from its first look at the range to its last, so that no
/// one sees a part of the write, and nothing that was acknowledged meanwhile can be lost by
/// finishing it, is the range only. It gets the unit: the task set knows commands that run alone,
/// and no ranges.
void take_turn(Task& task) {
  if (task.server->atomic_journal() != nullptr) return task.when_alone(write_now);
  task.when_enabled(write_now);
}

}  // namespace

std::uint32_t max_atomic_blocks(const DeviceServer& server) {
  const std::uint32_t bytes = server.atomic_journal() != nullptr
                                  ? backstore::AtomicJournal::kMaxWriteBytes
                                  : server.geometry().max_atomic_write_bytes;
  return std::min(std::min(bytes, kMaxTransferBytes) / server.geometry().block_size_bytes,
                  kMaxAtomicBlocks);
}

void write_atomic(Task& task) {
  if (!check_no_protection(task)) return;
  const BlockRange range{get64(task.cdb() + 2), get16(task.cdb() + 12)};
  // MAXIMUM ATOMIC BOUNDARY SIZE is 0: nothing may be cut into several atomic writes.
  if (get16(task.cdb() + 10) != 0) return task.fail(sense::invalid_cdb_field(10));
  if (range.blocks > max_atomic_blocks(*task.server))
    return task.fail(sense::invalid_cdb_field(12));
  if (!check_range(task, range)) return;
  task.lba = range.lba;
  task.blocks = range.blocks;
  const std::uint64_t bytes = range.blocks * task.server->block_bytes();
  // Less than all would not be all or nothing.
  if (task.command->expected_data_out_bytes < bytes) return task.fail(sense::kInvalidFieldInCdb);
  task.want_data_out(static_cast<std::uint32_t>(bytes), take_turn);
}

}  // namespace tsihd::scsi
