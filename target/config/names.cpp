#include "target/config/names.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "target/session/name.h"

namespace tsihd::config {
namespace {

/// What is wrong with a name that session::normalise_name() refused.
std::string_view why_no_name(std::string_view name) {
  if (name.size() > session::kMaxNameBytes) return "it is longer than 223 bytes";
  std::string_view type = name.substr(0, 4);
  auto is = [&](const char* prefix) { return strncasecmp(type.data(), prefix, type.size()) == 0; };
  if (type.size() == 4 && is("eui.")) return "after eui. come 16 hexadecimal digits";
  if (type.size() == 4 && is("naa.")) return "after naa. come 16 or 32 hexadecimal digits";
  if (type.size() < 4 || !is("iqn.")) return "it begins with none of iqn., eui., naa.";
  auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == ':' ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  if (!std::all_of(name.begin(), name.end(), allowed)) {
    return "only letters, digits and - . : may stand in one (RFC 3722)";
  }
  return "after iqn. come a year, a month and a reversed domain";
}

}  // namespace

Result<std::string> normal_iscsi_name(std::string_view text) {
  if (auto name = session::normalise_name(text)) return *name;
  return fail(
      fmt::format("expected an iSCSI name such as iqn.2026-11.org.example:disk, got \"{}\": {}",
                  text.substr(0, session::kMaxNameBytes), why_no_name(text)));
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
