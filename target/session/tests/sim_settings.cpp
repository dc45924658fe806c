#include "target/session/tests/sim_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "target/session/tests/sim_random.h"

namespace tsihd::session::sim {
namespace {

constexpr std::array<std::uint32_t, 6> kSegments{512, 1024, 1536, 4096, 8192, 65536};
constexpr std::array<std::uint32_t, 6> kBursts{512, 1024, 2560, 8192, 16384, 262144};

void choose_keys(Settings& it, Random& random) {
  it.error_recovery_level = random.below(kSimulated.error_recovery_level + 1);
  it.connections = random.coin() ? 1 : random.between(1, kSimulated.connections);
  it.header_digest = random.coin();
  it.data_digest = random.coin();
  it.initial_r2t = random.coin();
  it.immediate_data = random.coin();
  it.max_burst_bytes = random.pick(kBursts);
  it.first_burst_bytes = std::min(random.pick(kBursts), it.max_burst_bytes);
  it.initiator_segment_bytes = random.pick(kSegments);
  it.target_segment_bytes = random.pick(kSegments);
  it.max_outstanding_r2t = random.pick(std::array<std::uint32_t, 4>{1, 1, 2, 8});
  it.data_pdu_in_order = !kSimulated.pdus_out_of_order || random.coin();
  it.data_sequence_in_order = !kSimulated.sequences_out_of_order || random.coin();
  it.time2wait_s = random.below(3);
  it.time2retain_s = random.pick(std::array<std::uint32_t, 3>{0, 3, 20});
}

void choose_load(Settings& it, Random& random) {
  it.operations = random.between(5, 60);
  it.queue_depth = random.pick(std::array<std::uint32_t, 4>{1, 4, 12, 40});
  it.command_window = random.pick(std::array<std::uint32_t, 4>{1, 3, 16, 64});
  it.largest_blocks = random.pick(std::array<std::uint32_t, 4>{4, 8, 24, 96});
  constexpr std::uint32_t kBeforeWrap = 0xfffffff0, kBeforeSign = 0x7ffffff0;
  const std::array<std::uint32_t, 4> starts{1, kBeforeWrap, kBeforeSign, 0};
  it.first_cmd_sn = random.pick(starts);
  it.first_exp_stat_sn = random.pick(starts);
}

void choose_surroundings(Settings& it, Random& random) {
  it.slowest_wire = microseconds(random.pick(std::array<std::uint32_t, 3>{10, 1000, 20000}));
  it.slowest_disk = microseconds(random.pick(std::array<std::uint32_t, 3>{10, 5000, 200000}));
  it.piece_bytes = random.pick(std::array<std::uint32_t, 5>{7, 61, 1000, 8192, 65536});
  it.buffer_bytes = random.pick(std::array<std::uint32_t, 3>{500, 8192, 262144});
}

/// One seed in three has no fault at all; the others have some of the kinds.
void choose_faults(Settings& it, Random& random) {
  if (random.below(3) == 0) return;
  const auto some = [&](std::uint32_t most) { return random.coin() ? random.between(1, most) : 0; };
  Faults& faults = it.faults;
  faults.cut_per_connection = some(700);
  faults.stall_per_piece = some(5);
  if (it.header_digest) faults.header_to_target = some(4);
  if (it.data_digest) faults.data_to_target = some(10);
  if (it.data_digest) faults.data_to_initiator = some(10);
  // A PDU is lost when a digest says that it is not to be used, and somebody can ask for it again.
  if (it.error_recovery_level > 0 && it.header_digest) {
    faults.lost_to_target = some(20);
    faults.lost_to_initiator = some(20);
  }
}

}  // namespace

Settings::Settings(std::uint64_t of_seed) : seed(of_seed) {
  Random random(seed * 0x2545f4914f6cdd1d + 1);
  choose_keys(*this, random);
  choose_load(*this, random);
  choose_surroundings(*this, random);
  choose_faults(*this, random);
}

std::string Settings::summary() const {
  const auto yes = [](bool is) { return is ? "Yes" : "No"; };
  return fmt::format(
      "seed {}: ErrorRecoveryLevel={} connections={} digests={}{} InitialR2T={} ImmediateData={} "
      "FirstBurst={} MaxBurst={} segments={}/{} MaxOutstandingR2T={} DataPDUInOrder={} "
      "DataSequenceInOrder={} Time2Wait={} Time2Retain={}; {} operations, depth {}, window {}; "
      "wire "
      "{} us, disk {} us, pieces {}, buffer {}; lost {}/{} header {} data {}/{} cut {} stall {}",
      seed, error_recovery_level, connections, header_digest ? "H" : "", data_digest ? "D" : "",
      yes(initial_r2t), yes(immediate_data), first_burst_bytes, max_burst_bytes,
      initiator_segment_bytes, target_segment_bytes, max_outstanding_r2t, yes(data_pdu_in_order),
      yes(data_sequence_in_order), time2wait_s, time2retain_s, operations, queue_depth,
      command_window, slowest_wire.count(), slowest_disk.count(), piece_bytes, buffer_bytes,
      faults.lost_to_target, faults.lost_to_initiator, faults.header_to_target,
      faults.data_to_target, faults.data_to_initiator, faults.cut_per_connection,
      faults.stall_per_piece);
}

}  // namespace tsihd::session::sim
