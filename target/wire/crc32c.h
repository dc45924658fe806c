// CRC32C, the digest of RFC 3720 12.1 (polynomial 0x11edc6f41).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tsihd::wire {

/// An incremental CRC32C. Runs on SSE4.2's instruction, three streams at once joined by PCLMUL for
/// long input, where the processor has them; else eight tables. No allocation.
class Crc32c {
 public:
  Crc32c& update(std::span<const std::byte> bytes);
  std::uint32_t value() const { return ~state_; }

 private:
  std::uint32_t state_ = 0xffffffff;
};

inline std::uint32_t crc32c(std::span<const std::byte> bytes) {
  return Crc32c{}.update(bytes).value();
}

/// Writes a digest the way it goes over the wire: RFC 3720 B.4 shows the bytes of the reflected
/// CRC with its least significant byte first.
inline void store_digest(std::uint32_t crc, std::byte* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<std::byte>(crc >> (8 * i));
}
inline std::uint32_t load_digest(const std::byte* in) {
  std::uint32_t crc = 0;
  for (int i = 3; i >= 0; --i) crc = crc << 8 | std::to_integer<std::uint32_t>(in[i]);
  return crc;
}

namespace detail {  // each way of computing, for the tests; `state` is the inverted CRC
std::uint32_t crc32c_portable(std::uint32_t state, const std::byte* data, std::size_t bytes);
std::uint32_t crc32c_hardware(std::uint32_t state, const std::byte* data, std::size_t bytes);
bool crc32c_hardware_available();
}  // namespace detail

}  // namespace tsihd::wire
