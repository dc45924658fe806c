// The parameter list of EXTENDED COPY: CSCD descriptors say which units take part, segment
// descriptors what is moved between them (SPC-4 6.4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "target/scsi/copy_operation.h"
#include "target/scsi/limits.h"
#include "target/scsi/sense.h"

namespace tsihd::scsi {

class LunMap;

/// Descriptor type codes that are understood; ascending, as they are reported.
inline constexpr std::uint8_t kBlockToBlock = 0x02;
inline constexpr std::uint8_t kVerifyCscd = 0x07;
inline constexpr std::uint8_t kIdentificationCscd = 0xe4;
inline constexpr std::array<std::uint8_t, 3> kCopyDescriptors{kBlockToBlock, kVerifyCscd,
                                                              kIdentificationCscd};
/// The CSCD descriptor ID of the unit that takes the command.
inline constexpr std::uint16_t kThisUnitCscd = 0xffff;

inline constexpr std::uint32_t kCopyHeaderBytesLid1 = 16;
inline constexpr std::uint32_t kCopyHeaderBytesLid4 = 48;

/// Reads the whole list; nothing has been copied when it fails. A CSCD that cannot be reached, and
/// a segment that cannot be done, fail only when their turn comes: what precedes them is copied.
/// `luns` are what the nexus sees, `own` is the unit that took the command.
std::expected<CopyRequest, Sense> read_copy_list(std::span<const std::byte> list, bool lid4,
                                                 const LunMap& luns, DeviceServer& own);

/// The unit as an identification CSCD descriptor.
void put_cscd_descriptor(std::span<std::byte, kCscdDescriptorBytes> to, const DeviceServer& unit);

/// The entry of the map that leads to this unit; a party without a unit when none does.
CopyParty party_of(const LunMap& luns, const DeviceServer& unit);

}  // namespace tsihd::scsi
