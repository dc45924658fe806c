#include "target/scsi/block_limits.h"

#include <algorithm>

#include "target/scsi/device_server.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

std::uint32_t tightened(std::uint32_t own, std::uint32_t configured) {
  return configured == 0 ? own : std::min(own, configured);
}

}  // namespace

BlockLimits block_limits_of(const DeviceServer& server) {
  const backstore::Geometry& geometry = server.geometry();
  const Attributes& configured = server.attributes();
  const std::uint32_t block = geometry.block_size_bytes;
  BlockLimits limits;
  limits.transfer_blocks = kMaxTransferBytes / block;
  const std::uint32_t optimal_bytes =
      geometry.optimal_io_bytes < block ? kMaxTransferBytes : geometry.optimal_io_bytes;
  limits.optimal_transfer_blocks = tightened(std::min(optimal_bytes, kMaxTransferBytes) / block,
                                             configured.optimal_transfer_blocks);
  limits.write_same_blocks = tightened(kMaxWriteSameBlocks, configured.max_write_same_blocks);
  limits.unmap_blocks = tightened(kMaxUnmapBytes / block, configured.max_unmap_blocks);
  limits.unmap_descriptors = tightened(kMaxUnmapDescriptors, configured.max_unmap_descriptors);
  limits.unmap_granularity_blocks = configured.unmap_granularity_blocks;
  limits.unmap_alignment_blocks = configured.unmap_alignment_blocks;
  if (limits.unmap_granularity_blocks == 0) {
    limits.unmap_granularity_blocks =
        std::max(geometry.physical_block_bytes, geometry.discard_granularity_bytes) / block;
    limits.unmap_alignment_blocks = geometry.discard_alignment_bytes / block;
  }
  limits.unmap_alignment_blocks %= limits.unmap_granularity_blocks;
  return limits;
}

}  // namespace tsihd::scsi
