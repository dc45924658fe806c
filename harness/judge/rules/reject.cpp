// Reject: its reserved number, and that a rejected command was not received (RFC 3720 6.3, 10.17).
// That the header of the bad PDU comes back binds by no sentence of the RFC, so no rule asks for
// it.
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kReject = pdus(Opcode::reject);
constexpr unsigned kProtocolError = 4;

// DataSN/R2TSN is only for a Data/R2T SNACK that was a protocol error.
Ruling number_is_reserved(const Moment& m) {
  const auto& data = m.pdu.data;
  const bool of_snack = m.pdu[field::reject_reason] == kProtocolError && !data.empty() &&
                        (data[0] & 0x3f) == static_cast<std::uint8_t>(Opcode::snack_request);
  if (of_snack) return Ruling::aside();
  if (!m.seen.data_kept && m.seen.data_bytes > 0) return Ruling::unseen();
  return equal("DataSN/R2TSN, reserved here,", 0, m.pdu.u32(field::data_sn));
}

// A number that was rejected is open until it comes again or its task is aborted.
Ruling rejected_number_stays_open(const Moment& m) {
  if (m.pdu.is(Opcode::login_response)) return Ruling::aside();
  Ruling ruling = Ruling::aside();
  for (const std::uint32_t number : m.session.rejected) {
    const std::uint32_t expected = m.pdu.u32(field::exp_cmd_sn);
    if (serial_distance(expected, number) > 0)
      return Ruling::broken(
          fmt::format("an ExpCmdSN of at most {}, whose command was rejected", number),
          fmt::format("{}", expected));
    ruling = Ruling::kept();
  }
  return ruling;
}

constexpr Rule kRules[] = {
    {"reject.reserved", {"R3720-10-01"}, Judged::target, kReject, number_is_reserved},
    {"reject.number_stays_open",
     {"R3720-6.3-02"},
     Judged::target,
     kFromTarget,
     rejected_number_stays_open},
};

}  // namespace

std::span<const Rule> reject_rules() { return kRules; }

}  // namespace tsih::judge
