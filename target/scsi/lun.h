// LUN fields, and the answers of a LUN behind which there is nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "target/scsi/command.h"
#include "target/scsi/logical_unit.h"

namespace tsihd::scsi {

inline constexpr std::uint16_t kMaxLun = 0x3fff;

/// Peripheral device (bus 0) and flat space addressing, single level; null for anything else.
std::optional<std::uint16_t> decode_lun(const std::array<std::byte, 8>& lun);
/// Peripheral addressing below 256, flat above.
std::array<std::byte, 8> encode_lun(std::uint16_t lun);

/// The parameter data of REPORT LUNS. SELECT REPORT 0 and 2 list the map's LUNs, 1 lists the well
/// known ones, of which there are none. Null for other values.
std::optional<std::vector<std::byte>> report_luns_data(const LunMap& luns,
                                                       std::uint8_t select_report);

/// Puts min(data, allocation length, expected) bytes into the command; false when there is no
/// memory for them (the answer is BUSY).
bool put_data_in(Command& command, std::span<const std::byte> data,
                 std::uint64_t allocation_length_bytes);

/// Answers a command to a LUN that is not in the map and ends it.
void answer_unmapped(Command& command, const LunMap& luns);

}  // namespace tsihd::scsi
