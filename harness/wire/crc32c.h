// CRC32C as RFC 3720 section 12.1 defines the digests (R3720-12.1-04). From the polynomial by a
// byte table built at compile time; checked against appendix B.4. Plain: the harness needs no
// speed.
#pragma once

#include <cstdint>
#include <span>

namespace tsih::wire {

/// The digest of these bytes as a number whose little-endian bytes go onto the wire. Give the
/// digest of a prefix as `previous` to go on from there.
std::uint32_t crc32c(std::span<const std::uint8_t> bytes, std::uint32_t previous = 0);

}  // namespace tsih::wire
