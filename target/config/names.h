// iSCSI names and network portals as configuration files and command lines write them.
#pragma once

#include <string>
#include <string_view>

#include "target/base/result.h"
#include "target/session/nouns.h"

namespace tsihd::config {

/// An iqn., eui. or naa. name prepared for comparison (session::prepare_name), or why it is none.
Result<std::string> normal_iscsi_name(std::string_view text);

/// "127.0.0.1:3260", "[::1]:3260", "0.0.0.0" (port 3260). Port 0 picks a free one.
Result<session::Portal> parse_portal(std::string_view text);
/// `host` or `host:port` of a TargetAddress that redirects (RFC 3720 12.8): a DNS name, an IPv4
/// address or a bracketed IPv6 address; neither port 0 nor a portal group tag. As it was given.
Result<std::string> parse_target_address(std::string_view text);

/// An address without a port: IPv4, or IPv6 with or without brackets. Returned without brackets.
Result<std::string> parse_address(std::string_view text);
/// "127.0.0.1:3260" or "[::1]:3260".
std::string show_portal(std::string_view address, std::uint16_t port);

}  // namespace tsihd::config
