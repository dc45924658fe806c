// Who logs in, and where: the names of the first login text against the inventory (RFC 3720 5.3,
// 5.3.1, 12.4, 12.5, 12.21).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "target/session/login.h"
#include "target/session/login_status.h"
#include "target/session/nouns.h"

namespace tsihd::session {

/// The declarations of the first login text. Views into it.
struct LoginNames {
  std::optional<std::string_view> initiator_name;
  std::optional<std::string_view> target_name;
  std::optional<std::string_view> session_type;
  std::optional<std::string_view> initiator_alias;
};

/// Fills `identity` (whose isid, tsih and cid are set) as far as the names go, also when it
/// refuses. `tag` is the portal group's when TargetName was given, for TargetPortalGroupTag.
LoginStep identify(const LoginNames& names, const LoginContext& context, LoginIdentity& identity,
                   std::optional<std::uint16_t>& tag);

/// True when a connection that came in at this address and port came in through this portal. The
/// portal's 0.0.0.0 and :: stand for every address of their family, its port 0 for whatever port
/// the system gave.
bool portal_takes(const Portal& portal, std::string_view local_address, std::uint16_t local_port);
/// 0.0.0.0 or ::, in any spelling.
bool is_wildcard_address(std::string_view address);
bool is_ipv6_address(std::string_view address);
/// fe80::1%eth0 without %eth0, which means nothing to anybody else.
std::string_view without_zone(std::string_view address);

}  // namespace tsihd::session
