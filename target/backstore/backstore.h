// The one small interface behind every disk: fileio, block, ramdisk, pscsi.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "target/base/result.h"

namespace tsihd::backstore {

enum class Op : std::uint8_t { read, write, flush, discard, write_zeroes, extent, scsi };

/// A command for a real SCSI device behind the backstore (Op::scsi), and what the device answered.
struct ScsiExchange {
  enum class Direction : std::uint8_t { none, to_device, from_device };

  std::array<std::uint8_t, 32> cdb{};
  std::uint8_t cdb_bytes = 0;
  Direction direction = Direction::none;  ///< of Io::data, which may be empty

  std::uint8_t status = 0;  ///< SAM's status code, as the device gave it
  std::array<std::byte, 96> sense{};
  std::uint8_t sense_bytes = 0;
  std::uint32_t transferred_bytes = 0;  ///< how much of Io::data the device took or filled
};

/// One request to a disk. The submitter owns it and its bytes, and keeps both alive and untouched
/// until `done` has been called. Intrusive, so that submitting allocates nothing.
struct Io {
  Op op = Op::read;
  /// write, write_zeroes, discard: durable before it completes (FUA).
  bool force_unit_access = false;
  std::uint64_t offset_bytes = 0;
  /// Length in bytes of discard, write_zeroes and extent; read and write take data.size().
  std::uint64_t length_bytes = 0;
  /// Answer of extent: these bytes are a hole, which reads as zeroes. False also where the disk
  /// cannot tell.
  bool deallocated = false;
  std::span<std::byte> data;
  /// scsi: the command; owned by the submitter as the rest.
  ScsiExchange* scsi = nullptr;
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
  /// What the device likes best, for initiators to know (VPD page B0h); 0: it does not say.
  std::uint32_t minimum_io_bytes = 0;  ///< transfers in multiples of it are not read-modify-write
  std::uint32_t optimal_io_bytes = 0;
  std::uint32_t discard_granularity_bytes = 0;
  std::uint32_t discard_alignment_bytes = 0;  ///< where the first granule begins
  bool read_only = false;
  bool rotational = false;
  bool can_discard = false;
  bool discard_zeroes = true;  ///< with can_discard: a discarded range reads as zeroes
  bool write_cache = true;     ///< completed writes may be volatile until a flush
  /// A write of no more than this is whole or not at all, for every other request and after every
  /// failure. 0: the disk promises nothing of the kind.
  std::uint32_t max_atomic_write_bytes = 0;
  /// There is a SCSI device behind it: Op::scsi is what it takes, and nothing else. The size is 0
  /// and the block size means nothing where the device has no blocks.
  bool takes_scsi_commands = false;
  /// With takes_scsi_commands: the device looks after reservations as well. It takes all initiators
  /// for one, its own host.
  bool takes_reservations = false;
  /// With takes_scsi_commands: blocks may carry protection information (INQUIRY's PROTECT).
  bool has_protection = false;
  /// With takes_scsi_commands: the most data that one command can carry.
  std::uint32_t max_transfer_bytes = 0;
};

/// The contract of every backstore.
///
/// What a completed request (Io::error is 0) promises:
/// - read: `data` holds what the last completed write, write_zeroes or discard of each byte left. A
///   byte that another request changes meanwhile reads as before or after it, byte by byte, unless
///   Geometry::max_atomic_write_bytes says more.
/// - write: every read submitted from now on sees it. It is durable, that is, it survives a kill of
///   the process and a loss of power, after a flush that was submitted later and completed; or at
///   once with force_unit_access or where Geometry::write_cache is false.
/// - write_zeroes: as a write of zeroes. Whether it allocates or frees space is the disk's choice.
/// - discard: the range reads as zeroes from now on, or as anything where Geometry::discard_zeroes
///   is false; EOPNOTSUPP without can_discard. Durable as a write. The space may be given back, or
///   not.
/// - flush: all that completed before it was submitted is durable. What is under way meanwhile may
///   or may not be.
/// - extent: of the bytes from offset_bytes on, at most length_bytes, it sets length_bytes to how
///   many are alike, and `deallocated` to what they are. Stale as soon as it is given.
/// - scsi: the device answered; what it said is in ScsiExchange, a CHECK CONDITION as well.
///
/// Order: there is none. Requests that are under way together may be carried out in any order and
/// side by side, overlapping ones too; whoever wants an order waits for `done`.
///
/// A request whose `error` is set promises nothing about its range: a failed write may have
/// changed a part of it. A flush that failed may have lost any write since the last good one. The
/// kernel tells that once, and so does the backstore: to the next flush, whatever other requests
/// failed before it. Errors are those of read(2), write(2),
/// fallocate(2) and fsync(2); ETIMEDOUT and ENODEV are a SCSI device that does not answer. No error
/// stops the backstore: the next request is tried like the first. A range that reaches beyond
/// size_bytes is EIO and touches nothing, also when it was inside as it was submitted and the disk
/// has shrunk since. Nothing is retried here.
///
/// submit() never blocks for a disk: what could runs elsewhere (IoPool). All members are called on
/// the event loop's thread, and any number of requests may be outstanding; how many are with the
/// kernel at a time is bounded by the engine. refresh_size() and resize() may be called while
/// requests are under way. A backstore outlives its requests: whoever destroys it has waited for
/// every `done`. There is no cancelling.
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
  /// from here (a block device is resized by its owner: lvresize). What is cut off is gone: should
  /// the disk grow again, zeroes are there.
  virtual Result<void> resize(std::uint64_t size_bytes) = 0;
  /// From now on geometry().read_only, and every change that is submitted ends with EROFS. For
  /// good: something about the disk's content has to be settled before it may change again.
  virtual void refuse_changes() {}
  /// Null where the disk cannot tell. A look at metadata that waits for no disk.
  virtual std::optional<SpaceUse> space_use() const { return std::nullopt; }
};

}  // namespace tsihd::backstore
