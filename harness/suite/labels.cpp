#include "harness/suite/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tsih::suite {
namespace {

bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// How many bytes the sequence that begins so has, by RFC 3629; 0 when none begins so.
std::size_t utf8_bytes(std::uint8_t first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = utf8_bytes(static_cast<std::uint8_t>(text[at]));
    if (bytes == 0 || at + bytes > text.size()) return false;
    for (std::size_t i = 1; i < bytes; ++i)
      if ((static_cast<std::uint8_t>(text[at + i]) & 0xc0) != 0x80) return false;
    at += bytes;
  }
  return true;
}

}  // namespace

std::string label_problem(std::string_view label, Label kind) {
  constexpr std::size_t kLimitCharacters = 63;
  if (label.empty()) return "a label of no characters";
  if (label.size() > kLimitCharacters)
    return fmt::format("{} has {} characters", label, label.size());
  if (kind == Label::standard && !is_capital(label.front()))
    return fmt::format("{} does not begin with a capital letter", label);
  for (const char c : label)
    if (!is_small(c) && !is_capital(c) && !is_digit(c) &&
        std::string_view(".-+@_").find(c) == std::string_view::npos)
      return fmt::format("{} has the byte 0x{:02x}", label, static_cast<std::uint8_t>(c));
  return {};
}

std::string iscsi_name_problem(std::string_view name) {
  constexpr std::size_t kLimitBytes = 223;
  if (name.size() > kLimitBytes) return fmt::format("a name of {} bytes", name.size());
  if (!name.starts_with("iqn.") && !name.starts_with("eui.") && !name.starts_with("naa."))
    return fmt::format("{} is of no known type", name);
  if (!is_utf8(name)) return fmt::format("{} is no UTF-8", name);
  // An EUI or NAA is written in hexadecimal digits, and those in capitals.
  const bool capitals = !name.starts_with("iqn.");
  for (const char c : name)
    if (static_cast<std::uint8_t>(c) < 0x80 && !is_small(c) && !is_digit(c) &&
        !(capitals && is_capital(c)) && std::string_view("-.:").find(c) == std::string_view::npos)
      return fmt::format("{} has the byte 0x{:02x}", name, static_cast<std::uint8_t>(c));
  return {};
}

std::string punctuation_problem(std::string_view name) {
  for (const char c : name)
    if (static_cast<std::uint8_t>(c) < 0x80 && !is_small(c) && !is_capital(c) && !is_digit(c) &&
        std::string_view("-.:").find(c) == std::string_view::npos)
      return fmt::format("{} has the byte 0x{:02x}", name, static_cast<std::uint8_t>(c));
  return {};
}

bool is_key_of_security(std::string_view key) {
  static constexpr std::array kKeys{"SessionType",
                                    "InitiatorName",
                                    "TargetName",
                                    "TargetAddress",
                                    "InitiatorAlias",
                                    "TargetAlias",
                                    "TargetPortalGroupTag",
                                    "AuthMethod",
                                    "KRB_AP_REQ",
                                    "KRB_AP_REP",
                                    "SPKM_REQ",
                                    "SPKM_ERROR",
                                    "SPKM_REP_TI",
                                    "SPKM_REP_IT",
                                    "SRP_U",
                                    "SRP_GROUP",
                                    "SRP_A",
                                    "SRP_B",
                                    "SRP_M",
                                    "SRP_HM",
                                    "SRP_s",
                                    "TargetAuth",
                                    "CHAP_A",
                                    "CHAP_I",
                                    "CHAP_C",
                                    "CHAP_N",
                                    "CHAP_R"};
  return std::ranges::find(kKeys, key) != kKeys.end() || key.starts_with("Z-") ||
         key.starts_with("Z#") || key.starts_with("X-") || key.starts_with("X#");
}

}  // namespace tsih::suite
