#include "target/config/names.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

#include "target/session/name.h"

namespace tsihd::config {
Result<std::string> normal_iscsi_name(std::string_view text) {
  auto name = session::prepare_name(text);
  if (name) return *std::move(name);
  return fail(
      fmt::format("expected an iSCSI name such as iqn.2026-11.org.example:disk, got \"{}\": {}",
                  text.substr(0, session::kMaxNameBytes), name.error()));
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
