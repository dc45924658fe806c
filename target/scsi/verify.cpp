// Commands that read what is on the medium to compare it: VERIFY, WRITE AND VERIFY, COMPARE AND
// WRITE, ORWRITE.
#include <algorithm>
#include <cstring>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

/// BYTCHK; kept in Task::item.
enum ByteCheck : std::uint8_t { kMediumOnly = 0, kEveryBlock = 1, kOneBlockRepeated = 3 };

std::uint64_t total_bytes(const Task& task) { return task.blocks * task.server->block_bytes(); }
std::uint64_t offset_bytes(const Task& task) { return task.lba * task.server->block_bytes(); }

/// How much of the range is looked at: less when the initiator sent less than the CDB calls for.
std::uint64_t verified_bytes(const Task& task) {
  const std::uint64_t sent = task.data_out().size() / task.server->block_bytes();
  if (task.item == kMediumOnly || (task.item == kOneBlockRepeated && sent > 0))
    return total_bytes(task);
  return std::min(total_bytes(task), sent * task.server->block_bytes());
}

void verify_chunk(Task& task);

void compare_chunk(Task& task) {
  const auto read = std::span<const std::byte>(task.io.data);
  const std::size_t stride =
      task.item == kOneBlockRepeated ? task.server->block_bytes() : read.size();
  for (std::size_t at = 0; task.item != kMediumOnly && at < read.size(); at += stride) {
    const std::size_t from = task.item == kOneBlockRepeated ? 0 : task.position_bytes;
    const auto expected = task.data_out().subspan(from, stride);
    const auto [bad, unused] = std::ranges::mismatch(read.subspan(at, stride), expected);
    const auto offset = static_cast<std::size_t>(bad - read.begin());
    if (offset < at + stride)
      return task.fail(sense::with_information(sense::kMiscompare, task.position_bytes + offset));
  }
  task.position_bytes += read.size();
  verify_chunk(task);
}

void verify_chunk(Task& task) {
  const std::uint64_t end = verified_bytes(task);
  if (task.position_bytes >= end) return task.good();
  const std::uint64_t bytes = std::min<std::uint64_t>(kChunkBytes, end - task.position_bytes);
  task.read(offset_bytes(task) + task.position_bytes, task.buffer.first(bytes), compare_chunk);
}

void verify_now(Task& task) {
  if (!check_range(task, {task.lba, task.blocks})) return;
  const auto chunk = std::min<std::uint64_t>(kChunkBytes, total_bytes(task));
  if (chunk == 0) return task.good();
  if (task.take_buffer(static_cast<std::uint32_t>(chunk))) verify_chunk(task);
}

/// It is the medium that is verified: what waits in a cache goes there first (SBC-3 4.15).
void settle_then_verify(Task& task) {
  if (!task.server->write_cache_enabled() || task.blocks == 0) return verify_now(task);
  task.flush(verify_now);
}

void write_then_verify(Task& task) {
  if (!check_range(task, {task.lba, task.blocks})) return;
  const auto data = task.data_out();
  const std::size_t bytes = data.size() - data.size() % task.server->block_bytes();
  if (bytes == 0) return task.good();
  task.write(offset_bytes(task), data.first(bytes), true, verify_now);
}

/// True when the CDB's range and BYTCHK are good; else the task has ended.
bool decode(Task& task, bool write) {
  if (!check_no_protection(task)) return false;
  const std::uint8_t byte_check = task.cdb()[1] >> 1 & 0x03;
  if (byte_check == 2 || (write && byte_check == kOneBlockRepeated))
    return task.fail(sense::invalid_cdb_field(1)), false;
  const BlockRange range = decode_range(task.cdb());
  if (!check_range(task, range)) return false;
  task.lba = range.lba;
  task.blocks = range.blocks;
  task.item = byte_check;
  const bool carries_all = write || byte_check == kEveryBlock;
  if (carries_all && total_bytes(task) > kMaxTransferBytes)
    return task.fail(sense::kInvalidFieldInCdb), false;
  return true;
}

}  // namespace

void verify(Task& task) {
  if (!decode(task, false)) return;
  if (task.item == kMediumOnly || task.blocks == 0) return task.when_enabled(settle_then_verify);
  const std::uint64_t bytes =
      task.item == kEveryBlock ? total_bytes(task) : task.server->block_bytes();
  task.want_data_out(static_cast<std::uint32_t>(bytes),
                     [](Task& it) { it.when_enabled(settle_then_verify); });
}

void write_and_verify(Task& task) {
  if (!decode(task, true)) return;
  task.want_data_out(static_cast<std::uint32_t>(total_bytes(task)),
                     [](Task& it) { it.when_enabled(write_then_verify); });
}

// -- COMPARE AND WRITE: first half of the data is compared, second half written; nothing else runs

namespace {

void exchange_write(Task& task) {
  const std::uint64_t bytes = total_bytes(task);
  const auto expected = task.data_out().first(bytes);
  const auto present = std::span<const std::byte>(task.io.data);
  const auto [bad, unused] = std::ranges::mismatch(present, expected);
  if (bad != present.end()) {
    const auto offset = static_cast<std::uint64_t>(bad - present.begin());
    return task.fail(sense::with_information(sense::kMiscompare, offset));
  }
  constexpr std::uint8_t kFua = 0x08;
  task.write(offset_bytes(task), task.data_out().subspan(bytes, bytes), (task.cdb()[1] & kFua) != 0,
             &Task::good_step);
}

void exchange_read(Task& task) {
  if (!check_range(task, {task.lba, task.blocks})) return;
  const std::uint64_t bytes = total_bytes(task);
  if (!task.take_buffer(static_cast<std::uint32_t>(bytes))) return;
  task.read(offset_bytes(task), task.buffer.first(bytes), exchange_write);
}

}  // namespace

void compare_and_write(Task& task) {
  if (!check_no_protection(task)) return;
  const BlockRange range{get64(task.cdb() + 2), task.cdb()[13]};
  if (range.blocks > kMaxCompareAndWriteBlocks) return task.fail(sense::invalid_cdb_field(13));
  if (!check_range(task, range)) return;
  task.lba = range.lba;
  task.blocks = range.blocks;
  const std::uint64_t bytes = 2 * total_bytes(task);
  // Half a comparison or half an exchange is neither; with more it is unclear which half is which.
  if (task.command->expected_data_out_bytes != bytes) return task.fail(sense::kInvalidFieldInCdb);
  if (bytes == 0) return task.good();
  task.want_data_out(static_cast<std::uint32_t>(bytes),
                     [](Task& it) { it.when_alone(exchange_read); });
}

// -- ORWRITE

namespace {

void or_merge(Task& task) {
  const std::size_t bytes = task.io.data.size();
  const std::byte* from = task.data_out().data();
  std::byte* to = task.buffer.data();
  for (std::size_t i = 0; i < bytes; ++i) to[i] |= from[i];
  constexpr std::uint8_t kFua = 0x08;
  task.write(offset_bytes(task), task.buffer.first(bytes), (task.cdb()[1] & kFua) != 0,
             &Task::good_step);
}

void or_read(Task& task) {
  if (!check_range(task, {task.lba, task.blocks})) return;
  const std::size_t sent = task.data_out().size();
  const std::size_t bytes = sent - sent % task.server->block_bytes();
  if (bytes == 0) return task.good();
  if (!task.take_buffer(static_cast<std::uint32_t>(bytes))) return;
  task.read(offset_bytes(task), task.buffer.first(bytes), or_merge);
}

}  // namespace

void or_write(Task& task) {
  if (!check_no_protection(task)) return;
  const BlockRange range = decode_range(task.cdb());
  if (!check_range(task, range)) return;
  task.lba = range.lba;
  task.blocks = range.blocks;
  if (total_bytes(task) > kMaxTransferBytes) return task.fail(sense::kInvalidFieldInCdb);
  task.want_data_out(static_cast<std::uint32_t>(total_bytes(task)),
                     [](Task& it) { it.when_alone(or_read); });
}

}  // namespace tsihd::scsi
