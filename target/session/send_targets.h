// The answer to SendTargets (RFC 3720 12.3, 12.8, appendix D).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "target/session/negotiation_text.h"

namespace tsihd::session {

/// The target records: TargetName, then a TargetAddress for each portal, ADDR:PORT,TAG with IPv6 in
/// brackets. Empty when there is nothing that this initiator may see. Nothing at all (nullopt) when
/// the session may not ask so: All in a normal session, the empty value in a discovery session.
///
/// In discovery a portal group is shown to an initiator that has an ACL there, or to anyone in demo
/// mode or with demo_mode_discovery. A portal on 0.0.0.0 or :: is shown as the address that the
/// connection came in on, when it is of the same family.
std::optional<std::string> send_targets(const TextContext& context, std::string_view value);

}  // namespace tsihd::session
