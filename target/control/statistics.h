// The session layer's counters by name, for `tsihctl stats`.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "target/session/counters.h"

namespace tsihd::control {

/// Every counter with its name, those of login statuses last.
std::vector<std::pair<std::string, std::uint64_t>> named_counters(
    const session::Counters& counters);

}  // namespace tsihd::control
