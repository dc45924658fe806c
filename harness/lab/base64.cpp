#include "harness/lab/base64.h"

#include <array>
#include <cstdint>

namespace tsih::lab {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_values() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return values;
}
constexpr auto values = make_values();

/// The length of the UTF-8 sequence at `at`, 0 if there is none: no overlong forms, no surrogates.
std::size_t sequence_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const auto second = byte(1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
      (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F))
    return 0;
  return length;
}

}  // namespace

std::string to_base64(std::string_view data) {
  std::string text;
  text.reserve((data.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < data.size(); i += 3) {
    const auto byte = [&](std::size_t k) -> std::uint32_t {
      return i + k < data.size() ? static_cast<unsigned char>(data[i + k]) : 0;
    };
    const std::uint32_t word = byte(0) << 16 | byte(1) << 8 | byte(2);
    text += alphabet[word >> 18 & 63];
    text += alphabet[word >> 12 & 63];
    text += i + 1 < data.size() ? alphabet[word >> 6 & 63] : '=';
    text += i + 2 < data.size() ? alphabet[word & 63] : '=';
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  std::string data;
  data.reserve(digits * 3 / 4);
  std::uint32_t word = 0;
  int bits = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const auto value = values[static_cast<unsigned char>(text[i])];
    if (value < 0) return std::nullopt;
    word = word << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      data += static_cast<char>(word >> bits & 0xFF);
    }
  }
  return data;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto length = sequence_at(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string make_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto length = sequence_at(text, at);
    if (length == 0)
      result += "\xEF\xBF\xBD";
    else
      result += text.substr(at, length);
    at += length == 0 ? 1 : length;
  }
  return result;
}

}  // namespace tsih::lab
