// The limits that a disk states in its block limits page and enforces; what a peer may make one
// command do.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tsihd::scsi {

/// COMPARE AND WRITE, in blocks.
inline constexpr std::uint8_t kMaxCompareAndWriteBlocks = 128;
/// WRITE SAME, in blocks: what its ten-byte form can say.
inline constexpr std::uint32_t kMaxWriteSameBlocks = 0xffff;
/// UNMAP: all ranges of one command together.
inline constexpr std::uint64_t kMaxUnmapBytes = 512ull << 20;
inline constexpr std::uint32_t kMaxUnmapDescriptors = 256;
/// GET LBA STATUS: descriptors of one answer, and requests to the disk behind it.
inline constexpr std::uint32_t kMaxLbaStatusDescriptors = 255;
inline constexpr std::uint64_t kMaxLbaStatusRequests = 1024;
/// Parameter lists of MODE SELECT.
inline constexpr std::uint32_t kMaxModeParameterBytes = 1024;
/// WRITE ATOMIC, in blocks, where the disk or its journal takes as much: what its length field can
/// say.
inline constexpr std::uint32_t kMaxAtomicBlocks = 0xffff;
/// SET TARGET PORT GROUPS: a descriptor for each of the groups that a unit can have.
inline constexpr std::size_t kMaxPortGroups = 64;
inline constexpr std::uint32_t kMaxPortGroupListBytes = 4 + 4 * kMaxPortGroups;
/// Parameter lists of PERSISTENT RESERVE OUT: TransportIDs of some 60 initiator ports at the least.
inline constexpr std::uint32_t kMaxReserveOutBytes = 16384;
/// SANITIZE between two ticks: chunks, those of an overwrite of kChunkBytes.
inline constexpr std::uint32_t kSanitizeChunksPerTick = 128;
inline constexpr std::uint64_t kSanitizeEraseBytes = 16ull << 20;
/// Third-party copies, as their operating parameters and the third-party copy page say.
inline constexpr std::uint16_t kMaxCscdDescriptors = 64;
inline constexpr std::uint16_t kMaxSegmentDescriptors = 64;
inline constexpr std::uint32_t kCscdDescriptorBytes = 32;
inline constexpr std::uint32_t kMaxSegmentDescriptorBytes = 28;
inline constexpr std::uint32_t kMaxDescriptorListBytes =
    kMaxCscdDescriptors * kCscdDescriptorBytes +
    kMaxSegmentDescriptors * kMaxSegmentDescriptorBytes;
/// Copies under way, of one I_T nexus and together; each holds one chunk. More are answered BUSY.
inline constexpr std::uint8_t kMaxCopiesOfNexus = 16;
inline constexpr std::size_t kMaxCopies = 64;
/// What a copy moves in one turn of the event loop where the disk is memory; what a command of a
/// copy counts at the least.
inline constexpr std::int64_t kCopyBytesPerTurn = 2 << 20;
inline constexpr std::uint64_t kCopyPartBytes = 32 << 10;
/// Copies that have ended and can still be asked about; the oldest are forgotten first.
inline constexpr std::size_t kMaxCopyRecords = 256;
/// ROD tokens alive, of one initiator and together.
inline constexpr std::size_t kMaxTokensOfInitiator = 64;
inline constexpr std::size_t kMaxTokens = 256;
/// Block device range descriptors of one list, and what one token stands for or one WRITE USING
/// TOKEN moves: short enough to be waited for.
inline constexpr std::uint16_t kMaxRangeDescriptors = 64;
inline constexpr std::uint64_t kMaxTokenBytes = 256ull << 20;
/// How long a token lives without being used.
inline constexpr std::uint32_t kDefaultTokenTimeout_s = 60;
inline constexpr std::uint32_t kMaxTokenTimeout_s = 600;
/// The unit in which the space of a thin disk is counted (log page 0Ch, mode page 1Ch/02h).
inline constexpr std::uint32_t kThresholdSetBytes = 1u << 20;
/// Chunk of commands that look at more than they carry (VERIFY, WRITE SAME).
inline constexpr std::uint32_t kChunkBytes = 1u << 20;

}  // namespace tsihd::scsi
