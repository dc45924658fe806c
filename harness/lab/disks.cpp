#include "harness/lab/disks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "harness/lab/arguments.h"
#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace tsih::lab {
using Json = nlohmann::json;

namespace {

[[noreturn]] void refuse_path(const std::string& path, const char* what) {
  throw Failure("host", fmt::format("disk {}: {}: {}", path, what, std::strerror(errno)));
}

/// Makes an empty file and gives its path. A name that was used before in this run (the guest was
/// killed and starts again) gets a file of its own: nothing is written over.
std::string make_sparse(const std::string& directory, const std::string& name,
                        std::uint64_t size_bytes) {
  std::string path;
  int file = -1;
  for (int number = 1; file < 0; ++number) {
    path = number == 1 ? fmt::format("{}/{}.raw", directory, name)
                       : fmt::format("{}/{}.{}.raw", directory, name, number);
    file = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
    if (file < 0 && (errno != EEXIST || number >= 1000)) refuse_path(path, "cannot make it");
  }
  const bool sized = ::ftruncate(file, static_cast<off_t>(size_bytes)) == 0;
  ::close(file);
  if (!sized) refuse_path(path, "cannot size it");
  return path;
}

std::uint64_t size_of(const std::string& path, bool read_only) {
  const int file = ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  if (file < 0) refuse_path(path, "cannot open it");
  struct stat about = {};
  std::uint64_t size_bytes = 0;
  if (::fstat(file, &about) == 0 && S_ISBLK(about.st_mode))
    ::ioctl(file, BLKGETSIZE64, &size_bytes);
  else
    size_bytes = static_cast<std::uint64_t>(about.st_size);
  ::close(file);
  return size_bytes;
}

void check_absolute(const std::string& disk, const char* argument, const std::string& path) {
  if (path.empty() || path.front() != '/')
    throw Failure("bad_request",
                  fmt::format("disk {}: '{}' must be absolute; {} came", disk, argument, path));
}

/// The node that holds the bytes.
Json storage_of(const Disk& disk) {
  if (disk.is_nbd) return {{"driver", "nbd"}, {"server", {{"type", "unix"}, {"path", disk.path}}}};
  struct stat about = {};
  const bool is_device = ::stat(disk.path.c_str(), &about) == 0 && S_ISBLK(about.st_mode);
  Json file = {{"driver", is_device ? "host_device" : "file"}, {"filename", disk.path}};
  if (!disk.read_only && !is_device) file["discard"] = "unmap";
  return file;
}

}  // namespace

void check_disk_size(std::uint64_t size_bytes) {
  if (size_bytes < 512 || size_bytes % 512 != 0 || size_bytes > limits::disk_max_bytes)
    throw Failure("bad_request",
                  fmt::format("size_bytes must be a multiple of 512, at most {}; {} came",
                              limits::disk_max_bytes, size_bytes));
}

Disk make_disk(const Json& wanted, const std::string& directory) {
  Arguments arguments(wanted, "disk");
  Disk disk;
  disk.name = arguments.identifier("name", limits::disk_name_chars);
  disk.bus = arguments.choice("bus", {"virtio-blk", "virtio-scsi"}) == "virtio-blk"
                 ? DiskBus::virtio_blk
                 : DiskBus::virtio_scsi;
  disk.cache =
      arguments.choice("cache", {"writeback", "none", "writethrough", "directsync", "unsafe"});
  disk.format = arguments.choice("format", {"raw", "qcow2"});
  disk.read_only = arguments.flag("read_only", false);
  const auto path = arguments.optional_text("path");
  const auto nbd = arguments.optional_text("nbd");
  const auto size_bytes = arguments.integer("size_bytes", 0, limits::disk_max_bytes, 0);
  arguments.finish();
  if (path.has_value() == (size_bytes != 0) || (nbd && path))
    throw Failure("bad_request",
                  fmt::format("disk {}: either 'path' or 'size_bytes' is needed", disk.name));
  if (nbd) {
    check_absolute(disk.name, "nbd", *nbd);
    check_disk_size(size_bytes);
    disk.is_nbd = true;
    disk.path = *nbd;
    disk.size_bytes = size_bytes;
  } else if (path) {
    check_absolute(disk.name, "path", *path);
    disk.path = *path;
    disk.size_bytes = size_of(disk.path, disk.read_only);
  } else {
    check_disk_size(size_bytes);
    if (disk.format != "raw")
      throw Failure("bad_request", fmt::format("disk {}: an empty disk is raw", disk.name));
    disk.size_bytes = size_bytes;
    disk.path = make_sparse(directory, disk.name, size_bytes);
  }
  return disk;
}

Json blockdev_of(const Disk& disk) {
  const bool direct = disk.cache == "none" || disk.cache == "directsync";
  Json file = storage_of(disk);
  Json cache = {{"direct", direct}, {"no-flush", disk.cache == "unsafe"}};
  file["cache"] = cache;
  Json node = {{"driver", disk.format},
               {"node-name", disk.node()},
               {"read-only", disk.read_only},
               {"cache", cache},
               {"file", std::move(file)}};
  if (!disk.read_only) node["discard"] = "unmap";
  return node;
}

Json device_of(const Disk& disk) {
  const bool write_cache = disk.cache != "writethrough" && disk.cache != "directsync";
  Json device = {{"drive", disk.node()},
                 {"id", disk.device_id()},
                 {"serial", disk.name},
                 {"write-cache", write_cache ? "on" : "off"}};
  if (disk.bus == DiskBus::virtio_blk) {
    device["driver"] = "virtio-blk-pci";
  } else {
    device["driver"] = "scsi-hd";
    device["bus"] = "scsi0.0";
    device["dpofua"] = true;  // as real disks say: it heeds FUA in either case
  }
  return device;
}

Json describe(const Disk& disk) {
  return {{"name", disk.name},
          {"path", disk.path},
          {"size_bytes", disk.size_bytes},
          {"bus", disk.bus == DiskBus::virtio_blk ? "virtio-blk" : "virtio-scsi"},
          {"cache", disk.cache},
          {"read_only", disk.read_only},
          {"device", "/dev/tsih/" + disk.name}};
}

}  // namespace tsih::lab
