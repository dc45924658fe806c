// Asynchronous Messages: what they say, and what they make the initiator do in time (RFC
// 3720 10.9).
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kAsync = pdus(Opcode::async_message);
constexpr std::uint64_t kNewTasks =
    pdus(Opcode::scsi_command, Opcode::task_management_request, Opcode::text_request);

Ruling fields_belong_to_the_event(const Moment& m) {
  const auto event = m.pdu[field::async_event];
  const auto zero = [&](const wire::Field& which) { return m.pdu[which] == 0; };
  const char* wrong = nullptr;
  if (event != kVendorEvent && !zero(field::async_vcode)) wrong = "AsyncVCode";
  if (event != kScsiEvent && !zero(field::lun)) wrong = "LUN";
  if (event == kLogoutRequested && !(zero(field::parameter1) && zero(field::parameter2)))
    wrong = "Parameter1 or 2";
  if (event == kSessionDropped && !zero(field::parameter1)) wrong = "Parameter1";
  if (!wrong) return Ruling::kept();
  return Ruling::broken(
      fmt::format("what is reserved in an Asynchronous Message of event {} to be zero", event),
      fmt::format("{} set", wrong));
}

// A SCSI event is told by its sense data; SenseLength stays within the data segment.
Ruling sense_belongs_to_the_event(const Moment& m) {
  if (m.pdu[field::async_event] != kScsiEvent) return Ruling::aside();
  if (m.seen.data_bytes > 0 && !m.seen.data_kept) return Ruling::unseen();
  const auto& data = m.pdu.data;
  const std::size_t length = data.size() < 2 ? 0 : data[0] << 8 | data[1];
  if (length > 0 && length + 2 <= data.size()) return Ruling::kept();
  return Ruling::broken("sense data with a SCSI event",
                        fmt::format("{} bytes of data, SenseLength {}", data.size(), length));
}

std::string seconds_since(const AsyncRequest& asked, std::uint64_t now_ns) {
  return fmt::format("{:.3f} s after it", static_cast<double>(now_ns - asked.time_ns) / 1e9);
}

// In time, and with every PDU that comes after it: not in time.
Ruling logout_comes_in_time(const Moment& m) {
  const auto& asked = m.connection.logout_asked;
  if (!asked) return Ruling::aside();
  const std::uint64_t now = m.seen.place.time_ns;
  if (now > asked->deadline_ns)
    return Ruling::broken(
        fmt::format("a Logout within {} s of the message that asks for it",
                    (asked->deadline_ns - asked->time_ns) / 1'000'000'000),
        fmt::format("a {} {}", wire::opcode_name(m.pdu.opcode()), seconds_since(*asked, now)));
  return m.pdu.is(Opcode::logout_request) ? Ruling::kept() : Ruling::aside();
}

Ruling logout_closes(const Moment& m) {
  if (!m.connection.logout_asked) return Ruling::aside();
  const auto reason = m.pdu[field::logout_reason];
  if (reason <= 1) return Ruling::kept();
  return Ruling::broken("reason close the session or close the connection",
                        fmt::format("{}", reason));
}

// The initiator knows of the message when it has acknowledged it.
Ruling nothing_new_is_begun(const Moment& m) {
  const auto& asked = m.connection.logout_asked;
  if (!asked) return Ruling::aside();
  if (serial_distance(m.pdu.u32(field::exp_stat_sn), asked->stat_sn) <= 0) return Ruling::unseen();
  return Ruling::broken("no new command once a logout was asked for",
                        fmt::format("a {}", wire::opcode_name(m.pdu.opcode())));
}

Ruling negotiation_comes_in_time(const Moment& m) {
  const auto& asked = m.connection.negotiation_asked;
  if (!asked) return Ruling::aside();
  const std::uint64_t now = m.seen.place.time_ns;
  if (now > asked->deadline_ns)
    return Ruling::broken(
        fmt::format("a Text Request or Logout within {} s of the message that asks for it",
                    (asked->deadline_ns - asked->time_ns) / 1'000'000'000),
        fmt::format("a {} {}", wire::opcode_name(m.pdu.opcode()), seconds_since(*asked, now)));
  const bool heeded = m.pdu.is(Opcode::text_request) || m.pdu.is(Opcode::logout_request);
  return heeded ? Ruling::kept() : Ruling::aside();
}

constexpr Rule kRules[] = {
    {"async.reserved", {"R3720-10-01"}, Judged::target, kAsync, fields_belong_to_the_event},
    {"async.sense", {"R3720-10.9.3-01"}, Judged::target, kAsync, sense_belongs_to_the_event},
    {"async.logout_in_time",
     {"R3720-10.9.1-02", "R3720-7.1.3-T10", "R3720-7.1.3-T11"},
     Judged::initiator,
     kFromInitiator,
     logout_comes_in_time},
    {"async.logout_reason",
     {"R3720-10.9.1-03"},
     Judged::initiator,
     pdus(Opcode::logout_request),
     logout_closes},
    {"async.no_new_command",
     {"R3720-10.9.1-04"},
     Judged::initiator,
     kNewTasks,
     nothing_new_is_begun},
    {"async.negotiation_in_time",
     {"R3720-10.9.1-06"},
     Judged::initiator,
     kFromInitiator,
     negotiation_comes_in_time},
};

}  // namespace

std::span<const Rule> async_rules() { return kRules; }

}  // namespace tsih::judge
