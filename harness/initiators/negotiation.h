// How the scripted target answers the keys of a login: as RFC 3720 section 12 wants it, with the
// wishes of the case.
#pragma once

#include <string>
#include <string_view>

#include "harness/wire/text.h"

namespace tsih::initiators {

/// The values that the target goes for. A case replaces what it needs otherwise, before it starts
/// the initiator.
wire::TextKeys default_wishes();

/// The answers to these keys of an initiator: declarations get none.
wire::TextKeys answer_keys(const wire::TextKeys& offered, const wire::TextKeys& wishes);

/// Is this key declared, not negotiated (section 12)?
bool is_declaration(std::string_view key);

/// What both sides are bound to when this was offered and that answered, for a number; `otherwise`,
/// the default, when neither was said.
std::uint64_t agreed_number(const wire::TextKeys& offered, const wire::TextKeys& answered,
                            std::string_view key, std::uint64_t otherwise);

}  // namespace tsih::initiators
