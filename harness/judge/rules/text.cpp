// Text Requests and Responses: F and C, tags, one at a time (RFC 3720 10.10, 10.11, 5.2).
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kRequest = pdus(Opcode::text_request);
constexpr std::uint64_t kResponse = pdus(Opcode::text_response);

// F of text PDUs stands where T of login PDUs does.
Ruling continued_is_not_final(const Moment& m) {
  if (!m.pdu[field::continues]) return Ruling::aside();
  if (!m.pdu[field::final]) return Ruling::kept();
  return Ruling::broken(m.pdu.is(Opcode::text_request) || m.pdu.is(Opcode::text_response)
                            ? "F clear beside C"
                            : "T clear beside C",
                        "both set");
}

Ruling continued_text_is_answered_by_none(const Moment& m) {
  if (!m.connection.negotiation.last_continues[1 - side(m.from)]) return Ruling::aside();
  if (m.pdu.is(Opcode::login_response) && m.pdu[field::status] != 0) return Ruling::aside();
  if (m.seen.data_bytes == 0) return Ruling::kept();
  return Ruling::broken("no text while the other side's goes on (C)",
                        fmt::format("{} bytes", m.seen.data_bytes));
}

Ruling one_at_a_time(const Moment& m) {
  if (!m.connection.text_tag) return Ruling::kept();
  const std::uint32_t tag = m.pdu.u32(field::initiator_task_tag);
  if (m.connection.text_transfer_tag || *m.connection.text_tag == tag) return Ruling::kept();
  return Ruling::broken(
      fmt::format("the response to Text Request {} first", hex(*m.connection.text_tag)),
      fmt::format("another, {}", hex(tag)));
}

bool goes_on(const Moment& m) {
  return m.pdu.u32(field::target_transfer_tag) != wire::kReservedTag;
}

Ruling sequence_keeps_its_tag(const Moment& m) {
  if (!goes_on(m)) return Ruling::aside();
  if (!m.connection.text_tag) return Ruling::unseen();
  return equal("Initiator Task Tag", *m.connection.text_tag, m.pdu.u32(field::initiator_task_tag));
}

Ruling sequence_keeps_immediate(const Moment& m) {
  if (!goes_on(m) || !m.task || !m.task->is(TaskKind::text)) return Ruling::aside();
  return equal("I", m.task->request[field::immediate], m.pdu[field::immediate]);
}

Ruling sequence_copies_the_transfer_tag(const Moment& m) {
  if (!goes_on(m)) return Ruling::aside();
  if (!m.connection.text_transfer_tag || !m.connection.text_lun) return Ruling::unseen();
  if (m.pdu[field::lun] != *m.connection.text_lun)
    return Ruling::broken(fmt::format("the response's LUN {}", hex(*m.connection.text_lun)),
                          hex(m.pdu[field::lun]));
  return equal("Target Transfer Tag", *m.connection.text_transfer_tag,
               m.pdu.u32(field::target_transfer_tag));
}

Ruling tag_tells_the_end(const Moment& m) {
  const std::uint32_t tag = m.pdu.u32(field::target_transfer_tag);
  if ((m.pdu[field::final] != 0) == (tag == wire::kReservedTag)) return Ruling::kept();
  return Ruling::broken("Target Transfer Tag 0xffffffff with F, and only then",
                        fmt::format("F={}, {}", m.pdu[field::final], hex(tag)));
}

Ruling final_answers_final(const Moment& m) {
  if (!m.pdu[field::final]) return Ruling::aside();
  if (!m.task || !m.task->is(TaskKind::text)) return Ruling::unseen();
  if (m.task->request[field::final]) return Ruling::kept();
  return Ruling::broken("F only in answer to a request with F", "F for a request without");
}

// A negotiation ends with its connection, by ABORT TASK or by a logout, and is taken nowhere else.
Ruling negotiation_ends_with_its_connection(const Moment& m) {
  enum Function : unsigned { kAbortTask = 1, kReassign = 8 };
  const bool management = m.pdu.is(Opcode::task_management_request);
  const Task* task = management ? m.session.find(m.pdu.u32(field::referenced_task_tag)) : m.task;
  if (!task || !task->is(TaskKind::text) || task->connection == m.connection.number)
    return Ruling::aside();
  if (m.session.alive.contains(task->connection)) return Ruling::aside();
  if (management && m.pdu[field::function] == kAbortTask) return Ruling::kept();
  if (management ? m.pdu[field::function] != kReassign : !goes_on(m)) return Ruling::aside();
  return Ruling::broken("the end of a text negotiation whose connection failed",
                        "it taken to another connection");
}

constexpr Rule kRules[] = {
    {"text.ends_with_connection",
     {"R3720-10.10-l01"},
     Judged::initiator,
     pdus(Opcode::text_request, Opcode::task_management_request),
     negotiation_ends_with_its_connection},
    {"text.request_continues",
     {"R3720-10.10.2-01", "R3720-5.2-01"},
     Judged::initiator,
     kRequest,
     continued_is_not_final},
    {"text.response_continues",
     {"R3720-10.11.2-01", "R3720-5.2-01"},
     Judged::target,
     kResponse,
     continued_is_not_final},
    {"login.request_continues",
     {"R3720-10.12.2-01", "R3720-5.2-01"},
     Judged::initiator,
     pdus(Opcode::login_request),
     continued_is_not_final},
    {"login.response_continues",
     {"R3720-10.13.7-01", "R3720-5.2-01"},
     Judged::target,
     pdus(Opcode::login_response),
     continued_is_not_final},
    {"text.response_while_continued",
     {"R3720-5.2-02"},
     Judged::target,
     pdus(Opcode::text_response, Opcode::login_response),
     continued_text_is_answered_by_none},
    {"text.request_while_continued",
     {"R3720-5.2-03"},
     Judged::initiator,
     pdus(Opcode::text_request, Opcode::login_request),
     continued_text_is_answered_by_none},
    {"text.one_request", {"R3720-10.10-01"}, Judged::initiator, kRequest, one_at_a_time},
    {"text.same_tag", {"R3720-10.10.3-01"}, Judged::initiator, kRequest, sequence_keeps_its_tag},
    {"text.same_immediate",
     {"R3720-10.10.3-02"},
     Judged::initiator,
     kRequest,
     sequence_keeps_immediate},
    {"text.copies_transfer_tag",
     {"R3720-10.11.4-03"},
     Judged::initiator,
     kRequest,
     sequence_copies_the_transfer_tag},
    {"text.tag_with_final",
     {"R3720-10.11.1-02", "R3720-10.11.1-03", "R3720-10.11.4-02", "R3720-10.10.4-01",
      "R3720-5.4-05"},
     Judged::target,
     kResponse,
     tag_tells_the_end},
    {"text.final_answers_final",
     {"R3720-5.4-03", "R3720-10.11.1-l01"},
     Judged::target,
     kResponse,
     final_answers_final},
};

}  // namespace

std::span<const Rule> text_rules() { return kRules; }

}  // namespace tsih::judge
