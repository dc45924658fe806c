// READ and WRITE in all their lengths: the hot path.
#include <algorithm>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"
#include "target/scsi/operations.h"

namespace tsihd::scsi {
namespace {

constexpr std::uint8_t kFua = 0x08;
constexpr std::uint8_t kRead6 = 0x08;
constexpr std::uint8_t kWrite6 = 0x0a;

bool has_short_cdb(const Task& task) { return task.cdb()[0] == kRead6 || task.cdb()[0] == kWrite6; }

bool forces_unit_access(const Task& task) {
  return !has_short_cdb(task) && (task.cdb()[1] & kFua) != 0;
}

/// True when the CDB is good and its transfer is within limits; else the task has ended.
bool check_transfer(Task& task) {
  if (!has_short_cdb(task) && !check_no_protection(task)) return false;
  const BlockRange range = decode_range(task.cdb());
  if (!check_range(task, range)) return false;
  if (range.blocks * task.server->block_bytes() > kMaxTransferBytes)
    return task.fail(sense::kInvalidFieldInCdb), false;
  task.lba = range.lba;
  task.blocks = range.blocks;
  return true;
}

void read_done(Task& task) {
  Command& command = *task.command;
  command.required_data_in_bytes = task.blocks * task.server->block_bytes();
  command.data_in_bytes = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(command.required_data_in_bytes, command.expected_data_in_bytes));
  command.data_in = std::move(task.buffer);
  task.good();
}

/// FUA: what the initiator sees is on the medium, and not only in a cache that may be lost
/// (SBC-3 4.15).
void settle_read(Task& task) {
  if (!forces_unit_access(task) || !task.server->write_cache_enabled()) return read_done(task);
  task.flush(read_done);
}

void read_now(Task& task) {
  // The disk may have shrunk while the task waited its turn.
  if (!check_range(task, {task.lba, task.blocks})) return;
  const std::uint32_t block_bytes = task.server->block_bytes();
  const std::uint64_t wanted =
      std::min<std::uint64_t>(task.blocks * block_bytes, task.command->expected_data_in_bytes);
  const std::uint64_t whole_blocks = (wanted + block_bytes - 1) / block_bytes * block_bytes;
  if (whole_blocks == 0) return read_done(task);
  if (!task.take_buffer(static_cast<std::uint32_t>(whole_blocks))) return;
  task.read(task.lba * block_bytes, task.buffer.first(whole_blocks), settle_read);
}

void write_now(Task& task) {
  if (!check_range(task, {task.lba, task.blocks})) return;
  const std::uint32_t block_bytes = task.server->block_bytes();
  const auto data = task.data_out();
  // Where less was sent than the CDB calls for, the whole blocks that came are written; the
  // residual count tells the rest.
  const std::size_t bytes = data.size() - data.size() % block_bytes;
  if (bytes == 0) return task.good();
  task.write(task.lba * block_bytes, data.first(bytes), forces_unit_access(task), &Task::good_step);
}

}  // namespace

BlockRange decode_range(const std::uint8_t* cdb) {
  switch (cdb_bytes_of(cdb[0])) {
    case 6: {
      const std::uint32_t blocks = cdb[4] == 0 ? 256 : cdb[4];
      return {get24(cdb + 1) & 0x1fffff, blocks};
    }
    case 10:
      return {get32(cdb + 2), get16(cdb + 7)};
    case 12:
      return {get32(cdb + 2), get32(cdb + 6)};
    default:
      return {get64(cdb + 2), get32(cdb + 10)};
  }
}

bool check_range(Task& task, const BlockRange& range) {
  const std::uint64_t count = task.server->block_count();
  if (range.lba <= count && range.blocks <= count - range.lba) return true;
  const std::uint64_t first_beyond = std::max(range.lba, count);
  task.fail(sense::with_information(sense::kLbaOutOfRange, first_beyond));
  return false;
}

bool check_no_protection(Task& task) {
  constexpr std::uint8_t kProtect = 0xe0;
  if ((task.cdb()[1] & kProtect) == 0) return true;
  task.fail(sense::invalid_cdb_field(1));
  return false;
}

void read_blocks(Task& task) {
  if (check_transfer(task)) task.when_enabled(read_now);
}

void write_blocks(Task& task) {
  if (!check_transfer(task)) return;
  const std::uint64_t bytes = task.blocks * task.server->block_bytes();
  auto then = [](Task& it) { it.when_enabled(write_now); };
  task.want_data_out(static_cast<std::uint32_t>(bytes), then);
}

}  // namespace tsihd::scsi
