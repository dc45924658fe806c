// Markers: where they stand, by the example of RFC 3720 A.2, what they point to, and that they come
// out again however the stream is cut.
#include "harness/wire/markers.h"

#include <boost/test/unit_test.hpp>
#include <numeric>

using namespace tsih::wire;

BOOST_AUTO_TEST_SUITE(markers)

namespace {

Bytes counted(std::size_t bytes) {
  Bytes result(bytes);
  std::iota(result.begin(), result.end(), std::uint8_t{0});
  return result;
}

}  // namespace

// "if the marker interval is 512 bytes and the login ended at byte 1003, the first marker will be
// inserted after byte 1031": 28 bytes of the first PDU stand before it. Red when the login is
// counted as if it had no markers, or not at all.
BOOST_AUTO_TEST_CASE(the_example_of_the_rfc) {
  MarkerWriter writer(512, 1004);
  const Bytes pdu = counted(48);
  const Bytes marked = writer.mark(pdu);
  BOOST_TEST(marked.size() == 56u);
  const Bytes marker(marked.begin() + 28, marked.begin() + 36);
  BOOST_TEST(marker == (Bytes{0, 0, 0, 20, 0, 0, 0, 20}), boost::test_tools::per_element());
  // The next one comes 512 bytes after the end of this one.
  BOOST_TEST(writer.mark(counted(512 - 20)).size() == 512u - 20);
  const Bytes next = writer.mark(counted(4));
  BOOST_TEST(next.size() == 12u);
  BOOST_TEST(next[3] == 0);  // a PDU begins here
}

// A login that ended where a marker would have been: the next place counts.
BOOST_AUTO_TEST_CASE(no_marker_is_begun_in_its_middle) {
  for (const std::uint64_t at : {517u, 519u}) {
    MarkerWriter writer(512, at);
    BOOST_TEST(writer.mark(counted(520 - at + 512)).size() == 520 - at + 512);
    BOOST_TEST(writer.mark(counted(4)).size() == 12u);
  }
}

BOOST_AUTO_TEST_CASE(what_was_marked_is_read_in_any_pieces) {
  MarkerWriter writer(8, 3);
  Bytes plain, stream;
  for (const std::size_t bytes : {48u, 52u, 4u, 300u}) {
    const Bytes pdu = counted(bytes), marked = writer.mark(pdu);
    plain.insert(plain.end(), pdu.begin(), pdu.end());
    stream.insert(stream.end(), marked.begin(), marked.end());
  }
  for (const std::size_t piece : {1u, 5u, 8u, 1000u}) {
    MarkerReader reader(8, 3);
    Bytes read;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      const auto rest = std::span(stream).subspan(at);
      const Bytes part = reader.strip(rest.first(std::min(piece, rest.size())));
      read.insert(read.end(), part.begin(), part.end());
    }
    BOOST_TEST(read == plain, boost::test_tools::per_element());
    BOOST_TEST(reader.payload_bytes() == plain.size());
    BOOST_TEST(reader.markers().size() == (stream.size() - plain.size()) / kMarkerBytes);
    BOOST_TEST(reader.markers().front().payload_bytes == 5u);
    BOOST_TEST(reader.markers().front().pointers[0] == 43u);
    BOOST_TEST(reader.markers().front().pointers[1] == 43u);
  }
}

BOOST_AUTO_TEST_SUITE_END()
