#include "target/backstore/file_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "target/backstore/aligned_bytes.h"

namespace tsihd::backstore {
namespace {

/// What the loop's thread copies to and from the page cache itself; a longer copy would hold up the
/// other connections for more than a fraction of a millisecond.
constexpr std::size_t kMaxInlineBytes = 1u << 20;

constexpr std::size_t kBounceBytes = 1u << 20;

/// Reads that miss the page cache wait for the disk side by side. Buffered writes of one file
/// exclude each other in the kernel: a second thread would only wait for the first. Direct ones
/// do not.
constexpr unsigned kReadBatches = 8;
constexpr unsigned kReadBatchIos = 4;
constexpr unsigned kDirectWriteBatches = 8;
constexpr unsigned kDirectBatchIos = 2;
constexpr unsigned kBufferedWriteBatchIos = 32;
constexpr unsigned kDirectOtherBatches = 2;
/// One sync serves all flushes that wait meanwhile.
constexpr unsigned kFlushBatchIos = 64;

alignas(kDirectAlignment) constexpr std::array<std::byte, 1u << 16> kZeroes{};

bool aligned(std::span<const std::byte> data) {
  return reinterpret_cast<std::uintptr_t>(data.data()) % kDirectAlignment == 0;
}

std::byte* bounce_buffer() {
  thread_local const AlignedBytes memory = aligned_bytes(kBounceBytes);
  return memory.get();
}

}  // namespace

Result<FileDiskFiles> open_for_each_lane(Fd fd, bool direct, const std::string& path) {
  if (direct) return FileDiskFiles{std::move(fd), Fd(), Fd()};
  // By the descriptor: the path may name another file by now.
  const std::string same = fmt::format("/proc/self/fd/{}", fd.get());
  Fd changes(::open(same.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  Fd flushes(::open(same.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!changes || !flushes)
    return fail(
        fmt::format("{}: cannot open it again by {}: {}", path, same, std::strerror(errno)));
  return FileDiskFiles{std::move(fd), std::move(changes), std::move(flushes)};
}

Result<std::uint64_t> size_of(int fd, bool block_device, const std::string& path,
                              std::uint32_t block_size_bytes) {
  std::uint64_t size_bytes = 0;
  if (block_device) {
    if (::ioctl(fd, BLKGETSIZE64, &size_bytes) != 0)
      return fail(fmt::format("{}: cannot read the device's size: {}", path, std::strerror(errno)));
    if (size_bytes == 0) return fail(fmt::format("{}: the device is gone, or has no medium", path));
  } else {
    struct stat info {};
    if (::fstat(fd, &info) != 0)
      return fail(fmt::format("{}: cannot read the file's size: {}", path, std::strerror(errno)));
    size_bytes = static_cast<std::uint64_t>(info.st_size);
  }
  return size_bytes - size_bytes % block_size_bytes;
}

FileDisk::FileDisk(IoPool& pool, FileDiskFiles files, FileDiskOptions options)
    : pool_(pool),
      files_(std::move(files)),
      options_(std::move(options)),
      cached_reads_(!options_.direct),
      end_bytes_(options_.geometry.size_bytes),
      cached_writes_(!options_.direct && !options_.write_through),
      reads_(run_reads, this, kReadBatches, options_.direct ? kDirectBatchIos : kReadBatchIos),
      writes_(run_writes, this, options_.direct ? kDirectWriteBatches : 1,
              options_.direct ? kDirectBatchIos : kBufferedWriteBatchIos),
      others_(run_others, this, options_.direct ? kDirectOtherBatches : 1, 1),
      flushes_(run_flushes, this, 1, kFlushBatchIos) {}

FileDisk::~FileDisk() = default;

void FileDisk::submit(Io& io) {
  const bool changes = io.op == Op::write || io.op == Op::write_zeroes || io.op == Op::discard;
  io.error = changes && options_.geometry.read_only ? EROFS : 0;
  if (io.error != 0) return io.done(io);
  switch (io.op) {
    case Op::read:
      return submit_read(io);
    case Op::write:
      return submit_write(io);
    case Op::flush:
      return submit_flush(io);
    case Op::discard:
    case Op::write_zeroes:
    case Op::extent:
      return pool_.submit(others_, io);
    case Op::scsi:
      io.error = EOPNOTSUPP;
      return io.done(io);
  }
}

void FileDisk::submit_read(Io& io) {
  if (copy_in_memory(io) || read_from_cache(io)) return pool_.complete_inline(io, io.data.size());
  const bool bounces = options_.direct && !aligned(io.data);
  if (!bounces && pool_.submit_to_ring(reads_, io, {RingRequest::Kind::read, fd(), 0})) return;
  pool_.submit(reads_, io);
}

/// Only what goes past the page cache is worth the ring's while: the kernel gives a buffered write
/// to a thread of its own, where ours can sync once for a whole batch, and can be kept from growing
/// a file that has just shrunk.
void FileDisk::submit_write(Io& io) {
  if (copy_in_memory(io) || write_to_cache(io)) return pool_.complete_inline(io, io.data.size());
  const bool inside = io.offset_bytes + io.data.size() <= end_bytes_;
  const RingRequest how{RingRequest::Kind::write, fd(), io.force_unit_access ? RWF_DSYNC : 0};
  if (options_.direct && inside && aligned(io.data) && pool_.submit_to_ring(writes_, io, how))
    return;
  pool_.submit(writes_, io);
}

void FileDisk::submit_flush(Io& io) {
  const RingRequest how{RingRequest::Kind::sync, fd(), 0};
  if (options_.direct && pool_.submit_to_ring(flushes_, io, how)) return;
  pool_.submit(flushes_, io);
}

/// True when the page cache held all of it. RWF_NOWAIT never waits for a disk: what it does not
/// find it leaves to the pool, which reads the whole again.
bool FileDisk::read_from_cache(Io& io) {
  if (!cached_reads_ || io.data.size() > kMaxInlineBytes) return false;
  const iovec piece{io.data.data(), io.data.size()};
  const ssize_t got = ::preadv2(fd(), &piece, 1, static_cast<off_t>(io.offset_bytes), RWF_NOWAIT);
  if (got < 0 && errno == EOPNOTSUPP) cached_reads_ = false;
  return got == static_cast<ssize_t>(io.data.size());
}

/// True when the page cache took all of it without waiting (XFS, btrfs; ext4 cannot say and leaves
/// every write to the pool). What it took of a part is written again with the whole.
bool FileDisk::write_to_cache(Io& io) {
  if (!cached_writes_ || io.force_unit_access || io.data.size() > kMaxInlineBytes) return false;
  if (io.offset_bytes + io.data.size() > end_bytes_) return false;
  const iovec piece{io.data.data(), io.data.size()};
  const ssize_t put = ::pwritev2(fd(), &piece, 1, static_cast<off_t>(io.offset_bytes), RWF_NOWAIT);
  if (put < 0 && errno == EOPNOTSUPP) cached_writes_ = false;
  return put == static_cast<ssize_t>(io.data.size());
}

/// True when it is done, with or without an error. tmpfs knows no RWF_NOWAIT, for it has nothing to
/// wait for; nor is there a medium that a force_unit_access could reach.
bool FileDisk::copy_in_memory(Io& io) {
  if (!options_.in_memory || io.data.size() > kMaxInlineBytes) return false;
  io.error = io.op == Op::write ? write_inside(io.data, io.offset_bytes, 0)
                                : transfer(false, io.data, io.offset_bytes, 0);
  return true;
}

/// A block device that has been pulled out has no size any more: it answers like the end of a file,
/// or a full one.
int FileDisk::unless_gone(int error) const {
  std::uint64_t size_bytes = 0;
  const bool gone =
      options_.block_device && (::ioctl(fd(), BLKGETSIZE64, &size_bytes) != 0 || size_bytes == 0);
  return gone ? ENODEV : error;
}

int FileDisk::transfer(bool write, std::span<std::byte> data, std::uint64_t offset_bytes,
                       int flags) const {
  while (!data.empty()) {
    const iovec piece{data.data(), data.size()};
    const auto at = static_cast<off_t>(offset_bytes);
    const ssize_t moved =
        write ? ::pwritev2(fd(), &piece, 1, at, flags) : ::preadv2(fd(), &piece, 1, at, flags);
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0) return unless_gone(errno);
    if (moved == 0) return unless_gone(EIO);  // past the end: truncated behind our back
    data = data.subspan(static_cast<std::size_t>(moved));
    offset_bytes += static_cast<std::uint64_t>(moved);
  }
  return 0;
}

/// Changes nothing beyond the end, wherever that is by now.
template <class Change>
int FileDisk::change_inside(std::uint64_t offset_bytes, std::uint64_t length_bytes,
                            Change change) const {
  const std::shared_lock lock(end_mutex_);
  if (offset_bytes > end_bytes_ || length_bytes > end_bytes_ - offset_bytes) return EIO;
  return change();
}

int FileDisk::write_inside(std::span<std::byte> data, std::uint64_t offset_bytes, int flags) const {
  return change_inside(offset_bytes, data.size(),
                       [&] { return transfer(true, data, offset_bytes, flags); });
}

/// fallocate() would make room beyond the end of a file, which nobody sees and nobody gives back.
int FileDisk::allocate_inside(int mode, const Io& io) const {
  return change_inside(io.offset_bytes, io.length_bytes, [&] {
    const int done =
        ::fallocate(fd(), mode | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(io.offset_bytes),
                    static_cast<off_t>(io.length_bytes));
    return done == 0 ? 0 : errno;
  });
}

int FileDisk::transfer_bounced(bool write, std::span<std::byte> data, std::uint64_t offset_bytes,
                               int flags) const {
  std::byte* bounce = bounce_buffer();
  if (bounce == nullptr) return ENOMEM;
  while (!data.empty()) {
    const std::size_t bytes = std::min(data.size(), kBounceBytes);
    if (write) std::memcpy(bounce, data.data(), bytes);
    const std::span<std::byte> piece(bounce, bytes);
    if (const int error = write ? write_inside(piece, offset_bytes, flags)
                                : transfer(false, piece, offset_bytes, flags))
      return error;
    if (!write) std::memcpy(data.data(), bounce, bytes);
    data = data.subspan(bytes);
    offset_bytes += bytes;
  }
  return 0;
}

void FileDisk::run_reads(void* self, Io* batch) {
  const FileDisk& disk = *static_cast<FileDisk*>(self);
  for (Io* io = batch; io != nullptr; io = io->next)
    io->error = disk.options_.direct && !aligned(io->data)
                    ? disk.transfer_bounced(false, io->data, io->offset_bytes, 0)
                    : disk.transfer(false, io->data, io->offset_bytes, 0);
}

void FileDisk::run_writes(void* self, Io* batch) {
  const FileDisk& disk = *static_cast<FileDisk*>(self);
  const bool write_through = disk.options_.write_through;
  for (Io* io = batch; io != nullptr; io = io->next) {
    // Write-through syncs once for the batch, below: the file holds no other dirty data. With a
    // write-back cache a sync of the file would wait for everybody's, so FUA syncs its own range.
    const int flags = io->force_unit_access && !write_through ? RWF_DSYNC : 0;
    io->error = disk.options_.direct && !aligned(io->data)
                    ? disk.transfer_bounced(true, io->data, io->offset_bytes, flags)
                    : disk.write_inside(io->data, io->offset_bytes, flags);
  }
  if (!write_through || ::fdatasync(disk.fd()) == 0) return;
  const int sync_error = errno;
  for (Io* io = batch; io != nullptr; io = io->next)
    if (io->error == 0) io->error = sync_error;
}

void FileDisk::run_others(void* self, Io* batch) {
  const FileDisk& disk = *static_cast<FileDisk*>(self);
  for (Io* io = batch; io != nullptr; io = io->next) {
    bool sync = io->force_unit_access || disk.options_.write_through;
    if (io->op == Op::discard) {
      io->error = disk.discard(*io);
    } else if (io->op == Op::write_zeroes) {
      io->error = disk.write_zeroes(*io);
    } else if (io->op == Op::extent) {
      disk.find_extent(*io);
      sync = false;
    }
    if (io->error == 0 && sync && ::fdatasync(disk.changes_fd()) != 0) io->error = errno;
  }
}

void FileDisk::run_flushes(void* self, Io* batch) {
  const FileDisk& disk = *static_cast<FileDisk*>(self);
  const int error = ::fdatasync(disk.flushes_fd()) == 0 ? 0 : errno;
  for (Io* io = batch; io != nullptr; io = io->next) io->error = error;
}

/// Deallocates. On a block device PUNCH_HOLE demands that the range reads as zeroes afterwards,
/// which BLKDISCARD does not promise.
int FileDisk::discard(const Io& io) const {
  if (geometry().discard_zeroes) return allocate_inside(FALLOC_FL_PUNCH_HOLE, io);
  return change_inside(io.offset_bytes, io.length_bytes, [&] {
    std::array<std::uint64_t, 2> range{io.offset_bytes, io.length_bytes};
    return ::ioctl(fd(), BLKDISCARD, range.data()) == 0 ? 0 : errno;
  });
}

/// A device, and a filesystem that does not know its holes, has none. The file's position, which
/// lseek moves, is used by nobody.
void FileDisk::find_extent(Io& io) const {
  const auto from = static_cast<off_t>(io.offset_bytes);
  const off_t data = ::lseek(fd(), from, SEEK_DATA);
  io.deallocated = data > from || (data < 0 && errno == ENXIO);  // ENXIO: a hole up to the end
  const off_t end = io.deallocated ? data : ::lseek(fd(), from, SEEK_HOLE);
  if (end > from)
    io.length_bytes = std::min(io.length_bytes, static_cast<std::uint64_t>(end - from));
}

int FileDisk::write_zeroes(const Io& io) const {
  for (int mode : {FALLOC_FL_ZERO_RANGE, FALLOC_FL_PUNCH_HOLE}) {
    const int error = allocate_inside(mode, io);
    if (error != EOPNOTSUPP && error != EINVAL) return error;
  }
  return write_zero_pages(io.offset_bytes, io.length_bytes);
}

int FileDisk::write_zero_pages(std::uint64_t offset_bytes, std::uint64_t length_bytes) const {
  // transfer() does not write to what it writes from.
  auto* zeroes = const_cast<std::byte*>(kZeroes.data());
  while (length_bytes > 0) {
    const auto bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(length_bytes, kZeroes.size()));
    if (const int error = write_inside({zeroes, bytes}, offset_bytes, 0)) return error;
    offset_bytes += bytes;
    length_bytes -= bytes;
  }
  return 0;
}

std::optional<SpaceUse> FileDisk::space_use() const {
  constexpr std::uint64_t kStatBlockBytes = 512;  // of st_blocks, whatever the file system's are
  struct stat file {};
  struct statvfs beneath {};
  if (options_.block_device) return std::nullopt;
  if (fstat(fd(), &file) != 0 || fstatvfs(fd(), &beneath) != 0) return std::nullopt;
  return SpaceUse{static_cast<std::uint64_t>(file.st_blocks) * kStatBlockBytes,
                  std::uint64_t{beneath.f_bavail} * beneath.f_frsize};
}

Result<bool> FileDisk::refresh_size() {
  auto size =
      size_of(fd(), options_.block_device, options_.path, options_.geometry.block_size_bytes);
  if (!size) return std::unexpected(size.error());
  if (*size == options_.geometry.size_bytes) return false;
  const std::unique_lock lock(end_mutex_);
  options_.geometry.size_bytes = end_bytes_ = *size;
  return true;
}

Result<void> FileDisk::resize(std::uint64_t size_bytes) {
  if (options_.block_device)
    return fail(fmt::format(
        "{}: a block device is resized by its owner (lvresize -L SIZE); the new size is noticed "
        "within a second",
        options_.path));
  if (options_.geometry.read_only)
    return fail(fmt::format("{}: cannot resize: the disk is read-only", options_.path));
  const std::uint32_t block = options_.geometry.block_size_bytes;
  if (size_bytes == 0 || size_bytes % block != 0)
    return fail(fmt::format("{}: cannot resize to {} bytes: expected a multiple of {} above 0",
                            options_.path, size_bytes, block));
  const std::unique_lock lock(end_mutex_);
  if (size_bytes > INT64_MAX || ::ftruncate(fd(), static_cast<off_t>(size_bytes)) != 0)
    return fail(fmt::format("{}: cannot resize to {} bytes: {}", options_.path, size_bytes,
                            size_bytes > INT64_MAX ? "too large" : std::strerror(errno)));
  options_.geometry.size_bytes = end_bytes_ = size_bytes;
  return {};
}

}  // namespace tsihd::backstore
