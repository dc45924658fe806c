#include "harness/judge/packet.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

namespace tsih::judge {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint32_t kLinkNull = 0, kLinkEthernet = 1, kLinkRaw = 101, kLinkLoop = 108,
                        kLinkCooked = 113, kLinkIpv4 = 228, kLinkIpv6 = 229, kLinkCooked2 = 276;
constexpr std::uint16_t kIpv4 = 0x0800, kIpv6 = 0x86dd;
constexpr std::uint8_t kTcp = 6;

std::uint16_t u16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
std::uint32_t u32(Bytes bytes, std::size_t at) {
  return static_cast<std::uint32_t>(u16(bytes, at)) << 16 | u16(bytes, at + 2);
}

bool is_vlan(std::uint16_t type) { return type == 0x8100 || type == 0x88a8 || type == 0x9100; }

// Takes tags off until another type comes. `at` stands behind the type.
std::optional<Bytes> untagged(Bytes bytes, std::uint16_t type, std::size_t at) {
  for (; is_vlan(type); at += 4) {
    if (bytes.size() < at + 4) return std::nullopt;
    type = u16(bytes, at + 2);
  }
  if ((type != kIpv4 && type != kIpv6) || bytes.size() < at) return std::nullopt;
  return bytes.subspan(at);
}

// The IP packet in the frame. Nothing when it holds another protocol.
std::optional<Bytes> network_layer(const Frame& frame, bool& known) {
  const Bytes bytes = frame.bytes;
  switch (frame.link_type) {
    case kLinkEthernet:
      return bytes.size() < 14 ? std::nullopt : untagged(bytes, u16(bytes, 12), 14);
    case kLinkCooked:
      return bytes.size() < 16 ? std::nullopt : untagged(bytes, u16(bytes, 14), 16);
    case kLinkCooked2:
      return bytes.size() < 20 ? std::nullopt : untagged(bytes, u16(bytes, 0), 20);
    case kLinkNull:
    case kLinkLoop:  // an address family of whatever system: the IP version tells
      return bytes.size() < 4 ? std::nullopt : std::optional(bytes.subspan(4));
    case kLinkRaw:
    case kLinkIpv4:
    case kLinkIpv6:
      return bytes;
    default:
      known = false;
      return std::nullopt;
  }
}

struct Transport {
  Bytes bytes;             // as far as captured
  std::size_t real_bytes;  // on the wire
};

// A length of 0 is what a segment has that the host's network card was to cut (TSO).
std::size_t real_length(std::size_t claimed, std::size_t header_bytes, std::size_t on_wire) {
  return claimed == 0             ? on_wire - header_bytes
         : claimed > header_bytes ? claimed - header_bytes
                                  : 0;
}

Decoded ipv4(Bytes bytes, std::size_t on_wire, Segment& segment, Transport& transport) {
  if (bytes.size() < 20) return Decoded::other;
  const std::size_t header_bytes = (bytes[0] & 15u) * 4u;
  if (header_bytes < 20 || bytes.size() < header_bytes || bytes[9] != kTcp) return Decoded::other;
  if ((u16(bytes, 6) & 0x3fff) != 0) return Decoded::fragment;
  for (auto [endpoint, at] : {std::pair(&segment.from, 12u), std::pair(&segment.to, 16u)}) {
    endpoint->v6 = false;
    endpoint->address = {};
    std::copy_n(bytes.begin() + at, 4, endpoint->address.begin());
  }
  transport = {bytes.subspan(header_bytes), real_length(u16(bytes, 2), header_bytes, on_wire)};
  return Decoded::tcp;
}

Decoded ipv6(Bytes bytes, std::size_t on_wire, Segment& segment, Transport& transport) {
  if (bytes.size() < 40) return Decoded::other;
  std::size_t at = 40;
  std::uint8_t next = bytes[6];
  while (next == 0 || next == 43 || next == 60 || next == 44) {  // options, routing, fragment
    if (bytes.size() < at + 8) return Decoded::other;
    if (next == 44) return Decoded::fragment;
    next = bytes[at];
    at += 8 + bytes[at + 1] * 8u;
  }
  if (next != kTcp || bytes.size() < at) return Decoded::other;
  for (auto [endpoint, from] : {std::pair(&segment.from, 8u), std::pair(&segment.to, 24u)}) {
    endpoint->v6 = true;
    std::copy_n(bytes.begin() + from, 16, endpoint->address.begin());
  }
  const std::size_t claimed = u16(bytes, 4);
  transport = {bytes.subspan(at), real_length(claimed ? claimed + 40 : 0, at, on_wire)};
  return Decoded::tcp;
}

}  // namespace

std::string to_string(const Endpoint& endpoint) {
  char text[INET6_ADDRSTRLEN] = "?";
  inet_ntop(endpoint.v6 ? AF_INET6 : AF_INET, endpoint.address.data(), text, sizeof text);
  return endpoint.v6 ? fmt::format("[{}]:{}", text, endpoint.port)
                     : fmt::format("{}:{}", text, endpoint.port);
}

Decoded decode(const Frame& frame, Segment& segment) {
  bool known = true;
  const auto network = network_layer(frame, known);
  if (!known) return Decoded::unknown_link;
  if (!network || network->empty()) return Decoded::other;
  const std::size_t link_bytes = frame.bytes.size() - network->size();
  const std::size_t on_wire =
      std::max<std::size_t>(frame.original_bytes, frame.bytes.size()) - link_bytes;
  Transport transport{};
  const unsigned version = network->front() >> 4;
  const Decoded kind = version == 4   ? ipv4(*network, on_wire, segment, transport)
                       : version == 6 ? ipv6(*network, on_wire, segment, transport)
                                      : Decoded::other;
  if (kind != Decoded::tcp) return kind;
  const Bytes tcp = transport.bytes.first(std::min(transport.bytes.size(), transport.real_bytes));
  if (tcp.size() < 20) return Decoded::other;
  const std::size_t header_bytes = (tcp[12] >> 4) * 4u;
  if (header_bytes < 20 || transport.real_bytes < header_bytes) return Decoded::other;
  segment.from.port = u16(tcp, 0);
  segment.to.port = u16(tcp, 2);
  segment.seq = u32(tcp, 4);
  segment.ack = u32(tcp, 8);
  segment.fin = tcp[13] & 1;
  segment.syn = tcp[13] & 2;
  segment.rst = tcp[13] & 4;
  segment.has_ack = tcp[13] & 16;
  segment.payload = tcp.subspan(std::min(header_bytes, tcp.size()));
  segment.payload_bytes = transport.real_bytes - header_bytes;
  return Decoded::tcp;
}

}  // namespace tsih::judge
