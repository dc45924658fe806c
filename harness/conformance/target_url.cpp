#include "harness/conformance/target_url.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace tsih::conformance {
namespace {

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "host", "host:port", "[v6]", "[v6]:port"; empty on success, else what is wrong.
std::string read_portal(std::string_view portal, TargetUrl& url) {
  std::string_view port;
  if (portal.starts_with('[')) {
    const auto close = portal.find(']');
    if (close == std::string_view::npos) return "the [ of an IPv6 address is not closed";
    url.host = portal.substr(1, close - 1);
    port = portal.substr(close + 1);
    if (!port.empty() && port.front() != ':') return "after ] comes :PORT";
  } else {
    const auto colon = portal.find(':');
    url.host = portal.substr(0, colon);
    if (colon != std::string_view::npos) port = portal.substr(colon);
    if (port.find(':', port.empty() ? 0 : 1) != std::string_view::npos)
      return "an IPv6 address stands in brackets";
  }
  if (url.host.empty()) return "there is no address";
  if (port.empty()) return {};
  const auto value = number<std::uint16_t>(port.substr(1));
  if (!value || *value == 0) return fmt::format("\"{}\" is no port", port.substr(1));
  url.port = *value;
  return {};
}

}  // namespace

std::expected<TargetUrl, std::string> parse_target_url(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return std::unexpected(
        fmt::format("\"{}\" is no target URL: {}; expected for example "
                    "iscsi://127.0.0.1:3260/iqn.2026-01.example:disk/0",
                    text, why));
  };
  constexpr std::string_view kScheme = "iscsi://";
  if (!text.starts_with(kScheme)) return bad("it does not begin with iscsi://");
  std::string_view rest = text.substr(kScheme.size());
  TargetUrl url;
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos) return bad("the target's name is missing");
  std::string_view authority = rest.substr(0, slash);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const auto account = authority.substr(0, at);
    const auto percent = account.find('%');
    if (percent == std::string_view::npos) return bad("before @ comes USER%SECRET");
    url.user = account.substr(0, percent);
    url.secret = account.substr(percent + 1);
    authority.remove_prefix(at + 1);
  }
  if (const std::string wrong = read_portal(authority, url); !wrong.empty()) return bad(wrong);

  rest.remove_prefix(slash + 1);
  const auto last = rest.rfind('/');
  if (last == std::string_view::npos) return bad("the LUN is missing");
  url.target_name = rest.substr(0, last);
  if (url.target_name.empty()) return bad("the target's name is empty");
  const auto lun = number<std::uint8_t>(rest.substr(last + 1));
  if (!lun) return bad(fmt::format("\"{}\" is no LUN from 0 to 255", rest.substr(last + 1)));
  url.lun = *lun;
  const bool v6 = url.host.find(':') != std::string::npos;
  url.text = fmt::format("iscsi://{}{}{}:{}/{}/{}", v6 ? "[" : "", url.host, v6 ? "]" : "",
                         url.port, url.target_name, url.lun);
  return url;
}

}  // namespace tsih::conformance
