#include "harness/judge/markers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tsih::judge {
namespace {

std::uint32_t big_endian(std::span<const std::uint8_t, 4> bytes) {
  std::uint32_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

}  // namespace

void MarkerTrack::use(std::uint32_t interval_bytes) {
  interval_bytes_ = interval_bytes;
  first_ = at_ + wire::until_marker(at_, interval_bytes);
}

std::uint64_t MarkerTrack::payload_ahead() const {
  if (at_ < first_) return first_ - at_;
  const std::uint64_t place = (at_ - first_) % period();
  return place < wire::kMarkerBytes ? 0 : period() - place;
}

std::uint64_t MarkerTrack::marker_bytes_before(std::uint64_t place) const {
  if (!in_use() || place <= first_) return 0;
  const std::uint64_t behind = place - first_;
  return behind / period() * wire::kMarkerBytes +
         std::min<std::uint64_t>(behind % period(), wire::kMarkerBytes);
}

std::size_t MarkerTrack::take(std::span<const std::uint8_t> bytes) {
  std::size_t place = (at_ - first_) % period();
  if (place == 0) have_ = 0;
  const std::size_t count = std::min(bytes.size(), wire::kMarkerBytes - place);
  for (const std::uint8_t byte : bytes.first(count)) {
    marker_[place] = byte;
    have_ = static_cast<std::uint8_t>(have_ | 1u << place++);
  }
  at_ += count;
  if (place == wire::kMarkerBytes && have_ == kWhole) check();
  return count;
}

std::uint64_t MarkerTrack::miss(std::uint64_t count) {
  const std::uint64_t payload =
      count - (marker_bytes_before(at_ + count) - marker_bytes_before(at_));
  at_ += count;
  payload_at_ += payload;
  have_ = 0;
  return payload;
}

// Places are counted without the markers, and two bits of a pointer are reserved.
void MarkerTrack::check() {
  constexpr std::uint32_t kWords = ~3u;
  const std::span<const std::uint8_t, wire::kMarkerBytes> bytes(marker_);
  const std::uint32_t pointer = big_endian(bytes.first<4>()) & kWords;
  const std::uint32_t copy = big_endian(bytes.last<4>()) & kWords;
  const std::uint64_t place = payload_at_ + pointer;
  ++count_;
  if (!problem_.empty()) return;
  if (pointer != copy)
    problem_ = fmt::format("{} and {} in one marker", pointer, copy);
  else if (pointed_to_ && *pointed_to_ != place)
    problem_ = fmt::format("markers that point {} bytes apart",
                           *pointed_to_ > place ? *pointed_to_ - place : place - *pointed_to_);
  pointed_to_ = place;
}

std::string MarkerTrack::begin_pdu() {
  std::string problem = std::exchange(problem_, {});
  const auto pointed_to = std::exchange(pointed_to_, std::nullopt);
  count_ = 0;
  if (problem.empty() && pointed_to && *pointed_to != payload_at_)
    problem = fmt::format(
        "a marker that points {} bytes {} it",
        *pointed_to > payload_at_ ? *pointed_to - payload_at_ : payload_at_ - *pointed_to,
        *pointed_to > payload_at_ ? "behind" : "before");
  return problem;
}

}  // namespace tsih::judge
