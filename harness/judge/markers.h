// Where markers are in one direction of a connection (RFC 3720 appendix A), and whether they point
// to the next PDU. Lengths are bytes; nothing is kept of the markers that went by.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "harness/wire/markers.h"

namespace tsih::judge {

class MarkerTrack {
 public:
  /// From the next byte on there are markers; places count from the beginning of the stream.
  void use(std::uint32_t interval_bytes);
  bool in_use() const { return interval_bytes_ > 0; }
  /// How much of what comes is payload before the next marker; 0 within one.
  std::uint64_t payload_ahead() const;
  void skip_payload(std::uint64_t count) { at_ += count, payload_at_ += count; }
  /// Takes bytes of the marker that is next, at most as many as it has: how many these were.
  std::size_t take(std::span<const std::uint8_t> bytes);
  /// Bytes that the capture lacks, markers among them: how many of them were payload.
  std::uint64_t miss(std::uint64_t count);

  /// A PDU begins with the next byte of payload: the markers since the one before, and what is
  /// wrong with them; empty where nothing is.
  unsigned count() const { return count_; }
  std::string begin_pdu();
  /// Nobody knows where PDUs begin: what was pointed to is not looked for.
  void forget() { pointed_to_.reset(), count_ = 0, problem_.clear(); }

 private:
  static constexpr std::uint8_t kWhole = 0xff;

  std::uint64_t marker_bytes_before(std::uint64_t place) const;
  std::uint64_t period() const { return interval_bytes_ + wire::kMarkerBytes; }
  void check();

  std::uint32_t interval_bytes_ = 0;
  std::uint64_t at_ = 0;          // in the stream, with markers
  std::uint64_t payload_at_ = 0;  // without
  std::uint64_t first_ = 0;       // where the first marker begins
  std::array<std::uint8_t, wire::kMarkerBytes> marker_{};
  std::uint8_t have_ = 0;                    // which of its bytes, one bit each
  std::optional<std::uint64_t> pointed_to_;  // in payload
  std::string problem_;
  unsigned count_ = 0;
};

}  // namespace tsih::judge
