// Putting PDUs on the wire: header, padding and digests around data that stays where it is.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "target/wire/crc32c.h"
#include "target/wire/pdu.h"

namespace tsihd::wire {

/// Which digests a connection bears (12.1), in one direction.
struct Digests {
  bool header = false;
  bool data = false;
};

/// Everything of an outgoing PDU but its data segment, which is sent from where it lies: a gather
/// write sends head(), the data, tail(). Fixed size, so that a pool of them allocates nothing.
class Frame {
 public:
  static constexpr std::size_t kHeadBytes = kBhsBytes + kDigestBytes;
  static constexpr std::size_t kTailBytes = 3 + kDigestBytes;

  /// Fills the frame. Sets the DataSegmentLength of the header that is sent from data.size(), which
  /// the caller keeps within the peer's MaxRecvDataSegmentLength (12.12). The data may go once
  /// seal() is done only if no data digest was asked for; else its bytes must not change before
  /// they are sent.
  template <Bhs T>
  void seal(T bhs, std::span<const std::byte> data, Digests digests) {
    bhs.data_segment_bytes = static_cast<std::uint32_t>(data.size());
    std::memcpy(head_.data(), &bhs, kBhsBytes);
    head_bytes_ = kBhsBytes;
    if (digests.header) {
      store_digest(crc32c(std::span(head_).first(kBhsBytes)), head_.data() + kBhsBytes);
      head_bytes_ += kDigestBytes;
    }
    seal_tail(data, digests.data);
  }
  std::span<const std::byte> head() const { return {head_.data(), head_bytes_}; }
  std::span<const std::byte> tail() const { return {tail_.data(), tail_bytes_}; }

 private:
  void seal_tail(std::span<const std::byte> data, bool digest) {
    const std::size_t padding = padding_bytes(data.size());
    tail_ = {};
    tail_bytes_ = static_cast<std::uint8_t>(padding);
    if (!digest || data.empty()) return;  // no data segment, no data digest (10.2.3)
    store_digest(Crc32c{}.update(data).update(std::span(tail_).first(padding)).value(),
                 tail_.data() + padding);
    tail_bytes_ = static_cast<std::uint8_t>(padding + kDigestBytes);
  }
  std::array<std::byte, kHeadBytes> head_;
  std::array<std::byte, kTailBytes> tail_;
  std::uint8_t head_bytes_ = 0;
  std::uint8_t tail_bytes_ = 0;
};

/// Appends a whole PDU to `out`: for PDUs whose data is small or short-lived (login, text, sense).
template <Bhs T>
void append_pdu(std::vector<std::byte>& out, const T& bhs, std::span<const std::byte> data = {},
                Digests digests = {}) {
  Frame frame;
  frame.seal(bhs, data, digests);
  out.reserve(out.size() + frame.head().size() + data.size() + frame.tail().size());
  out.insert(out.end(), frame.head().begin(), frame.head().end());
  out.insert(out.end(), data.begin(), data.end());
  out.insert(out.end(), frame.tail().begin(), frame.tail().end());
}

}  // namespace tsihd::wire
