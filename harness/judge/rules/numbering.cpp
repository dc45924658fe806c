// CmdSN, ExpCmdSN, MaxCmdSN, StatSN, ExpStatSN (RFC 3720 3.2.2.1, 3.2.2.2).
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
    if (serial_distance(number, *last) > 0 || m.session.parameters.error_recovery_level > 0)
      return Ruling::kept();
    return Ruling::broken(fmt::format("a CmdSN above {}, the last on this connection", *last),
                          fmt::format("{}", number));
  }
  if (!m.session.next_cmd_sn) return Ruling::unseen();
  return equal("CmdSN", *m.session.next_cmd_sn, number);
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
  if (m.session.parameters.error_recovery_level > 0 &&
      serial_distance(number, *m.connection.next_stat_sn) < 0)
    return Ruling::unseen();
  return equal("StatSN", *m.connection.next_stat_sn, number);
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
