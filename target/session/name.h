// iSCSI names (RFC 3720 3.2.6, RFC 3980 for naa.): what is one, and the form in which two are
// compared.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tsihd::session {

inline constexpr std::size_t kMaxNameBytes = 223;  ///< 3.2.6.1-02

/// The name in lower case, or nothing when it is none:
/// - `iqn.` yyyy-mm `.` naming authority, then letters, digits and `-.:` (3.2.6.3.1)
/// - `eui.` and 16 hex digits (3.2.6.3.2)
/// - `naa.` and 16 or 32 hex digits (RFC 3980)
/// Non-ASCII characters are let through as they come: string preparation (RFC 3722) beyond ASCII
/// case folding is the configuration's and the initiator's own affair.
std::optional<std::string> normalise_name(std::string_view name);

}  // namespace tsihd::session
