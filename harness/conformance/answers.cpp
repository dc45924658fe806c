#include "harness/conformance/answers.h"

#include <fmt/format.h>

#include <algorithm>

namespace tsih::conformance {

using wire::Opcode;
using wire::Pdu;
namespace field = wire::field;

bool is_good(const Pdu& pdu) {
  return pdu.is(Opcode::scsi_response) && pdu[field::response] == 0 && pdu[field::scsi_status] == 0;
}

bool is_failure(const Pdu& pdu) {
  return pdu.is(Opcode::scsi_response) &&
         (pdu[field::response] != 0 || pdu[field::scsi_status] != 0);
}

bool is_refusal(const Event& event) {
  return event.heard == Heard::closed ||
         (event.heard == Heard::pdu && (event.pdu.is(Opcode::reject) || is_failure(event.pdu)));
}

std::optional<Sense> sense_of(const Pdu& response) {
  // Two bytes of length come first (10.4.7.1).
  if (response.data.size() < 2 + 8) return std::nullopt;
  const std::uint8_t* sense = response.data.data() + 2;
  const bool descriptors = (sense[0] & 0x7f) >= 0x72;
  if (descriptors) return Sense{static_cast<std::uint8_t>(sense[1] & 0x0f), sense[2], sense[3]};
  if (response.data.size() < 2 + 14) return std::nullopt;
  return Sense{static_cast<std::uint8_t>(sense[2] & 0x0f), sense[12], sense[13]};
}

std::string sense_words(const Pdu& response) {
  const auto sense = sense_of(response);
  if (!sense) return "no sense data";
  return fmt::format("sense {:02x}/{:02x}/{:02x}", sense->key, sense->asc, sense->ascq);
}

std::string reject_problem(const Pdu& reject, const Pdu& rejected) {
  constexpr std::uint8_t kFirstReason = 0x02, kLastReason = 0x0c;
  const auto reason = reject[field::reject_reason];
  if (!reject[field::final]) return "bit 0 of byte 1 is not 1";
  if (reason < kFirstReason || reason > kLastReason)
    return fmt::format("reason 0x{:02x} is reserved", reason);
  if (reject[field::initiator_task_tag] != wire::kReservedTag)
    return fmt::format("bytes 16 to 19 are 0x{:08x}, not 0xffffffff",
                       reject[field::initiator_task_tag]);
  const wire::Bytes sent = wire::encode(rejected);
  const bool copied =
      reject.data.size() >= wire::kHeaderBytes &&
      std::equal(sent.begin(), sent.begin() + wire::kHeaderBytes, reject.data.begin());
  if (!copied) return "its data are not the header of the rejected PDU";
  return {};
}

}  // namespace tsih::conformance
