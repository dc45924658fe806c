// What a seed stands for: the keys of its session, its load, its faults.
#pragma once

#include <cstdint>
#include <string>

#include "target/session/tests/sim_events.h"

namespace tsihd::session::sim {

/// What of RFC 3720 is simulated, for every seed: as far as the target offers it.
struct Simulated {
  std::uint32_t connections;
  std::uint32_t error_recovery_level;
  bool pdus_out_of_order;       ///< DataPDUInOrder=No
  bool sequences_out_of_order;  ///< DataSequenceInOrder=No
};
inline constexpr Simulated kSimulated{.connections = 4,
                                      .error_recovery_level = 2,
                                      .pdus_out_of_order = true,
                                      .sequences_out_of_order = true};

/// Chances of a fault, per mille of the PDUs (or commands) that it may befall.
struct Faults {
  std::uint32_t lost_to_target = 0;      ///< a PDU of ours never arrives
  std::uint32_t lost_to_initiator = 0;   ///< one of the target's
  std::uint32_t header_to_target = 0;    ///< arrives with a wrong header digest
  std::uint32_t data_to_target = 0;      ///< ... a wrong data digest
  std::uint32_t data_to_initiator = 0;   ///< one of the target's
  std::uint32_t cut_per_connection = 0;  ///< a connection dies after some bytes
  std::uint32_t stall_per_piece = 0;     ///< the peer reads nothing for a while
};

struct Settings {
  explicit Settings(std::uint64_t of_seed);
  std::string summary() const;

  std::uint64_t seed;

  // what the initiator proposes; the target offers more, so these are mostly the result
  std::uint32_t error_recovery_level = 0;
  std::uint32_t connections = 1;
  bool header_digest = false;
  bool data_digest = false;
  bool initial_r2t = true;
  bool immediate_data = true;
  std::uint32_t first_burst_bytes = 65536;
  std::uint32_t max_burst_bytes = 262144;
  std::uint32_t initiator_segment_bytes = 8192;  ///< MaxRecvDataSegmentLength that we declare
  std::uint32_t target_segment_bytes = 8192;     ///< ... that the target is to declare
  std::uint32_t max_outstanding_r2t = 1;
  bool data_pdu_in_order = true;
  bool data_sequence_in_order = true;
  std::uint32_t time2wait_s = 0;
  std::uint32_t time2retain_s = 20;

  // the load
  std::uint32_t operations = 0;
  std::uint32_t queue_depth = 1;      ///< of the initiator
  std::uint32_t command_window = 64;  ///< of the target
  std::uint32_t largest_blocks = 16;
  std::uint32_t first_cmd_sn = 1;
  std::uint32_t first_exp_stat_sn = 0;

  // the surroundings
  microseconds slowest_wire{0};
  microseconds slowest_disk{0};
  std::uint32_t piece_bytes = 65536;   ///< most that one read takes
  std::uint32_t buffer_bytes = 65536;  ///< of the target's socket
  Faults faults;
};

}  // namespace tsihd::session::sim
