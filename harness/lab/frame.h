// An Ethernet frame as it crosses the switch: one copy, shared by every queue it waits in.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tsih::lab {

using Bytes = std::vector<std::uint8_t>;
using Frame = std::shared_ptr<const Bytes>;
using Mac = std::array<std::uint8_t, 6>;

/// The switch's clock: monotonic, given to it by whoever drives it.
using Instant = std::chrono::steady_clock::time_point;

/// Unix time, the clock of captures and of the protocol.
using UnixNanoseconds = std::uint64_t;

}  // namespace tsih::lab
