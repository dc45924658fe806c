// From keys to the values that are in force (RFC 3720 12).
#pragma once

#include "harness/judge/model.h"

namespace tsih::judge {

/// Notes what a text proposes, answers and declares.
void note_keys(Connection& connection, From from, const wire::TextKeys& keys);

/// The login is over: what was negotiated holds. Digests of the connection, and the parameters of
/// the session if this was its leading login.
void agree(Connection& connection);

}  // namespace tsih::judge
