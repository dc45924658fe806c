#include "target/scsi/passed_transfer.h"

#include <algorithm>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"
#include "target/scsi/operations.h"

namespace tsihd::scsi {
namespace {

using Direction = backstore::ScsiExchange::Direction;

bool is_one_of(std::uint8_t opcode, std::initializer_list<std::uint8_t> opcodes) {
  return std::ranges::find(opcodes, opcode) != opcodes.end();
}

/// READ.
bool reads_blocks(std::uint8_t opcode) { return is_one_of(opcode, {0x08, 0x28, 0x88, 0xa8}); }

/// WRITE, WRITE AND VERIFY, ORWRITE.
bool writes_blocks(std::uint8_t opcode) {
  return is_one_of(opcode, {0x0a, 0x2a, 0x8a, 0xaa, 0x2e, 0x8e, 0xae, 0x8b});
}

/// Where SPC-4 4.3 puts the allocation length of a CDB of this length.
std::uint64_t allocation_length(const std::uint8_t* cdb) {
  constexpr std::uint8_t kInquiry = 0x12;
  switch (cdb_bytes_of(cdb[0])) {
    case 6:
      return cdb[0] == kInquiry ? get16(cdb + 3) : cdb[4];
    case 10:
      return get16(cdb + 7);
    case 12:
      return get32(cdb + 6);
    case 16:
      return get32(cdb + 10);
    default:
      return 0;
  }
}

}  // namespace

Transfer transfer_of(const Task& task) {
  const Command& command = *task.command;
  const std::uint8_t opcode = command.cdb[0];
  const bool reads = reads_blocks(opcode);
  if ((reads || writes_blocks(opcode)) && task.server->geometry().size_bytes > 0)
    return {reads ? Direction::from_device : Direction::to_device, true,
            decode_range(task.cdb()).blocks * task.server->block_bytes()};
  if (command.expected_data_out_bytes > 0)
    return {Direction::to_device, false, command.expected_data_out_bytes};
  if (command.expected_data_in_bytes == 0) return {};
  // Room for all that the device may send: adapters fail a command whose data does not fit.
  const std::uint64_t room =
      std::min<std::uint64_t>(allocation_length(task.cdb()), piece_bytes(*task.server));
  return {Direction::from_device, false,
          std::max<std::uint64_t>(room, command.expected_data_in_bytes)};
}

std::uint32_t piece_bytes(const DeviceServer& server) {
  const auto most = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(server.geometry().max_transfer_bytes, kMaxTransferBytes));
  return most - most % server.block_bytes();
}

std::uint64_t most_bytes(const DeviceServer& server, const Transfer& transfer) {
  const std::uint32_t piece = piece_bytes(server);
  return transfer.blocks && piece > 0 ? kMaxTransferBytes : piece;
}

void set_range(std::uint8_t* cdb, std::uint64_t lba, std::uint64_t blocks) {
  switch (cdb_bytes_of(cdb[0])) {
    case 6:  // 21 bits of the LBA; 0 stands for 256 blocks
      cdb[1] = static_cast<std::uint8_t>((cdb[1] & 0xe0) | (lba >> 16 & 0x1f));
      put16(cdb + 2, lba);
      cdb[4] = static_cast<std::uint8_t>(blocks);
      return;
    case 10:
      put32(cdb + 2, lba);
      return put16(cdb + 7, blocks);
    case 12:
      put32(cdb + 2, lba);
      return put32(cdb + 6, blocks);
    default:
      put64(cdb + 2, lba);
      return put32(cdb + 10, blocks);
  }
}

bool asks_for_missing_protection(const Task& task) {
  constexpr std::uint8_t kProtect = 0xe0;
  const std::uint8_t opcode = task.cdb()[0];
  // READ(6) and WRITE(6) have no such field.
  const bool has_field =
      ((reads_blocks(opcode) || writes_blocks(opcode)) && cdb_bytes_of(opcode) > 6) ||
      // VERIFY, WRITE SAME, COMPARE AND WRITE, WRITE ATOMIC
      is_one_of(opcode, {0x2f, 0x8f, 0xaf, 0x41, 0x93, 0x89, 0x9c});
  const backstore::Geometry& geometry = task.server->geometry();
  return has_field && geometry.size_bytes > 0 && !geometry.has_protection &&
         (task.cdb()[1] & kProtect) != 0;
}

bool wraps(const Task& task) {
  constexpr std::uint8_t kServiceActionIn = 0x9e, kGetLbaStatus = 0x12;
  const std::uint8_t* cdb = task.cdb();
  // Those with an LBA of eight bytes: READ to WRITE SAME, WRITE ATOMIC, GET LBA STATUS.
  const bool has_lba = (cdb[0] >= 0x88 && cdb[0] <= 0x93) || cdb[0] == 0x9c ||
                       (cdb[0] == kServiceActionIn && (cdb[1] & 0x1f) == kGetLbaStatus);
  if (!has_lba || task.server->geometry().size_bytes == 0) return false;
  const BlockRange range = decode_range(cdb);
  return range.lba > UINT64_MAX - std::max<std::uint64_t>(range.blocks, 1);
}

}  // namespace tsihd::scsi
