// What the journal of atomic writes holds of a write, and what the disk says about it afterwards.
// Bytes in, bytes out: nothing here touches a file.
//
//   offset
//        0  16 bytes   "tsihd atomic w1\n", the number is the format's
//       16   8         where on the disk, in bytes, little endian
//       24   8         how many bytes, little endian
//       32  32         SHA-256 of the unit's serial number
//       64  32         SHA-256 of bytes 0..63 and of all that lies from 512 on but the data
//      512             a digest of every sector as it was, then of every one as it is to be
//    69632             the data
//
// The digests of what is to be are those of the data, so the one SHA-256 covers the entry.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

namespace tsihd::backstore {

/// The least that a disk writes whole, whatever the logical block is: what is compared.
inline constexpr std::size_t kAtomicSectorBytes = 512;
inline constexpr std::uint32_t kMaxAtomicWriteBytes = 1u << 20;
inline constexpr std::size_t kAtomicHeaderBytes = 512;
inline constexpr std::size_t kAtomicDataAt = 68u << 10;
inline constexpr std::size_t kAtomicEntryBytes = kAtomicDataAt + kMaxAtomicWriteBytes;

/// The first half of a SHA-256: equal digests mean equal sectors.
using SectorDigest = std::array<std::byte, 16>;

struct AtomicEntry {
  std::uint64_t offset_bytes = 0;
  std::vector<SectorDigest> before;
  std::vector<SectorDigest> after;
  std::span<const std::byte> data;  ///< in the bytes that the entry was decoded from
};

/// Everything but the data, which belongs at kAtomicDataAt. `before` and `data` are equally long,
/// whole sectors and kMaxAtomicWriteBytes at the most.
std::vector<std::byte> encode_index(const std::string& serial, std::uint64_t offset_bytes,
                                    std::span<const std::byte> before,
                                    std::span<const std::byte> data);

enum class NoEntry : std::uint8_t {
  cleared,       ///< nothing was under way
  torn,          ///< the entry was being written, so the disk had not been touched
  another_disk,  ///< whole, and of a unit with another serial number
};
/// `content` lives as long as the entry.
std::expected<AtomicEntry, NoEntry> decode_entry(std::span<const std::byte> content,
                                                 const std::string& serial);

/// What a disk holds where an atomic write was going.
enum class InPlace : std::uint8_t {
  before,   ///< all of it as it was: nothing reached the medium
  after,    ///< all of it as it was to be
  torn,     ///< some of each
  foreign,  ///< something else: the disk was written by somebody who knew nothing of the write
};
/// `found`: from the entry's offset on; less than its length where the disk is shorter by now.
InPlace compare(const AtomicEntry& entry, std::span<const std::byte> found);

}  // namespace tsihd::backstore
