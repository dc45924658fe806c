// The keys of RFC 3720 chapters 11 and 12 as a table: how each is negotiated, who may send it,
// where and when; and how values are written (5.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "harness/wire/ladder.h"

namespace tsih::judge {

enum class KeyType : std::uint8_t {
  boolean_and,     ///< Yes or No, the outcome is the AND of both
  boolean_or,      ///< the OR of both
  minimum,         ///< a number, the outcome is the lesser one
  maximum,         ///< a number, the outcome is the greater one
  list,            ///< the acceptor picks one of several
  range,           ///< the acceptor picks a number of a range
  declaration,     ///< each side says for itself, nobody answers
  authentication,  ///< of an authentication method, with steps of its own
};

/// When a key may be sent (RFC 3720 12: IO, LO, FFPO, ALL).
enum class KeyUse : std::uint8_t { in_login, in_leading_login, in_full_feature, always };

enum class Senders : std::uint8_t { initiator, target, both };

struct Key {
  std::string_view name;
  KeyType type;
  KeyUse use = KeyUse::in_leading_login;
  Senders senders = Senders::both;
  std::uint32_t least = 0, most = 0;  ///< of numbers
  bool in_security_stage = false;

  bool is_boolean() const { return type == KeyType::boolean_and || type == KeyType::boolean_or; }
  bool is_number() const { return type == KeyType::minimum || type == KeyType::maximum; }
  bool is_negotiated() const {
    return type != KeyType::declaration && type != KeyType::authentication;
  }
  bool holds(std::uint64_t number) const { return number >= least && number <= most; }
};

/// Null for keys that the RFC does not define.
const Key* find_key(std::string_view name);

/// X-... and X#...: private and public extensions (12.22).
inline bool is_extension(std::string_view key) {
  return key.starts_with("X-") || key.starts_with("X#");
}

/// A key that may come more than once in one negotiation (TargetAddress, TargetName and what
/// belongs to a list of targets).
bool may_repeat(std::string_view key);

inline constexpr std::size_t kLimitLabelBytes = 63;

/// Letters, digits, dot, minus, plus, commercial at, underscore; at least one.
bool has_label_characters(std::string_view text);
/// A standard-label: those, a capital letter first, at most 63 bytes.
bool is_standard_label(std::string_view text);

bool is_reserved_word(std::string_view value);  ///< Reject, Irrelevant, NotUnderstood

/// Whether `value` is one of a list with commas between.
bool lists(std::string_view list, std::string_view value);

/// Calls `look` with each value of a list.
template <class Look>
void for_each_listed(std::string_view list, Look look) {
  while (true) {
    const auto comma = list.find(',');
    look(list.substr(0, comma));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

/// What a boolean proposal settles without an answer (5.2.2); nothing when an answer decides.
inline bool settles(const Key& key, std::string_view value) {
  return (key.type == KeyType::boolean_and && value == "No") ||
         (key.type == KeyType::boolean_or && value == "Yes");
}

}  // namespace tsih::judge
