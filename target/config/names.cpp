#include "target/config/names.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "target/session/name.h"

namespace tsihd::config {
namespace {

bool is_ip_address(int family, std::string_view text) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(family, std::string(text).c_str(), bytes) == 1;
}

/// A DNS name or an IPv4 address, by its characters.
bool is_host(std::string_view text) {
  constexpr std::size_t kMaxDnsNameBytes = 253;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-';
  };
  return !text.empty() && text.size() <= kMaxDnsNameBytes && text.front() != '.' &&
         text.front() != '-' && std::ranges::all_of(text, allowed);
}

}  // namespace
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
  if (is_ip_address(AF_INET, bare) || is_ip_address(AF_INET6, bare)) return bare;
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

Result<std::string> parse_target_address(std::string_view text) {
  const auto wrong = [&] {
    return fail(
        fmt::format("expected HOST or HOST:PORT as in 192.0.2.1:3260, [fd00::1] or "
                    "store.example.org, without a "
                    "portal group tag, got \"{}\"",
                    text.substr(0, 80)));
  };
  const bool bracketed = text.starts_with('[');
  const std::size_t bracket = bracketed ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return wrong();
  const std::size_t colon = text.find(':', bracket);
  const std::string_view host = text.substr(0, colon);
  const bool good_host =
      bracketed ? bracket + 1 == host.size() && is_ip_address(AF_INET6, host.substr(1, bracket - 1))
                : is_host(host);
  if (!good_host) return wrong();
  if (colon == std::string_view::npos) return std::string(text);
  const std::string_view port = text.substr(colon + 1);
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || end != port.data() + port.size() || number == 0) return wrong();
  return std::string(text);
}

std::string show_portal(std::string_view address, std::uint16_t port) {
  bool ipv6 = address.find(':') != std::string_view::npos;
  return ipv6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

}  // namespace tsihd::config
