// Negotiations in full feature phase (RFC 3720 5.4, 10.10).
#include <algorithm>
#include <span>

#include "harness/initiators/cases/common.h"

namespace {

constexpr std::uint32_t kTag = 0x5150;

// The first part of an answer: more is to come, under this tag.
Pdu with_more_to_come(Peer& initiator, const Pdu& text, const TextKeys& keys) {
  return initiator.text_response(text, keys)
      .set(field::final, 0)
      .set(field::target_transfer_tag, kTag);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(text)

TSIH_TRIAL(several_exchanges,
           "A negotiation of several exchanges keeps its task tag, and ends with F",
           judges("R3720-5.4-02", "R3720-5.4-01", "R3720-5.4-03", "R3720-5.4-l01") *
               unh("FFP 18.2")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  initiator.send(initiator.async_message(4, 0, 0, 3));
  const Met met = target().next_of(initiator);
  offered(met.pdu && met.pdu->is(Opcode::text_request), "to negotiate in full feature phase");
  const Pdu& first = *met.pdu;
  initiator.send(with_more_to_come(initiator, first, {}));
  const Pdu next = expect(initiator, request(Opcode::text_request));
  verify_equal("task tag", first[field::initiator_task_tag], next[field::initiator_task_tag]);
  verify_equal("transfer tag", kTag, next[field::target_transfer_tag]);
  judging("R3720-5.4-01");
  confirm(describe(first));
  judging_all({"R3720-5.4-03", "R3720-5.4-l01"});
  verify_equal("F", 1, next[field::final]);
}

TSIH_TRIAL(rejected, "A negotiation that the target takes back begins anew, without its tag",
           judges("R3720-5.4-08", "R3720-5.4-06") * unh("FFP 18.5")) {
  start(kDiscover);
  auto [initiator, text] = serve_until(request(Opcode::text_request));
  initiator.send(with_more_to_come(initiator, text, {}));
  const Met next = target().next_of(initiator);
  offered(next.pdu && next.pdu->is(Opcode::text_request), "to take an answer in parts");
  initiator.send(initiator.reject(0x04, *next.pdu));
  Met met = target().next_of(initiator);
  while (met.pdu && !met.pdu->is(Opcode::text_request) && !met.pdu->is(Opcode::logout_request))
    met = target().next_of(initiator);
  for (const char* clause : {"R3720-5.4-08", "R3720-5.4-06"}) {
    judging(clause);
    if (met.pdu && met.pdu->is(Opcode::text_request))
      verify_equal("transfer tag", kReservedTag, (*met.pdu)[field::target_transfer_tag]);
    confirm(met.words);
  }
}

TSIH_TRIAL(taken_back,
           "What a negotiation that the target takes back would have changed is as it was",
           judges("R3720-6.10-02")) {
  constexpr std::uint32_t kFirst = 512;
  constexpr const char* kKey = "MaxRecvDataSegmentLength";
  start(kCopy);
  auto [initiator, read] = serve_until(read_command());
  const Bytes data = initiator.data_of(read);
  const std::span all(data);
  initiator.send(initiator.data_in(read, all.first(kFirst), 0, 0, false));
  initiator.send(initiator.async_message(4, 0, 0, 3));
  const Met met = target().next_of(initiator);
  offered(met.pdu && met.pdu->is(Opcode::text_request), "to negotiate in full feature phase");
  const auto new_most = tsih::wire::parse_text(met.pdu->data).keys.value(kKey).value_or("");
  const auto old_most = initiator.offered.value(kKey).value_or("8192");
  const std::size_t taken = tsih::wire::parse_number(old_most).value_or(0);
  const std::size_t bytes = std::min(taken, data.size() - kFirst);
  const auto less = tsih::wire::parse_number(new_most);
  offered(less && *less < bytes, "a lesser MaxRecvDataSegmentLength");
  initiator.send(initiator.reject(0x04, *met.pdu));
  initiator.send(initiator.data_in(read, all.subspan(kFirst, bytes), 1, kFirst, false));
  initiator.serve_read(read, 2, kFirst + static_cast<std::uint32_t>(bytes));
  expect_copied();
}

BOOST_AUTO_TEST_SUITE_END()
