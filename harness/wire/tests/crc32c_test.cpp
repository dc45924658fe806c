// Red when: the polynomial, the mirroring or the complement is wrong, or the wire's byte order.
#include "harness/wire/crc32c.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <numeric>

#include "harness/wire/pdu.h"

using tsih::wire::Bytes;
using tsih::wire::crc32c;

namespace {
// As bytes on the wire, the way appendix B.4 prints them.
Bytes on_the_wire(std::uint32_t crc) {
  Bytes bytes;
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<std::uint8_t>(crc >> (8 * i)));
  return bytes;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(crc32c_examples)

BOOST_AUTO_TEST_CASE(appendix_b4_zeroes) {
  BOOST_TEST(on_the_wire(crc32c(Bytes(32, 0x00))) == (Bytes{0xaa, 0x36, 0x91, 0x8a}));
}

BOOST_AUTO_TEST_CASE(appendix_b4_ones) {
  BOOST_TEST(on_the_wire(crc32c(Bytes(32, 0xff))) == (Bytes{0x43, 0xab, 0xa8, 0x62}));
}

BOOST_AUTO_TEST_CASE(appendix_b4_rising_and_falling) {
  Bytes bytes(32);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  BOOST_TEST(on_the_wire(crc32c(bytes)) == (Bytes{0x4e, 0x79, 0xdd, 0x46}));
  std::reverse(bytes.begin(), bytes.end());
  BOOST_TEST(on_the_wire(crc32c(bytes)) == (Bytes{0x5c, 0xdb, 0x3f, 0x11}));
}

BOOST_AUTO_TEST_CASE(appendix_b4_read_command_through_the_encoder) {
  using namespace tsih::wire;
  Pdu pdu(Opcode::scsi_command);
  pdu.set(field::final, 1).set(field::read, 1);
  pdu.set(field::initiator_task_tag, 0x14000000);
  pdu.set(field::expected_data_transfer_length, 0x400);
  pdu.set(field::cmd_sn, 0x14).set(field::exp_stat_sn, 0x18);
  const Bytes cdb{0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0};
  pdu.set_cdb(cdb);
  const Bytes wire = encode(pdu, {.header = true});
  BOOST_TEST(wire.size() == 52u);
  BOOST_TEST(Bytes(wire.end() - 4, wire.end()) == (Bytes{0x56, 0x3a, 0x96, 0xd9}));
}

BOOST_AUTO_TEST_CASE(goes_on_from_a_prefix) {
  const Bytes bytes{1, 2, 3, 4, 5, 6, 7};
  const auto whole = std::span(bytes);
  BOOST_TEST(crc32c(whole.subspan(3), crc32c(whole.first(3))) == crc32c(whole));
}

BOOST_AUTO_TEST_SUITE_END()
