// Fixed interval markers (RFC 3720 appendix A): eight bytes, at places of a stream that both sides
// know by counting, which tell how far it is to the next PDU. Places are counted from the first
// byte of the connection as if its login had had markers as well (A.2).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "harness/wire/bytes.h"

namespace tsih::wire {

inline constexpr std::size_t kMarkerBytes = 8;

/// How many bytes of payload come before the next marker begins, at this place of a stream with
/// its markers; 0 where one begins. Within a marker, which was not written then: the next one.
std::uint64_t until_marker(std::uint64_t at, std::uint32_t interval_bytes);

/// Puts markers between the bytes of PDUs that go out.
class MarkerWriter {
 public:
  /// `stream_bytes` went out before, without markers. `skew` makes every pointer wrong by so much.
  MarkerWriter(std::uint32_t interval_bytes, std::uint64_t stream_bytes, std::uint32_t skew = 0)
      : interval_bytes_(interval_bytes), at_(stream_bytes), skew_(skew) {}
  /// A whole PDU as it goes out, with the markers that fall before and into it.
  Bytes mark(std::span<const std::uint8_t> pdu);

 private:
  std::uint32_t interval_bytes_;
  std::uint64_t at_;  ///< in the stream, markers included
  std::uint32_t skew_;
};

struct Marker {
  std::uint64_t payload_bytes = 0;             ///< that came before it, since markers are in use
  std::array<std::uint32_t, 2> pointers = {};  ///< its two copies
};

/// Takes markers out of the bytes that come in.
class MarkerReader {
 public:
  /// `stream_bytes` came before, without markers.
  MarkerReader(std::uint32_t interval_bytes, std::uint64_t stream_bytes)
      : interval_bytes_(interval_bytes), at_(stream_bytes) {}
  /// These bytes without markers; a marker may be cut anywhere.
  Bytes strip(std::span<const std::uint8_t> bytes);
  /// Whole ones, in their order: one for interval_bytes of payload.
  const std::vector<Marker>& markers() const { return markers_; }
  std::uint64_t payload_bytes() const { return payload_bytes_; }

 private:
  std::uint32_t interval_bytes_;
  std::uint64_t at_;  ///< in the stream, markers included
  std::uint64_t payload_bytes_ = 0;
  Bytes marker_;  ///< as much as has come of the current one
  bool within_ = false;
  std::vector<Marker> markers_;
};

}  // namespace tsih::wire
