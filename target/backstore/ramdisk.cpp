#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "target/backstore/open.h"

namespace tsihd::backstore {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

/// Memory that the kernel fills in as it is touched. Everything completes inside submit().
class Ramdisk final : public Backstore {
 public:
  Ramdisk(std::byte* memory, const Geometry& geometry) : memory_(memory), geometry_(geometry) {}
  ~Ramdisk() override { ::munmap(memory_, geometry_.size_bytes); }

  std::string_view type() const override { return "ramdisk"; }
  const Geometry& geometry() const override { return geometry_; }

  void submit(Io& io) override {
    io.error = 0;
    const bool moves_data = io.op == Op::read || io.op == Op::write;
    const std::uint64_t length_bytes = moves_data ? io.data.size() : io.length_bytes;
    if (io.offset_bytes > geometry_.size_bytes ||
        length_bytes > geometry_.size_bytes - io.offset_bytes)
      io.error = EIO;
    else
      carry_out(io, memory_ + io.offset_bytes);
    io.done(io);
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
    if (size_bytes < geometry_.size_bytes)
      clear(memory_ + size_bytes, geometry_.size_bytes - size_bytes);
    void* moved = ::mremap(memory_, geometry_.size_bytes, size_bytes, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
      return fail(
          fmt::format("ramdisk: cannot resize to {} bytes: {}", size_bytes, std::strerror(errno)));
    memory_ = static_cast<std::byte*>(moved);
    geometry_.size_bytes = size_bytes;
    return {};
  }

 private:
  static void carry_out(const Io& io, std::byte* at) {
    if (io.op == Op::read && !io.data.empty()) std::memcpy(io.data.data(), at, io.data.size());
    if (io.op == Op::write && !io.data.empty()) std::memcpy(at, io.data.data(), io.data.size());
    if (io.op == Op::discard || io.op == Op::write_zeroes) clear(at, io.length_bytes);
  }

  /// Whole pages go back to the kernel, the rest is overwritten.
  static void clear(std::byte* at, std::uint64_t length_bytes) {
    const auto address = reinterpret_cast<std::uintptr_t>(at);
    const std::uint64_t head =
        std::min((kPageBytes - address % kPageBytes) % kPageBytes, length_bytes);
    const std::uint64_t pages = (length_bytes - head) / kPageBytes * kPageBytes;
    std::memset(at, 0, head);
    if (pages > 0 && ::madvise(at + head, pages, MADV_DONTNEED) != 0)
      std::memset(at + head, 0, pages);
    std::memset(at + head + pages, 0, length_bytes - head - pages);
  }

  std::byte* memory_;
  Geometry geometry_;
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
  return std::make_unique<Ramdisk>(static_cast<std::byte*>(memory), geometry);
}

}  // namespace tsihd::backstore
