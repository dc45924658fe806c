// The limits of one unit that its block limits page states and its handlers keep: the target's own
// (limits.h), tightened by what the configuration says.
#pragma once

#include <cstdint>

namespace tsihd::scsi {

class DeviceServer;

struct BlockLimits {
  std::uint32_t transfer_blocks = 0;
  std::uint32_t optimal_transfer_blocks = 0;
  std::uint32_t write_same_blocks = 0;
  std::uint32_t unmap_blocks = 0;  ///< all ranges of one command together
  std::uint32_t unmap_descriptors = 0;
  std::uint32_t unmap_granularity_blocks = 0;
  std::uint32_t unmap_alignment_blocks = 0;
};

BlockLimits block_limits_of(const DeviceServer& server);

}  // namespace tsihd::scsi
