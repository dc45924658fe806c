// Serial number arithmetic (RFC 1982) over 32 bits, for CmdSN, StatSN, DataSN and R2TSN (3.2.2).
#pragma once

#include <cstdint>

namespace tsihd::wire {

/// a comes before b. For numbers exactly 2^31 apart RFC 1982 leaves the order open; both orders
/// are false here, so that neither passes for being inside a window.
constexpr bool serial_less(std::uint32_t a, std::uint32_t b) {
  const std::uint32_t distance = b - a;
  return distance != 0 && distance < 0x80000000u;
}
constexpr bool serial_less_equal(std::uint32_t a, std::uint32_t b) {
  return a == b || serial_less(a, b);
}

/// first <= value <= last. An empty window is written last == first - 1 (MaxCmdSN of a closed
/// command window, 3.2.2.1) and holds nothing.
constexpr bool serial_in_window(std::uint32_t value, std::uint32_t first, std::uint32_t last) {
  return serial_less_equal(first, value) && serial_less_equal(value, last);
}

}  // namespace tsihd::wire
