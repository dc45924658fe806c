#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "target/backstore/file_disk.h"
#include "target/backstore/open.h"

namespace tsihd::backstore {
namespace {

constexpr std::uint32_t kPageBytes = 4096;

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISREG(mode)) return "a regular file";
  if (S_ISBLK(mode)) return "a block device";
  if (S_ISCHR(mode)) return "a character device";
  return "neither a file nor a device";
}

Result<void> check_block_size(const std::string& path, std::uint32_t block_size_bytes) {
  if (block_size_bytes == 512 || block_size_bytes == 4096) return {};
  return fail(fmt::format("{}: block size {}: expected 512 or 4096", path, block_size_bytes));
}

/// A number of the block layer's /sys/dev/block/MAJ:MIN/queue (a partition's is its disk's).
std::uint64_t queue_limit(dev_t device, std::string_view name) {
  const std::string base = fmt::format("/sys/dev/block/{}:{}", major(device), minor(device));
  for (std::string_view folder : {"queue", "../queue"}) {
    std::ifstream file(fmt::format("{}/{}/{}", base, folder, name));
    std::uint64_t value = 0;
    if (file >> value) return value;
  }
  return 0;
}

/// queue/write_cache: whether a completed write may still be volatile.
bool has_write_cache(dev_t device) {
  const std::string base = fmt::format("/sys/dev/block/{}:{}", major(device), minor(device));
  for (std::string_view folder : {"queue", "../queue"}) {
    std::ifstream file(fmt::format("{}/{}/write_cache", base, folder));
    std::string mode;
    if (std::getline(file, mode)) return mode != "write through";
  }
  return true;
}

std::uint32_t small_limit(dev_t device, std::string_view name) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(queue_limit(device, name), UINT32_MAX));
}

/// A partition's first granule is not its disk's.
std::uint32_t discard_alignment(dev_t device) {
  std::ifstream file(
      fmt::format("/sys/dev/block/{}:{}/discard_alignment", major(device), minor(device)));
  std::uint32_t bytes = 0;
  return file >> bytes ? bytes : 0;
}

void describe_block_device(int fd, const struct stat& info, Geometry& geometry) {
  unsigned physical = 0;
  if (::ioctl(fd, BLKPBSZGET, &physical) == 0)
    geometry.physical_block_bytes = std::max<std::uint32_t>(physical, geometry.block_size_bytes);
  int read_only = 0;
  if (::ioctl(fd, BLKROGET, &read_only) == 0 && read_only != 0) geometry.read_only = true;
  geometry.rotational = queue_limit(info.st_rdev, "rotational") != 0;
  geometry.minimum_io_bytes = small_limit(info.st_rdev, "minimum_io_size");
  geometry.optimal_io_bytes = small_limit(info.st_rdev, "optimal_io_size");
  geometry.discard_granularity_bytes = small_limit(info.st_rdev, "discard_granularity");
  geometry.discard_alignment_bytes = discard_alignment(info.st_rdev);
  geometry.can_discard = !geometry.read_only && queue_limit(info.st_rdev, "discard_max_bytes") > 0;
  // A device that can be told to write zeroes may deallocate instead (FileDisk::discard).
  geometry.discard_zeroes = queue_limit(info.st_rdev, "write_zeroes_max_bytes") > 0;
}

/// Whether the filesystem can punch holes: asked beyond the end, where nothing is lost.
bool can_punch_holes(int fd, off_t size_bytes) {
  return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     (size_bytes / kPageBytes + 1) * kPageBytes, kPageBytes) == 0;
}

bool is_on_tmpfs(int fd) {
  struct statfs filesystem {};
  return ::fstatfs(fd, &filesystem) == 0 &&
         (filesystem.f_type == TMPFS_MAGIC || filesystem.f_type == RAMFS_MAGIC);
}

void describe_regular_file(int fd, const struct stat& info, Geometry& geometry) {
  // A write smaller than a page makes the page cache read the rest of the page: initiators that
  // know align to it.
  geometry.physical_block_bytes = std::max(kPageBytes, geometry.block_size_bytes);
  geometry.rotational = queue_limit(info.st_dev, "rotational") != 0;
  geometry.can_discard = !geometry.read_only && can_punch_holes(fd, info.st_size);
}

/// Opens without waiting (a FIFO would), then says what it is.
Result<struct stat> inspect(const Fd& fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  return info;
}

std::string open_failure(const std::string& path, int error, bool creatable) {
  if (error == ENOENT)
    return fmt::format("{}: no such file{}", path,
                       creatable ? "; give a size to have it created, or create it: truncate -s 1G "
                                   "PATH"
                                 : " or device; check the path");
  if (error == EACCES || error == EPERM)
    return fmt::format("{}: permission denied; run as a user who may read and write it", path);
  if (error == EROFS)
    return fmt::format("{}: the filesystem is read-only; serve it read-only", path);
  if (error == EBUSY)
    return fmt::format("{}: the device is in use (mounted, or part of LVM or RAID); free it first",
                       path);
  return fmt::format("{}: cannot open: {}", path, std::strerror(error));
}

/// Makes a file of the size asked for; what this call created it removes when it fails.
Result<void> create_or_grow(const std::string& path, std::uint64_t size_bytes,
                            std::uint32_t block_size_bytes) {
  if (size_bytes == 0 || size_bytes % block_size_bytes != 0 || size_bytes > INT64_MAX)
    return fail(fmt::format("{}: size {} bytes: expected a multiple of the block size {} above 0",
                            path, size_bytes, block_size_bytes));
  struct stat info {};
  const bool existed = ::stat(path.c_str(), &info) == 0;
  const bool large_enough =
      existed && (!S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) >= size_bytes);
  if (large_enough) return {};
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (fd && ::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) == 0) return {};
  const int error = errno;
  if (fd && !existed) ::unlink(path.c_str());
  if (error == ENOENT)
    return fail(fmt::format("{}: cannot create: its folder does not exist; make it first", path));
  return fail(
      fmt::format("{}: cannot make it {} bytes large: {}", path, size_bytes, std::strerror(error)));
}

Result<std::unique_ptr<Backstore>> finish(IoPool& pool, Fd fd, FileDiskOptions options) {
  Geometry& geometry = options.geometry;
  auto size = size_of(fd.get(), options.block_device, options.path, geometry.block_size_bytes);
  if (!size) return std::unexpected(size.error());
  if (*size == 0)
    return fail(
        fmt::format("{}: holds less than one block of {} bytes; grow it: truncate -s 1G "
                    "PATH",
                    options.path, geometry.block_size_bytes));
  geometry.size_bytes = *size;
  auto files = open_for_each_lane(std::move(fd), options.direct, options.path);
  if (!files) return std::unexpected(files.error());
  return std::make_unique<FileDisk>(pool, std::move(*files), std::move(options));
}

}  // namespace

Result<std::unique_ptr<Backstore>> open_fileio(IoPool& pool, const FileioOptions& options) {
  if (auto good = check_block_size(options.path, options.block_size_bytes); !good)
    return std::unexpected(good.error());
  if (options.create_size_bytes) {
    auto made = create_or_grow(options.path, *options.create_size_bytes, options.block_size_bytes);
    if (!made) return std::unexpected(made.error());
  }
  const int access = options.read_only ? O_RDONLY : O_RDWR;
  Fd fd(::open(options.path.c_str(), access | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == EISDIR) return fail(fmt::format("{}: is a directory", options.path));
  if (!fd) return fail(open_failure(options.path, errno, true));
  auto info = inspect(fd, options.path);
  if (!info) return std::unexpected(info.error());
  if (!S_ISREG(info->st_mode) && !S_ISBLK(info->st_mode))
    return fail(fmt::format("{}: is {}; fileio serves a regular file or a block device",
                            options.path, kind_of(info->st_mode)));
  FileDiskOptions disk{.type = "fileio",
                       .path = options.path,
                       .block_device = S_ISBLK(info->st_mode),
                       .direct = false,
                       .write_through = !options.write_back,
                       .in_memory = S_ISREG(info->st_mode) && is_on_tmpfs(fd.get()),
                       .geometry = {}};
  disk.geometry.block_size_bytes = options.block_size_bytes;
  disk.geometry.read_only = options.read_only;
  disk.geometry.write_cache = options.write_back;
  if (disk.block_device)
    describe_block_device(fd.get(), *info, disk.geometry);
  else
    describe_regular_file(fd.get(), *info, disk.geometry);
  return finish(pool, std::move(fd), std::move(disk));
}

Result<std::unique_ptr<Backstore>> open_block(IoPool& pool, const BlockOptions& options) {
  const int base = (options.read_only ? O_RDONLY : O_RDWR | O_EXCL) | O_CLOEXEC | O_NONBLOCK;
  bool direct = true;
  int raw = ::open(options.path.c_str(), base | O_DIRECT);
  if (raw < 0 && errno == EINVAL) {  // a device without O_DIRECT
    direct = false;
    raw = ::open(options.path.c_str(), base);
  }
  const int error = errno;
  Fd fd(raw);
  if (!fd && error == EISDIR) return fail(fmt::format("{}: is a directory", options.path));
  if (!fd) return fail(open_failure(options.path, error, false));
  auto info = inspect(fd, options.path);
  if (!info) return std::unexpected(info.error());
  if (!S_ISBLK(info->st_mode))
    return fail(fmt::format("{}: is {}, not a block device; serve it as fileio", options.path,
                            kind_of(info->st_mode)));
  int block_size = 0;
  if (::ioctl(fd.get(), BLKSSZGET, &block_size) != 0)
    return fail(fmt::format("{}: cannot read the device's block size: {}", options.path,
                            std::strerror(errno)));
  if (auto good = check_block_size(options.path, static_cast<std::uint32_t>(block_size)); !good)
    return std::unexpected(good.error());
  FileDiskOptions disk{.type = "block",
                       .path = options.path,
                       .block_device = true,
                       .direct = direct,
                       .write_through = false,
                       .in_memory = false,
                       .geometry = {}};
  disk.geometry.block_size_bytes = static_cast<std::uint32_t>(block_size);
  disk.geometry.read_only = options.read_only;
  describe_block_device(fd.get(), *info, disk.geometry);
  // Through the page cache every write is volatile, whatever the device says.
  if (direct) disk.geometry.write_cache = has_write_cache(info->st_rdev);
  return finish(pool, std::move(fd), std::move(disk));
}

}  // namespace tsihd::backstore
