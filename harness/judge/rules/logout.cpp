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
     {"R3720-10.14-02", "R3720-10.14-03"},
     Judged::initiator,
     kNewRequests,
     nothing_new_after_logout},
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
