// Authentication in the security stage of a login: whose step it is, and what has to be in it
// (RFC 3720 11.1).
#pragma once

#include <optional>
#include <string_view>

#include "harness/judge/model.h"

namespace tsih::judge {

/// A step of a method: what the text of one side must hold.
struct AuthStep {
  std::string_view method;
  From by;
  /// The texts of initiator and target behind the choice of the method, before this one.
  unsigned texts[2];
  std::string_view keys[3];  ///< the rest is empty
};

/// The step that is due for this side now; null when none is.
const AuthStep* step_due(const LoginState& login, From from);
/// What the text lacks; empty when it is whole.
std::string_view missing_in(const AuthStep& step, const wire::TextKeys& keys);

/// Why a target's text does not fit its step; empty when it does. The first step's own mistakes of
/// the initiator are not the target's.
std::string wrong_in_target_step(const LoginState& login, const wire::TextKeys& keys);

/// Notes what a Login PDU's text says about authentication.
void note_authentication(Connection& connection, From from, const wire::Pdu& pdu,
                         const wire::TextKeys& keys);

}  // namespace tsih::judge
