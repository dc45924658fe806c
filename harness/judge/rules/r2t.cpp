// R2T: tag, range, order, number (RFC 3720 10.8).
#include <algorithm>

#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kR2t = pdus(Opcode::r2t);

bool is_followed(const Moment& m) { return m.task && m.task->whole && !m.task->recovered; }

Ruling tag_is_not_reserved(const Moment& m) {
  if (m.pdu.u32(field::target_transfer_tag) != wire::kReservedTag) return Ruling::kept();
  return Ruling::broken("a Target Transfer Tag other than 0xffffffff", "0xffffffff");
}

Ruling length_is_a_burst(const Moment& m) {
  const std::uint32_t length = m.pdu.u32(field::desired_length);
  if (length == 0) return Ruling::broken("a Desired Data Transfer Length above 0", "0");
  if (!m.session.known_from_start) return Ruling::unseen();
  const std::uint32_t most = m.session.parameters.max_burst_bytes;
  if (length <= most) return Ruling::kept();
  return Ruling::broken(fmt::format("at most the MaxBurstLength of {}", most),
                        fmt::format("{}", length));
}

Ruling number_follows(const Moment& m) {
  if (!is_followed(m)) return Ruling::unseen();
  return equal("R2TSN", m.task->is_bidirectional() ? m.task->next_data_sn : m.task->next_r2t_sn,
               m.pdu.u32(field::r2t_sn));
}

Ruling asks_for_the_commands_data(const Moment& m) {
  if (!m.task) return Ruling::aside();
  const std::uint64_t end = m.pdu[field::buffer_offset] + m.pdu[field::desired_length];
  if (m.task->writes() && end <= m.task->write_bytes) return Ruling::kept();
  return Ruling::broken(fmt::format("a range of the {} bytes that the command writes",
                                    m.task->writes() ? m.task->write_bytes : 0),
                        fmt::format("{}..{}", m.pdu[field::buffer_offset], end));
}

// Recovery R2Ts ask again for what was lost: at level 0 there are none (10.8, 6.1).
Ruling range_follows(const Moment& m) {
  if (!is_followed(m) || !m.session.known_from_start) return Ruling::unseen();
  const auto& agreed = m.session.parameters;
  if (!agreed.data_sequence_in_order || !m.task->writes()) return Ruling::aside();
  const std::uint32_t offset = m.pdu.u32(field::buffer_offset);
  if (agreed.error_recovery_level > 0 && offset < m.task->next_r2t_offset) return Ruling::aside();
  return equal("Buffer Offset", m.task->next_r2t_offset, offset);
}

Ruling fewer_than_agreed_are_outstanding(const Moment& m) {
  if (!is_followed(m) || !m.session.known_from_start) return Ruling::unseen();
  const std::uint32_t most = m.session.parameters.max_outstanding_r2t;
  const std::size_t now = m.task->transfers.size() + 1;
  if (now <= most) return Ruling::kept();
  return Ruling::broken(
      fmt::format("at most {} outstanding R2Ts of a task (MaxOutstandingR2T)", most),
      fmt::format("{}", now));
}

Ruling lun_is_the_commands(const Moment& m) {
  if (!m.task) return Ruling::aside();
  if (m.pdu[field::lun] == m.task->request[field::lun]) return Ruling::kept();
  return Ruling::broken(fmt::format("the command's LUN {}", hex(m.task->request[field::lun])),
                        hex(m.pdu[field::lun]));
}

constexpr Rule kRules[] = {
    {"r2t.tag", {"R3720-10.8.5-01"}, Judged::target, kR2t, tag_is_not_reserved},
    {"r2t.length", {"R3720-10.8.4-01"}, Judged::target, kR2t, length_is_a_burst},
    {"r2t.r2t_sn", {"R3720-3.2.2.3-01"}, Judged::target, kR2t, number_follows},
    {"r2t.range", {"R3720-3.2.4.3-01"}, Judged::target, kR2t, asks_for_the_commands_data},
    {"r2t.order",
     {"R3720-10.8-09", "R3720-12.19-01", "R3720-10.7.6-l03"},
     Judged::target,
     kR2t,
     range_follows},
    {"r2t.outstanding", {"R3720-5.2-13"}, Judged::target, kR2t, fewer_than_agreed_are_outstanding},
    {"r2t.lun",
     {"R3720-3.2.4.3-01", "R3720-3.2.4.3-l01"},
     Judged::target,
     kR2t,
     lun_is_the_commands},
};

}  // namespace

std::span<const Rule> r2t_rules() { return kRules; }

}  // namespace tsih::judge
