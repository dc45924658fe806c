// A rule: one check of one PDU, declared once with the clauses that it judges. Rules look at a PDU
// beside what was known before it came; they change nothing.
//
//   constexpr Rule kRules[] = {
//       {"r2t.tag", {"R3720-10.8.5-01"}, Judged::target, pdus(Opcode::r2t), tag_is_not_reserved},
//   };
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "harness/judge/model.h"

namespace tsih::judge {

using wire::Opcode;
using wire::Pdu;
namespace field = wire::field;

/// One PDU and what was known before it.
struct Moment {
  const SeenPdu& seen;
  const Pdu& pdu;
  From from;
  const Connection& connection;
  const Session& session;
  const Task* task;            ///< of its Initiator Task Tag; none, or unknown
  const wire::TextKeys* keys;  ///< of the logical text that ends with this PDU; else null
  const std::vector<std::string>* text_problems;
  const Closing* closing = nullptr;  ///< at the end of a connection only; `pdu` is empty then
};

/// What a rule says.
class Ruling {
 public:
  enum class Kind : std::uint8_t { aside, kept, broken, unseen };
  /// The rule does not concern this PDU.
  static Ruling aside() { return Ruling(Kind::aside); }
  static Ruling kept() { return Ruling(Kind::kept); }
  /// The rule concerns it, but the capture does not show what is needed.
  static Ruling unseen() { return Ruling(Kind::unseen); }
  static Ruling broken(std::string expected, std::string actual) {
    Ruling ruling(Kind::broken);
    ruling.words_ = fmt::format("expected {}, got {}", expected, actual);
    return ruling;
  }
  /// Broken by RFC 3720; RFC 7143 allows it.
  static Ruling broken_by_3720(std::string expected, std::string actual) {
    Ruling ruling = broken(std::move(expected), std::move(actual));
    ruling.by_7143_ = false;
    return ruling;
  }
  Kind kind() const { return kind_; }
  bool is_broken_by_7143() const { return kind_ == Kind::broken && by_7143_; }
  const std::string& words() const { return words_; }

 private:
  explicit Ruling(Kind kind) : kind_(kind) {}
  Kind kind_;
  bool by_7143_ = true;
  std::string words_;
};

/// Opcodes as a set.
template <class... Opcodes>
constexpr std::uint64_t pdus(Opcodes... opcodes) {
  return ((1ull << static_cast<unsigned>(opcodes)) | ...);
}
inline constexpr std::uint64_t kFromInitiator = pdus(
    Opcode::nop_out, Opcode::scsi_command, Opcode::task_management_request, Opcode::login_request,
    Opcode::text_request, Opcode::data_out, Opcode::logout_request, Opcode::snack_request);
inline constexpr std::uint64_t kFromTarget =
    pdus(Opcode::nop_in, Opcode::scsi_response, Opcode::task_management_response,
         Opcode::login_response, Opcode::text_response, Opcode::data_in, Opcode::logout_response,
         Opcode::r2t, Opcode::async_message, Opcode::reject);
inline constexpr std::uint64_t kEveryOpcode = ~0ull;

/// Events of Asynchronous Messages (10.9.1).
enum AsyncEvent : unsigned {
  kScsiEvent = 0,
  kLogoutRequested = 1,
  kConnectionDropped = 2,
  kSessionDropped = 3,
  kNegotiationRequested = 4,
  kVendorEvent = 255,
};

/// Types of SNACK (10.16.1).
enum SnackType : unsigned { kDataSnack = 0, kStatusSnack = 1, kDataAck = 2, kRDataSnack = 3 };

inline constexpr std::size_t kMostClauses = 6;

enum class Judged : std::uint8_t { initiator, target, both };

/// When a rule looks: at PDUs, or when a connection has ended or the capture has.
enum class Occasion : std::uint8_t { pdu, end_of_connection };

struct Rule {
  std::string_view name;
  std::array<std::string_view, kMostClauses> clauses;  ///< ids of the catalogue; the rest is empty
  Judged party;                                        ///< whose PDUs it looks at
  std::uint64_t opcodes;
  Ruling (*check)(const Moment&);
  Occasion occasion = Occasion::pdu;
};

/// The first byte of the header that has a reserved bit set, with the mask of what is reserved in
/// it (R3720-10-01).
struct ReservedByte {
  std::size_t at;
  std::uint8_t mask;
};
std::optional<ReservedByte> reserved_byte(const Pdu& pdu);

/// Every rule, in the order of the subjects. Their number is their index.
std::span<const Rule> all_rules();

}  // namespace tsih::judge
