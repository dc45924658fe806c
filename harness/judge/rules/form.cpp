// What every PDU looks like: opcodes, reserved bits, padding, lengths, digests (RFC 3720 10, 10.1,
// 10.2, 12.1).
#include <bit>

#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kBareRequests =
    pdus(Opcode::task_management_request, Opcode::logout_request);

/// PDUs whose figures have no data segment.
constexpr std::uint64_t kWithoutData =
    pdus(Opcode::task_management_request, Opcode::task_management_response, Opcode::logout_request,
         Opcode::logout_response, Opcode::r2t, Opcode::snack_request);

struct Masks {
  wire::HeaderMask of[64];
  Masks() {
    for (std::uint8_t opcode = 0; opcode < 64; ++opcode) wire::reserved_bits(opcode, of[opcode]);
  }
};

Ruling reserved_is_zero(const Moment& m) {
  const auto found = reserved_byte(m.pdu);
  if (!found) return Ruling::kept();
  return Ruling::broken(
      fmt::format("reserved bits of a {} to be zero", wire::opcode_name(m.pdu.opcode())),
      fmt::format("byte {} = 0x{:02x}, reserved there are 0x{:02x}", found->at,
                  m.pdu.header[found->at], found->mask));
}

Ruling opcode_is_own(const Moment& m) {
  const bool of_initiator = std::uint64_t{1} << m.pdu.opcode() & kFromInitiator;
  const bool of_target = std::uint64_t{1} << m.pdu.opcode() & kFromTarget;
  if (!of_initiator && !of_target) return Ruling::aside();
  if (m.from == From::initiator ? of_initiator : of_target) return Ruling::kept();
  return Ruling::broken(
      fmt::format("an opcode of {}s", m.from == From::initiator ? "initiator" : "target"),
      std::string(wire::opcode_name(m.pdu.opcode())));
}

Ruling padding_is_zero(const Moment& m) {
  if (m.seen.data_bytes % 4 == 0) return Ruling::aside();
  if (!m.seen.data_complete) return Ruling::unseen();
  if (m.pdu.padding_is_zero) return Ruling::kept();
  return Ruling::broken("padding of zero bytes", "other bytes");
}

Ruling padding_under_digest_is_zero(const Moment& m) {
  return m.connection.data_digest ? padding_is_zero(m) : Ruling::aside();
}

Ruling header_digest_is_right(const Moment& m) {
  if (!m.seen.has_header_digest) return Ruling::aside();
  if (m.pdu.header_digest_ok) return Ruling::kept();
  return Ruling::broken("the CRC32C of the header after it", "another value");
}

Ruling data_digest_is_right(const Moment& m) {
  if (!m.seen.has_data_digest) return Ruling::aside();
  if (m.pdu.data_digest_ok) return Ruling::kept();
  return Ruling::broken("the CRC32C of the data segment after it", "another value");
}

// Before the login has ended, 8192 bytes hold, or what was declared in between (12.13).
Ruling fits_receiver(const Moment& m) {
  if (m.seen.data_bytes == 0) return Ruling::aside();
  const auto limit = m.connection.receive_limit(m.from);
  if (!limit) return Ruling::unseen();
  if (m.seen.data_bytes <= *limit) return Ruling::kept();
  return Ruling::broken(
      fmt::format("at most the {} bytes of the receiver's MaxRecvDataSegmentLength", *limit),
      fmt::format("{} bytes of data", m.seen.data_bytes));
}

Ruling is_bare(const Moment& m) {
  if (m.seen.data_bytes == 0 && m.pdu.header[4] == 0) return Ruling::kept();
  return Ruling::broken(
      "neither additional headers nor data",
      fmt::format("TotalAHSLength {}, DataSegmentLength {}", m.pdu.header[4], m.seen.data_bytes));
}

Ruling has_no_data(const Moment& m) { return equal("DataSegmentLength", 0, m.seen.data_bytes); }

// Additional headers are defined for SCSI commands only (10.2.2).
Ruling has_no_ahs(const Moment& m) { return equal("TotalAHSLength", 0, m.pdu.header[4]); }

constexpr Rule kRules[] = {
    {"form.opcode_of_the_side", {"R3720-10.2.1.2-01"}, Judged::both, kEveryOpcode, opcode_is_own},
    {"form.reserved_zero",
     {"R3720-10-01"},
     Judged::both,
     kFromInitiator | kFromTarget,
     reserved_is_zero},
    {"form.padding_zero",
     {"R3720-10.1-01", "R3720-10.2-04"},
     Judged::both,
     kEveryOpcode,
     padding_is_zero},
    {"form.padding_zero_under_digest",
     {"R3720-12.1-03"},
     Judged::both,
     kEveryOpcode,
     padding_under_digest_is_zero},
    {"form.header_digest",
     {"R3720-12.1-02", "R3720-12.1-04"},
     Judged::both,
     kEveryOpcode,
     header_digest_is_right},
    {"form.data_digest",
     {"R3720-12.1-02", "R3720-12.1-04"},
     Judged::both,
     kEveryOpcode,
     data_digest_is_right},
    {"form.data_fits_receiver",
     {"R3720-10.7.1-02"},
     Judged::both,
     pdus(Opcode::data_in, Opcode::data_out, Opcode::scsi_command),
     fits_receiver},
    {"form.text_request_fits_receiver",
     {"R3720-10.10.5-01"},
     Judged::initiator,
     pdus(Opcode::text_request, Opcode::login_request),
     fits_receiver},
    {"form.text_response_fits_receiver",
     {"R3720-10.11.6-01"},
     Judged::target,
     pdus(Opcode::text_response, Opcode::login_response),
     fits_receiver},
    {"form.no_additional_headers",
     {"R3720-10.2.1.5-01"},
     Judged::both,
     (kFromInitiator | kFromTarget) & ~pdus(Opcode::scsi_command) & ~kBareRequests,
     has_no_ahs},
    {"form.management_request_bare",
     {"R3720-10.5.2-01"},
     Judged::initiator,
     pdus(Opcode::task_management_request),
     is_bare},
    {"form.management_response_bare",
     {"R3720-10.6.3-01"},
     Judged::target,
     pdus(Opcode::task_management_response),
     is_bare},
    {"form.logout_request_bare",
     {"R3720-10.14.2-01"},
     Judged::initiator,
     pdus(Opcode::logout_request),
     is_bare},
    {"form.logout_response_bare",
     {"R3720-10.15.2-01"},
     Judged::target,
     pdus(Opcode::logout_response),
     is_bare},
    {"form.no_data_segment", {"R3720-10.2.1.6-01"}, Judged::both, kWithoutData, has_no_data},
    {"form.r2t_bare", {"R3720-10.8.1-01"}, Judged::target, pdus(Opcode::r2t), is_bare},
};

}  // namespace

std::optional<ReservedByte> reserved_byte(const Pdu& pdu) {
  static const Masks masks;
  const auto& mask = masks.of[pdu.opcode()];
  for (std::size_t i = 0; i < wire::kHeaderBytes; ++i)
    if (pdu.header[i] & mask[i]) return ReservedByte{i, mask[i]};
  return std::nullopt;
}

std::span<const Rule> form_rules() { return kRules; }

}  // namespace tsih::judge
