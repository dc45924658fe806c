// The TCP segment in a frame: Ethernet with any VLAN tags, Linux cooked (1 and 2), BSD loopback and
// raw IP; IPv4 and IPv6. Checks no checksum: a capture on a host that offloads them has none.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "harness/judge/frames.h"

namespace tsih::judge {

struct Endpoint {
  std::array<std::uint8_t, 16> address{};
  std::uint16_t port = 0;
  bool v6 = false;
  auto operator<=>(const Endpoint&) const = default;
};
std::string to_string(const Endpoint& endpoint);  ///< 10.0.0.1:3260, [fe80::1]:3260

struct Segment {
  Endpoint from, to;
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  bool syn = false, has_ack = false, fin = false, rst = false;
  std::span<const std::uint8_t> payload;  ///< as far as it was captured
  std::size_t payload_bytes = 0;          ///< on the wire
};

enum class Decoded : std::uint8_t { tcp, other, fragment, unknown_link };

/// Fills `segment` when the frame holds a TCP segment that can be read.
Decoded decode(const Frame& frame, Segment& segment);

}  // namespace tsih::judge
