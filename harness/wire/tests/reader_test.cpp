// Red when: a PDU is lost or joined at some boundary, a wrong digest passes, or a length is
// believed beyond the limit.
#include "harness/wire/reader.h"

#include <boost/test/unit_test.hpp>

using namespace tsih::wire;

namespace {

Pdu ping(std::size_t data_bytes) {
  Pdu pdu(Opcode::nop_out);
  pdu.set(field::final, 1).set(field::initiator_task_tag, 7);
  pdu.data.assign(data_bytes, 0x5a);
  return pdu;
}

Bytes stream_of_three(const Digests& digests) {
  Bytes stream;
  for (std::size_t size : {0u, 5u, 12u}) {
    Pdu pdu = ping(size);
    if (size == 12) pdu.ahs = {0, 5, 2, 0, 1, 2, 3, 4};
    const Bytes wire = encode(pdu, digests);
    stream.insert(stream.end(), wire.begin(), wire.end());
  }
  return stream;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reader)

BOOST_AUTO_TEST_CASE(the_same_at_every_boundary) {
  for (bool digest : {false, true}) {
    const Bytes stream = stream_of_three({.header = digest, .data = digest});
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      PduReader reader;
      reader.expect_digests(digest, digest);
      std::vector<Pdu> pdus;
      const auto take = [&](std::span<const std::uint8_t> part) {
        reader.feed(part);
        while (auto pdu = reader.next()) pdus.push_back(*pdu);
      };
      take(std::span(stream).first(cut));
      take(std::span(stream).subspan(cut));
      BOOST_REQUIRE_EQUAL(pdus.size(), 3u);
      BOOST_TEST(pdus[1].data.size() == 5u);
      BOOST_TEST(pdus[2].ahs.size() == 8u);
      BOOST_TEST(pdus[2].data.size() == 12u);
      for (const Pdu& pdu : pdus) BOOST_TEST((pdu.header_digest_ok && pdu.data_digest_ok));
      BOOST_TEST(reader.pending_bytes() == 0u);
    }
  }
}

BOOST_AUTO_TEST_CASE(spoiled_digests_are_noticed) {
  PduReader reader;
  reader.expect_digests(true, true);
  reader.feed(encode(ping(5), {.header = true, .data = true, .spoil_header = true}));
  BOOST_TEST(!reader.next().value().header_digest_ok);
  reader.feed(encode(ping(5), {.header = true, .data = true, .spoil_data = true}));
  const Pdu pdu = reader.next().value();
  BOOST_TEST(pdu.header_digest_ok);
  BOOST_TEST(!pdu.data_digest_ok);
}

BOOST_AUTO_TEST_CASE(a_length_beyond_the_limit_breaks_the_stream_for_good) {
  PduReader reader(1024);
  Pdu liar = ping(0);
  liar.claimed_data_bytes = 1025;
  reader.feed(encode(liar));
  BOOST_TEST(!reader.next().has_value());
  BOOST_TEST(!reader.broken().empty());
  for (int i = 0; i < 100; ++i) reader.feed(Bytes(4096, 0));
  BOOST_TEST(reader.pending_bytes() <= 48u);
}

BOOST_AUTO_TEST_CASE(padding_that_is_not_zero_is_told) {
  Bytes wire = encode(ping(5));
  wire.back() = 1;
  PduReader reader;
  reader.feed(wire);
  BOOST_TEST(!reader.next().value().padding_is_zero);
}

BOOST_AUTO_TEST_SUITE_END()
