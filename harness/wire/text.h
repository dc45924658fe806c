// key=value text of Login and Text PDUs (RFC 3720 section 5.1): pairs in their order, each ended by
// a zero byte. Lenient: what is not a pair is kept and named, for the caller to judge.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/wire/bytes.h"

namespace tsih::wire {

/// Pairs in the order of the wire; a key may come twice (TargetAddress does).
class TextKeys {
 public:
  using Pair = std::pair<std::string, std::string>;

  TextKeys() = default;
  TextKeys(std::initializer_list<Pair> pairs) : pairs_(pairs) {}

  void add(std::string key, std::string value);
  /// Replaces the first pair with this key, or adds one.
  void set(std::string_view key, std::string value);
  void remove(std::string_view key);
  void append(const TextKeys& other);
  /// The value of the first pair with this key.
  std::optional<std::string> value(std::string_view key) const;
  bool has(std::string_view key) const { return value(key).has_value(); }
  std::vector<std::string> values(std::string_view key) const;
  const std::vector<Pair>& pairs() const& { return pairs_; }
  bool empty() const { return pairs_.empty(); }
  /// "A=1 B=2", for messages; cut after `limit_bytes`.
  std::string describe(std::size_t limit_bytes = 200) const;

 private:
  std::vector<Pair> pairs_;
};

Bytes encode_text(const TextKeys& keys);

struct ParsedText {
  TextKeys keys;
  std::vector<std::string> problems;  ///< one line each; empty when the text keeps the format
};

/// Reads a whole logical text data segment. Problems named: a pair without "=", an empty key name,
/// a last pair without its zero byte (R3720-5.1-01).
ParsedText parse_text(std::span<const std::uint8_t> bytes);

/// A number as section 5.1 writes it: decimal without leading zeros, or 0x and hexadecimal digits;
/// below 2^64. Nothing otherwise.
std::optional<std::uint64_t> parse_number(std::string_view text);

/// A binary value in 0x... or 0b... form. Nothing when it is neither.
std::optional<Bytes> parse_binary(std::string_view text);
std::string encode_binary(std::span<const std::uint8_t> bytes);  ///< as 0x...
std::string encode_base64(std::span<const std::uint8_t> bytes);  ///< as 0b...

}  // namespace tsih::wire
