// Markers at fixed intervals (appendix A), for targets that agree to them.
#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(markers)

namespace {

constexpr std::uint64_t kLeastWords = 16, kMostWords = 64;  // of four bytes
constexpr int kPings = 8;

TextKeys offer(const std::string& marker, const std::string& interval) {
  return {{marker, "Yes"},
          {interval, fmt::format("{}~{}", kLeastWords, kMostWords)},
          {"HeaderDigest", "CRC32C,None"},
          {"DataDigest", "CRC32C,None"}};
}

// The interval that was agreed on, in bytes; the target may go without markers.
std::uint32_t agreed_interval(const Initiator& initiator, const std::string& marker,
                              const std::string& interval) {
  constexpr std::uint32_t kWordBytes = 4;
  if (initiator.negotiated().value(marker) != "Yes") throw Unsupported{marker};
  return static_cast<std::uint32_t>(agreed_number(initiator, interval, 2048)) * kWordBytes;
}

// Pings of many sizes, so that markers fall between PDUs and into all of their parts.
void exchange_pings(Initiator& initiator, CaseContext& context) {
  for (int i = 0; i < kPings; ++i) {
    const Pdu ping = initiator.nop_out(Bytes(static_cast<std::size_t>(52 * i), 0x5a));
    initiator.send(ping);
    const Pdu echo = initiator.expect(Opcode::nop_in);
    const bool right = echo.header_digest_ok && echo.data_digest_ok && echo.data == ping.data;
    if (!right) context.fail("the data of the ping, and right digests", describe(echo));
    context.confirm(describe(echo));
  }
}

}  // namespace

TSIH_CASE(of_the_target, "Markers of the target point to its next PDU, and no digest covers them",
          judges("R3720-A.1-02", "R3720-AppA-01")) {
  auto initiator = log_in(offer("IFMarker", "IFMarkInt"));
  initiator.connection().use_markers(agreed_interval(initiator, "IFMarker", "IFMarkInt"), {});
  judging("R3720-AppA-01");
  exchange_pings(initiator, context());
  judging("R3720-A.1-02");
  const auto seen = initiator.connection().markers().size();
  verify(seen > 0, "markers", "none");
  const std::string problem = initiator.connection().marker_problem();
  verify(problem.empty(), "the way to the next PDU, twice", problem);
  confirm(fmt::format("{} markers", seen));
}

TSIH_CASE(of_the_initiator, "A target that agreed to markers finds the PDUs between them",
          judges("R3720-AppA-01")) {
  auto initiator = log_in(offer("OFMarker", "OFMarkInt"));
  initiator.connection().use_markers({}, agreed_interval(initiator, "OFMarker", "OFMarkInt"));
  exchange_pings(initiator, context());
}

TSIH_CASE(interval, "A range of intervals is answered with a number within it, or with Reject",
          judges("R3720-5.2.2-l02", "R3720-5.1-l01", "R3720-5.2-11")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer = initiator.expect_negotiation(offer("IFMarker", "IFMarkInt"));
  const std::string value = answer.keys.value("IFMarkInt").value_or("no answer");
  judging("R3720-5.2-11");
  verify(value != "NotUnderstood", "any other answer", "IFMarkInt=" + value);
  const bool no_markers = answer.keys.value("IFMarker").value_or("No") != "Yes";
  const auto number = tsih::wire::parse_number(value);
  const auto tilde = value.find('~');
  judging("R3720-5.1-l01");
  const bool rises = tilde == value.npos || tsih::wire::parse_number(value.substr(0, tilde)) <=
                                                tsih::wire::parse_number(value.substr(tilde + 1));
  verify(rises, "no range that falls", "IFMarkInt=" + value);
  judging("R3720-5.2.2-l02");
  // Without markers the key is irrelevant (A.3.2).
  verify((number && *number >= kLeastWords && *number <= kMostWords) || value == "Reject" ||
             (no_markers && (value == "Irrelevant" || value == "no answer")),
         fmt::format("a number from {} to {}, Reject, or Irrelevant", kLeastWords, kMostWords),
         "IFMarkInt=" + value);
}

BOOST_AUTO_TEST_SUITE_END()
