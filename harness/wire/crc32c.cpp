#include "harness/wire/crc32c.h"

#include <array>

namespace tsih::wire {
namespace {

constexpr std::uint32_t kReflectedPolynomial = 0x82f63b78;  // 0x11edc6f41 without x^32, mirrored

constexpr std::array<std::uint32_t, 256> make_remainders() {
  std::array<std::uint32_t, 256> remainders{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit)
      remainder = (remainder >> 1) ^ ((remainder & 1) ? kReflectedPolynomial : 0);
    remainders[byte] = remainder;
  }
  return remainders;
}
constexpr auto kRemainders = make_remainders();

}  // namespace

std::uint32_t crc32c(std::span<const std::uint8_t> bytes, std::uint32_t previous) {
  std::uint32_t crc = ~previous;
  for (std::uint8_t byte : bytes) crc = (crc >> 8) ^ kRemainders[(crc ^ byte) & 0xff];
  return ~crc;
}

}  // namespace tsih::wire
