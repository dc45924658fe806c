// The session layer's counters by name, for `tsihctl stats`.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "target/session/counters.h"

namespace tsihd::control {

struct NamedCounter {
  std::string_view name;
  std::uint64_t session::Counters::*member;
};

/// In the order of their declaration.
std::span<const NamedCounter> named_counters();

}  // namespace tsihd::control
