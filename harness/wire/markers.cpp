#include "harness/wire/markers.h"

#include <algorithm>

namespace tsih::wire {
namespace {

std::uint32_t big_endian(std::span<const std::uint8_t> bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

std::uint64_t until_marker(std::uint64_t at, std::uint32_t interval_bytes) {
  const std::uint64_t period = interval_bytes + kMarkerBytes;
  const std::uint64_t place = at % period;
  return place <= interval_bytes ? interval_bytes - place : period - place + interval_bytes;
}

Bytes MarkerWriter::mark(std::span<const std::uint8_t> pdu) {
  Bytes marked;
  for (std::size_t done = 0; done < pdu.size();) {
    const std::uint64_t room = until_marker(at_, interval_bytes_);
    if (room == 0) {
      // Where a PDU is about to begin, the next one is this one.
      const auto pointer = static_cast<std::uint32_t>(done == 0 ? 0 : pdu.size() - done) + skew_;
      for (int copy = 0; copy < 2; ++copy)
        for (int shift = 24; shift >= 0; shift -= 8)
          marked.push_back(static_cast<std::uint8_t>(pointer >> shift));
      at_ += kMarkerBytes;
      continue;
    }
    const auto piece = pdu.subspan(done, std::min<std::uint64_t>(room, pdu.size() - done));
    marked.insert(marked.end(), piece.begin(), piece.end());
    done += piece.size();
    at_ += piece.size();
  }
  return marked;
}

Bytes MarkerReader::strip(std::span<const std::uint8_t> bytes) {
  Bytes payload;
  while (!bytes.empty()) {
    within_ = within_ || until_marker(at_, interval_bytes_) == 0;
    const std::uint64_t room =
        within_ ? kMarkerBytes - marker_.size() : until_marker(at_, interval_bytes_);
    const auto piece = bytes.first(std::min<std::uint64_t>(room, bytes.size()));
    Bytes& into = within_ ? marker_ : payload;
    into.insert(into.end(), piece.begin(), piece.end());
    if (!within_) payload_bytes_ += piece.size();
    at_ += piece.size();
    bytes = bytes.subspan(piece.size());
    if (marker_.size() < kMarkerBytes) continue;
    markers_.push_back(
        {payload_bytes_, {big_endian(marker_), big_endian(std::span(marker_).subspan(4))}});
    marker_.clear();
    within_ = false;
  }
  return payload;
}

}  // namespace tsih::wire
