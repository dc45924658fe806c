#include "target/session/name.h"

#include <stringprep.h>

#include <algorithm>
#include <array>

namespace tsihd::session {
namespace {

// What may come unprepared: preparation makes most names shorter, if it changes their length.
constexpr std::size_t kMaxUnpreparedBytes = 4 * kMaxNameBytes;

constexpr std::string_view kTooLong = "it is longer than 223 bytes";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }

bool is_hex(std::string_view text) { return std::ranges::all_of(text, is_hex_digit); }

// yyyy-mm. and at least one character of the naming authority.
bool is_iqn_rest(std::string_view rest) {
  if (rest.size() < 9 || rest[4] != '-' || rest[7] != '.') return false;
  const std::string_view year = rest.substr(0, 4), month = rest.substr(5, 2);
  return std::ranges::all_of(year, is_digit) && std::ranges::all_of(month, is_digit) &&
         month >= "01" && month <= "12" && rest[8] != '.' && rest[8] != ':';
}

// What is wrong with the form of a prepared name, or nothing.
std::string_view fault_of_form(std::string_view name) {
  const std::string_view type = name.substr(0, 4);
  const std::string_view rest = name.substr(std::min<std::size_t>(4, name.size()));
  if (type == "iqn.")
    return is_iqn_rest(rest) ? "" : "after iqn. come a year, a month and a reversed domain";
  if (type == "eui.")
    return rest.size() == 16 && is_hex(rest) ? "" : "after eui. come 16 hexadecimal digits";
  if (type == "naa.")
    return (rest.size() == 16 || rest.size() == 32) && is_hex(rest)
               ? ""
               : "after naa. come 16 or 32 hexadecimal digits";
  return "it begins with none of iqn., eui., naa.";
}

std::string_view fault_of_preparation(int code) {
  switch (code) {
    case STRINGPREP_CONTAINS_PROHIBITED:
      return "only letters, digits and - . : may stand in one (RFC 3722)";
    case STRINGPREP_CONTAINS_UNASSIGNED:
      return "it has a character that is none in Unicode 3.2 (RFC 3722)";
    case STRINGPREP_BIDI_BOTH_L_AND_RAL:
    case STRINGPREP_BIDI_LEADTRAIL_NOT_RAL:
    case STRINGPREP_BIDI_CONTAINS_PROHIBITED:
      return "it mixes letters of both writing directions (RFC 3722)";
    case STRINGPREP_TOO_SMALL_BUFFER:
      return kTooLong;
    case STRINGPREP_ICONV_ERROR:
      return "it is not UTF-8";
    default:
      return "it cannot be prepared (RFC 3722)";
  }
}

}  // namespace

std::expected<std::string, std::string_view> prepare_name(std::string_view name) {
  if (name.size() > kMaxUnpreparedBytes) return std::unexpected(kTooLong);
  if (name.find('\0') != std::string_view::npos)  // the library would stop at it
    return std::unexpected(fault_of_preparation(STRINGPREP_CONTAINS_PROHIBITED));
  std::array<char, kMaxUnpreparedBytes + 1> buffer{};
  std::ranges::copy(name, buffer.begin());
  const int code =
      stringprep(buffer.data(), buffer.size(), STRINGPREP_NO_UNASSIGNED, stringprep_iscsi);
  if (code != STRINGPREP_OK) return std::unexpected(fault_of_preparation(code));
  std::string prepared(buffer.data());
  if (prepared.size() > kMaxNameBytes) return std::unexpected(kTooLong);
  if (const auto fault = fault_of_form(prepared); !fault.empty()) return std::unexpected(fault);
  return prepared;
}

}  // namespace tsihd::session
