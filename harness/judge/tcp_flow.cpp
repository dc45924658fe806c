#include "harness/judge/tcp_flow.h"

#include <algorithm>

namespace tsih::judge {

void TcpFlow::take(const Segment& segment, const Place& place) {
  if (segment.payload_bytes == 0) return;
  if (!next_) next_ = segment.seq;
  if (serial_distance(segment.seq, *next_) > 0) {
    hold(segment);
    if (held_bytes_ > kLimitHeldBytes) lose_until(held_.front().seq, place);
    return;
  }
  deliver(segment.seq, segment.payload, segment.payload_bytes, place);
  if (!held_.empty()) deliver_held(place);
}

void TcpFlow::hold(const Segment& segment) {
  const auto behind = [&](const Held& one) { return serial_distance(one.seq, segment.seq) > 0; };
  auto at = held_.end();
  while (at != held_.begin() && behind(*std::prev(at))) --at;
  if (at != held_.begin() && std::prev(at)->seq == segment.seq &&
      std::prev(at)->real_bytes >= segment.payload_bytes)
    return;
  held_bytes_ += segment.payload.size() + sizeof(Held);
  held_.insert(
      at, {segment.seq, segment.payload_bytes, {segment.payload.begin(), segment.payload.end()}});
}

// What was delivered before is cut off; of two versions of a byte the first counts.
void TcpFlow::deliver(std::uint32_t seq, std::span<const std::uint8_t> bytes,
                      std::size_t real_bytes, const Place& place) {
  const std::size_t old_bytes = *next_ - seq;
  if (old_bytes >= real_bytes) return;
  next_ = seq + static_cast<std::uint32_t>(real_bytes);
  const std::size_t captured = std::max(bytes.size(), old_bytes);
  if (bytes.size() > old_bytes) sink_.on_bytes(bytes.subspan(old_bytes), place);
  if (real_bytes > captured) sink_.on_missing(real_bytes - captured, place);
}

void TcpFlow::deliver_held(const Place& place) {
  while (!held_.empty() && serial_distance(held_.front().seq, *next_) <= 0) {
    const Held first = std::move(held_.front());
    held_.pop_front();
    held_bytes_ -= first.bytes.size() + sizeof(Held);
    deliver(first.seq, first.bytes, first.real_bytes, place);
  }
}

void TcpFlow::lose_until(std::uint32_t seq, const Place& place) {
  const std::uint32_t lost = seq - *next_;
  next_ = seq;
  sink_.on_missing(lost, place);
  deliver_held(place);
}

void TcpFlow::acknowledged(std::uint32_t ack, const Place& place) {
  if (fin_ && ack == *fin_ + 1) ack = *fin_;
  while (next_ && serial_distance(ack, *next_) > 0) {
    const bool waits = !held_.empty() && serial_distance(held_.front().seq, ack) < 0;
    lose_until(waits ? held_.front().seq : ack, place);
  }
}

}  // namespace tsih::judge
