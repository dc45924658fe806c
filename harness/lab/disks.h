// Disks of guests: what the driver asks for, and what QEMU is told. See PROTOCOL.md, "Disks".
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace tsih::lab {

enum class DiskBus { virtio_blk, virtio_scsi };

struct Disk {
  std::string name;  // its serial too
  std::string path;  // absolute; of an NBD server's Unix socket where is_nbd is set
  bool is_nbd = false;
  std::uint64_t size_bytes = 0;
  DiskBus bus = DiskBus::virtio_blk;
  std::string cache = "writeback";
  std::string format = "raw";
  bool read_only = false;

  std::string node() const { return "disk-" + name; }
  std::string device_id() const { return "dev-" + name; }
};

/// Reads a disk of the protocol; an empty one is made as a sparse file `directory`/NAME.raw
/// (NAME.2.raw, ... if there was one before).
/// Whoever serves NBD says how large its disk is; nobody is asked here.
/// Throws Failure: bad_request, host (the path cannot be opened).
Disk make_disk(const nlohmann::json& wanted, const std::string& directory);

/// The QMP arguments of blockdev-add and of device_add, which `-blockdev` and `-device` take too.
nlohmann::json blockdev_of(const Disk& disk);
nlohmann::json device_of(const Disk& disk);

nlohmann::json describe(const Disk& disk);

/// Throws Failure("bad_request") unless it is a multiple of 512 from 512 to limits::disk_max_bytes.
void check_disk_size(std::uint64_t size_bytes);

}  // namespace tsih::lab
