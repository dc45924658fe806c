// The initiator's half of login negotiation, read from RFC 3720 5 and 12.
#pragma once

#include <string>
#include <string_view>

#include "target/session/tests/sim_command.h"
#include "target/session/tests/sim_settings.h"

namespace tsihd::session::sim {

/// Who it is and where it goes: what the first request of any login bears.
std::string login_names();
/// Every key that the initiator proposes or declares. A connection that joins a session leaves out
/// what belongs to the session (LO in section 12).
std::string login_keys(const Settings& settings, bool leading);
/// What holds after the target's answers; throws Failure when one of them is not a legal answer.
/// `before`: of the session that the connection joins, or the defaults.
Agreement agree(const Settings& settings, bool leading, Agreement before, std::string_view answers);

}  // namespace tsihd::session::sim
