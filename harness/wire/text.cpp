#include "harness/wire/text.h"

#include <algorithm>
#include <charconv>

namespace tsih::wire {

void TextKeys::add(std::string key, std::string value) {
  pairs_.emplace_back(std::move(key), std::move(value));
}

void TextKeys::set(std::string_view key, std::string value) {
  for (Pair& pair : pairs_)
    if (pair.first == key) {
      pair.second = std::move(value);
      return;
    }
  add(std::string(key), std::move(value));
}

void TextKeys::remove(std::string_view key) {
  std::erase_if(pairs_, [&](const Pair& pair) { return pair.first == key; });
}

void TextKeys::append(const TextKeys& other) {
  pairs_.insert(pairs_.end(), other.pairs_.begin(), other.pairs_.end());
}

std::optional<std::string> TextKeys::value(std::string_view key) const {
  for (const Pair& pair : pairs_)
    if (pair.first == key) return pair.second;
  return std::nullopt;
}

std::vector<std::string> TextKeys::values(std::string_view key) const {
  std::vector<std::string> found;
  for (const Pair& pair : pairs_)
    if (pair.first == key) found.push_back(pair.second);
  return found;
}

std::string TextKeys::describe(std::size_t limit_bytes) const {
  std::string text;
  for (const Pair& pair : pairs_) {
    if (!text.empty()) text += ' ';
    text += pair.first + "=" + pair.second;
    if (text.size() > limit_bytes) return text.substr(0, limit_bytes) + "...";
  }
  return text.empty() ? "no key" : text;
}

Bytes encode_text(const TextKeys& keys) {
  Bytes bytes;
  for (const auto& [key, value] : keys.pairs()) {
    bytes.insert(bytes.end(), key.begin(), key.end());
    bytes.push_back('=');
    bytes.insert(bytes.end(), value.begin(), value.end());
    bytes.push_back(0);
  }
  return bytes;
}

ParsedText parse_text(std::span<const std::uint8_t> bytes) {
  ParsedText parsed;
  while (!bytes.empty()) {
    const auto end = std::find(bytes.begin(), bytes.end(), 0);
    const std::string pair(bytes.begin(), end);
    if (end == bytes.end())
      parsed.problems.push_back("the last pair \"" + pair.substr(0, 40) + "\" has no zero byte");
    bytes = bytes.subspan(std::min<std::size_t>(pair.size() + 1, bytes.size()));
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      parsed.problems.push_back("\"" + pair.substr(0, 40) + "\" is no key=value pair");
      continue;
    }
    parsed.keys.add(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return parsed;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.front() == '0') {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

namespace {

std::optional<Bytes> parse_hex(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  const std::string even = (digits.size() % 2 ? "0" : "") + std::string(digits);
  Bytes bytes;
  for (std::size_t i = 0; i < even.size(); i += 2) {
    std::uint8_t byte = 0;
    const auto [end, error] = std::from_chars(&even[i], &even[i] + 2, byte, 16);
    if (error != std::errc{} || end != &even[i] + 2) return std::nullopt;
    bytes.push_back(byte);
  }
  return bytes;
}

std::optional<Bytes> parse_base64(std::string_view digits) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (digits.ends_with('=')) digits.remove_suffix(1);
  if (digits.empty() || digits.size() % 4 == 1) return std::nullopt;
  Bytes bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (char digit : digits) {
    const auto value = kAlphabet.find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    if ((count += 6) >= 8) bytes.push_back(static_cast<std::uint8_t>(bits >> (count -= 8)));
  }
  return bytes;
}

}  // namespace

std::optional<Bytes> parse_binary(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) return parse_hex(text.substr(2));
  if (text.starts_with("0b") || text.starts_with("0B")) return parse_base64(text.substr(2));
  return std::nullopt;
}

std::string encode_binary(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "0x";
  for (std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string encode_base64(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = "0b";
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? bytes[at + i] : 0);
    for (std::size_t i = 0; i < 4; ++i)
      text += i <= count ? kDigits[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

}  // namespace tsih::wire
