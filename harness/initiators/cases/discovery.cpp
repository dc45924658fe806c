// Discovery sessions and their texts (RFC 3720 10.10, 10.11, appendix D).
#include "harness/initiators/cases/common.h"

BOOST_AUTO_TEST_SUITE(discovery)

TSIH_TRIAL(login_of_it, "A discovery session names the initiator, and itself",
           judges("R3720-3.2.6.1-03") * unh("LP 21.1")) {
  start(kDiscover);
  auto [initiator, first] = serve_until(request(Opcode::login_request));
  const TextKeys keys = tsih::wire::parse_text(first.data).keys;
  verify(keys.has("InitiatorName") && keys.value("SessionType") == "Discovery",
         "InitiatorName and SessionType=Discovery", keys.describe());
}

TSIH_TRIAL(request_for_targets, "Each field of the Text Request that asks for targets",
           judges("R3720-AppD-06", "R3720-AppD-l01", "R3720-AppD-l02", "R3720-5.1-01",
                  "R3720-10.10.2-01", "R3720-10.10.5-01") *
               unh("FFP 18.1", "FFP 18.3.1", "FFP 18.4")) {
  start(kDiscover);
  auto [initiator, text] = serve_until(request(Opcode::text_request));
  const auto parsed = tsih::wire::parse_text(text.data);
  verify(parsed.keys.has("SendTargets"), "SendTargets", parsed.keys.describe());
  judging("R3720-AppD-l01");
  confirm(initiator.discovery ? "in a discovery session" : "in a session with a target");
  judging("R3720-AppD-l02");
  const std::string which = *parsed.keys.value("SendTargets");
  verify(which.empty() || which == "All" || which == service().target_name,
         "SendTargets=All, a target's name, or nothing", "SendTargets=" + which);
  judging("R3720-5.1-01");
  verify(parsed.problems.empty(), "pairs that a zero byte ends each", describe(text));
  judging("R3720-10.10.2-01");
  verify(!text[field::continues] || !text[field::final], "not both C and F", describe(text));
  judging("R3720-10.10.5-01");
  verify(text.data.size() <= 262144, "at most 262144 bytes", describe(text));
}

TSIH_TRIAL(answer_in_parts,
           "The rest of a long answer is asked for with its tag and LUN, without text",
           judges("R3720-5.2-03", "R3720-10.11.4-03", "R3720-10.10.3-01", "R3720-10.10.3-02") *
               unh("FFP 18.2", "FFP 18.3.2")) {
  constexpr std::uint32_t kTag = 0x11223344;
  start(kDiscover);
  auto [initiator, text] = serve_until(request(Opcode::text_request));
  Pdu part = initiator.text_response(text, {{"TargetName", "iqn.2026-01.example.tsih:one"},
                                            {"TargetAddress", service().portal + ",1"}});
  initiator.send(
      part.set(field::final, 0).set(field::continues, 1).set(field::target_transfer_tag, kTag));
  const Pdu next = expect(initiator, request(Opcode::text_request));
  verify(next.data.empty(), "no text", describe(next));
  judging("R3720-10.11.4-03");
  verify_equal("transfer tag", kTag, next[field::target_transfer_tag]);
  judging("R3720-10.10.3-01");
  verify_equal("task tag", text[field::initiator_task_tag], next[field::initiator_task_tag]);
  judging("R3720-10.10.3-02");
  verify_equal("I", text[field::immediate], next[field::immediate]);
}

TSIH_TRIAL(longest_name, "A target's name of 223 bytes is taken", judges("R3720-3.2.6.1-02")) {
  constexpr std::size_t kLongestName = 223;
  start(kDiscover);
  auto [initiator, text] = serve_until(request(Opcode::text_request));
  std::string name = "iqn.2026-01.example.tsih:";
  name.resize(kLongestName, 'n');
  initiator.send(initiator.text_response(
      text, {{"TargetName", name}, {"TargetAddress", service().portal + ",1"}}));
  expect_good_end();
}

TSIH_TRIAL(many_targets, "An answer of 8192 bytes is taken", judges("R3720-5.1-04")) {
  start(kDiscover);
  auto [initiator, text] = serve_until(request(Opcode::text_request));
  TextKeys targets;
  for (int i = 0; tsih::wire::encode_text(targets).size() < 8000; ++i) {
    targets.add("TargetName", fmt::format("iqn.2026-01.example.tsih:target-{}", i));
    targets.add("TargetAddress", service().portal + ",1");
  }
  initiator.send(initiator.text_response(text, targets));
  expect_good_end();
}

BOOST_AUTO_TEST_SUITE_END()
