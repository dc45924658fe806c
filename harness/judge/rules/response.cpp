// Answers to commands: whose they are, residuals, sense, ExpDataSN (RFC
// 3720 10.4, 10.5.1, 3.2.4.1).
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kResponse = pdus(Opcode::scsi_response);
constexpr std::uint64_t kAnswers = pdus(Opcode::scsi_response, Opcode::data_in, Opcode::r2t);
constexpr std::uint8_t kCheckCondition = 2;

bool completed(const Moment& m) { return m.pdu[field::response] == 0; }
bool is_followed(const Moment& m) { return m.task && m.task->whole && !m.task->recovered; }

Ruling task_lives(const Moment& m) {
  if (m.task && m.task->is(TaskKind::scsi)) return Ruling::kept();
  if (!m.session.tasks_known || m.session.parameters.error_recovery_level > 0)
    return Ruling::unseen();
  const std::uint32_t tag = m.pdu.u32(field::initiator_task_tag);
  if (m.session.find_ended(tag)) return Ruling::aside();  // rules of their own
  return Ruling::broken("the Initiator Task Tag of a command that lives", hex(tag));
}

Ruling nothing_follows_an_abort(const Moment& m) {
  if (m.task || !m.session.tasks_known) return Ruling::aside();
  const std::uint32_t tag = m.pdu.u32(field::initiator_task_tag);
  const EndedTask* ended = m.session.find_ended(tag);
  if (!ended || !ended->aborted) return Ruling::aside();
  return Ruling::broken("nothing more for a task behind the response that ended it",
                        fmt::format("a {} for {}", wire::opcode_name(m.pdu.opcode()), hex(tag)));
}

Ruling status_comes_once(const Moment& m) {
  if (m.task) return Ruling::kept();
  if (m.session.parameters.error_recovery_level > 0) return Ruling::unseen();
  const std::uint32_t tag = m.pdu.u32(field::initiator_task_tag);
  const EndedTask* ended = m.session.find_ended(tag);
  if (!ended || !ended->status_in_data) return Ruling::aside();
  return Ruling::broken("no SCSI Response behind the status in Data-In",
                        fmt::format("one for {}", hex(tag)));
}

Ruling keeps_the_connection(const Moment& m) {
  if (!m.task) return Ruling::aside();
  if (m.task->connection == m.connection.number) return Ruling::kept();
  if (m.task->recovered || !m.task->whole) return Ruling::unseen();
  return Ruling::broken("an answer on the connection of its command", "another");
}

Ruling residual_bits_are_zero_without_completion(const Moment& m) {
  if (completed(m)) return Ruling::aside();
  if ((m.pdu.header[1] & 0x1e) == 0) return Ruling::kept();
  return Ruling::broken("o, u, O and U zero with a response other than completed at target",
                        hex(m.pdu.header[1] & 0x1e));
}

bool has_status(const Moment& m) {
  return m.pdu.is(Opcode::scsi_response) || m.pdu[field::has_status] != 0;
}

Ruling residual_bits_exclude_each_other(const Moment& m) {
  if (!has_status(m)) return Ruling::aside();
  if (!(m.pdu[field::overflow] && m.pdu[field::underflow])) return Ruling::kept();
  return Ruling::broken("at most one of O and U", "both");
}

Ruling bidirectional_bits_exclude_each_other(const Moment& m) {
  if (!(m.pdu[field::bidi_overflow] || m.pdu[field::bidi_underflow])) return Ruling::aside();
  if (!(m.pdu[field::bidi_overflow] && m.pdu[field::bidi_underflow])) return Ruling::kept();
  return Ruling::broken("at most one of o and u", "both");
}

// Of reads the judge has counted the data; of writes only the bounds are sure.
Ruling residual_is_right(const Moment& m) {
  if (!has_status(m) || (m.pdu.is(Opcode::scsi_response) && !completed(m))) return Ruling::aside();
  const bool under = m.pdu[field::underflow], over = m.pdu[field::overflow];
  if (!m.task || (!under && !over)) return Ruling::aside();
  const std::uint64_t residual = m.pdu[field::residual];
  const Task& task = *m.task;
  const std::uint64_t expected = task.writes() ? task.write_bytes : task.read_bytes;
  if (residual == 0) return Ruling::broken("a Residual Count above 0 beside O or U", "0");
  if (under && residual > expected)
    return Ruling::broken(fmt::format("a Residual Count of at most the expected {}", expected),
                          fmt::format("{}", residual));
  if (task.writes() || !task.reads()) return Ruling::kept();
  if (!is_followed(m)) return Ruling::unseen();
  if (m.pdu[field::scsi_status] != 0) return Ruling::kept();
  const std::uint64_t sent =
      task.data_in_bytes + (m.pdu.is(Opcode::data_in) ? m.seen.data_bytes : 0);
  return equal(fmt::format("a Residual Count that makes {} bytes of the {} sent:", expected, sent),
               under ? expected - std::min(expected, sent) : residual, residual);
}

Ruling short_read_says_so(const Moment& m) {
  if (!has_status(m) || (m.pdu.is(Opcode::scsi_response) && !completed(m))) return Ruling::aside();
  if (!m.task || !m.task->reads() || m.task->is_bidirectional() || m.pdu[field::scsi_status] != 0)
    return Ruling::aside();
  if (!is_followed(m)) return Ruling::unseen();
  if (m.pdu[field::underflow] || m.pdu[field::overflow]) return Ruling::kept();
  const std::uint64_t sent =
      m.task->data_in_bytes + (m.pdu.is(Opcode::data_in) ? m.seen.data_bytes : 0);
  if (sent == m.task->read_bytes) return Ruling::kept();
  return Ruling::broken(fmt::format("U, since {} bytes of {} were sent", sent, m.task->read_bytes),
                        "neither O nor U");
}

Ruling sense_comes_with_check_condition(const Moment& m) {
  if (!completed(m) || m.pdu[field::scsi_status] != kCheckCondition) return Ruling::aside();
  if (m.seen.data_bytes > 0 && !m.seen.data_kept) return Ruling::unseen();
  const auto& data = m.pdu.data;
  const std::size_t length = data.size() < 2 ? 0 : data[0] << 8 | data[1];
  if (length > 0 && length + 2 <= data.size()) return Ruling::kept();
  return Ruling::broken("sense data with CHECK CONDITION",
                        fmt::format("{} bytes of data, SenseLength {}", data.size(), length));
}

Ruling data_number_is_right(const Moment& m) {
  const std::uint32_t number = m.pdu.u32(field::exp_data_sn);
  if (!completed(m)) return equal("ExpDataSN", 0, number);
  if (!is_followed(m)) return Ruling::unseen();
  const Task& task = *m.task;
  return equal("ExpDataSN", task.data_ins == 0 ? 0 : task.data_ins + task.r2ts, number);
}

constexpr Rule kRules[] = {
    {"response.of_living_task", {"R3720-3.2.4.3-01"}, Judged::target, kAnswers, task_lives},
    {"response.nothing_after_abort",
     {"R3720-10.5.1-04"},
     Judged::target,
     kAnswers,
     nothing_follows_an_abort},
    {"response.one_status", {"R3720-10.7.3-02"}, Judged::target, kResponse, status_comes_once},
    {"response.connection",
     {"R3720-3.2.4.1-01", "R3720-3.2.4.1-02", "R3720-3.2.4.1-04"},
     Judged::target,
     kAnswers,
     keeps_the_connection},
    {"response.residual_bits_zero",
     {"R3720-10.4.1-01"},
     Judged::target,
     kResponse,
     residual_bits_are_zero_without_completion},
    {"response.residual_bits",
     {"R3720-10.4.5-01", "R3720-10.4.1-l01"},
     Judged::target,
     pdus(Opcode::scsi_response, Opcode::data_in),
     residual_bits_exclude_each_other},
    {"response.bidirectional_bits",
     {"R3720-10.4.6-01", "R3720-10.4.1-l01"},
     Judged::target,
     kResponse,
     bidirectional_bits_exclude_each_other},
    {"response.residual",
     {"R3720-10.4.5-01"},
     Judged::target,
     pdus(Opcode::scsi_response, Opcode::data_in),
     residual_is_right},
    {"response.short_read",
     {"R3720-10.4.5-01"},
     Judged::target,
     pdus(Opcode::scsi_response, Opcode::data_in),
     short_read_says_so},
    {"response.sense",
     {"R3720-10.4.7-02", "R3720-9.2-01", "R3720-3.5.1.2-01"},
     Judged::target,
     kResponse,
     sense_comes_with_check_condition},
    {"response.exp_data_sn", {"R3720-10.4.8-01"}, Judged::target, kResponse, data_number_is_right},
};

}  // namespace

std::span<const Rule> response_rules() { return kRules; }

}  // namespace tsih::judge
