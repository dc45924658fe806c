// CmdSN, ExpCmdSN, MaxCmdSN, StatSN, ExpStatSN (RFC 3720 3.2.2.1, 3.2.2.2).
#include <algorithm>

#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kNumberedRequests =
    pdus(Opcode::nop_out, Opcode::scsi_command, Opcode::task_management_request,
         Opcode::text_request, Opcode::logout_request);

// Commands of several connections may overtake each other on their way here: the whole session's
// sequence is only judged on one.
Ruling command_number_follows(const Moment& m) {
  if (m.pdu[field::immediate] || is_retry(m)) return Ruling::aside();
  const std::uint32_t number = m.pdu.u32(field::cmd_sn);
  if (m.session.connections_ever > 1) {
    const auto& last = m.connection.last_cmd_sn;
    if (!last) return Ruling::unseen();
    if (serial_distance(number, *last) > 0) return Ruling::kept();
    if (m.session.parameters.error_recovery_level > 0) return Ruling::unseen();  // a retry
    return Ruling::broken(fmt::format("a CmdSN above {}, the last on this connection", *last),
                          fmt::format("{}", number));
  }
  if (!m.session.next_cmd_sn) return Ruling::unseen();
  return equal("CmdSN", *m.session.next_cmd_sn, number);
}

// One counter for all connections of a session: no number is used twice.
Ruling command_number_is_the_sessions(const Moment& m) {
  if (m.pdu[field::immediate] || is_retry(m) || m.session.connections_ever < 2)
    return Ruling::aside();
  const auto& next = m.session.next_cmd_sn;
  if (!next || !m.session.tasks_known) return Ruling::unseen();
  const auto& used = m.session.numbers_used;
  const std::uint32_t number = m.pdu.u32(field::cmd_sn);
  const std::int32_t back = serial_distance(*next, number);
  if (back <= 0) return Ruling::kept();
  if (back > static_cast<std::int32_t>(used.size())) return Ruling::unseen();
  if (!used[number % used.size()]) return Ruling::kept();
  if (m.session.parameters.error_recovery_level > 0) return Ruling::unseen();  // a retry
  return Ruling::broken("a CmdSN that no other command of the session has",
                        fmt::format("{}", number));
}

Ruling immediate_carries_current_number(const Moment& m) {
  if (!m.pdu[field::immediate]) return Ruling::aside();
  if (!m.session.next_cmd_sn || m.session.connections_ever > 1) return Ruling::unseen();
  return equal("an immediate command with the current CmdSN", *m.session.next_cmd_sn,
               m.pdu.u32(field::cmd_sn));
}

Ruling command_is_in_window(const Moment& m) {
  if (m.pdu[field::immediate]) return Ruling::aside();
  if (!m.session.max_cmd_sn) return Ruling::unseen();
  const std::uint32_t number = m.pdu.u32(field::cmd_sn);
  if (serial_distance(number, *m.session.max_cmd_sn) <= 0) return Ruling::kept();
  return Ruling::broken(fmt::format("a CmdSN up to MaxCmdSN {}", *m.session.max_cmd_sn),
                        fmt::format("{}", number));
}

Ruling acknowledges_only_what_came(const Moment& m) {
  if (m.pdu.is(Opcode::login_request) && m.connection.login.requests == 0) return Ruling::aside();
  if (!m.connection.next_stat_sn) return Ruling::unseen();
  const std::uint32_t expected = m.pdu.u32(field::exp_stat_sn);
  if (serial_distance(expected, *m.connection.next_stat_sn) <= 0) return Ruling::kept();
  return Ruling::broken(
      fmt::format("an ExpStatSN of at most {}, the next one", *m.connection.next_stat_sn),
      fmt::format("{}", expected));
}

bool carries_status_number(const Moment& m) {
  if (m.pdu.is(Opcode::data_in)) return m.pdu[field::has_status] != 0;
  if (m.pdu.is(Opcode::login_response)) return m.pdu[field::status] == 0;  // 10.13.4
  return true;
}

// A PDU of an earlier number can be a retransmission where the session recovers.
Ruling status_number_follows(const Moment& m) {
  if (!carries_status_number(m)) return Ruling::aside();
  if (!m.connection.next_stat_sn) return Ruling::unseen();
  const std::uint32_t number = m.pdu.u32(field::stat_sn);
  const bool again = serial_distance(number, *m.connection.next_stat_sn) < 0;
  if (again && m.connection.snacked && m.session.parameters.error_recovery_level > 0)
    return Ruling::aside();  // numbering.repeated looks at it
  return equal("StatSN", *m.connection.next_stat_sn, number);
}

// What a SNACK brings again is what was sent, but for ExpCmdSN, MaxCmdSN and ExpDataSN; after an
// R-Data SNACK its tag, too.
Ruling repeated_response_is_the_same(const Moment& m) {
  if (!carries_status_number(m) || !m.connection.next_stat_sn) return Ruling::aside();
  const std::uint32_t number = m.pdu.u32(field::stat_sn);
  if (serial_distance(number, *m.connection.next_stat_sn) >= 0) return Ruling::aside();
  if (m.session.parameters.error_recovery_level == 0 || m.pdu.is(Opcode::data_in))
    return Ruling::aside();
  if (m.pdu.is(Opcode::r2t) || m.pdu.is(Opcode::login_response)) return Ruling::aside();
  for (const NumberedResponse& response : m.connection.responses) {
    if (response.stat_sn != number) continue;
    if ((response.header[0] & 0x3f) != m.pdu.opcode()) return Ruling::unseen();  // was Data-In
    const std::size_t end = m.pdu.is(Opcode::scsi_response) ? 20 : 28;
    const bool same =
        std::equal(response.header.begin(), response.header.begin() + end, m.pdu.header.begin()) &&
        std::equal(response.header.begin() + 40, response.header.end(), m.pdu.header.begin() + 40);
    if (same) return Ruling::kept();
    return Ruling::broken(fmt::format("the response of StatSN {} again as it was", number),
                          "another header");
  }
  return Ruling::unseen();
}

Ruling window_is_no_less_than_closed(const Moment& m) {
  if (m.pdu.is(Opcode::login_response) && m.pdu[field::status] != 0) return Ruling::aside();
  const std::uint32_t expected = m.pdu.u32(field::exp_cmd_sn);
  const std::uint32_t most = m.pdu.u32(field::max_cmd_sn);
  if (serial_distance(most, expected - 1) >= 0) return Ruling::kept();
  return Ruling::broken(fmt::format("a MaxCmdSN of at least ExpCmdSN {} - 1", expected),
                        fmt::format("{}", most));
}

Ruling expects_only_what_can_come(const Moment& m) {
  if (m.pdu.is(Opcode::login_response) && m.pdu[field::status] != 0) return Ruling::aside();
  if (!m.session.next_cmd_sn) return Ruling::unseen();
  const std::uint32_t expected = m.pdu.u32(field::exp_cmd_sn);
  if (serial_distance(expected, *m.session.next_cmd_sn) <= 0) return Ruling::kept();
  return Ruling::broken(
      fmt::format("an ExpCmdSN of at most {}, the next command's", *m.session.next_cmd_sn),
      fmt::format("{}", expected));
}

Ruling command_is_acknowledged_with_its_status(const Moment& m) {
  if (!ends_task(m) || !m.task || m.task->immediate()) return Ruling::aside();
  const std::uint32_t number = m.task->request.u32(field::cmd_sn);
  const std::uint32_t expected = m.pdu.u32(field::exp_cmd_sn);
  if (serial_distance(expected, number) > 0) return Ruling::kept();
  return Ruling::broken(fmt::format("an ExpCmdSN beyond the answered command's {}", number),
                        fmt::format("{}", expected));
}

constexpr Rule kRules[] = {
    {"numbering.cmd_sn",
     {"R3720-3.2.2.1-05", "R3720-3.2.2.1-06", "R3720-3.2.2.1-09"},
     Judged::initiator,
     kNumberedRequests,
     command_number_follows},
    {"numbering.session_cmd_sn",
     {"R3720-3.2.2.1-05"},
     Judged::initiator,
     kNumberedRequests,
     command_number_is_the_sessions},
    {"numbering.immediate_cmd_sn",
     {"R3720-3.2.2.1-01"},
     Judged::initiator,
     kNumberedRequests,
     immediate_carries_current_number},
    {"numbering.window",
     {"R3720-3.2.2.1-09"},
     Judged::initiator,
     kNumberedRequests,
     command_is_in_window},
    {"numbering.exp_stat_sn",
     {"R3720-3.2.2.2-03"},
     Judged::initiator,
     kFromInitiator,
     acknowledges_only_what_came},
    {"numbering.stat_sn", {"R3720-3.2.2.2-03"}, Judged::target, kFromTarget, status_number_follows},
    {"numbering.repeated",
     {"R3720-10.16-02"},
     Judged::target,
     kFromTarget,
     repeated_response_is_the_same},
    {"numbering.max_cmd_sn",
     {"R3720-3.2.2.1-07"},
     Judged::target,
     kFromTarget,
     window_is_no_less_than_closed},
    {"numbering.exp_cmd_sn",
     {"R3720-3.2.2.1-09", "R3720-3.2.2.1-06"},
     Judged::target,
     kFromTarget,
     expects_only_what_can_come},
    {"numbering.acknowledged_with_status",
     {"R3720-3.2.2.1-12"},
     Judged::target,
     pdus(Opcode::scsi_response, Opcode::data_in),
     command_is_acknowledged_with_its_status},
};

}  // namespace

std::span<const Rule> numbering_rules() { return kRules; }

}  // namespace tsih::judge
