#include "target/wire/text.h"

#include <algorithm>

namespace tsihd::wire {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_label_character(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == '@' ||
         c == '_';
}

}  // namespace

std::string_view to_string(TextError::Kind kind) {
  switch (kind) {
    case TextError::Kind::too_long:
      return "the text is too long";
    case TextError::Kind::too_many_pairs:
      return "too many key=value pairs";
    case TextError::Kind::not_terminated:
      return "the last pair is not ended by a NUL";
    case TextError::Kind::no_equals_sign:
      return "a pair has no '='";
    case TextError::Kind::bad_key:
      return "a key is not a standard-label";
    case TextError::Kind::value_too_long:
      return "a value is too long";
  }
  return "unknown";
}

bool is_key_name(std::string_view key) {
  if (key.empty() || key.size() > TextLimits::kKeyBytes) return false;
  if (key[0] < 'A' || key[0] > 'Z') return false;
  if (key.starts_with("X#")) key.remove_prefix(2);
  return std::all_of(key.begin(), key.end(), is_label_character);
}

std::expected<std::vector<KeyValue>, TextError> parse_text(std::string_view text,
                                                           const TextLimits& limits) {
  using Kind = TextError::Kind;
  if (text.size() > limits.total_bytes) return std::unexpected(TextError{Kind::too_long, 0});
  std::vector<KeyValue> pairs;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto error = [&](Kind kind) { return std::unexpected(TextError{kind, begin}); };
    const std::size_t end = text.find('\0', begin);
    if (end == std::string_view::npos) return error(Kind::not_terminated);
    const std::string_view pair = text.substr(begin, end - begin);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return error(Kind::no_equals_sign);
    const KeyValue parsed{pair.substr(0, equals), pair.substr(equals + 1)};
    if (!is_key_name(parsed.key)) return error(Kind::bad_key);
    if (parsed.value.size() > limits.value_bytes) return error(Kind::value_too_long);
    if (pairs.size() == limits.pairs) return error(Kind::too_many_pairs);
    pairs.push_back(parsed);
    begin = end + 1;
  }
  return pairs;
}

void append_text(std::string& out, std::string_view key, std::string_view value) {
  out.append(key).push_back('=');
  out.append(value).push_back('\0');
}

}  // namespace tsihd::wire
