// One SCSI command as its initiator keeps it: what was asked, what has come of it, and the rules
// that each PDU of the target for it must keep.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "target/session/tests/sim_events.h"
#include "target/wire/pdu.h"

namespace tsihd::session::sim {

using Bytes = std::vector<std::byte>;

/// What both have agreed on, as the initiator understood it.
struct Agreement {
  bool header_digest = false;
  bool data_digest = false;
  bool initial_r2t = true;
  bool immediate_data = true;
  std::uint32_t first_burst_bytes = 65536;
  std::uint32_t max_burst_bytes = 262144;
  std::uint32_t initiator_segment_bytes = 8192;
  std::uint32_t target_segment_bytes = 8192;
  std::uint32_t max_outstanding_r2t = 1;
  std::uint32_t max_connections = 1;
  bool data_pdu_in_order = true;
  bool data_sequence_in_order = true;
  std::uint32_t time2wait_s = 2;
  std::uint32_t time2retain_s = 20;
  std::uint32_t error_recovery_level = 0;
};

/// What is to be done; it outlives the commands that try it.
struct Operation {
  enum class Kind : std::uint8_t { read, write, test_ready, inquiry, synchronise };
  Kind kind = Kind::test_ready;
  std::uint32_t lba = 0;
  std::uint32_t blocks = 0;
  /// Expected Data Transfer Length; what the CDB asks for, but for tests of residual counts.
  std::uint32_t expected_bytes = 0;
  bool long_cdb = false;  ///< READ(16) and WRITE(16)
  bool immediate = false;
  bool force_unit_access = false;
  std::uint8_t attribute = 1;  ///< simple
  bool reads() const { return kind == Kind::read || kind == Kind::inquiry; }
  bool writes() const { return kind == Kind::write; }
};

/// A run of numbers (SNACK's BegRun and RunLength).
struct Run {
  std::uint32_t first = 0;
  std::uint32_t length = 0;
};

struct Command {
  Command(const Operation& operation, std::uint32_t initiator_task_tag);

  /// Bytes that the CDB calls for.
  std::uint32_t required_bytes() const;
  /// Blocks that the command may write.
  std::uint32_t blocks_written() const;

  // The target's PDUs for this command. Each throws Failure when it breaks a rule. `strict`:
  // nothing was lost and nothing is asked for again, so all comes once and in order. False when the
  // PDU repeats what has come.
  bool take_data_in(const wire::DataInBhs& bhs, std::span<const std::byte> data,
                    const Agreement& agreement, bool strict);
  bool take_r2t(const wire::R2tBhs& bhs, const Agreement& agreement, bool strict);
  /// The status that ends it, from a SCSI Response or a Data-In PDU.
  void check_end(bool strict) const;
  /// Its connection is gone: what was under way on it will not come.
  void cast_adrift();

  /// The first run of numbers that has not come, of those that are known to have been sent.
  std::optional<Run> missing() const;
  /// All that has come so far: numbers 0 to this, without holes.
  std::uint32_t exp_data_sn() const;

  /// How it ended, according to the target.
  struct End {
    std::uint8_t status = 0;
    std::uint8_t flags = 0;
    std::uint32_t residual_bytes = 0;
    std::uint32_t stat_sn = 0;
    std::uint32_t data_count = 0;  ///< Data-In and R2T PDUs in all
    bool by_response = false;      ///< a SCSI Response said so, with ExpDataSN
    Bytes sense;
  };

  Operation operation;
  wire::ScsiCommandBhs bhs;
  Bytes out;                            ///< what a write sends, expected_bytes of it
  std::uint32_t immediate_bytes = 0;    ///< of them in the command's own PDU
  std::uint32_t unsolicited_bytes = 0;  ///< of them up to the end of the first burst
  std::uint64_t stamp = 0;              ///< of a write
  std::uint64_t issued = 0;             ///< the model's moment
  std::uint16_t cid = 0;                ///< the connection that it is allegiant to

  Bytes in;  ///< what a read has got
  std::uint32_t in_bytes = 0;
  std::vector<bool> numbers_seen;  ///< DataSN and R2TSN; they share one count (10.4.8)
  std::map<std::uint32_t, wire::R2tBhs> open_r2ts;  ///< by Target Transfer Tag
  std::optional<End> end;                           ///< has come; it counts when no data is missing
  bool adrift = false;         ///< allegiant to no connection, waits for TASK REASSIGN
  bool maybe_aborted = false;  ///< the answer to a task management function was lost
  Instant progress{};          ///< when something last came of it
  Instant asked{};             ///< when a SNACK for its data was sent
  std::optional<wire::DataInBhs> acknowledge;  ///< its A bit waits for the data before it

 private:
  bool note_number(std::uint32_t number, std::string_view what, bool strict);
  void check_data_in(const wire::DataInBhs& data_in, std::uint32_t bytes,
                     const Agreement& agreement) const;
  void check_data_in_order(const wire::DataInBhs& data_in, std::uint32_t bytes,
                           const Agreement& agreement);
  [[noreturn]] void broken(std::string_view rule, std::uint64_t value) const;

  std::vector<bool> covered_;         ///< of `in`, by four-byte word
  std::uint32_t next_in_bytes_ = 0;   ///< Buffer Offset of the next Data-In of the sequence
  std::uint32_t sequence_bytes_ = 0;  ///< of the Data-In sequence under way
  std::uint32_t next_r2t_bytes_ = 0;  ///< Buffer Offset of the next R2T in sequence order
};

}  // namespace tsihd::session::sim
