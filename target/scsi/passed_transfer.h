// What a command that is passed to a SCSI device moves, read from its CDB: which way, how much, and
// in how many pieces, for an adapter may carry less at a time than the target takes in one command.
#pragma once

#include <cstdint>

#include "target/backstore/backstore.h"
#include "target/scsi/task.h"

namespace tsihd::scsi {

struct Transfer {
  backstore::ScsiExchange::Direction direction = backstore::ScsiExchange::Direction::none;
  /// Logical blocks from or to the LBA of its CDB: READ, WRITE and those that are like them.
  bool blocks = false;
  std::uint64_t bytes = 0;
};

/// For the commands that read and write blocks the CDB says it, for others the initiator's expected
/// length does, and room is made for the allocation length.
Transfer transfer_of(const Task& task);
/// The most that this unit moves for such a transfer.
std::uint64_t most_bytes(const DeviceServer& server, const Transfer& transfer);
/// The most that the adapter carries at a time, whole blocks.
std::uint32_t piece_bytes(const DeviceServer& server);
/// Points a CDB whose transfer is in blocks at another range. `blocks` is no more than it had.
void set_range(std::uint8_t* cdb, std::uint64_t lba, std::uint64_t blocks);
/// True when the CDB asks for protection information that the device has not: RDPROTECT, WRPROTECT,
/// VRPROTECT or ORPROTECT is set and INQUIRY's PROTECT is not. SBC-3 5 refuses that command by
/// command; some devices ignore it, and then move less than the initiator thinks.
bool asks_for_missing_protection(const Task& task);

/// True when the LBA is so large that its range ends beyond what 64 bits count: out of range for
/// any device, whatever its size is by now. Linux's scsi_debug, for one, brings its kernel down
/// over it.
bool wraps(const Task& task);

}  // namespace tsihd::scsi
