// Data-In: numbers, offsets, bursts, the A and S bits (RFC 3720 10.7, 3.2.2.3, 3.2.4).
#include <algorithm>

#include "harness/judge/retransmission.h"
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kDataIn = pdus(Opcode::data_in);

/// What is true of a task of which every PDU was seen, and which needs no recovery.
bool is_followed(const Moment& m) { return m.task && m.task->whole && !m.task->recovered; }

Ruling number_follows(const Moment& m) {
  if (!is_followed(m)) return Ruling::unseen();
  return equal("DataSN", m.task->next_data_sn, m.pdu.u32(field::data_sn));
}

Ruling belongs_to_a_read(const Moment& m) {
  if (!m.task) return Ruling::aside();  // answers.* speaks about those
  if (m.task->reads()) return Ruling::kept();
  return Ruling::broken(
      "Data-In for a command with R set",
      fmt::format("one for the {} in frame {}", wire::opcode_name(m.task->request.opcode()),
                  m.task->place.frame));
}

Ruling offset_follows(const Moment& m) {
  if (!is_followed(m) || !m.session.known_from_start) return Ruling::unseen();
  const auto& agreed = m.session.parameters;
  const bool begins_sequence = m.task->in_sequence_bytes == 0;
  if (!agreed.data_pdu_in_order || (begins_sequence && !agreed.data_sequence_in_order))
    return Ruling::aside();
  if (m.seen.data_bytes == 0) return Ruling::aside();
  return equal("Buffer Offset", m.task->next_in_offset, m.pdu.u32(field::buffer_offset));
}

Ruling burst_is_kept(const Moment& m) {
  if (!is_followed(m) || !m.session.known_from_start) return Ruling::unseen();
  const std::uint64_t bytes = std::uint64_t{m.task->in_sequence_bytes} + m.seen.data_bytes;
  const std::uint32_t most = m.session.parameters.max_burst_bytes;
  if (bytes <= most) return Ruling::kept();
  return Ruling::broken(fmt::format("a sequence within the MaxBurstLength of {}", most),
                        fmt::format("{} bytes without F", bytes));
}

Ruling stays_within_expected_length(const Moment& m) {
  if (!m.task || !m.task->reads() || m.seen.data_bytes == 0) return Ruling::aside();
  const std::uint64_t end = m.pdu[field::buffer_offset] + m.seen.data_bytes;
  if (end <= m.task->read_bytes) return Ruling::kept();
  return Ruling::broken(
      fmt::format("data within the {} bytes that the command expects", m.task->read_bytes),
      fmt::format("data up to {}", end));
}

Ruling status_has_final(const Moment& m) {
  if (!m.pdu[field::has_status]) return Ruling::aside();
  if (m.pdu[field::final]) return Ruling::kept();
  return Ruling::broken("F beside S", "F clear");
}

Ruling status_is_good(const Moment& m) {
  if (!m.pdu[field::has_status]) return Ruling::aside();
  const auto status = m.pdu[field::scsi_status];
  if (status == 0x00 || status == 0x04 || status == 0x10 || status == 0x14) return Ruling::kept();
  return Ruling::broken("only a status that is no error in Data-In", hex(status));
}

Ruling bidirectional_has_no_status_here(const Moment& m) {
  if (!m.task || !m.task->is_bidirectional()) return Ruling::aside();
  if (!m.pdu[field::has_status]) return Ruling::kept();
  return Ruling::broken("the status of a bidirectional command in a SCSI Response", "S set");
}

Ruling acknowledgement_needs_level(const Moment& m) {
  if (!m.session.known_from_start) return Ruling::unseen();
  if (m.session.parameters.error_recovery_level > 0) return Ruling::aside();
  if (!m.pdu[field::acknowledge]) return Ruling::kept();
  return Ruling::broken("A clear at ErrorRecoveryLevel 0", "A set");
}

Ruling acknowledgements_are_rare(const Moment& m) {
  if (!m.pdu[field::acknowledge] || m.pdu[field::final]) return Ruling::aside();
  if (!is_followed(m) || !m.session.known_from_start) return Ruling::unseen();
  if (!m.task->asked_for_ack) return Ruling::aside();
  const std::uint64_t bytes = m.task->bytes_since_ack + m.seen.data_bytes;
  const std::uint32_t least = m.session.parameters.max_burst_bytes;
  if (bytes >= least) return Ruling::kept();
  return Ruling::broken(fmt::format("MaxBurstLength, {} bytes, between two A bits", least),
                        fmt::format("{}", bytes));
}

Ruling tag_comes_with_acknowledgement(const Moment& m) {
  const std::uint32_t tag = m.pdu.u32(field::target_transfer_tag);
  if (m.pdu[field::acknowledge]) {
    if (tag != wire::kReservedTag) return Ruling::kept();
    return Ruling::broken("a Target Transfer Tag beside A", "0xffffffff");
  }
  if (tag == wire::kReservedTag) return Ruling::kept();
  return Ruling::broken("Target Transfer Tag 0xffffffff without A", hex(tag));
}

Ruling lun_is_reserved_without_tag(const Moment& m) {
  if (m.pdu.u32(field::target_transfer_tag) != wire::kReservedTag) return Ruling::aside();
  if (m.pdu[field::lun] == 0) return Ruling::kept();
  return Ruling::broken("LUN 0, since it is reserved without a Target Transfer Tag",
                        hex(m.pdu[field::lun]));
}

Ruling lun_is_the_commands(const Moment& m) {
  if (m.pdu.u32(field::target_transfer_tag) == wire::kReservedTag || !m.task)
    return Ruling::aside();
  if (m.pdu[field::lun] == m.task->request[field::lun]) return Ruling::kept();
  return Ruling::broken(fmt::format("the command's LUN {}", hex(m.task->request[field::lun])),
                        hex(m.pdu[field::lun]));
}

Ruling is_words_of_four(const Moment& m) {
  if (m.pdu[field::final] || m.seen.data_bytes == 0) return Ruling::aside();
  if (m.seen.data_bytes % 4 == 0) return Ruling::kept();
  return Ruling::broken("whole words of four bytes where F is clear",
                        fmt::format("{} bytes", m.seen.data_bytes));
}

// Exact replicas, but for ExpCmdSN and MaxCmdSN; the data is compared by its CRC32C.
Ruling repeated_data_is_the_same(const Moment& m) {
  const SentDataIn* sent = sent_before(m.connection, m.pdu);
  if (!sent) return Ruling::aside();
  const auto& before = sent->header;
  const auto& now = m.pdu.header;
  const bool same = std::equal(before.begin(), before.begin() + 28, now.begin()) &&
                    std::equal(before.begin() + 36, before.end(), now.begin() + 36);
  const auto expected = [&] {
    return fmt::format("the Data-In {} again as it was", sent->data_sn);
  };
  if (!same) return Ruling::broken(expected(), "another header");
  if (!sent->data_crc || !m.seen.data_crc) return Ruling::unseen();
  return *sent->data_crc == *m.seen.data_crc ? Ruling::kept()
                                             : Ruling::broken(expected(), "other data");
}

constexpr Rule kRules[] = {
    {"data_in.again", {"R3720-10.16-04"}, Judged::target, kDataIn, repeated_data_is_the_same},
    {"data_in.data_sn", {"R3720-3.2.2.3-01"}, Judged::target, kDataIn, number_follows},
    {"data_in.of_a_read", {"R3720-3.2.4.3-01"}, Judged::target, kDataIn, belongs_to_a_read},
    {"data_in.offset",
     {"R3720-10.8-06", "R3720-12.19-01", "R3720-10.7.6-l02", "R3720-12.18-l01"},
     Judged::target,
     kDataIn,
     offset_follows},
    {"data_in.burst",
     {"R3720-10.7.1-02", "R3720-12.12-01"},
     Judged::target,
     kDataIn,
     burst_is_kept},
    {"data_in.expected_length",
     {"R3720-3.2.4.3-01", "R3720-10.7.6-l01", "R3720-3.2.4.3-l01"},
     Judged::target,
     kDataIn,
     stays_within_expected_length},
    {"data_in.status_final", {"R3720-10.7.3-04"}, Judged::target, kDataIn, status_has_final},
    {"data_in.status_good", {"R3720-10.7.3-01"}, Judged::target, kDataIn, status_is_good},
    {"data_in.bidirectional_status",
     {"R3720-10.7.3-03"},
     Judged::target,
     kDataIn,
     bidirectional_has_no_status_here},
    {"data_in.no_ack_at_level_0",
     {"R3720-10.7.2-02"},
     Judged::target,
     kDataIn,
     acknowledgement_needs_level},
    {"data_in.ack_spacing",
     {"R3720-10.7.2-01"},
     Judged::target,
     kDataIn,
     acknowledgements_are_rare},
    {"data_in.tag_with_ack",
     {"R3720-10.7.4-01"},
     Judged::target,
     kDataIn,
     tag_comes_with_acknowledgement},
    {"data_in.lun_reserved", {"R3720-10-01"}, Judged::target, kDataIn, lun_is_reserved_without_tag},
    {"data_in.lun_of_command", {"R3720-10.7.4-02"}, Judged::target, kDataIn, lun_is_the_commands},
    {"data_in.words", {"R3720-10.7.7-02"}, Judged::target, kDataIn, is_words_of_four},
};

}  // namespace

std::span<const Rule> data_in_rules() { return kRules; }

}  // namespace tsih::judge
