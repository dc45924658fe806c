// What a legal answer looks like, for verifiers: statuses, sense data, Rejects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "harness/conformance/judgement.h"
#include "harness/suite/connection.h"
#include "harness/wire/pdu.h"

namespace tsih::conformance {

/// A SCSI Response of a command that was carried out, with status GOOD.
bool is_good(const wire::Pdu& pdu);
/// A SCSI Response with another status than GOOD, or of a command that was not carried out.
bool is_failure(const wire::Pdu& pdu);
/// A Reject, a SCSI Response of failure, or the end of the connection.
bool is_refusal(const Event& event);

/// Sense key, additional sense code and its qualifier.
struct Sense {
  std::uint8_t key = 0, asc = 0, ascq = 0;
  bool operator==(const Sense&) const = default;
};
// iSCSI conditions that end a command (10.4.7.2).
inline constexpr Sense kUnexpectedData{0x0b, 0x0c, 0x0c};
inline constexpr Sense kIncorrectAmountOfData{0x0b, 0x0c, 0x0d};
inline constexpr Sense kProtocolServiceCrcError{0x0b, 0x47, 0x05};

/// Of a SCSI Response, in fixed or descriptor format; nothing when it bears none.
std::optional<Sense> sense_of(const wire::Pdu& response);
/// "sense 0b/0c/0d", "no sense data": for messages.
std::string sense_words(const wire::Pdu& response);

/// What is wrong with a Reject of this request by the figure and text of 10.17; empty when nothing
/// is.
std::string reject_problem(const wire::Pdu& reject, const wire::Pdu& rejected);

}  // namespace tsih::conformance
