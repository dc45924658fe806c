#include "target/scsi/buffer.h"

#include <bit>
#include <cstdlib>
#include <new>

namespace tsihd::scsi {
namespace {

std::size_t class_of(std::uint32_t bytes) {
  if (bytes <= BufferPool::kSmallestBytes) return 0;
  return static_cast<std::size_t>(std::bit_width((bytes - 1) / BufferPool::kSmallestBytes));
}

}  // namespace

Buffer::~Buffer() {
  if (pool_ != nullptr) pool_->give_back(data_, capacity_bytes_);
}

BufferPool::~BufferPool() {
  for (Free*& list : free_)
    while (list != nullptr) std::free(std::exchange(list, list->next));
}

Buffer BufferPool::take(std::uint32_t bytes) {
  if (bytes > kLargestBytes) return {};
  const std::size_t index = class_of(bytes);
  const std::uint32_t capacity_bytes = kSmallestBytes << index;
  if (lent_bytes_ + capacity_bytes > max_lent_bytes_) return {};
  std::byte* data = nullptr;
  if (free_[index] != nullptr) {
    data = reinterpret_cast<std::byte*>(std::exchange(free_[index], free_[index]->next));
    cached_bytes_ -= capacity_bytes;
  } else {
    data = static_cast<std::byte*>(std::aligned_alloc(kSmallestBytes, capacity_bytes));
    if (data == nullptr) return {};
  }
  lent_bytes_ += capacity_bytes;
  return Buffer(this, data, capacity_bytes);
}

void BufferPool::give_back(std::byte* data, std::uint32_t capacity_bytes) {
  lent_bytes_ -= capacity_bytes;
  if (cached_bytes_ + capacity_bytes > max_cached_bytes_) {
    std::free(data);
    return;
  }
  const std::size_t index = class_of(capacity_bytes);
  free_[index] = new (data) Free{free_[index]};
  cached_bytes_ += capacity_bytes;
}

BufferPool& BufferPool::local() {
  // Never destroyed: a buffer may go back as late as in the destructors of the program's end.
  thread_local auto* const pool = new BufferPool;
  return *pool;
}

}  // namespace tsihd::scsi
