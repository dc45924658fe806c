#include "target/session/tests/sim_workload.h"

#include <algorithm>

#include "target/session/tests/sim_model.h"
#include "target/session/tests/sim_target.h"

namespace tsihd::session::sim {
namespace {

using Kind = Operation::Kind;

Kind random_kind(Random& random) {
  const std::uint32_t dice = random.below(100);
  if (dice < 44) return Kind::read;
  if (dice < 88) return Kind::write;
  if (dice < 92) return Kind::test_ready;
  if (dice < 96) return Kind::inquiry;
  return Kind::synchronise;
}

/// A length other than that of the CDB: none, less, more.
std::uint32_t odd_length(std::uint32_t required_bytes, Random& random) {
  switch (random.below(3)) {
    case 0:
      return 0;
    case 1:
      return required_bytes / kBlockBytes / 2 * kBlockBytes;
    default:
      return required_bytes + random.between(1, 3) * kBlockBytes;
  }
}

}  // namespace

Operation random_operation(const Settings& settings, Random& random) {
  Operation operation;
  operation.kind = random_kind(random);
  operation.immediate = random.chance(20);
  constexpr std::uint8_t kOrdered = 2, kHeadOfQueue = 3;
  if (random.chance(40)) operation.attribute = random.coin() ? kOrdered : kHeadOfQueue;
  switch (operation.kind) {
    case Kind::read:
    case Kind::write:
      operation.blocks = random.chance(20) ? 0 : random.between(1, settings.largest_blocks);
      operation.lba = random.below(kDiskBlocks - operation.blocks + 1);
      operation.long_cdb = random.coin();
      operation.force_unit_access = random.chance(100);
      operation.expected_bytes = operation.blocks * kBlockBytes;
      if (random.chance(60))
        operation.expected_bytes = odd_length(operation.expected_bytes, random);
      break;
    case Kind::inquiry:
      operation.expected_bytes = random.below(260);
      break;
    case Kind::synchronise:
    case Kind::test_ready:
      break;
  }
  return operation;
}

}  // namespace tsihd::session::sim
