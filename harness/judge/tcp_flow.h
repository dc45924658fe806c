// One direction of a TCP connection put together: out of order, retransmitted, overlapping, wrapped
// around. What the capture lacks is said and not waited for: as soon as the other end acknowledges
// bytes that were never seen, nobody will send them again.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "harness/judge/packet.h"

namespace tsih::judge {

/// Where in the capture something stands.
struct Place {
  std::uint64_t frame = 0;
  std::uint64_t time_ns = 0;
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void on_bytes(std::span<const std::uint8_t> bytes, const Place& place) = 0;
  /// The capture lacks the next `count` bytes.
  virtual void on_missing(std::size_t count, const Place& place) = 0;
};

/// RFC 1982 with 32 bits: how far `a` is beyond `b`; negative when before.
inline std::int32_t serial_distance(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b);
}

class TcpFlow {
 public:
  /// Of data that waits for a missing segment; beyond it the segment counts as lost.
  static constexpr std::size_t kLimitHeldBytes = 1u << 20;

  explicit TcpFlow(ByteSink& sink) : sink_(sink) {}

  void syn(std::uint32_t seq) { next_ = seq + 1; }
  bool started() const { return next_.has_value(); }
  void take(const Segment& segment, const Place& place);
  /// The sender's FIN, which takes a number of its own, has this one.
  void fin(std::uint32_t seq) { fin_ = seq; }
  /// The other end has all bytes before `ack`.
  void acknowledged(std::uint32_t ack, const Place& place);

 private:
  struct Held {
    std::uint32_t seq;
    std::size_t real_bytes;
    std::vector<std::uint8_t> bytes;
  };
  void hold(const Segment& segment);
  void deliver(std::uint32_t seq, std::span<const std::uint8_t> bytes, std::size_t real_bytes,
               const Place& place);
  void deliver_held(const Place& place);
  void lose_until(std::uint32_t seq, const Place& place);

  ByteSink& sink_;
  std::optional<std::uint32_t> next_;
  std::optional<std::uint32_t> fin_;
  std::deque<Held> held_;  // by sequence number
  std::size_t held_bytes_ = 0;
};

}  // namespace tsih::judge
