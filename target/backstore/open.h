// How disks are opened: one factory a kind, LIO's names. Each fails with one line that names the
// file and the way out, and leaves nothing half-done.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "target/backstore/backstore.h"
#include "target/backstore/io_pool.h"
#include "target/backstore/scsi_device.h"
#include "target/base/result.h"

namespace tsihd::backstore {

/// LIO's fileio: a regular file (sparse is fine) or a block device through the page cache.
struct FileioOptions {
  std::string path;
  /// LIO's write_back: completed writes may sit in the page cache until a flush. Without it every
  /// write is on the medium before it completes.
  bool write_back = false;
  bool read_only = false;
  std::uint32_t block_size_bytes = 512;  ///< 512 or 4096
  /// Creates the file, sparse and of this size, when it does not exist. An existing file keeps its
  /// content, and grows to this size where it is smaller.
  std::optional<std::uint64_t> create_size_bytes = std::nullopt;
};
Result<std::unique_ptr<Backstore>> open_fileio(IoPool& pool, const FileioOptions& options);

/// LIO's iblock: a block device, past the page cache (O_DIRECT) where the device allows it. The
/// logical block size is the device's.
struct BlockOptions {
  std::string path;
  bool read_only = false;
};
Result<std::unique_ptr<Backstore>> open_block(IoPool& pool, const BlockOptions& options);

/// Memory; at most kMaxRamdiskBytes. Content is lost with the process.
inline constexpr std::uint64_t kMaxRamdiskBytes = 64ull << 30;
struct RamdiskOptions {
  std::uint64_t size_bytes = 0;
  std::uint32_t block_size_bytes = 512;  ///< 512 or 4096
  /// With it, a request in every few megabytes completes in the loop's next turn, and commands that
  /// go over the whole disk hold up nobody. Without, every request completes inside submit().
  IoPool* pool = nullptr;
};
Result<std::unique_ptr<Backstore>> open_ramdisk(const RamdiskOptions& options);

/// LIO's pscsi: a SCSI device of this host, of any type, whose commands are passed to it.
struct PscsiOptions {
  std::string device;  ///< a path, or H:C:T:L
  bool read_only = false;
  bool takes_reservations = false;  ///< Geometry::takes_reservations
};
Result<std::unique_ptr<Backstore>> open_pscsi(IoPool& pool, const PscsiOptions& options);
/// The same on a device that is open already.
Result<std::unique_ptr<Backstore>> open_pscsi(IoPool& pool, std::unique_ptr<ScsiDevice> device,
                                              const PscsiOptions& options);

}  // namespace tsihd::backstore
