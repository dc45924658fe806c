// Data-Out: what an R2T asked for, and unsolicited bursts (RFC 3720 10.7, 10.8, 3.2.4.2).
#include <algorithm>

#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kDataOut = pdus(Opcode::data_out);

bool is_solicited(const Moment& m) {
  return m.pdu.u32(field::target_transfer_tag) != wire::kReservedTag;
}
bool is_followed(const Moment& m) { return m.task && m.task->whole && !m.task->recovered; }

const Transfer* transfer_of(const Moment& m) {
  if (!m.task || !is_solicited(m)) return nullptr;
  for (const Transfer& one : m.task->transfers)
    if (one.target_transfer_tag == m.pdu.u32(field::target_transfer_tag)) return &one;
  return nullptr;
}

// The task may have ended at the target while the data was on its way: only living tasks count.
Ruling answers_an_r2t(const Moment& m) {
  if (!is_solicited(m) || !m.task) return Ruling::aside();
  if (!is_followed(m)) return Ruling::unseen();
  if (transfer_of(m)) return Ruling::kept();
  return Ruling::broken("the Target Transfer Tag of an R2T that still misses data",
                        hex(m.pdu.u32(field::target_transfer_tag)));
}

Ruling number_follows(const Moment& m) {
  if (!m.task) return Ruling::aside();
  if (!is_followed(m)) return Ruling::unseen();
  const Transfer* transfer = transfer_of(m);
  if (is_solicited(m) && !transfer) return Ruling::aside();
  return equal("DataSN", transfer ? transfer->next_data_sn : m.task->next_unsolicited_sn,
               m.pdu.u32(field::data_sn));
}

Ruling stays_in_the_range(const Moment& m) {
  const Transfer* transfer = transfer_of(m);
  if (!transfer || !is_followed(m)) return Ruling::aside();
  const std::uint64_t from = m.pdu[field::buffer_offset], end = from + m.seen.data_bytes;
  const std::uint64_t asked_end = std::uint64_t{transfer->offset} + transfer->bytes;
  if (from >= transfer->offset && end <= asked_end) return Ruling::kept();
  return Ruling::broken(fmt::format("data of the R2T's range {}..{}", transfer->offset, asked_end),
                        fmt::format("{}..{}", from, end));
}

Ruling offset_follows(const Moment& m) {
  if (!m.task || !m.session.known_from_start) return Ruling::unseen();
  if (!m.session.parameters.data_pdu_in_order || !is_followed(m)) return Ruling::aside();
  const Transfer* transfer = transfer_of(m);
  if (is_solicited(m) && !transfer) return Ruling::aside();
  const std::uint64_t wanted = transfer ? std::uint64_t{transfer->offset} + transfer->received_bytes
                                        : m.task->unsolicited_bytes;
  return equal("Buffer Offset", wanted, m.pdu.u32(field::buffer_offset));
}

Ruling whole_range_is_delivered(const Moment& m) {
  const Transfer* transfer = transfer_of(m);
  if (!transfer || !is_followed(m) || !m.pdu[field::final]) return Ruling::aside();
  const std::uint64_t received = std::uint64_t{transfer->received_bytes} + m.seen.data_bytes;
  if (received >= transfer->bytes) return Ruling::kept();
  return Ruling::broken(fmt::format("the {} bytes that the R2T asked for", transfer->bytes),
                        fmt::format("F after {}", received));
}

Ruling last_has_final(const Moment& m) {
  const Transfer* transfer = transfer_of(m);
  if (!transfer || !is_followed(m)) return Ruling::aside();
  const std::uint64_t received = std::uint64_t{transfer->received_bytes} + m.seen.data_bytes;
  if (received < transfer->bytes) return Ruling::aside();
  if (m.pdu[field::final]) return Ruling::kept();
  return Ruling::broken("F on the last PDU of what an R2T asked for", "F clear");
}

Ruling oldest_r2t_goes_first(const Moment& m) {
  if (!transfer_of(m) || !is_followed(m) || m.connection.r2t_order.empty()) return Ruling::aside();
  const auto& oldest = m.connection.r2t_order.front();
  const std::uint32_t tag = m.pdu.u32(field::initiator_task_tag);
  if (oldest.tag == tag && oldest.target_transfer_tag == m.pdu.u32(field::target_transfer_tag))
    return Ruling::kept();
  const std::string expected =
      fmt::format("data for the oldest R2T of the connection, tag {} of task {}",
                  hex(oldest.target_transfer_tag), hex(oldest.tag));
  const std::string actual =
      fmt::format("data for {} of task {}", hex(m.pdu.u32(field::target_transfer_tag)), hex(tag));
  // RFC 7143 11.8 wants the order of the R2Ts of each task only.
  const auto own = std::ranges::find(m.connection.r2t_order, tag, &Connection::ServedR2t::tag);
  const bool oldest_of_task = own != m.connection.r2t_order.end() &&
                              own->target_transfer_tag == m.pdu.u32(field::target_transfer_tag);
  return oldest_of_task ? Ruling::broken_by_3720(expected, actual)
                        : Ruling::broken(expected, actual);
}

Ruling unsolicited_is_agreed(const Moment& m) {
  if (is_solicited(m)) return Ruling::aside();
  if (!m.session.known_from_start) return Ruling::unseen();
  if (m.session.parameters.initial_r2t)
    return Ruling::broken("no unsolicited Data-Out with InitialR2T=Yes", "one");
  if (!m.task || !m.task->whole) return Ruling::aside();
  if (m.task->unsolicited_open) return Ruling::kept();
  return Ruling::broken("no unsolicited Data-Out behind F",
                        fmt::format("one of the command in frame {}", m.task->place.frame));
}

Ruling first_burst_is_kept(const Moment& m) {
  if (is_solicited(m) || !m.task) return Ruling::aside();
  if (!is_followed(m) || !m.session.known_from_start) return Ruling::unseen();
  const std::uint64_t bytes = m.task->unsolicited_bytes + m.seen.data_bytes;
  const std::uint32_t most = m.session.parameters.first_burst_bytes;
  if (bytes <= most) return Ruling::kept();
  return Ruling::broken(fmt::format("unsolicited data within the FirstBurstLength of {}", most),
                        fmt::format("{} bytes", bytes));
}

Ruling first_burst_is_used_up(const Moment& m) {
  if (is_solicited(m) || !m.task || !m.pdu[field::final]) return Ruling::aside();
  if (!is_followed(m) || !m.session.known_from_start) return Ruling::unseen();
  const std::uint64_t wanted =
      std::min(m.session.parameters.first_burst_bytes, m.task->write_bytes);
  return equal("unsolicited bytes, all that is allowed,", wanted,
               m.task->unsolicited_bytes + m.seen.data_bytes);
}

Ruling bursts_keep_the_order_of_commands(const Moment& m) {
  if (is_solicited(m) || !m.task || !is_followed(m) || m.connection.write_order.empty())
    return Ruling::aside();
  const std::uint32_t tag = m.pdu.u32(field::initiator_task_tag);
  if (m.connection.write_order.front() == tag) return Ruling::kept();
  return Ruling::broken(
      fmt::format("unsolicited data in the order of the commands, of task {} first",
                  hex(m.connection.write_order.front())),
      fmt::format("data of task {}", hex(tag)));
}

Ruling stays_within_expected_length(const Moment& m) {
  if (!m.task || !m.task->writes()) return Ruling::aside();
  const std::uint64_t end = m.pdu[field::buffer_offset] + m.seen.data_bytes;
  if (end <= m.task->write_bytes) return Ruling::kept();
  return Ruling::broken(fmt::format("data within the command's {} bytes", m.task->write_bytes),
                        fmt::format("data up to {}", end));
}

Ruling lun_is_the_commands(const Moment& m) {
  if (!is_solicited(m) || !m.task) return Ruling::aside();
  if (m.pdu[field::lun] == m.task->request[field::lun]) return Ruling::kept();
  return Ruling::broken(fmt::format("the R2T's LUN {}", hex(m.task->request[field::lun])),
                        hex(m.pdu[field::lun]));
}

Ruling lun_is_reserved_without_tag(const Moment& m) {
  if (is_solicited(m)) return Ruling::aside();
  if (m.pdu[field::lun] == 0) return Ruling::kept();
  return Ruling::broken("LUN 0, since it is reserved without a Target Transfer Tag",
                        hex(m.pdu[field::lun]));
}

Ruling keeps_the_connection(const Moment& m) {
  if (!m.task) return Ruling::aside();
  if (m.task->connection == m.connection.number) return Ruling::kept();
  return m.task->recovered ? Ruling::unseen()
                           : Ruling::broken("data on the connection of its command", "another");
}

Ruling is_words_of_four(const Moment& m) {
  if (m.pdu[field::final] || m.seen.data_bytes == 0) return Ruling::aside();
  if (m.seen.data_bytes % 4 == 0) return Ruling::kept();
  return Ruling::broken("whole words of four bytes where F is clear",
                        fmt::format("{} bytes", m.seen.data_bytes));
}

constexpr Rule kRules[] = {
    {"data_out.tag", {"R3720-10.8-04"}, Judged::initiator, kDataOut, answers_an_r2t},
    {"data_out.data_sn", {"R3720-3.2.2.3-01"}, Judged::initiator, kDataOut, number_follows},
    {"data_out.range",
     {"R3720-10.8-03", "R3720-10.8-04", "R3720-3.2.4.2-01", "R3720-10.8.4-l01"},
     Judged::initiator,
     kDataOut,
     stays_in_the_range},
    {"data_out.offset",
     {"R3720-10.8-06", "R3720-10.7.6-l02", "R3720-12.18-l01"},
     Judged::initiator,
     kDataOut,
     offset_follows},
    {"data_out.whole_range",
     {"R3720-3.2.4.2-06"},
     Judged::initiator,
     kDataOut,
     whole_range_is_delivered},
    {"data_out.final", {"R3720-10.8-04"}, Judged::initiator, kDataOut, last_has_final},
    {"data_out.r2t_order", {"R3720-10.8-07"}, Judged::initiator, kDataOut, oldest_r2t_goes_first},
    {"data_out.unsolicited",
     {"R3720-10.8-01", "R3720-12.11-01"},
     Judged::initiator,
     kDataOut,
     unsolicited_is_agreed},
    {"data_out.first_burst",
     {"R3720-12.12-01", "R3720-10.7.1-02"},
     Judged::initiator,
     kDataOut,
     first_burst_is_kept},
    {"data_out.whole_first_burst",
     {"R3720-3.2.4.2-05", "R3720-10.3.4-03"},
     Judged::initiator,
     kDataOut,
     first_burst_is_used_up},
    {"data_out.command_order",
     {"R3720-3.2.4.2-10", "R3720-3.2.4.2-11"},
     Judged::initiator,
     kDataOut,
     bursts_keep_the_order_of_commands},
    {"data_out.expected_length",
     {"R3720-3.2.4.3-01", "R3720-10.7.6-l01", "R3720-3.2.4.3-l01"},
     Judged::initiator,
     kDataOut,
     stays_within_expected_length},
    {"data_out.lun_of_command",
     {"R3720-3.2.4.3-01", "R3720-3.2.4.3-l01"},
     Judged::initiator,
     kDataOut,
     lun_is_the_commands},
    {"data_out.lun_reserved",
     {"R3720-10-01"},
     Judged::initiator,
     kDataOut,
     lun_is_reserved_without_tag},
    {"data_out.connection",
     {"R3720-3.2.4.1-03", "R3720-3.2.4.1-01"},
     Judged::initiator,
     kDataOut,
     keeps_the_connection},
    {"data_out.words", {"R3720-10.7.7-02"}, Judged::initiator, kDataOut, is_words_of_four},
};

}  // namespace

std::span<const Rule> data_out_rules() { return kRules; }

}  // namespace tsih::judge
