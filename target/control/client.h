// The other end of the control socket, for tsihctl: one request, one answer.
#pragma once

#include <string>
#include <string_view>

#include "target/base/result.h"

namespace tsihd::control {

/// Sends one request line and returns the answer line. Fails, with the way out, when no daemon
/// listens there, or when it does not answer within `timeout_s`.
Result<std::string> ask(const std::string& socket_path, std::string_view request,
                        unsigned timeout_s = 10);

}  // namespace tsihd::control
