// Red when: markers that were agreed on are taken for PDUs, or wrong ones are not seen.
#include <boost/test/unit_test.hpp>

#include "harness/judge/tests/dialogue.h"

using namespace tsih;
using namespace tsih::judge;
using namespace tsih::judge::testing;

namespace {

constexpr std::uint32_t kIntervalWords = 5, kIntervalBytes = 4 * kIntervalWords;

void agree(Dialogue& d, const char* answer = "Yes") {
  const TextKeys digests{{"HeaderDigest", "CRC32C"}, {"DataDigest", "CRC32C"}};
  TextKeys asks = digests, answers = digests;
  asks.append({{"OFMarker", "Yes"}, {"IFMarker", "Yes"}, {"OFMarkInt", "1~8"}, {"IFMarkInt", "5"}});
  answers.append(
      {{"OFMarker", answer}, {"IFMarker", "Yes"}, {"OFMarkInt", "5"}, {"IFMarkInt", "5"}});
  d.log_in(asks, answers);
  d.digests = {.header = true, .data = true};
}

Pdu answer(Dialogue& d, std::uint32_t tag, std::size_t bytes) {
  Pdu pdu = d.response(Opcode::nop_in, tag).set(field::target_transfer_tag, wire::kReservedTag);
  pdu.data.assign(bytes, 7);
  return pdu;
}

// Pings of many lengths, so that markers fall before PDUs and into all of their parts.
void exchange_pings(Dialogue& d) {
  for (std::uint32_t tag = 20; tag < 28; ++tag) {
    Pdu ping = d.ping(tag);
    ping.data.assign(4 * (tag - 20), 7);
    d.initiator(ping);
    d.target(answer(d, tag, ping.data.size()));
  }
}

const Tale kTales[] = {
    {"markers in both directions",
     [](Dialogue& d) {
       agree(d);
       for (From from : {From::initiator, From::target}) d.use_markers(from, kIntervalBytes);
       exchange_pings(d);
     },
     ""},
    {"markers of the target only",
     [](Dialogue& d) {
       agree(d, "No");
       d.use_markers(From::target, kIntervalBytes);
       exchange_pings(d);
     },
     ""},
    {"a marker that points one word too far",
     [](Dialogue& d) {
       agree(d);
       d.use_markers(From::initiator, kIntervalBytes);
       d.use_markers(From::target, kIntervalBytes, 4);
       exchange_pings(d);
     },
     "markers.point_to_the_pdu"},
    {"reserved bits in a marker",
     [](Dialogue& d) {
       agree(d);
       d.use_markers(From::initiator, kIntervalBytes, 3);
       d.use_markers(From::target, kIntervalBytes);
       exchange_pings(d);
     },
     ""},
    {"a digest of data and markers",
     [](Dialogue& d) {
       agree(d);
       for (From from : {From::initiator, From::target}) d.use_markers(from, kIntervalBytes);
       Pdu ping = d.ping(20);
       ping.data.assign(64, 7);
       d.initiator(ping);
       d.target_with_marked_digest(answer(d, 20, 64));
     },
     "form.data_digest markers.not_in_digest"},
};

}  // namespace

std::string tsih::judge::testing::broken_by_markers_test() { return rules_in(kTales); }

BOOST_AUTO_TEST_SUITE(markers)

BOOST_AUTO_TEST_CASE(tales) { check(kTales); }

// Every frame is cut where it is longest: what is missing holds markers as well.
BOOST_AUTO_TEST_CASE(cut_frames) {
  Dialogue d;
  agree(d);
  for (From from : {From::initiator, From::target}) d.use_markers(from, kIntervalBytes);
  d.scribe.snap_bytes = 54 + 48 + 40;
  exchange_pings(d);
  d.scribe.snap_bytes = 65535;
  exchange_pings(d);
  BOOST_TEST(d.broken() == "");
}

BOOST_AUTO_TEST_SUITE_END()
