// NOP-Out and NOP-In: pings of both sides (RFC 3720 10.18, 10.19).
#include <algorithm>

#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kNopOut = pdus(Opcode::nop_out);
constexpr std::uint64_t kNopIn = pdus(Opcode::nop_in);

bool has_task_tag(const Moment& m) {
  return m.pdu.u32(field::initiator_task_tag) != wire::kReservedTag;
}
bool has_transfer_tag(const Moment& m) {
  return m.pdu.u32(field::target_transfer_tag) != wire::kReservedTag;
}

Ruling untagged_is_immediate(const Moment& m) {
  if (has_task_tag(m)) return Ruling::aside();
  if (m.pdu[field::immediate]) return Ruling::kept();
  return Ruling::broken("I with Initiator Task Tag 0xffffffff", "I clear");
}

// The ping may have come while the capture missed PDUs.
Ruling answers_a_ping(const Moment& m) {
  if (!has_transfer_tag(m)) return Ruling::aside();
  if (m.connection.target_pings.contains(m.pdu.u32(field::target_transfer_tag)))
    return Ruling::kept();
  if (m.connection.hole[1] || !m.connection.seen_from_syn) return Ruling::unseen();
  return Ruling::broken("a Target Transfer Tag that a NOP-In asked to return",
                        hex(m.pdu.u32(field::target_transfer_tag)));
}

Ruling answer_has_the_pings_lun(const Moment& m) {
  const auto ping = m.connection.target_pings.find(m.pdu.u32(field::target_transfer_tag));
  if (!has_transfer_tag(m) || ping == m.connection.target_pings.end()) return Ruling::aside();
  if (m.pdu[field::lun] == ping->second.lun) return Ruling::kept();
  return Ruling::broken(fmt::format("the LUN {} of the NOP-In", hex(ping->second.lun)),
                        hex(m.pdu[field::lun]));
}

Ruling answers_a_nop_out(const Moment& m) {
  if (!has_task_tag(m)) return Ruling::aside();
  if (m.task && m.task->is(TaskKind::nop)) return Ruling::kept();
  if (!m.session.tasks_known || m.session.parameters.error_recovery_level > 0)
    return Ruling::unseen();
  return Ruling::broken("the Initiator Task Tag of a NOP-Out that waits",
                        hex(m.pdu.u32(field::initiator_task_tag)));
}

Ruling answer_has_no_transfer_tag(const Moment& m) {
  if (!has_task_tag(m)) return Ruling::aside();
  if (!has_transfer_tag(m)) return Ruling::kept();
  return Ruling::broken("Target Transfer Tag 0xffffffff in an answer",
                        hex(m.pdu.u32(field::target_transfer_tag)));
}

Ruling answer_returns_the_data(const Moment& m) {
  if (!has_task_tag(m) || !m.task || !m.task->is(TaskKind::nop)) return Ruling::aside();
  if (!m.task->request_data_kept || !m.seen.data_kept) return Ruling::unseen();
  std::size_t wanted = m.task->request.data.size();
  if (const auto limit = m.connection.receive_limit(From::target))
    wanted = std::min<std::size_t>(wanted, *limit);
  else if (m.pdu.data.size() < wanted)
    return Ruling::unseen();
  if (m.pdu.data.size() == wanted &&
      std::equal(m.pdu.data.begin(), m.pdu.data.end(), m.task->request.data.begin()))
    return Ruling::kept();
  return Ruling::broken(fmt::format("the {} bytes of ping data back", wanted),
                        fmt::format("{} bytes, or others", m.pdu.data.size()));
}

Ruling unasked_has_no_data(const Moment& m) {
  if (has_task_tag(m)) return Ruling::aside();
  return equal("DataSegmentLength of a NOP-In that answers nothing:", 0, m.seen.data_bytes);
}

Ruling lun_is_reserved_without_tag(const Moment& m) {
  if (has_transfer_tag(m)) return Ruling::aside();
  if (m.from == From::initiator && has_task_tag(m)) return Ruling::aside();  // may name a unit
  if (m.pdu[field::lun] == 0) return Ruling::kept();
  return Ruling::broken("LUN 0, since it is reserved without a Target Transfer Tag",
                        hex(m.pdu[field::lun]));
}

constexpr Rule kRules[] = {
    {"nop_out.untagged_immediate",
     {"R3720-10.18.1-04"},
     Judged::initiator,
     kNopOut,
     untagged_is_immediate},
    {"nop_out.answers_ping",
     {"R3720-10.18.2-01", "R3720-10.18.2-02", "R3720-10.18-02"},
     Judged::initiator,
     kNopOut,
     answers_a_ping},
    {"nop_out.lun", {"R3720-10.18.2-03"}, Judged::initiator, kNopOut, answer_has_the_pings_lun},
    {"nop_in.tag",
     {"R3720-10.19-01", "R3720-10.18.1-03"},
     Judged::target,
     kNopIn,
     answers_a_nop_out},
    {"nop_in.transfer_tag", {"R3720-10.19-03"}, Judged::target, kNopIn, answer_has_no_transfer_tag},
    {"nop_in.data", {"R3720-10.19-02"}, Judged::target, kNopIn, answer_returns_the_data},
    {"nop_in.unasked_bare", {"R3720-10.19-04"}, Judged::target, kNopIn, unasked_has_no_data},
    {"nop.lun_reserved",
     {"R3720-10-01"},
     Judged::both,
     kNopIn | kNopOut,
     lun_is_reserved_without_tag},
};

}  // namespace

std::span<const Rule> nop_rules() { return kRules; }

}  // namespace tsih::judge
