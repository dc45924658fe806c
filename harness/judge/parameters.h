// From keys to the values that are in force (RFC 3720 12).
#pragma once

#include "harness/judge/model.h"

namespace tsih::judge {

/// A key that this side has said before in the same negotiation, or says twice here, and that must
/// not be repeated (5.3, 5.4); empty when there is none. Points into `keys`.
std::string_view repeated_key(const Negotiation& negotiation, From from,
                              const wire::TextKeys& keys);

/// The outcome of a key, if it was negotiated: the answer, or the proposal where it settled it.
std::optional<std::string> outcome(const Negotiation& negotiation, std::string_view key);

/// Notes what a text proposes, answers and declares.
void note_keys(Connection& connection, From from, const wire::TextKeys& keys);

/// A negotiation of full feature phase is over: what it declared holds, or does not.
void end_negotiation(Connection& connection, bool agreed);

/// The login is over: what was negotiated holds. Digests of the connection, and the parameters of
/// the session if this was its leading login.
void agree(Connection& connection);

}  // namespace tsih::judge
