// GET LBA STATUS: which blocks are mapped and which are holes.
#include <algorithm>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

constexpr std::uint32_t kHeaderBytes = 8;
constexpr std::uint32_t kDescriptorBytes = 16;
constexpr std::byte kMapped{0};
constexpr std::byte kDeallocated{1};

// Task::item counts the descriptors in Task::buffer, Task::blocks the requests to the disk,
// Task::position_bytes how far behind the starting LBA they reach.

std::uint32_t wanted_descriptors(const Task& task) {
  const std::uint64_t allocation_length = get32(task.cdb() + 10);
  const std::uint64_t fit =
      allocation_length > kHeaderBytes ? (allocation_length - kHeaderBytes) / kDescriptorBytes : 0;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(fit, 1, kMaxLbaStatusDescriptors));
}

std::byte* descriptor(const Task& task, std::uint32_t index) {
  return task.buffer.data() + kHeaderBytes + kDescriptorBytes * index;
}

void reply_status(Task& task) {
  const std::uint32_t bytes = kHeaderBytes + kDescriptorBytes * task.item;
  put64(task.buffer.data(), 0);
  put32(task.buffer.data(), bytes - 4);  // the bytes that follow this field
  task.reply(task.buffer.first(bytes), get32(task.cdb() + 10));
}

/// Lengthens the last descriptor or adds one; false when there is room for neither.
bool append(Task& task, std::uint64_t lba, std::uint32_t blocks, std::byte status) {
  if (task.item > 0) {
    std::byte* last = descriptor(task, task.item - 1);
    const std::uint64_t sum = std::uint64_t{get32(last + 8)} + blocks;
    if (last[12] == status && sum <= UINT32_MAX) {
      put32(last + 8, sum);
      return true;
    }
  }
  if (task.item == wanted_descriptors(task)) return false;
  std::byte* fresh = descriptor(task, task.item++);
  std::fill_n(fresh, kDescriptorBytes, std::byte{0});
  put64(fresh, lba);
  put32(fresh + 8, blocks);
  fresh[12] = status;
  return true;
}

void next_extent(Task& task);

/// A block of which only a part is a hole is mapped.
void take_extent(Task& task) {
  const std::uint64_t block = task.server->block_bytes();
  const bool hole = task.io.deallocated && task.io.length_bytes >= block;
  const std::uint64_t blocks =
      hole ? task.io.length_bytes / block : (task.io.length_bytes + block - 1) / block;
  const std::uint64_t lba = task.lba + task.position_bytes / block;
  const auto count = static_cast<std::uint32_t>(std::max<std::uint64_t>(blocks, 1));
  if (!append(task, lba, count, hole ? kDeallocated : kMapped)) return reply_status(task);
  task.position_bytes += count * block;
  next_extent(task);
}

void next_extent(Task& task) {
  const std::uint64_t block = task.server->block_bytes();
  const std::uint64_t lba = task.lba + task.position_bytes / block;
  const std::uint64_t count = task.server->block_count();
  if (task.item == 0 && !check_range(task, {lba, 1})) return;  // shrunk meanwhile
  if (lba >= count || task.blocks == kMaxLbaStatusRequests) return reply_status(task);
  ++task.blocks;
  task.find_extent(lba * block, std::min<std::uint64_t>(count - lba, UINT32_MAX) * block,
                   take_extent);
}

}  // namespace

void get_lba_status(Task& task) {
  const std::uint64_t lba = get64(task.cdb() + 2);
  if (!check_range(task, {lba, 1})) return;
  task.lba = lba;
  task.blocks = 0;
  if (!task.take_buffer(kHeaderBytes + kDescriptorBytes * wanted_descriptors(task))) return;
  task.when_enabled(next_extent);
}

}  // namespace tsihd::scsi
