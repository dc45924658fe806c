#include "target/config/names.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace tsihd::config {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }

/// After lowering: what RFC 3722 leaves of ASCII, and any byte of a longer UTF-8 sequence.
bool may_stand_in_name(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == ':' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i]);
    std::size_t length = lead < 0x80       ? 1
                         : lead >> 5 == 6  ? 2
                         : lead >> 4 == 14 ? 3
                         : lead >> 3 == 30 ? 4
                                           : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

/// "iqn." yyyy "-" mm "." reversed domain, optionally ":" anything.
bool is_iqn(std::string_view name) {
  if (name.size() < 13 || name[8] != '-' || name[11] != '.') return false;
  for (std::size_t at : {4, 5, 6, 7, 9, 10}) {
    if (!is_digit(name[at])) return false;
  }
  int month = (name[9] - '0') * 10 + (name[10] - '0');
  return month >= 1 && month <= 12 && name[12] != ':' && name[12] != '.';
}

bool is_hexadecimal(std::string_view digits, std::initializer_list<std::size_t> lengths) {
  return std::find(lengths.begin(), lengths.end(), digits.size()) != lengths.end() &&
         std::all_of(digits.begin(), digits.end(), is_hex);
}

}  // namespace

Result<std::string> normal_iscsi_name(std::string_view text) {
  auto refuse = [&](std::string_view why) {
    return fail(
        fmt::format("expected an iSCSI name such as iqn.2026-11.org.example:disk, got \"{}\": {}",
                    text.substr(0, kMaxIscsiNameBytes), why));
  };
  if (text.size() > kMaxIscsiNameBytes) return refuse("longer than 223 bytes");
  std::string name(text);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (!is_utf8(name)) return refuse("it is not UTF-8");
  auto bad = std::find_if_not(name.begin(), name.end(), may_stand_in_name);
  if (bad != name.end()) return refuse(fmt::format("'{}' may not stand in one (RFC 3722)", *bad));
  if (name.starts_with("iqn.")) {
    if (!is_iqn(name)) return refuse("after iqn. come a year, a month and a reversed domain");
  } else if (name.starts_with("eui.")) {
    if (!is_hexadecimal(std::string_view(name).substr(4), {16})) {
      return refuse("after eui. come 16 hexadecimal digits");
    }
  } else if (name.starts_with("naa.")) {
    if (!is_hexadecimal(std::string_view(name).substr(4), {16, 32})) {
      return refuse("after naa. come 16 or 32 hexadecimal digits");
    }
  } else {
    return refuse("it begins with none of iqn., eui., naa.");
  }
  return name;
}

Result<std::string> parse_address(std::string_view text) {
  std::string bare(text);
  if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') {
    bare = bare.substr(1, bare.size() - 2);
  }
  unsigned char bytes[sizeof(in6_addr)];
  if (inet_pton(AF_INET, bare.c_str(), bytes) == 1 ||
      inet_pton(AF_INET6, bare.c_str(), bytes) == 1) {
    return bare;
  }
  return fail(fmt::format("expected an IP address such as 127.0.0.1, 0.0.0.0 or [::1], got \"{}\"",
                          text.substr(0, 64)));
}

Result<session::Portal> parse_portal(std::string_view text) {
  std::string_view address = text;
  std::string_view port;
  auto bracket = text.find(']');
  auto colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    address = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  auto parsed = parse_address(address);
  if (!parsed) return std::unexpected(parsed.error());
  session::Portal portal{*parsed, 3260};
  if (colon == std::string_view::npos) return portal;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), portal.port);
  if (error != std::errc{} || end != port.data() + port.size()) {
    return fail(fmt::format("expected a port from 0 to 65535 after the address, got \"{}\"",
                            text.substr(0, 80)));
  }
  return portal;
}

std::string show_portal(std::string_view address, std::uint16_t port) {
  bool ipv6 = address.find(':') != std::string_view::npos;
  return ipv6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

}  // namespace tsihd::config
