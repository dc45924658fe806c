// The disk that the scripted target serves: a small one in memory, and as much of SPC and SBC as
// initiators ask for before they trust a disk. Sans-I/O: a CDB in, what it comes to out.
#pragma once

#include <cstdint>
#include <span>

#include "harness/wire/bytes.h"

namespace tsih::initiators {

/// What a command comes to. Of a write, `write_bytes` is what the CDB says, and `data` is empty.
struct ScsiOutcome {
  std::uint8_t status = 0;
  wire::Bytes data;   ///< for the initiator
  wire::Bytes sense;  ///< fixed format, with a status of CHECK CONDITION
  std::uint32_t write_bytes = 0;
  std::uint64_t write_offset = 0;
};

inline constexpr std::uint8_t kGood = 0x00, kCheckCondition = 0x02, kBusy = 0x08,
                              kReservationConflict = 0x18;

/// Fixed format sense data (SPC-4 4.5.3).
wire::Bytes fixed_sense(std::uint8_t key, std::uint8_t asc, std::uint8_t ascq);

class Disk {
 public:
  static constexpr std::uint32_t kBlockBytes = 512;
  static constexpr std::uint32_t kBlocks = 8192;

  /// Every byte tells its place.
  Disk();
  /// Reads happen at once; a write is told where its bytes belong and stored by store(). Only LUN 0
  /// exists.
  ScsiOutcome carry_out(std::uint64_t lun, std::span<const std::uint8_t> cdb) const;
  /// Bytes beyond the end are dropped: carry_out() refused them already.
  void store(std::uint64_t offset, std::span<const std::uint8_t> data);
  std::span<const std::uint8_t> bytes(std::uint64_t offset, std::size_t count) const;

 private:
  wire::Bytes content_;
};

}  // namespace tsih::initiators
