// The wire: Basic Header Segments of RFC 3720 section 10 as typed structs, big-endian fields that
// convert as they are read. Pure: no I/O, no state, no validation beyond what a comment claims.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace tsihd::wire {

/// An unsigned integer in network byte order with no alignment of its own.
template <class T, std::size_t Bytes = sizeof(T)>
class Big {
 public:
  constexpr Big() = default;
  constexpr Big(T value) { *this = value; }  // NOLINT: a field is assigned like a number
  constexpr Big& operator=(T value) {
    for (std::size_t i = Bytes; i-- > 0;) {
      bytes_[i] = static_cast<std::uint8_t>(value & 0xff);
      if constexpr (sizeof(T) > 1) value = static_cast<T>(value >> 8);
    }
    return *this;
  }
  constexpr operator T() const {
    T value = 0;
    for (std::uint8_t byte : bytes_) value = static_cast<T>((value << 8) | byte);
    return value;
  }

 private:
  std::array<std::uint8_t, Bytes> bytes_{};
};
using U16 = Big<std::uint16_t>;
using U24 = Big<std::uint32_t, 3>;
using U32 = Big<std::uint32_t>;

enum class Opcode : std::uint8_t {
  nop_out = 0x00, scsi_command = 0x01, task_management_request = 0x02, login_request = 0x03,
  text_request = 0x04, data_out = 0x05, logout_request = 0x06, snack_request = 0x10,
  nop_in = 0x20, scsi_response = 0x21, task_management_response = 0x22, login_response = 0x23,
  text_response = 0x24, data_in = 0x25, logout_response = 0x26, r2t = 0x31,
  async_message = 0x32, reject = 0x3f,
};

inline constexpr std::size_t kBhsBytes = 48;
inline constexpr std::uint32_t kReservedTag = 0xffffffff;

}  // namespace tsihd::wire
