#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "target/backstore/open.h"

namespace tsihd::backstore {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

/// Which pages hold data: a bit a page. The kernel's own books would also name pages that were only
/// read.
class PageMap {
 public:
  explicit PageMap(std::uint64_t size_bytes) { resize(size_bytes); }
  void resize(std::uint64_t size_bytes) {
    pages_ = (size_bytes + kPageBytes - 1) / kPageBytes;
    words_.resize(pages_ / kWordBits + 1);
  }
  bool holds(std::uint64_t offset_bytes) const { return bit(offset_bytes / kPageBytes); }
  /// Every page that the range touches.
  void set(std::uint64_t offset_bytes, std::uint64_t length_bytes) {
    const std::uint64_t last = (offset_bytes + length_bytes - 1) / kPageBytes;
    for (std::uint64_t page = offset_bytes / kPageBytes; page <= last; ++page)
      words_[page / kWordBits] |= 1ull << page % kWordBits;
  }
  /// The range is whole pages.
  void clear(std::uint64_t offset_bytes, std::uint64_t length_bytes) {
    const std::uint64_t end = (offset_bytes + length_bytes) / kPageBytes;
    for (std::uint64_t page = offset_bytes / kPageBytes; page < end; ++page)
      words_[page / kWordBits] &= ~(1ull << page % kWordBits);
  }
  /// Where the pages stop being like the one at `offset_bytes`; may lie in the disk's last page.
  std::uint64_t end_of_run(std::uint64_t offset_bytes) const {
    std::uint64_t page = offset_bytes / kPageBytes;
    const bool held = bit(page);
    const std::uint64_t alike = held ? ~0ull : 0;
    while (page < pages_ && bit(page) == held) {
      const bool whole_word = page % kWordBits == 0 && words_[page / kWordBits] == alike;
      page += whole_word ? kWordBits : 1;
    }
    return std::min(page, pages_) * kPageBytes;
  }

 private:
  static constexpr std::uint64_t kWordBits = 64;
  bool bit(std::uint64_t page) const {
    return (words_[page / kWordBits] >> page % kWordBits & 1) != 0;
  }
  std::uint64_t pages_ = 0;
  std::vector<std::uint64_t> words_;
};

/// Memory that the kernel fills in as it is touched. Everything is carried out inside submit().
class Ramdisk final : public Backstore {
 public:
  Ramdisk(std::byte* memory, const Geometry& geometry, IoPool* pool)
      : memory_(memory), geometry_(geometry), written_(geometry.size_bytes), pool_(pool) {}
  ~Ramdisk() override { ::munmap(memory_, geometry_.size_bytes); }

  std::string_view type() const override { return "ramdisk"; }
  const Geometry& geometry() const override { return geometry_; }

  void submit(Io& io) override {
    io.error = io.op == Op::scsi ? EOPNOTSUPP : 0;
    if (io.error != 0) return io.done(io);
    const bool moves_data = io.op == Op::read || io.op == Op::write;
    const std::uint64_t length_bytes = moves_data ? io.data.size() : io.length_bytes;
    if (io.offset_bytes > geometry_.size_bytes ||
        length_bytes > geometry_.size_bytes - io.offset_bytes)
      io.error = EIO;
    else
      carry_out(io);
    if (pool_ == nullptr) return io.done(io);
    pool_->complete_inline(io, io.op == Op::extent ? 0 : length_bytes);
  }

  Result<bool> refresh_size() override { return false; }

  Result<void> resize(std::uint64_t size_bytes) override {
    if (size_bytes == 0 || size_bytes % geometry_.block_size_bytes != 0 ||
        size_bytes > kMaxRamdiskBytes)
      return fail(
          fmt::format("ramdisk: cannot resize to {} bytes: expected a multiple of {} up to "
                      "{}",
                      size_bytes, geometry_.block_size_bytes, kMaxRamdiskBytes));
    // A page that stays when the tail goes must not show old bytes if the disk grows again.
    if (size_bytes < geometry_.size_bytes) clear(size_bytes, geometry_.size_bytes - size_bytes);
    void* moved = ::mremap(memory_, geometry_.size_bytes, size_bytes, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
      return fail(
          fmt::format("ramdisk: cannot resize to {} bytes: {}", size_bytes, std::strerror(errno)));
    memory_ = static_cast<std::byte*>(moved);
    geometry_.size_bytes = size_bytes;
    written_.resize(size_bytes);
    return {};
  }

 private:
  void carry_out(Io& io) {
    std::byte* at = memory_ + io.offset_bytes;
    if (io.op == Op::read && !io.data.empty()) std::memcpy(io.data.data(), at, io.data.size());
    if (io.op == Op::write && !io.data.empty()) {
      std::memcpy(at, io.data.data(), io.data.size());
      written_.set(io.offset_bytes, io.data.size());
    }
    if (io.op == Op::discard || io.op == Op::write_zeroes) clear(io.offset_bytes, io.length_bytes);
    if (io.op == Op::extent) find_extent(io);
  }

  /// Whole pages go back to the kernel, the rest is overwritten.
  void clear(std::uint64_t offset_bytes, std::uint64_t length_bytes) {
    std::byte* at = memory_ + offset_bytes;
    const std::uint64_t head =
        std::min((kPageBytes - offset_bytes % kPageBytes) % kPageBytes, length_bytes);
    const std::uint64_t pages = (length_bytes - head) / kPageBytes * kPageBytes;
    std::memset(at, 0, head);
    if (pages > 0 && ::madvise(at + head, pages, MADV_DONTNEED) != 0)
      std::memset(at + head, 0, pages);
    std::memset(at + head + pages, 0, length_bytes - head - pages);
    written_.clear(offset_bytes + head, pages);
  }

  void find_extent(Io& io) const {
    io.deallocated = !written_.holds(io.offset_bytes);
    const std::uint64_t end = written_.end_of_run(io.offset_bytes);
    io.length_bytes = std::min(io.length_bytes, end - io.offset_bytes);
  }

  std::byte* memory_;
  Geometry geometry_;
  PageMap written_;
  IoPool* const pool_;
};

}  // namespace

Result<std::unique_ptr<Backstore>> open_ramdisk(const RamdiskOptions& options) {
  const std::uint32_t block = options.block_size_bytes;
  if (block != 512 && block != 4096)
    return fail(fmt::format("ramdisk: block size {}: expected 512 or 4096", block));
  if (options.size_bytes == 0 || options.size_bytes % block != 0 ||
      options.size_bytes > kMaxRamdiskBytes)
    return fail(fmt::format("ramdisk: size {} bytes: expected a multiple of {} up to {}",
                            options.size_bytes, block, kMaxRamdiskBytes));
  void* memory = ::mmap(nullptr, options.size_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return fail(fmt::format("ramdisk: no address space for {} bytes: {}", options.size_bytes,
                            std::strerror(errno)));
  Geometry geometry;
  geometry.size_bytes = options.size_bytes;
  geometry.block_size_bytes = block;
  geometry.physical_block_bytes = std::max<std::uint32_t>(block, kPageBytes);
  geometry.can_discard = true;
  geometry.write_cache = false;
  geometry.max_atomic_write_bytes = UINT32_MAX;  // one copy, and no medium that could fail midway
  return std::make_unique<Ramdisk>(static_cast<std::byte*>(memory), geometry, options.pool);
}

}  // namespace tsihd::backstore
