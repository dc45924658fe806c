// Text in full feature phase (5.2, 5.4, 10.10, 10.11).
#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(text)

TSIH_CASE(final_answer, "The last Text Response has F and no transfer tag",
          judges("R3720-10.11.1-02", "R3720-10.11.4-02", "R3720-10.11.2-01")) {
  auto initiator = log_in();
  const Pdu answer = ask(initiator, initiator.text_request({{"X-example.tsih.question", "1"}}));
  judging_all({"R3720-10.11.1-02", "R3720-10.11.4-02"});
  offered(answer[field::final], "an answer in one Text Response");
  verify_equal("target transfer tag", kReservedTag, answer[field::target_transfer_tag]);
  judging("R3720-10.11.2-01");
  verify(!answer[field::continues], "no C beside F", describe(answer));
}

TSIH_CASE(final_answer_asks_nothing, "The last Text Response proposes nothing that wants an answer",
          judges("R3720-5.4-04", "R3720-10.11.1-01")) {
  auto initiator = log_in();
  const Pdu answer = ask(initiator, initiator.text_request({{"X-example.tsih.question", "1"}}));
  offered(answer[field::final], "an answer in one Text Response");
  const TextKeys keys = tsih::wire::parse_text(answer.data).keys;
  judging_all({"R3720-5.4-04", "R3720-10.11.1-01"});
  for (const auto& [key, value] : keys.pairs())
    verify(key == "X-example.tsih.question" || key == "MaxRecvDataSegmentLength" ||
               key == "TargetAlias" || key == "TargetAddress",
           "answers and declarations only", key + "=" + value);
  confirm(keys.describe());
}

TSIH_CASE(security_is_of_the_login, "AuthMethod is not negotiated in full feature phase",
          judges("R3720-5.3-07")) {
  auto initiator = log_in();
  initiator.send(initiator.text_request({{"AuthMethod", "CHAP,None"}}));
  const Event event = next_event(initiator);
  std::string value = "Reject";
  if (event.heard == Heard::pdu && event.pdu.is(Opcode::text_response))
    value = tsih::wire::parse_text(event.pdu.data).keys.value("AuthMethod").value_or("");
  verify(value != "CHAP" && value != "None", "a refusal of the key", event.words);
}

TSIH_CASE(unknown_key, "A key that nobody knows is answered with NotUnderstood",
          judges("R3720-5.2-07")) {
  auto initiator = log_in();
  const Pdu answer = ask(initiator, initiator.text_request({{"X-example.tsih.question", "1"}}));
  const auto keys = tsih::wire::parse_text(answer.data).keys;
  verify(keys.value("X-example.tsih.question") == "NotUnderstood",
         "X-example.tsih.question=NotUnderstood", keys.describe());
}

TSIH_CASE(not_final_is_not_ended,
          "A request without F is answered without F, and with a transfer tag to go on",
          judges("R3720-5.4-05", "R3720-10.11.1-03", "R3720-10.10.4-01", "R3720-10.11.4-01",
                 "R3720-10.10.4-03")) {
  auto initiator = log_in();
  const Pdu open = initiator.text_request({{"X-example.tsih.question", "1"}}).set(field::final, 0);
  const Pdu answer = ask(initiator, open);
  judging_all({"R3720-5.4-05", "R3720-10.11.1-03", "R3720-10.10.4-01", "R3720-10.11.4-01"});
  verify(!answer[field::final] && answer[field::target_transfer_tag] != kReservedTag,
         "F clear and a target transfer tag", describe(answer));
  // Which LUN it is, is the target's affair: it has to know it again.
  judging("R3720-10.10.4-03");
  initiator.send(go_on(initiator, open, answer));
  const Pdu last = initiator.expect(Opcode::text_response);
  verify(belongs_to(last, open), "the negotiation to go on under its LUN and tags", describe(last));
}

TSIH_CASE(continued_text, "Text that goes on (C) is answered with no text",
          judges("R3720-5.2-02")) {
  auto initiator = log_in();
  Pdu first = initiator.text_request({{"X-example.tsih.question", "1"}});
  first.data.resize(10);  // in the middle of the key
  first.set(field::final, 0).set(field::continues, 1);
  const Pdu answer = ask(initiator, first);
  verify(answer.data.empty(), "a Text Response without data", describe(answer));
}

TSIH_CASE(key_twice, "A key negotiated twice in one sequence is rejected as a protocol error",
          judges("R3720-5.4-07")) {
  auto initiator = log_in();
  initiator.send(initiator.text_request(
      {{"MaxRecvDataSegmentLength", "8192"}, {"MaxRecvDataSegmentLength", "4096"}}));
  const Event event = initiator.receive();
  if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
  offered(event.heard == Heard::pdu, "Text Requests on a normal session (" + event.words + ")");
  verify(event.pdu.is(Opcode::reject) && event.pdu[field::reject_reason] == 4,
         "a Reject with reason 4", event.words);
}

TSIH_CASE(tag_of_the_answer, "A Text Response is under the tag of its request",
          judges("R3720-3.2.4.3-01")) {
  auto initiator = log_in();
  const Pdu request = initiator.text_request({{"X-example.tsih.question", "1"}});
  const Pdu answer = ask(initiator, request);
  verify_equal("task tag", request[field::initiator_task_tag], answer[field::initiator_task_tag]);
}

TSIH_CASE(reserved_fields_are_zero, "Everything undefined in a Text Response is 0",
          judges("R3720-10-01")) {
  auto initiator = log_in();
  const Pdu answer = ask(initiator, initiator.text_request({{"X-example.tsih.question", "1"}}));
  verify(reserved_problem(answer).empty(), "0 in every reserved bit", reserved_problem(answer));
  confirm(describe(answer));
}

BOOST_AUTO_TEST_SUITE_END()
