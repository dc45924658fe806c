// Login and Text data: key=value pairs, each ended by one NUL (RFC 3720 5.1). Pure syntax; what a
// key means, and which values it may have, is the session's to judge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tsihd::wire {

struct KeyValue {
  std::string_view key;
  std::string_view value;
  bool operator==(const KeyValue&) const = default;
};

/// What a peer may send us in one logical text (all PDUs up to one without C bit).
struct TextLimits {
  static constexpr std::size_t kKeyBytes = 63;  ///< 5.1: a standard-label's length
  /// 5.1 limits a simple value to 255 bytes before encoding; lists and encoded binary values may be
  /// longer. Rules of that kind belong to the key; this is what any value is limited to.
  std::size_t value_bytes = 8192;
  std::size_t pairs = 128;
  /// 5.1: at least 8192 bytes must be taken in a negotiation sequence.
  std::size_t total_bytes = 65536;
};

/// What is wrong with a text.
struct TextError {
  enum class Kind : std::uint8_t {
    too_long,        ///< above total_bytes
    too_many_pairs,  ///< above pairs
    not_terminated,  ///< the last pair has no NUL
    no_equals_sign,  ///< not a key=value pair, or an empty one (two NULs in a row)
    bad_key,         ///< empty, longer than 63, or not a standard-label
    value_too_long,  ///< above value_bytes
  };
  Kind kind;
  std::size_t offset_bytes;  ///< where the pair begins
};
std::string_view to_string(TextError::Kind kind);

/// Splits a logical text; the views point into it.
std::expected<std::vector<KeyValue>, TextError> parse_text(std::string_view text,
                                                           const TextLimits& limits = {});

/// 5.1: a capital letter, then letters, digits, and . - + @ _; at most 63. The keys X#... (12.22)
/// are let through here as well: RFC 3720 itself defines them with a number sign.
bool is_key_name(std::string_view key);

/// Appends key=value and its NUL.
void append_text(std::string& out, std::string_view key, std::string_view value);

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace tsihd::wire
