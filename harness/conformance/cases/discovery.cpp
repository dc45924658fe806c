// Discovery sessions and SendTargets (3.3, 12.8, appendix D).
#include "harness/conformance/cases/common.h"

namespace {

constexpr int kLimitTextResponses = 64;
constexpr std::size_t kLimitShown = 1 << 20;

// The whole answer to one SendTargets, over as many Text Responses as it takes.
TextKeys send_targets(Initiator& initiator, const std::string& value) {
  Pdu request = initiator.text_request({{"SendTargets", value}});
  initiator.send(request);
  Pdu answer = initiator.expect(Opcode::text_response);
  Bytes text = answer.data;
  for (int i = 0; i < kLimitTextResponses && !answer[field::final]; ++i) {
    initiator.send(go_on(initiator, request, answer));
    answer = initiator.expect(Opcode::text_response);
    text.insert(text.end(), answer.data.begin(), answer.data.end());
  }
  return tsih::wire::parse_text(text).keys;
}

bool names_target(const TextKeys& keys, const std::string& name) {
  const auto names = keys.values("TargetName");
  return std::find(names.begin(), names.end(), name) != names.end();
}

// "host:port,tag"; the tag is a number of 16 bits.
bool has_portal_group_tag(const std::string& address) {
  const auto comma = address.rfind(',');
  return comma != std::string::npos &&
         tsih::wire::parse_number(address.substr(comma + 1)).value_or(65536) < 65536;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(discovery)

TSIH_CASE(session_is_had, "A discovery session needs no target's name", judges("R3720-AppD-02")) {
  auto initiator = connect();
  initiator.discovery = true;
  initiator.authenticate();
  const Answer answer = initiator.expect_negotiation({});
  verify(initiator.established(), "a discovery session", describe(answer.pdu));
}

TSIH_CASE(all_targets, "SendTargets=All names this target, with portal group tags",
          judges("R3720-AppD-07", "R3720-AppD-03", "R3720-12.8-02") * unh("FFP 17.3.1")) {
  auto initiator = discover();
  const TextKeys keys = send_targets(initiator, "All");
  confirm(keys.describe());
  judging("R3720-AppD-03");
  verify(names_target(keys, settings().url.target_name), "TargetName=" + settings().url.target_name,
         keys.describe());
  judging("R3720-12.8-02");
  const auto addresses = keys.values("TargetAddress");
  offered(!addresses.empty(), "addresses in the answer to SendTargets");
  for (const std::string& address : addresses)
    verify(has_portal_group_tag(address), "an address with its portal group tag",
           "TargetAddress=" + address);
}

TSIH_CASE(one_target, "SendTargets with a target's name answers with that target and no other",
          judges("R3720-AppD-08", "R3720-12.8-02", "R3720-AppD-09", "R3720-AppD-l03") *
              unh("FFP 17.3.5")) {
  judging_all({"R3720-AppD-08", "R3720-AppD-l03"});
  auto initiator = discover();
  const TextKeys all = send_targets(initiator, "All");
  const TextKeys keys = send_targets(initiator, settings().url.target_name);
  verify(names_target(keys, settings().url.target_name), "TargetName=" + settings().url.target_name,
         keys.describe());
  verify(keys.values("TargetName").size() == 1, "one target", keys.describe());
  judging("R3720-12.8-02");
  for (const std::string& address : keys.values("TargetAddress"))
    verify(has_portal_group_tag(address), "an address with its portal group tag",
           "TargetAddress=" + address);
  confirm(keys.describe());
  judging("R3720-AppD-09");
  for (const std::string& address : keys.values("TargetAddress"))
    verify(all.describe(kLimitShown).find(address) != std::string::npos,
           "an address that All named too", "TargetAddress=" + address);
  verify(keys.values("TargetAddress").empty() == all.values("TargetAddress").empty(),
         "addresses, as All brings them", keys.describe());
}

TSIH_CASE(only_targets_and_addresses, "No name of a target that does not exist comes back",
          judges("R3720-AppD-12")) {
  auto initiator = discover();
  const std::string absent = "iqn.2026-01.example.tsih:no-such-target";
  initiator.send(initiator.text_request({{"SendTargets", absent}}));
  const Event event = initiator.receive();
  if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
  const bool named = event.heard == Heard::pdu && event.pdu.is(Opcode::text_response) &&
                     names_target(tsih::wire::parse_text(event.pdu.data).keys, absent);
  verify(!named, "no TargetName", event.words);
}

TSIH_CASE(send_targets_on_a_normal_session,
          "SendTargets, empty or with the target's name, is served on a normal session",
          judges("R3720-AppD-04")) {
  std::string heard;
  for (const std::string& value : {std::string(), settings().url.target_name}) {
    auto initiator = log_in();
    initiator.send(initiator.text_request({{"SendTargets", value}}));
    const Event event = initiator.receive();
    if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
    if (event.heard == Heard::pdu && event.pdu.is(Opcode::text_response)) {
      confirm(fmt::format("SendTargets={}: {}", value, event.words));
      return;
    }
    heard += fmt::format("{}SendTargets={}: {}", heard.empty() ? "" : "; ", value, event.words);
  }
  fail("a Text Response to either", heard);
}

TSIH_CASE(own_target_on_a_normal_session,
          "SendTargets= on a normal session answers with this target and no other",
          judges("R3720-AppD-10", "R3720-AppD-l04") * unh("FFP 17.3.2", "FFP 17.3.4")) {
  judging_all({"R3720-AppD-10", "R3720-AppD-l04"});
  auto initiator = log_in();
  const TextKeys keys = send_targets(initiator, "");
  verify(names_target(keys, settings().url.target_name), "TargetName=" + settings().url.target_name,
         keys.describe());
  verify(keys.values("TargetName").size() == 1, "one target", keys.describe());
}

TSIH_CASE(all_on_a_normal_session, "SendTargets=All is not served on a normal session",
          judges("R3720-AppD-07") * unh("FFP 17.3.3")) {
  auto initiator = log_in();
  initiator.send(initiator.text_request({{"SendTargets", "All"}}));
  const Event event = initiator.receive();
  if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
  const bool served = event.heard == Heard::pdu && event.pdu.is(Opcode::text_response) &&
                      tsih::wire::parse_text(event.pdu.data).keys.has("TargetName");
  verify(!served, "no list of targets", event.words);
}

TSIH_CASE(commands_are_rejected, "A SCSI command in a discovery session is rejected",
          judges("R3720-3.3-01", "R3720-3.3-02")) {
  auto initiator = discover();
  initiator.send(initiator.scsi_command({.cdb = Bytes(6, 0)}));
  const Refusal refusal = initiator.expect_refusal();
  judging_all({"R3720-3.3-01", "R3720-3.3-02"});
  confirm(refusal.words);
}

TSIH_CASE(logout_is_taken, "Closing the session is accepted in a discovery session",
          judges("R3720-3.3-01")) {
  auto initiator = discover();
  initiator.send(initiator.logout_request(0));
  const Pdu response = initiator.expect(Opcode::logout_response);
  verify_equal("response", 0, response[field::response]);
}

TSIH_CASE(
    open_request,
    "SendTargets without F is answered without F, under its tag, with a transfer tag to go on; "
    "the request with F ends it",
    judges("R3720-5.4-03", "R3720-10.11.1-03", "R3720-10.11.6-01", "R3720-3.2.4.3-01",
           "R3720-10.11.1-02", "R3720-10.11.1-l01") *
        unh("FFP 17.1.1", "FFP 17.2.1")) {
  auto initiator = connect();
  initiator.discovery = true;
  initiator.log_in({{"MaxRecvDataSegmentLength", "512"}});
  const Pdu request = initiator.text_request({{"SendTargets", "All"}}).set(field::final, 0);
  Pdu answer = ask(initiator, request);  // a target may answer with a Reject (5.4)
  judging_all({"R3720-5.4-03", "R3720-10.11.1-l01"});
  verify(!answer[field::final], "no F", describe(answer));
  judging("R3720-10.11.1-03");
  verify(answer[field::target_transfer_tag] != kReservedTag, "a transfer tag", describe(answer));
  judging("R3720-10.11.6-01");
  verify(answer.data.size() <= 512, "at most 512 bytes", describe(answer));
  judging("R3720-3.2.4.3-01");
  verify(belongs_to(answer, request), "the tag of the request", describe(answer));
  judging("R3720-10.11.1-02");
  for (int i = 0; i < kLimitTextResponses && !answer[field::final]; ++i) {
    initiator.send(go_on(initiator, request, answer));
    answer = initiator.expect(Opcode::text_response);
  }
  verify(answer[field::final] && answer[field::target_transfer_tag] == kReservedTag,
         "F and no transfer tag in the end", describe(answer));
}

TSIH_CASE(other_keys_are_turned_down, "A key that is not SendTargets is turned down",
          judges(should("R3720-3.3-01"), should("R3720-3.3-02")) * unh("FFP 17.4.1")) {
  auto initiator = discover();
  initiator.send(initiator.text_request({{"MaxRecvDataSegmentLength", "4096"}}));
  const Event event = next_event(initiator);
  bool accepted = false;
  if (event.heard == Heard::pdu && event.pdu.is(Opcode::text_response)) {
    const auto value =
        tsih::wire::parse_text(event.pdu.data).keys.value("MaxRecvDataSegmentLength");
    accepted = value != "Irrelevant" && value != "Reject";
  }
  judging_all({"R3720-3.3-01", "R3720-3.3-02"});
  verify(!accepted, "a Reject, a close, or Irrelevant", event.words);
}

TSIH_CASE(logout_for_recovery_is_turned_down,
          "Only a logout that closes the session is accepted in a discovery session",
          judges("R3720-3.3-01", "R3720-3.3-02") * unh("FFP 17.4.2")) {
  auto initiator = discover();
  given("a list of targets", [&] { send_targets(initiator, "All"); });
  initiator.send(initiator.logout_request(kForRecovery));
  const Event event = next_event(initiator);
  const bool accepted = event.heard == Heard::pdu && event.pdu.is(Opcode::logout_response) &&
                        event.pdu[field::response] == 0;
  judging_all({"R3720-3.3-01", "R3720-3.3-02"});
  verify(!accepted, "a Reject, a response other than success, or a close", event.words);
}

BOOST_AUTO_TEST_SUITE_END()
