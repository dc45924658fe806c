// Logout: what may follow it (RFC 3720 10.14, 10.15).
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kNewRequests =
    pdus(Opcode::nop_out, Opcode::scsi_command, Opcode::task_management_request,
         Opcode::text_request, Opcode::logout_request, Opcode::login_request);

// An answer to the target's ping is no new request.
Ruling nothing_new_after_logout(const Moment& m) {
  if (!m.connection.logout_sent) return Ruling::aside();
  if (m.pdu.is(Opcode::nop_out) && m.pdu.u32(field::initiator_task_tag) == wire::kReservedTag)
    return Ruling::aside();
  return Ruling::broken("no new request behind the Logout Request",
                        fmt::format("a {}", wire::opcode_name(m.pdu.opcode())));
}

Ruling nothing_new_on_other_connections(const Moment& m) {
  const auto& closing = m.session.closing_connection;
  if (!closing || *closing == m.connection.number) return Ruling::aside();
  if (m.pdu.is(Opcode::login_request) || m.session.over) return Ruling::aside();
  if (m.pdu.is(Opcode::nop_out) && m.pdu.u32(field::initiator_task_tag) == wire::kReservedTag)
    return Ruling::aside();
  return Ruling::broken(
      "no new request on any connection behind the Logout Request for the session",
      fmt::format("a {}", wire::opcode_name(m.pdu.opcode())));
}

Ruling nothing_new_in_a_session_that_is_over(const Moment& m) {
  if (!m.session.over || m.connection.logout_sent || m.connection.phase != Phase::full_feature)
    return Ruling::aside();
  if (!m.session.closing_connection) return Ruling::aside();
  return Ruling::broken("the end of this connection, since its session was logged out",
                        fmt::format("a {}", wire::opcode_name(m.pdu.opcode())));
}

Ruling answers_a_request(const Moment& m) {
  if (m.task && m.task->is(TaskKind::logout)) return Ruling::kept();
  if (!m.session.tasks_known) return Ruling::unseen();
  return Ruling::broken("the tag of a Logout Request that waits",
                        hex(m.pdu.u32(field::initiator_task_tag)));
}

Ruling nothing_follows_the_response(const Moment& m) {
  if (!m.connection.logout_answered) return Ruling::aside();
  return Ruling::broken("the end of the connection behind the Logout Response",
                        fmt::format("a {}", wire::opcode_name(m.pdu.opcode())));
}

constexpr Rule kRules[] = {
    {"logout.no_new_request",
     {"R3720-10.14-02", "R3720-10.14-03", "R3720-7.1.3-T12", "R3720-7.1.3-T14"},
     Judged::initiator,
     kNewRequests,
     nothing_new_after_logout},
    {"logout.no_new_request_elsewhere",
     {"R3720-10.14-03"},
     Judged::initiator,
     kNewRequests,
     nothing_new_on_other_connections},
    {"logout.session_is_over",
     {"R3720-7.1.3-T8", "R3720-7.1.3-T18", "R3720-7.3.1-N3"},
     Judged::initiator,
     kFromInitiator,
     nothing_new_in_a_session_that_is_over},
    {"logout.answer",
     {"R3720-3.2.4.3-01"},
     Judged::target,
     pdus(Opcode::logout_response),
     answers_a_request},
    {"logout.closes",
     {"R3720-10.15-01"},
     Judged::target,
     kFromTarget,
     nothing_follows_the_response},
};

}  // namespace

std::span<const Rule> logout_rules() { return kRules; }

}  // namespace tsih::judge
