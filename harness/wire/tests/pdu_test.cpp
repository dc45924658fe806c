// Red when: a field of the table stands at the wrong place or width, or overlaps another.
#include "harness/wire/pdu.h"

#include <boost/test/unit_test.hpp>

using namespace tsih::wire;

BOOST_AUTO_TEST_SUITE(pdu)

BOOST_AUTO_TEST_CASE(login_request_as_the_figure_draws_it) {
  Pdu pdu(Opcode::login_request);
  pdu.set(field::immediate, 1).set(field::transit, 1).set(field::csg, 1).set(field::nsg, 3);
  pdu.set(field::isid, 0x800102030405).set(field::tsih, 0x0607);
  pdu.set(field::initiator_task_tag, 0x08090a0b).set(field::cid, 0x0c0d);
  pdu.set(field::cmd_sn, 0x10111213).set(field::exp_stat_sn, 0x14151617);
  pdu.data = {'A', '=', 'b', 0, 'x'};
  const Bytes wire = encode(pdu);
  const Bytes expected{0x43, 0x87, 0,    0,    0,    0,    0,    5,    0x80, 1,    2,
                       3,    4,    5,    6,    7,    8,    9,    0x0a, 0x0b, 0x0c, 0x0d,
                       0,    0,    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17};
  BOOST_TEST(Bytes(wire.begin(), wire.begin() + 32) == expected);
  BOOST_TEST(wire.size() == 48u + 8u);  // padded to a word
}

BOOST_AUTO_TEST_CASE(every_field_reads_back_alone) {
  for (unsigned opcode = 0; opcode < 64; ++opcode)
    for (const Field& field : layout(static_cast<std::uint8_t>(opcode))) {
      const std::uint64_t ones = field.bits == 64 ? ~0ull : (1ull << field.bits) - 1;
      Pdu pdu;
      pdu.set(field, ones);
      BOOST_TEST(pdu[field] == ones);
      for (const Field& other : layout(static_cast<std::uint8_t>(opcode)))
        if (!(other == field))
          BOOST_TEST(pdu[other] == 0u, field.name << " touches " << other.name);
      pdu.set(field, 0);
      BOOST_TEST((pdu.header == Pdu{}.header));
    }
}

BOOST_AUTO_TEST_CASE(reserved_bits_of_a_login_response) {
  HeaderMask mask;
  reserved_bits(0x23, mask);
  BOOST_TEST(mask[0] == 0xc0);
  BOOST_TEST(mask[1] == 0x30);
  BOOST_TEST(mask[20] == 0xff);
  BOOST_TEST(mask[36] == 0x00);
  BOOST_TEST(mask[38] == 0xff);
  reserved_bits(0x1f, mask);  // nobody knows what is reserved in an unknown PDU
  BOOST_TEST(mask[20] == 0x00);
}

BOOST_AUTO_TEST_CASE(it_can_lie_about_its_lengths) {
  Pdu pdu(Opcode::nop_out);
  pdu.claimed_data_bytes = 0xffffff;
  pdu.claimed_ahs_words = 3;
  const Bytes wire = encode(pdu);
  BOOST_TEST(wire.size() == 48u);
  BOOST_TEST(wire[4] == 3);
  BOOST_TEST(wire[5] == 0xff);
}

BOOST_AUTO_TEST_CASE(description_names_what_is_set) {
  Pdu pdu(Opcode::login_response);
  pdu.set(field::transit, 1).set(field::csg, 1).set(field::nsg, 3).set(field::status, 0x0203);
  BOOST_TEST(describe(pdu).starts_with("Login Response T CSG=1 NSG=3"));
  BOOST_TEST(describe(pdu).ends_with("Status=0x0203"));
  Pdu unknown;
  unknown.header[0] = 0x1f;
  BOOST_TEST(describe(unknown) == "opcode 0x1f");
}

BOOST_AUTO_TEST_SUITE_END()
