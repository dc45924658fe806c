// The limits that a disk states in its block limits page and enforces; what a peer may make one
// command do.
#pragma once

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
/// WRITE ATOMIC, in blocks, where the backstore promises as much: what its length field can say.
inline constexpr std::uint32_t kMaxAtomicBlocks = 0xffff;
/// Parameter lists of PERSISTENT RESERVE OUT: TransportIDs of some 60 initiator ports at the least.
inline constexpr std::uint32_t kMaxReserveOutBytes = 16384;
/// SANITIZE between two ticks: chunks, those of an overwrite of kChunkBytes.
inline constexpr std::uint32_t kSanitizeChunksPerTick = 128;
inline constexpr std::uint64_t kSanitizeEraseBytes = 16ull << 20;
/// Chunk of commands that look at more than they carry (VERIFY, WRITE SAME).
inline constexpr std::uint32_t kChunkBytes = 1u << 20;

}  // namespace tsihd::scsi
