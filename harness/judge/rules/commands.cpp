// SCSI Command PDUs: tags, directions, immediate data, additional headers (RFC 3720 10.2.2, 10.3).
#include <algorithm>

#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kTaskRequests =
    pdus(Opcode::nop_out, Opcode::scsi_command, Opcode::task_management_request,
         Opcode::text_request, Opcode::logout_request);
constexpr std::uint8_t kExtendedCdb = 1, kBidirectionalReadLength = 2;

// An initiator may use a tag again when the answer has reached it, so not before it passed here.
Ruling tag_is_unique(const Moment& m) {
  if (m.pdu.u32(field::initiator_task_tag) == wire::kReservedTag) return Ruling::aside();
  if (m.pdu.is(Opcode::text_request) && m.pdu.u32(field::target_transfer_tag) != wire::kReservedTag)
    return Ruling::aside();  // goes on with its sequence
  if (!m.task || is_retry(m)) return Ruling::kept();
  if (!m.task->whole) return Ruling::unseen();
  if (m.pdu.is(Opcode::text_request) && m.task->is(TaskKind::text)) return Ruling::aside();
  return Ruling::broken(
      "a tag that no living task has",
      fmt::format("Initiator Task Tag {} of the {} in frame {}",
                  hex(m.pdu.u32(field::initiator_task_tag)),
                  wire::opcode_name(m.task->request.opcode()), m.task->place.frame));
}

Ruling retry_is_the_same(const Moment& m) {
  if (!is_retry(m)) return Ruling::aside();
  const Pdu& first = m.task->request;
  const bool same = first[field::lun] == m.pdu[field::lun] && first.header[1] == m.pdu.header[1] &&
                    first[field::cdb_high] == m.pdu[field::cdb_high] &&
                    first[field::cdb_low] == m.pdu[field::cdb_low];
  if (same) return Ruling::kept();
  return Ruling::broken(fmt::format("a retry as the command in frame {}", m.task->place.frame),
                        "other flags, LUN or CDB");
}

Ruling retry_fills_a_gap(const Moment& m) {
  if (!is_retry(m)) return Ruling::aside();
  const std::uint32_t number = m.pdu.u32(field::cmd_sn);
  if (m.session.exp_cmd_sn && serial_distance(number, *m.session.exp_cmd_sn) >= 0)
    return Ruling::kept();
  // An acknowledgement may have been on its way, but not one that this PDU acknowledges itself.
  for (const NumberedResponse& response : m.connection.responses)
    if (serial_distance(m.pdu.u32(field::exp_stat_sn), response.stat_sn) > 0 &&
        serial_distance(response.exp_cmd_sn, number) > 0)
      return Ruling::broken(
          fmt::format("a retry only for a gap below ExpCmdSN {}", response.exp_cmd_sn),
          fmt::format("one of CmdSN {}", number));
  return Ruling::unseen();
}

Ruling retry_keeps_its_connection(const Moment& m) {
  if (!is_retry(m)) return Ruling::aside();
  const unsigned old = m.task->connection;
  if (old == m.connection.number || m.session.logged_out.contains(old)) return Ruling::kept();
  if (!m.session.tasks_known) return Ruling::unseen();
  return Ruling::broken("a retry on the connection of the command, which was not logged out",
                        "another");
}

std::uint32_t expected_bytes(const Moment& m) {
  return m.pdu.u32(field::expected_data_transfer_length);
}
bool reads(const Moment& m) { return m.pdu[field::read] != 0; }
bool writes(const Moment& m) { return m.pdu[field::write] != 0; }

Ruling data_has_a_direction(const Moment& m) {
  if (expected_bytes(m) == 0) return Ruling::aside();
  if (reads(m) || writes(m)) return Ruling::kept();
  return Ruling::broken(
      fmt::format("R or W with an Expected Data Transfer Length of {}", expected_bytes(m)),
      "neither");
}

Ruling final_when_all_data_is_immediate(const Moment& m) {
  if (!writes(m) || m.seen.data_bytes != expected_bytes(m)) return Ruling::aside();
  if (m.pdu[field::final]) return Ruling::kept();
  return Ruling::broken("F, since no data follows", "F clear");
}

Ruling is_final_or_writes(const Moment& m) {
  if (m.pdu[field::final] || writes(m)) return Ruling::kept();
  return Ruling::broken("W or F", "neither");
}

Ruling not_final_only_for_unsolicited_writes(const Moment& m) {
  if (m.pdu[field::final]) return Ruling::aside();
  if (!m.session.known_from_start) return Ruling::unseen();
  if (writes(m) && !m.session.parameters.initial_r2t) return Ruling::kept();
  return Ruling::broken("F, since no unsolicited Data-Out is allowed here", "F clear");
}

Ruling immediate_data_is_agreed(const Moment& m) {
  if (m.seen.data_bytes == 0) return Ruling::aside();
  if (!m.session.known_from_start) return Ruling::unseen();
  if (m.session.parameters.immediate_data) return Ruling::kept();
  return Ruling::broken("no immediate data with ImmediateData=No",
                        fmt::format("{} bytes", m.seen.data_bytes));
}

Ruling immediate_data_is_a_write(const Moment& m) {
  if (m.seen.data_bytes == 0) return Ruling::aside();
  if (writes(m) && m.seen.data_bytes <= expected_bytes(m)) return Ruling::kept();
  return Ruling::broken("immediate data of a write, at most what it expects to transfer",
                        fmt::format("{} bytes, W={}, Expected Data Transfer Length {}",
                                    m.seen.data_bytes, m.pdu[field::write], expected_bytes(m)));
}

Ruling first_burst_holds_immediate_data(const Moment& m) {
  if (m.seen.data_bytes == 0) return Ruling::aside();
  if (!m.session.known_from_start) return Ruling::unseen();
  const std::uint32_t most = m.session.parameters.first_burst_bytes;
  if (m.seen.data_bytes <= most) return Ruling::kept();
  return Ruling::broken(fmt::format("immediate data within the FirstBurstLength of {}", most),
                        fmt::format("{} bytes", m.seen.data_bytes));
}

// What changes a device's position or state, by operation code and by the devices that have it:
// tapes and media changers (SSC, SMC). A capture does not tell the type of a device, so codes that
// mean something harmless on a disk are left out.
Ruling state_is_changed_in_order(const Moment& m) {
  constexpr std::uint8_t kSpace6 = 0x11, kSpace16 = 0x91, kMoveMedium = 0xa5,
                         kExchangeMedium = 0xa6;
  const std::uint8_t code = m.pdu.header[32];
  if (code != kSpace6 && code != kSpace16 && code != kMoveMedium && code != kExchangeMedium)
    return Ruling::aside();
  if (!m.pdu[field::immediate]) return Ruling::kept();
  return Ruling::broken("SPACE, MOVE MEDIUM or EXCHANGE MEDIUM as a non-immediate command",
                        fmt::format("operation code 0x{:02x} with I", code));
}

// The operation code's group tells the length of a CDB; only variable length CDBs are longer
// than 16.
Ruling long_cdb_has_its_header(const Moment& m) {
  constexpr std::uint8_t kVariableLength = 0x7f;
  constexpr unsigned kFixedBytes = 8, kFieldBytes = 16;  // SPC-4 4.2.3
  if (m.pdu.header[32] != kVariableLength) return Ruling::aside();
  const unsigned bytes = kFixedBytes + m.pdu.header[32 + 7];
  if (bytes <= kFieldBytes) return Ruling::aside();
  for (std::size_t at = 0; at + 4 <= m.pdu.ahs.size();) {
    const std::size_t length = m.pdu.ahs[at] << 8 | m.pdu.ahs[at + 1];
    // AHSLength counts the reserved byte and the rest of the CDB (10.2.2.3).
    if (m.pdu.ahs[at + 2] == 1 && length == bytes - kFieldBytes + 1) return Ruling::kept();
    at += (length + 3 + 3) / 4 * 4;
  }
  return Ruling::broken(
      fmt::format("an Extended CDB header with the rest of a CDB of {} bytes", bytes),
      "none, or another length");
}

// Calls `look` with each additional header's type and its bytes from the type's on. False when
// their lengths do not fit together.
template <class Look>
bool for_each_ahs(const Pdu& pdu, Look look) {
  std::span<const std::uint8_t> rest(pdu.ahs);
  while (!rest.empty()) {
    if (rest.size() < 4) return false;
    const std::size_t length = rest[0] << 8 | rest[1];
    const std::size_t whole = (length + 3 + 3) / 4 * 4;
    if (length == 0 || whole > rest.size()) return false;
    look(rest[2], rest.subspan(3, length));
    rest = rest.subspan(whole);
  }
  return true;
}

Ruling bidirectional_says_its_read_length(const Moment& m) {
  if (!reads(m) || !writes(m)) return Ruling::aside();
  bool said = false;
  for_each_ahs(m.pdu, [&](std::uint8_t type, auto) { said |= type == kBidirectionalReadLength; });
  if (said) return Ruling::kept();
  return Ruling::broken("an additional header with the read length of a bidirectional command",
                        "none");
}

Ruling extended_cdb_is_long(const Moment& m) {
  if (m.pdu.ahs.empty()) return Ruling::aside();
  std::size_t least = SIZE_MAX;
  const bool whole = for_each_ahs(m.pdu, [&](std::uint8_t type, auto bytes) {
    if (type == kExtendedCdb) least = std::min(least, bytes.size());
  });
  if (!whole) return Ruling::broken("additional headers that fill TotalAHSLength", "others");
  if (least == SIZE_MAX) return Ruling::aside();
  // AHSLength is CDBLength - 15 (10.2.2.3).
  if (least >= 2) return Ruling::kept();
  return Ruling::broken("an Extended CDB of 17 bytes and more", fmt::format("{}", least + 15));
}

// The first instance of a retried command may still turn up: a number that lies 2^31 behind it
// would make it look new.
Ruling numbers_keep_close_to_a_retry(const Moment& m) {
  constexpr std::int64_t kMostAhead = (std::int64_t{1} << 31) - 1;
  if (m.pdu[field::immediate] || m.session.retries.empty() || !m.session.next_cmd_sn)
    return Ruling::aside();
  const std::int32_t step = serial_distance(m.pdu.u32(field::cmd_sn), *m.session.next_cmd_sn);
  for (const auto& [connection, retry] : m.session.retries)
    if (static_cast<std::int64_t>(retry.advanced) + step > kMostAhead)
      return Ruling::broken("CmdSN at most 2^31 - 1 beyond that of a retry which may turn up again",
                            fmt::format("one of {} beyond", retry.advanced + step));
  return Ruling::kept();
}

constexpr std::uint64_t kCommand = pdus(Opcode::scsi_command);

constexpr Rule kRules[] = {
    {"command.tag_unique",
     {"R3720-10.2.1.8-01", "R3720-10.2.1.8-l02"},
     Judged::initiator,
     kTaskRequests,
     tag_is_unique},
    {"command.retry_same", {"R3720-6.2.1-03"}, Judged::initiator, kCommand, retry_is_the_same},
    {"command.retry_fills_gap", {"R3720-6.2.1-01"}, Judged::initiator, kCommand, retry_fills_a_gap},
    {"command.retry_connection",
     {"R3720-6.2.1-04"},
     Judged::initiator,
     kCommand,
     retry_keeps_its_connection},
    {"command.retry_not_overtaken",
     {"R3720-3.2.2.1-11"},
     Judged::initiator,
     kTaskRequests,
     numbers_keep_close_to_a_retry},
    {"command.direction", {"R3720-10.3.1-01"}, Judged::initiator, kCommand, data_has_a_direction},
    {"command.final_with_all_data",
     {"R3720-10.3.4-02"},
     Judged::initiator,
     kCommand,
     final_when_all_data_is_immediate},
    {"command.final_or_write",
     {"R3720-10.3.1-l01"},
     Judged::initiator,
     kCommand,
     is_final_or_writes},
    {"command.not_final",
     {"R3720-10.8-01"},
     Judged::initiator,
     kCommand,
     not_final_only_for_unsolicited_writes},
    {"command.immediate_data_agreed",
     {"R3720-12.11-01", "R3720-12.11-02"},
     Judged::initiator,
     kCommand,
     immediate_data_is_agreed},
    {"command.immediate_data_of_write",
     {"R3720-3.2.4.3-01"},
     Judged::initiator,
     kCommand,
     immediate_data_is_a_write},
    {"command.immediate_data_fits",
     {"R3720-12.12-01", "R3720-10.7.1-02"},
     Judged::initiator,
     kCommand,
     first_burst_holds_immediate_data},
    {"command.bidirectional_length",
     {"R3720-10.3.4-01"},
     Judged::initiator,
     kCommand,
     bidirectional_says_its_read_length},
    {"command.extended_cdb",
     {"R3720-10.2.2.3-01"},
     Judged::initiator,
     kCommand,
     extended_cdb_is_long},
    {"command.long_cdb", {"R3720-10.3.5-01"}, Judged::initiator, kCommand, long_cdb_has_its_header},
    {"command.state_change",
     {"R3720-9.6-01"},
     Judged::initiator,
     kCommand,
     state_is_changed_in_order},
};

}  // namespace

std::span<const Rule> command_rules() { return kRules; }

}  // namespace tsih::judge
