// Integers in network byte order that convert as they are read and written.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tsihd::wire {

/// An unsigned integer in network byte order with no alignment of its own. Compilers turn the
/// loops into one load or store and a byte swap.
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
  constexpr operator T() const {  // NOLINT: a field is read like a number
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

}  // namespace tsihd::wire
