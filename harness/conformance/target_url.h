// iscsi://[USER%SECRET@]ADDR[:PORT]/IQN/LUN, as libiscsi and QEMU write it; IPv6 in brackets.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tsih::conformance {

struct TargetUrl {
  std::string text;  ///< without the secret
  std::string host;  ///< name or address, no brackets
  std::uint16_t port = 3260;
  std::string target_name;
  std::uint8_t lun = 0;
  std::string user;  ///< empty when the URL has none
  std::string secret;
};

/// The error is one line that says what is missing and shows a URL that would do.
std::expected<TargetUrl, std::string> parse_target_url(std::string_view text);

}  // namespace tsih::conformance
