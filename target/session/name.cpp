#include "target/session/name.h"

#include <algorithm>

namespace tsihd::session {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }
bool all_hex_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_hex_digit);
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '.' || c == ':' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// yyyy-mm. and at least one character of the naming authority.
bool is_iqn_rest(std::string_view rest) {
  if (rest.size() < 9 || rest[4] != '-' || rest[7] != '.') return false;
  const std::string_view year = rest.substr(0, 4), month = rest.substr(5, 2);
  return std::all_of(year.begin(), year.end(), is_digit) &&
         std::all_of(month.begin(), month.end(), is_digit) && month >= "01" && month <= "12" &&
         rest[8] != '.' && rest[8] != ':';
}

}  // namespace

std::optional<std::string> normalise_name(std::string_view name) {
  if (name.size() > kMaxNameBytes) return std::nullopt;
  std::string lower(name);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (!std::all_of(lower.begin(), lower.end(), is_name_character)) return std::nullopt;
  const std::string_view rest =
      std::string_view(lower).substr(std::min<std::size_t>(4, lower.size()));
  const bool good = (lower.starts_with("iqn.") && is_iqn_rest(rest)) ||
                    (lower.starts_with("eui.") && rest.size() == 16 && all_hex_digits(rest)) ||
                    (lower.starts_with("naa.") && (rest.size() == 16 || rest.size() == 32) &&
                     all_hex_digits(rest));
  if (!good) return std::nullopt;
  return lower;
}

}  // namespace tsihd::session
