#include "target/wire/crc32c.h"

#include <array>
#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tsihd::wire {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected: bit i is the coefficient x^(31-i)

constexpr std::uint32_t times_x(std::uint32_t value) {
  return (value >> 1) ^ ((value & 1) ? kPolynomial : 0);
}

// tables[k][b]: what byte b contributes when k more bytes follow it in the block of eight.
constexpr auto make_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = times_x(value);
    tables[0][byte] = value;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t byte = 0; byte < 256; ++byte)
      tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 0xff];
  return tables;
}
constexpr auto kTables = make_tables();

std::uint64_t load64(const std::byte* data) {
  std::uint64_t value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

}  // namespace

namespace detail {

std::uint32_t crc32c_portable(std::uint32_t state, const std::byte* data, std::size_t bytes) {
  static_assert(std::endian::native == std::endian::little, "load64 takes the low byte first");
  for (; bytes >= 8; bytes -= 8, data += 8) {
    const std::uint64_t block = load64(data) ^ state;
    state = 0;
    for (unsigned i = 0; i < 8; ++i) state ^= kTables[7 - i][(block >> (8 * i)) & 0xff];
  }
  for (; bytes > 0; --bytes, ++data)
    state = (state >> 8) ^ kTables[0][(state ^ std::to_integer<std::uint32_t>(*data)) & 0xff];
  return state;
}

#if defined(__x86_64__)

namespace {

// The crc32 instruction takes three cycles but one can start every cycle, so three independent
// streams run at once and are joined at the end. To join, a stream's CRC is moved past `bytes`
// zero bytes: multiplied by x^(8 * bytes). A carry-less product of two reflected 32-bit values,
// reduced by the crc32 instruction on 64 bits, comes out times x^33: hence the 33 less.
constexpr std::uint32_t shift_factor(std::size_t bytes) {
  std::uint32_t value = 0x80000000;  // x^0
  for (std::size_t i = 0; i < 8 * bytes - 33; ++i) value = times_x(value);
  return value;
}

__attribute__((target("sse4.2,pclmul"))) inline std::uint32_t multiply(std::uint32_t crc,
                                                                       std::uint32_t factor) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128(static_cast<int>(crc)),
                                               _mm_cvtsi32_si128(static_cast<int>(factor)), 0);
  return static_cast<std::uint32_t>(
      _mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product))));
}

template <std::size_t StreamBytes>
__attribute__((target("sse4.2,pclmul"))) std::uint32_t three_streams(std::uint32_t state,
                                                                     const std::byte*& data,
                                                                     std::size_t& bytes) {
  static_assert(StreamBytes % 8 == 0);
  constexpr std::uint32_t kPastTwo = shift_factor(2 * StreamBytes);
  constexpr std::uint32_t kPastOne = shift_factor(StreamBytes);
  for (; bytes >= 3 * StreamBytes; bytes -= 3 * StreamBytes, data += 3 * StreamBytes) {
    std::uint64_t a = state, b = 0, c = 0;
    for (std::size_t i = 0; i < StreamBytes; i += 8) {
      a = _mm_crc32_u64(a, load64(data + i));
      b = _mm_crc32_u64(b, load64(data + StreamBytes + i));
      c = _mm_crc32_u64(c, load64(data + 2 * StreamBytes + i));
    }
    state = multiply(static_cast<std::uint32_t>(a), kPastTwo) ^
            multiply(static_cast<std::uint32_t>(b), kPastOne) ^ static_cast<std::uint32_t>(c);
  }
  return state;
}

}  // namespace

__attribute__((target("sse4.2,pclmul"))) std::uint32_t crc32c_hardware(std::uint32_t state,
                                                                       const std::byte* data,
                                                                       std::size_t bytes) {
  state = three_streams<2048>(state, data, bytes);
  state = three_streams<256>(state, data, bytes);
  std::uint64_t wide = state;
  for (; bytes >= 8; bytes -= 8, data += 8) wide = _mm_crc32_u64(wide, load64(data));
  state = static_cast<std::uint32_t>(wide);
  for (; bytes > 0; --bytes, ++data)
    state = _mm_crc32_u8(state, std::to_integer<std::uint8_t>(*data));
  return state;
}

bool crc32c_hardware_available() {
  return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

#else

std::uint32_t crc32c_hardware(std::uint32_t state, const std::byte* data, std::size_t bytes) {
  return crc32c_portable(state, data, bytes);
}
bool crc32c_hardware_available() { return false; }

#endif

}  // namespace detail

Crc32c& Crc32c::update(std::span<const std::byte> bytes) {
  static const auto compute =
      detail::crc32c_hardware_available() ? detail::crc32c_hardware : detail::crc32c_portable;
  state_ = compute(state_, bytes.data(), bytes.size());
  return *this;
}

}  // namespace tsihd::wire
