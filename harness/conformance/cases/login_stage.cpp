// Stages of the login and the way from one to the next (5.3, 10.12.1 to 10.12.3, 10.13.6).
#include "harness/conformance/cases/common.h"

namespace {

// A login may also be led back to order: an answer that does not go along with the transit.
bool transits_to(const Pdu& response, Stage stage) {
  return response.is(Opcode::login_response) && response[field::status] == 0 &&
         response[field::transit] && response[field::nsg] == stage;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(login)
BOOST_AUTO_TEST_SUITE(stage)

TSIH_CASE(reserved_csg, "A login cannot begin in stage 2, which nobody has defined",
          judges("R3720-10-03")) {
  auto initiator = connect();
  initiator.send(initiator.login_request(kReservedStage, kFullFeature));
  confirm(initiator.expect_refusal().words);
}

TSIH_CASE(reserved_nsg, "A login cannot go on to stage 2, which nobody has defined",
          judges("R3720-10-03")) {
  auto initiator = connect();
  initiator.authenticate();
  initiator.send(initiator.login_request(kOperational, kReservedStage));
  confirm(initiator.expect_refusal().words);
}

TSIH_CASE(starts_in_full_feature, "A login cannot begin in full feature phase",
          judges("R3720-5.3-11")) {
  auto initiator = connect();
  initiator.send(initiator.login_request(kFullFeature, kFullFeature));
  confirm(initiator.expect_refusal().words);
}

TSIH_CASE(no_way_back, "From the operational stage no way leads back to security",
          judges("R3720-5.3-06")) {
  auto initiator = connect();
  initiator.authenticate();
  initiator.send(initiator.login_request(kOperational, kSecurity));
  const Event event = initiator.receive();
  if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
  const bool back = event.heard == Heard::pdu && transits_to(event.pdu, kSecurity);
  verify(!back, "a refusal, or an answer without that transition", event.words);
}

TSIH_CASE(both_stages, "Security, then operational, then full feature phase: the long way works",
          judges("R3720-5.3-06", "R3720-5.3-11")) {
  offered(settings().user.empty(), "a login without authentication (CHAP is asked for)");
  auto initiator = connect();
  Answer answer = initiator.expect_login_answer(
      initiator.login_request(kSecurity, kOperational, {{"AuthMethod", "None"}}));
  verify(transits_to(answer.pdu, kOperational), "T with NSG=1", describe(answer.pdu));
  judging("R3720-5.3-11");
  answer = initiator.expect_negotiation({});
  verify(transits_to(answer.pdu, kFullFeature), "T with NSG=3", describe(answer.pdu));
}

TSIH_CASE(security_to_full_feature,
          "Asked to go from security right to full feature phase, the target goes there or, at "
          "most, as far",
          judges("R3720-5.3-09", "R3720-5.3.2-03")) {
  offered(settings().user.empty(), "a login without authentication (CHAP is asked for)");
  auto initiator = connect();
  const Answer answer = initiator.expect_login_answer(
      initiator.login_request(kSecurity, kFullFeature, {{"AuthMethod", "None"}}));
  verify(answer.pdu[field::status] == 0, "a login that goes on", describe(answer.pdu));
  const auto next = answer.pdu[field::nsg];
  verify(!answer.pdu[field::transit] || next == kOperational || next == kFullFeature,
         "no transition, or NSG 1 or 3", describe(answer.pdu));
  judging("R3720-5.3.2-03");
  const bool there = answer.pdu[field::transit] && next == kFullFeature;
  verify(!there || answer.pdu[field::tsih] != 0, "a TSIH with full feature phase",
         describe(answer.pdu));
}

TSIH_CASE(last_answer_asks_nothing,
          "The response that ends the login proposes nothing that wants an answer",
          judges("R3720-10.13.6-01", "R3720-5.3-10")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer = initiator.expect_login_answer(initiator.login_request(
      kOperational, kFullFeature, {{"MaxRecvDataSegmentLength", "8192"}, {"InitialR2T", "Yes"}}));
  offered(answer.pdu[field::status] == 0 && answer.pdu[field::transit],
          "a login of one request and response");
  judging_all({"R3720-10.13.6-01", "R3720-5.3-10"});
  for (const auto& [key, value] : answer.keys.pairs())
    verify(key == "InitialR2T" || key == "MaxRecvDataSegmentLength" || key == "TargetAlias" ||
               key == "TargetAddress" || key == "TargetPortalGroupTag",
           "answers and declarations only", key + "=" + value);
  confirm(answer.keys.describe());
}

TSIH_CASE(next_stage_not_beyond,
          "Asked for the operational stage, the target does not jump to full feature phase",
          judges("R3720-5.3-09")) {
  offered(settings().user.empty(), "a login without authentication (CHAP is asked for)");
  auto initiator = connect();
  const Answer answer = initiator.expect_login_answer(
      initiator.login_request(kSecurity, kOperational, {{"AuthMethod", "None"}}));
  verify(answer.pdu[field::status] == 0, "a login that goes on", describe(answer.pdu));
  verify(!answer.pdu[field::transit] || answer.pdu[field::nsg] == kOperational,
         "NSG no higher than 1", describe(answer.pdu));
}

TSIH_CASE(no_transit_unasked, "A request without T is never answered with T",
          judges("R3720-10.13.6-02")) {
  auto initiator = connect();
  initiator.authenticate();
  for (int i = 0; i < 2; ++i) {
    const Answer answer =
        initiator.expect_login_answer(initiator.login_request(kOperational, std::nullopt));
    verify(answer.pdu[field::status] == 0, "a login that goes on", describe(answer.pdu));
    verify(!answer.pdu[field::transit], "T clear", describe(answer.pdu));
  }
}

TSIH_CASE(transit_with_continue, "T together with C is an inconsistent header",
          judges("R3720-6.6-01")) {
  auto initiator = connect();
  initiator.authenticate();
  initiator.send(initiator.login_request(kOperational, kFullFeature).set(field::continues, 1));
  const Event event = initiator.receive();
  if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
  const bool went_on = event.heard == Heard::pdu && event.pdu.is(Opcode::login_response) &&
                       event.pdu[field::status] == 0;
  verify(!went_on, "the end of the login", event.words);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(answer)

TSIH_CASE(versions_stay, "Version-max and Version-active are 0 in every answer of a login",
          judges("R3720-10.13.1-01", "R3720-10.13.2-01", "R3720-10.12.4-01")) {
  auto initiator = connect();
  initiator.authenticate();
  std::vector<Pdu> responses;
  for (const auto& next : {std::optional<Stage>(), std::optional<Stage>(kFullFeature)})
    responses.push_back(
        initiator.expect_login_answer(initiator.login_request(kOperational, next)).pdu);
  verify_equal("Version-max", responses[0][field::version_max], responses[1][field::version_max]);
  judging("R3720-10.13.2-01");
  verify_equal("Version-active", responses[0][field::version_active],
               responses[1][field::version_active]);
  judging("R3720-10.12.4-01");
  verify_equal("Version-max", 0, responses[0][field::version_max]);
}

TSIH_CASE(final_answer, "The answer that ends the login has T, NSG 3 and a session handle",
          judges("R3720-5.3-11", "R3720-10.13.3-01", "R3720-10.13.7-01", "R3720-10.13.3-l01")) {
  auto initiator = connect();
  const Answer final = initiator.expect_login();
  verify(transits_to(final.pdu, kFullFeature), "status 0, T and NSG=3", describe(final.pdu));
  judging("R3720-10.13.7-01");
  verify(!final.pdu[field::continues], "no C beside T", describe(final.pdu));
  judging_all({"R3720-10.13.3-01", "R3720-10.13.3-l01"});
  verify(final.pdu[field::tsih] != 0, "a TSIH other than 0 at the end", describe(final.pdu));
  auto another = connect();
  another.authenticate();
  const Answer partial =
      another.expect_login_answer(another.login_request(kOperational, std::nullopt));
  verify(partial.pdu[field::tsih] == 0, "TSIH 0 before the end of the login",
         describe(partial.pdu));
  confirm(describe(final.pdu));
}

TSIH_CASE(status_numbers_rise, "Each answer of a login has the next StatSN",
          judges("R3720-3.2.2.2-03")) {
  auto initiator = connect();
  initiator.authenticate();
  Answer answer =
      initiator.expect_login_answer(initiator.login_request(kOperational, std::nullopt));
  for (int i = 0; i < 3; ++i) {
    const auto before = answer.pdu.u32(field::stat_sn);
    answer = initiator.expect_login_answer(initiator.login_request(kOperational, std::nullopt));
    verify_equal("StatSN", before + 1, answer.pdu.u32(field::stat_sn));
  }
}

TSIH_CASE(command_number_is_taken_over,
          "The CmdSN of the first login is the first that the target expects",
          judges("R3720-10.12.8-01")) {
  auto initiator = connect();
  initiator.cmd_sn = 0x12345678;
  initiator.log_in();
  const Fence fence = initiator.fence(true);
  verify(fence.answer.has_value(), "an answer to a ping", "a closed connection");
  verify_equal("ExpCmdSN", 0x12345678, fence.answer->u32(field::exp_cmd_sn));
}

TSIH_CASE(reserved_fields_are_zero, "Everything undefined in a Login Response is 0",
          judges("R3720-10-01")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer =
      initiator.expect_login_answer(initiator.login_request(kOperational, kFullFeature));
  verify(reserved_problem(answer.pdu).empty(), "0 in every reserved bit",
         reserved_problem(answer.pdu));
  confirm(describe(answer.pdu));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
