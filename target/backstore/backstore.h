// The one small interface behind every disk: fileio, block, ramdisk, pscsi.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "target/base/result.h"

namespace tsihd::backstore {

/// `extent` asks how the disk is allocated: of the bytes from offset_bytes on, at most
/// length_bytes, it sets length_bytes to how many are alike, and `deallocated` to what they are.
enum class Op : std::uint8_t { read, write, flush, discard, write_zeroes, extent };

/// One request to a disk. The submitter owns it and its bytes, and keeps both alive and untouched
/// until `done` has been called. Intrusive, so that submitting allocates nothing.
struct Io {
  Op op = Op::read;
  /// write, write_zeroes: durable before it completes (FUA).
  bool force_unit_access = false;
  std::uint64_t offset_bytes = 0;
  /// Length in bytes of discard, write_zeroes and extent; read and write take data.size().
  std::uint64_t length_bytes = 0;
  /// Answer of extent: these bytes are a hole, which reads as zeroes. False also where the disk
  /// cannot tell.
  bool deallocated = false;
  std::span<std::byte> data;
  /// 0 or an errno. A short transfer never shows: it is completed or becomes EIO.
  int error = 0;
  /// Called exactly once, on the event loop's thread; possibly before submit() returns.
  void (*done)(Io&) = nullptr;
  void* owner = nullptr;
  Io* next = nullptr;  ///< for the backstore's queues
};

/// The space of a thin disk, as far as it shares what is beneath it.
struct SpaceUse {
  std::uint64_t used_bytes = 0;       ///< taken by this disk
  std::uint64_t available_bytes = 0;  ///< left beneath it, for it and whoever shares it
};

/// What a disk is and can.
struct Geometry {
  std::uint64_t size_bytes = 0;
  std::uint32_t block_size_bytes = 512;  ///< logical block: 512 or 4096
  std::uint32_t physical_block_bytes = 512;
  bool read_only = false;
  bool rotational = false;
  bool can_discard = false;
  bool write_cache = true;  ///< completed writes may be volatile until a flush
  /// A write of no more than this is whole or not at all, for every other request and after every
  /// failure. 0: the disk promises nothing of the kind.
  std::uint32_t max_atomic_write_bytes = 0;
};

/// The contract of every backstore:
/// - A completed write is seen by every later read. It is durable after a later completed flush,
///   or at once with force_unit_access or when Geometry::write_cache is false.
/// - A completed flush makes every write that completed before its submission durable.
/// - Discarded ranges read as zeroes afterwards where Geometry::can_discard is set.
/// - submit() never blocks: what could block runs on the IoPool.
/// - Disk errors come back as Io::error and leave the backstore working.
/// All members are called on the event loop's thread.
class Backstore {
 public:
  virtual ~Backstore() = default;

  virtual std::string_view type() const = 0;  ///< "fileio", "block", "ramdisk", "pscsi"
  virtual const Geometry& geometry() const = 0;
  virtual void submit(Io& io) = 0;
  /// Ends a batch: what was submitted since the last call starts now, at the latest.
  virtual void flush_submissions() {}
  /// Looks at the file or device again; true when geometry().size_bytes changed.
  virtual Result<bool> refresh_size() = 0;
  /// Grows or shrinks the backing file. Fails with the way out where the backing cannot be resized
  /// from here (a block device is resized by its owner: lvresize).
  virtual Result<void> resize(std::uint64_t size_bytes) = 0;
  /// Null where the disk cannot tell. A look at metadata that waits for no disk.
  virtual std::optional<SpaceUse> space_use() const { return std::nullopt; }
};

}  // namespace tsihd::backstore
