// Page-aligned buffers for disk data, recycled: a command in its steady state allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace tsihd::scsi {

class BufferPool;

/// A movable, uniquely owned piece of page-aligned memory that goes back to its pool when dropped.
class Buffer {
 public:
  Buffer() = default;
  Buffer(BufferPool* pool, std::byte* data, std::uint32_t capacity)
      : pool_(pool), data_(data), capacity_bytes_(capacity) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Buffer();

  std::byte* data() const { return data_; }
  std::uint32_t capacity_bytes() const { return capacity_bytes_; }
  std::span<std::byte> first(std::size_t bytes) const { return {data_, bytes}; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(data_, other.data_);
    std::swap(capacity_bytes_, other.capacity_bytes_);
  }
  BufferPool* pool_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint32_t capacity_bytes_ = 0;
};

}  // namespace tsihd::scsi
