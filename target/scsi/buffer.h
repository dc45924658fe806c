// Page-aligned buffers for disk data, recycled: a command in its steady state allocates nothing.
#pragma once

#include <array>
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

/// Size classes 4 KiB, 8 KiB … 16 MiB. Freed buffers are kept for reuse up to a bound; what is lent
/// out is bounded as well, so that no peer makes the process grow without end. One thread's.
class BufferPool {
 public:
  static constexpr std::uint32_t kSmallestBytes = 4096;
  static constexpr std::uint32_t kLargestBytes = 16u << 20;
  static constexpr std::uint64_t kDefaultMaxLentBytes = 512ull << 20;
  static constexpr std::uint64_t kDefaultMaxCachedBytes = 32ull << 20;

  explicit BufferPool(std::uint64_t max_lent_bytes = kDefaultMaxLentBytes,
                      std::uint64_t max_cached_bytes = kDefaultMaxCachedBytes)
      : max_lent_bytes_(max_lent_bytes), max_cached_bytes_(max_cached_bytes) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// At least `bytes` of page-aligned memory of undefined content; an empty Buffer when `bytes` is
  /// above kLargestBytes or max_lent_bytes would be exceeded (the caller answers BUSY).
  Buffer take(std::uint32_t bytes);

  std::uint64_t lent_bytes() const { return lent_bytes_; }
  std::uint64_t cached_bytes() const { return cached_bytes_; }

  /// The event loop's own pool: data_in comes from it, and a transport may collect data_out in it.
  static BufferPool& local();

 private:
  friend class Buffer;
  static constexpr std::size_t kClasses = 13;  // 4 KiB << 12 == 16 MiB
  struct Free {
    Free* next;
  };
  void give_back(std::byte* data, std::uint32_t capacity_bytes);

  std::uint64_t max_lent_bytes_;
  std::uint64_t max_cached_bytes_;
  std::uint64_t lent_bytes_ = 0;
  std::uint64_t cached_bytes_ = 0;
  std::array<Free*, kClasses> free_{};
};

}  // namespace tsihd::scsi
