// Thin provisioning: UNMAP, WRITE SAME.
#include <algorithm>
#include <cstring>

#include "target/scsi/block_limits.h"
#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

constexpr std::size_t kUnmapHeaderBytes = 8;
constexpr std::size_t kUnmapDescriptorBytes = 16;

BlockRange unmap_descriptor(const Task& task, std::uint32_t index) {
  const std::byte* at = task.data_out().data() + kUnmapHeaderBytes + kUnmapDescriptorBytes * index;
  return {get64(at), get32(at + 8)};
}

/// Task::blocks counts the descriptors, Task::item the next one.
void unmap_next(Task& task) {
  const std::uint64_t block = task.server->block_bytes();
  while (task.item < task.blocks) {
    const BlockRange range = unmap_descriptor(task, task.item++);
    if (range.blocks == 0) continue;
    if (!check_range(task, range)) return;
    return task.discard(range.lba * block, range.blocks * block, unmap_next);
  }
  task.good();
}

/// Everything is looked at before anything is unmapped.
void unmap_check(Task& task) {
  const auto list = task.data_out();
  if (list.size() < task.command->wanted_data_out_bytes || list.size() < kUnmapHeaderBytes)
    return task.fail(sense::kParameterListLength);
  const std::size_t bytes = std::min<std::size_t>(get16(&list[2]), list.size() - kUnmapHeaderBytes);
  task.blocks = bytes / kUnmapDescriptorBytes;
  const BlockLimits limits = block_limits_of(*task.server);
  if (task.blocks > limits.unmap_descriptors) return task.fail(sense::invalid_parameter(2));
  std::uint64_t total = 0;
  for (std::uint32_t i = 0; i < task.blocks; ++i) {
    const BlockRange range = unmap_descriptor(task, i);
    if (!check_range(task, range)) return;
    total += range.blocks;
  }
  if (total > limits.unmap_blocks) return task.fail(sense::invalid_parameter(kUnmapHeaderBytes));
  task.when_enabled(unmap_next);
}

}  // namespace

void unmap(Task& task) {
  constexpr std::uint8_t kAnchor = 0x01;
  const std::uint32_t bytes = get16(task.cdb() + 7);
  if ((task.cdb()[1] & kAnchor) != 0) return task.fail(sense::invalid_cdb_field(1));
  if (bytes == 0) return task.good();
  if (task.command->expected_data_out_bytes == 0) return task.fail(sense::kParameterListLength);
  task.want_data_out(bytes, unmap_check);
}

// -- WRITE SAME

namespace {

constexpr std::uint8_t kWriteSame16 = 0x93;
constexpr std::uint8_t kUnmapBit = 0x08;
constexpr std::uint8_t kNdob = 0x01;

std::uint64_t total_bytes(const Task& task) { return task.blocks * task.server->block_bytes(); }
std::uint64_t offset_bytes(const Task& task) { return task.lba * task.server->block_bytes(); }

void write_pattern(Task& task) {
  const std::uint64_t left = total_bytes(task) - task.position_bytes;
  if (left == 0) return task.good();
  const std::uint64_t bytes = std::min<std::uint64_t>(kChunkBytes, left);
  const std::uint64_t at = offset_bytes(task) + task.position_bytes;
  task.position_bytes += bytes;
  task.write(at, task.buffer.first(bytes), false, write_pattern);
}

void write_same_now(Task& task) {
  if (!check_range(task, {task.lba, task.blocks})) return;
  const std::uint32_t block = task.server->block_bytes();
  const auto pattern = task.data_out();  // empty with NDOB: zeroes
  const bool zeroes = std::ranges::all_of(pattern, [](std::byte b) { return b == std::byte{0}; });
  if (zeroes && (task.cdb()[1] & kUnmapBit) != 0)
    return task.discard(offset_bytes(task), total_bytes(task), &Task::good_step);
  if (zeroes)
    return task.write_zeroes(offset_bytes(task), total_bytes(task), false, &Task::good_step);
  const auto chunk = std::min<std::uint64_t>(kChunkBytes, total_bytes(task));
  if (!task.take_buffer(static_cast<std::uint32_t>(chunk))) return;
  for (std::uint64_t at = 0; at < chunk; at += block)
    std::memcpy(task.buffer.data() + at, pattern.data(), block);
  write_pattern(task);
}

}  // namespace

void write_same(Task& task) {
  constexpr std::uint8_t kAnchor = 0x10;
  constexpr std::uint8_t kObsolete = 0x06;  // PBDATA, LBDATA
  const std::uint8_t flags = task.cdb()[1];
  const bool no_data = task.cdb()[0] == kWriteSame16 && (flags & kNdob) != 0;
  if (!check_no_protection(task)) return;
  if ((flags & (kAnchor | kObsolete)) != 0) return task.fail(sense::invalid_cdb_field(1));
  if ((flags & kUnmapBit) != 0 && !task.server->unmaps_by_write_same())
    return task.fail(sense::invalid_cdb_field(1));
  const BlockRange range = decode_range(task.cdb());
  const std::uint32_t block = task.server->block_bytes();
  if (!check_range(task, range)) return;
  if (range.blocks == 0 || range.blocks > block_limits_of(*task.server).write_same_blocks)  // WSNZ
    return task.fail(sense::kInvalidFieldInCdb);
  task.lba = range.lba;
  task.blocks = range.blocks;
  if (no_data) return task.when_enabled(write_same_now);
  if (task.command->expected_data_out_bytes != block) return task.fail(sense::kInvalidFieldInCdb);
  task.want_data_out(block, [](Task& it) { it.when_enabled(write_same_now); });
}

}  // namespace tsihd::scsi
