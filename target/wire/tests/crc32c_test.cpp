// CRC32C: each way of computing against RFC 3720 B.4 and against the other.
#include "target/wire/crc32c.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <vector>

namespace tsihd::wire {
namespace {

using Bytes = std::vector<std::byte>;

Bytes filled(std::size_t size, auto value_at) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(value_at(i));
  return bytes;
}

Bytes on_the_wire(const Bytes& bytes) {
  Bytes digest(4);
  store_digest(crc32c(bytes), digest.data());
  BOOST_TEST(load_digest(digest.data()) == crc32c(bytes));
  return digest;
}

Bytes hex(std::initializer_list<int> values) {
  Bytes bytes;
  for (int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// Red when: the polynomial, the start value, the final complement or the byte order is wrong.
BOOST_AUTO_TEST_CASE(examples_of_B_4) {
  BOOST_TEST((on_the_wire(filled(32, [](auto) { return 0; })) == hex({0xaa, 0x36, 0x91, 0x8a})));
  BOOST_TEST((on_the_wire(filled(32, [](auto) { return 0xff; })) == hex({0x43, 0xab, 0xa8, 0x62})));
  BOOST_TEST((on_the_wire(filled(32, [](auto i) { return i; })) == hex({0x4e, 0x79, 0xdd, 0x46})));
  BOOST_TEST(
      (on_the_wire(filled(32, [](auto i) { return 31 - i; })) == hex({0x5c, 0xdb, 0x3f, 0x11})));
  const Bytes read_10 = hex({0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0,
                             0x14, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
                             0x28, 0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0,    0, 0, 0, 0});
  BOOST_TEST((on_the_wire(read_10) == hex({0x56, 0x3a, 0x96, 0xd9})));
}

// Red when: a stream of the hardware way is shifted by the wrong factor, or a tail is lost.
BOOST_AUTO_TEST_CASE(hardware_equals_portable_at_every_length_and_alignment) {
  if (!detail::crc32c_hardware_available()) {
    BOOST_TEST_MESSAGE("no SSE4.2 and PCLMUL here: only the portable way exists");
    return;
  }
  std::mt19937 random(1);
  const Bytes bytes = filled(20000, [&](auto) { return random(); });
  const auto same = [&](std::size_t begin, std::size_t size) {
    return detail::crc32c_hardware(0xffffffff, bytes.data() + begin, size) ==
           detail::crc32c_portable(0xffffffff, bytes.data() + begin, size);
  };
  for (std::size_t size = 0; size < 1600; ++size) BOOST_REQUIRE(same(size % 9, size));
  for (std::size_t size : {6143u, 6144u, 6145u, 8192u, 12288u, 19000u})
    for (std::size_t begin = 0; begin < 8; ++begin) BOOST_REQUIRE(same(begin, size));
}

// Red when: the state is not carried from one update to the next.
BOOST_AUTO_TEST_CASE(incremental_at_every_cut) {
  std::mt19937 random(2);
  const Bytes bytes = filled(900, [&](auto) { return random(); });
  const std::span<const std::byte> all(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
    BOOST_REQUIRE(Crc32c{}.update(all.first(cut)).update(all.subspan(cut)).value() == crc32c(all));
}

// R3720-12.1: over a message with its CRC the remainder is a constant.
BOOST_AUTO_TEST_CASE(remainder_with_the_digest_is_constant) {
  Bytes bytes = filled(48, [](auto i) { return 7 * i; });
  bytes.resize(52);
  store_digest(crc32c(std::span(bytes).first(48)), bytes.data() + 48);
  BOOST_TEST(crc32c(bytes) == 0x48674bc7u);  // 0x1c2d19ed reflected and complemented
}

}  // namespace
}  // namespace tsihd::wire
