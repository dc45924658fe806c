// iSCSI names (RFC 3720 3.2.6, RFC 3722; RFC 3980 for naa.): what is one, and the form in which two
// are compared.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace tsihd::session {

inline constexpr std::size_t kMaxNameBytes = 223;  ///< of a prepared name (3.2.6.1-02)

/// The name after RFC 3722's string preparation: folded to lower case, in Unicode normalization
/// form KC, with nothing that is prohibited. Names are equal when their prepared forms are, byte by
/// byte. When it is no iSCSI name: what is wrong with it, for people.
/// - `iqn.` yyyy-mm `.` naming authority, and what else the authority likes (3.2.6.3.1)
/// - `eui.` and 16 hex digits (3.2.6.3.2)
/// - `naa.` and 16 or 32 hex digits (RFC 3980)
/// Code points that Unicode 3.2 does not assign are refused, as in RFC 3454's stored strings.
std::expected<std::string, std::string_view> prepare_name(std::string_view name);

}  // namespace tsihd::session
