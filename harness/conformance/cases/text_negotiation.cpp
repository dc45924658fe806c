// MaxRecvDataSegmentLength told anew in full feature phase: when it takes effect, and when it must
// not (5.2, 5.4, 6.10, 10.10). Reads show which one the target goes by.
#include "harness/conformance/cases/common.h"

namespace {

constexpr std::uint32_t kSmall = 512, kLarge = 8192;

TextKeys limit(std::uint32_t bytes) {
  return {{"MaxRecvDataSegmentLength", fmt::format("{}", bytes)}};
}

// The longest Data-In of a read of 8 KiB and more.
std::size_t longest_data_in(Initiator& initiator, const ScsiCommand& read) {
  const Transfer transfer = initiator.transfer(read);
  if (!transfer.good()) throw Unsupported{"a read of 32 blocks"};
  std::size_t longest = 0;
  for (const Pdu& pdu : transfer.data_in) longest = std::max(longest, pdu.data.size());
  return longest;
}

// A Reject says by its ExpCmdSN whether the number of what it rejects is still to come (6.3).
void follow_reject(Initiator& initiator, const Event& event) {
  if (event.heard == Heard::pdu && event.pdu.is(Opcode::reject))
    initiator.cmd_sn = event.pdu.u32(field::exp_cmd_sn);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(text)
BOOST_AUTO_TEST_SUITE(negotiation)

TSIH_CASE(takes_effect_at_its_end,
          "A limit told in a request that leaves the negotiation open holds once it is closed",
          judges("R3720-10.11.1-03", "R3720-5.4-03", "R3720-10.11.1-02", "R3720-10.7.1-02") *
              unh("FFP 17.1.2", "FFP 17.2.2")) {
  needs_disk(64);
  auto initiator = log_in(limit(kLarge));
  initiator.ready();
  const Pdu open = initiator.text_request(limit(kSmall)).set(field::final, 0);
  const Pdu first = ask(initiator, open);
  verify(!first[field::final] && first[field::target_transfer_tag] != kReservedTag,
         "no F, and a transfer tag", describe(first));
  judging("R3720-5.4-03");
  const Pdu second = ask(initiator, go_on(initiator, open, first));
  verify(second[field::final], "F", describe(second));
  judging("R3720-10.11.1-02");
  verify_equal("target transfer tag", kReservedTag, second[field::target_transfer_tag]);
  judging("R3720-10.7.1-02");
  const auto longest = longest_data_in(initiator, read_blocks(0, 32));
  verify(longest <= kSmall, "at most 512 bytes in a Data-In", fmt::format("{} bytes", longest));
}

TSIH_CASE(left_open, "A limit told in a negotiation that stays open does not hold",
          judges("R3720-6.10-02", "R3720-5.2-13") * unh("FFP 17.7.2")) {
  needs_disk(64);
  auto initiator = log_in(limit(kSmall));
  initiator.ready();
  ask(initiator, initiator.text_request(limit(kLarge)).set(field::final, 0));
  const auto longest = longest_data_in(initiator, read_blocks(0, 32));
  judging_all({"R3720-6.10-02", "R3720-5.2-13"});
  verify(longest <= kSmall, "at most 512 bytes in a Data-In", fmt::format("{} bytes", longest));
}

TSIH_CASE(other_tag, "A negotiation that goes on under another task tag: a Reject is well formed",
          judges(should("R3720-10-01")) * unh("FFP 17.5")) {
  auto initiator = log_in();
  const Pdu open = initiator.text_request(limit(kSmall)).set(field::final, 0);
  const Pdu first = ask(initiator, open);
  const Pdu other =
      go_on(initiator, open, first).set(field::initiator_task_tag, initiator.next_tag());
  initiator.send(other);
  const Event event = next_event(initiator);
  if (event.heard == Heard::pdu && event.pdu.is(Opcode::reject))
    verify(reject_problem(event.pdu, other).empty(), "a well formed Reject",
           reject_problem(event.pdu, other));
  confirm(event.words);
}

TSIH_CASE(nothing_said_twice, "In a negotiation of two answers the target says no key twice",
          judges("R3720-5.4-l02")) {
  auto initiator = log_in();
  const Pdu open = initiator.text_request(limit(kSmall)).set(field::final, 0);
  const Pdu first = ask(initiator, open);
  offered(!first[field::final], "a negotiation that stays open");
  const Pdu last = ask(initiator, go_on(initiator, open, first));
  const TextKeys before = tsih::wire::parse_text(first.data).keys;
  const TextKeys after = tsih::wire::parse_text(last.data).keys;
  for (const auto& [key, value] : after.pairs())
    verify(key == "TargetAddress" || !before.has(key), "each key once", key + "=" + value);
  confirm(describe(last));
}

TSIH_CASE(key_twice_then_anew,
          "A key told twice in two requests is rejected; told once in a new negotiation it holds",
          judges("R3720-5.4-07", "R3720-10.7.1-02") * unh("FFP 17.6")) {
  needs_disk(64);
  auto initiator = log_in(limit(kLarge));
  initiator.ready();
  const Pdu open = initiator.text_request(limit(4096)).set(field::final, 0);
  const Pdu first = ask(initiator, open);
  initiator.send(go_on(initiator, open, first, limit(2048)));
  const Event event = next_event(initiator);
  verify(event.heard == Heard::pdu && event.pdu.is(Opcode::reject) &&
             event.pdu[field::reject_reason] == 4,
         "a Reject with reason 4", event.words);
  judging("R3720-10.7.1-02");
  follow_reject(initiator, event);
  const Pdu anew = initiator.text_request(limit(kSmall))
                       .set(field::initiator_task_tag, open[field::initiator_task_tag]);
  const Pdu last = ask(initiator, anew);
  offered(last[field::final], "an answer in one Text Response");
  const auto longest = longest_data_in(initiator, read_blocks(0, 32));
  verify(longest <= kSmall, "at most 512 bytes in a Data-In", fmt::format("{} bytes", longest));
}

TSIH_CASE(reset_by_the_initiator,
          "A request without a transfer tag begins the negotiation anew, and what it tells holds",
          judges("R3720-5.4-03", "R3720-10.7.1-02") * unh("FFP 17.7.1")) {
  needs_disk(64);
  auto initiator = log_in(limit(kLarge));
  initiator.ready();
  const Pdu open = initiator.text_request(limit(4096)).set(field::final, 0);
  const Pdu first = ask(initiator, open);
  initiator.send(go_on(initiator, open, first, limit(2048))
                     .set(field::initiator_task_tag, initiator.next_tag()));
  const Event event = next_event(initiator);
  offered(event.heard == Heard::pdu, "to go on after a wrong task tag");
  follow_reject(initiator, event);
  const Pdu anew = initiator.text_request(limit(kSmall))
                       .set(field::initiator_task_tag, open[field::initiator_task_tag]);
  const Pdu last = ask(initiator, anew);
  verify(last[field::final] && belongs_to(last, anew), "F, under the tag of the request",
         describe(last));
  judging("R3720-10.7.1-02");
  const auto longest = longest_data_in(initiator, read_blocks(0, 32));
  verify(longest <= kSmall, "at most 512 bytes in a Data-In", fmt::format("{} bytes", longest));
}

TSIH_CASE(value_out_of_bounds, "A limit below 512 does not hold; a good one after it does",
          judges("R3720-6.10-02", "R3720-10.7.1-02") * unh("FFP 17.7.3")) {
  needs_disk(64);
  auto initiator = log_in(limit(kLarge));
  initiator.ready();
  const auto before = longest_data_in(initiator, read_blocks(0, 32));
  initiator.send(initiator.text_request(limit(511)));
  const Event event = next_event(initiator);
  offered(event.heard == Heard::pdu, "to go on after a value out of its bounds");
  follow_reject(initiator, event);
  const auto after = longest_data_in(initiator, read_blocks(0, 32));
  verify(after > 511 || before <= 511, fmt::format("Data-In of up to {} bytes as before", before),
         fmt::format("of up to {} bytes after {}", after, event.words));
  verify(after <= kLarge, "at most 8192 bytes in a Data-In", fmt::format("{} bytes", after));
  judging("R3720-10.7.1-02");
  ask(initiator, initiator.text_request(limit(kSmall)));
  const auto longest = longest_data_in(initiator, read_blocks(0, 32));
  verify(longest <= kSmall, "at most 512 bytes in a Data-In", fmt::format("{} bytes", longest));
}

TSIH_CASE(continued_key,
          "A key that is cut in two by C is read whole: the first half is answered without text, a "
          "key that nobody knows with NotUnderstood",
          judges("R3720-5.2-02", "R3720-5.2-07") * unh("FFP 17.8.1")) {
  auto initiator = log_in();
  const std::string name = "X-example.tsih." + std::string(40, 'q');
  const Pdu whole = initiator.text_request({{name, std::string(255, 'v')}});
  Pdu first = whole;
  first.data.resize(100);
  const Pdu answer = ask(initiator, first.set(field::final, 0).set(field::continues, 1));
  verify(answer.data.empty(), "a Text Response without data", describe(answer));
  judging("R3720-5.2-07");
  Pdu second = go_on(initiator, whole, answer);
  second.data.assign(whole.data.begin() + 100, whole.data.end());
  const auto keys = tsih::wire::parse_text(ask(initiator, second).data).keys;
  verify(keys.value(name) == "NotUnderstood", name + "=NotUnderstood", keys.describe());
}

TSIH_CASE(continued_and_final, "What a request with both C and F tells does not hold",
          judges("R3720-5.2-13", "R3720-6.6-01") * unh("FFP 17.8.2")) {
  needs_disk(64);
  auto initiator = log_in(limit(kSmall));
  initiator.ready();
  initiator.send(initiator.text_request(limit(kLarge)).set(field::continues, 1));
  const Event event = next_event(initiator);
  if (event.heard == Heard::pdu) {
    follow_reject(initiator, event);
    const auto longest = longest_data_in(initiator, read_blocks(0, 32));
    verify(longest <= kSmall, "at most 512 bytes in a Data-In", fmt::format("{} bytes", longest));
  }
  confirm(event.words);
  judging("R3720-6.6-01");
  verify(is_refusal(event), "a close, or a Reject", event.words);
}

TSIH_CASE(continued_value, "A limit that is cut in two by C holds when its second half has come",
          judges("R3720-5.2-02", "R3720-10.7.1-02") * unh("FFP 17.8.3")) {
  needs_disk(64);
  auto initiator = log_in(limit(kLarge));
  initiator.ready();
  const Pdu whole = initiator.text_request(limit(kSmall));
  Pdu first = whole;
  first.data.resize(whole.data.size() - 3);  // MaxRecvDataSegmentLength=5
  const Pdu answer = ask(initiator, first.set(field::final, 0).set(field::continues, 1));
  verify(answer.data.empty(), "a Text Response without data", describe(answer));
  judging("R3720-10.7.1-02");
  Pdu second = go_on(initiator, whole, answer);
  second.data.assign(whole.data.end() - 3, whole.data.end());
  ask(initiator, second);
  const auto longest = longest_data_in(initiator, read_blocks(0, 32));
  verify(longest <= kSmall, "at most 512 bytes in a Data-In", fmt::format("{} bytes", longest));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
