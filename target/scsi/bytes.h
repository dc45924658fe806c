// Big-endian fields in CDBs and parameter data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tsihd::scsi {

/// `Bytes` bytes at `at` as one number; both std::uint8_t and std::byte will do.
template <std::size_t Bytes, class Byte>
constexpr std::uint64_t get_big(const Byte* at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < Bytes; ++i) value = value << 8 | static_cast<std::uint8_t>(at[i]);
  return value;
}
template <class Byte>
constexpr std::uint16_t get16(const Byte* at) {
  return static_cast<std::uint16_t>(get_big<2>(at));
}
template <class Byte>
constexpr std::uint32_t get24(const Byte* at) {
  return static_cast<std::uint32_t>(get_big<3>(at));
}
template <class Byte>
constexpr std::uint32_t get32(const Byte* at) {
  return static_cast<std::uint32_t>(get_big<4>(at));
}
template <class Byte>
constexpr std::uint64_t get64(const Byte* at) {
  return get_big<8>(at);
}

template <std::size_t Bytes, class Byte>
constexpr void put_big(Byte* at, std::uint64_t value) {
  for (std::size_t i = Bytes; i-- > 0; value >>= 8)
    at[i] = static_cast<Byte>(static_cast<std::uint8_t>(value));
}
template <class Byte>
constexpr void put16(Byte* at, std::uint64_t value) {
  put_big<2>(at, value);
}
template <class Byte>
constexpr void put32(Byte* at, std::uint64_t value) {
  put_big<4>(at, value);
}
template <class Byte>
constexpr void put64(Byte* at, std::uint64_t value) {
  put_big<8>(at, value);
}

}  // namespace tsihd::scsi
