// Authentication: the choice of the method (5.3.2, 11.1). Most cases need a target that lets
// initiators in without it; CHAP itself is in login_chap.cpp.
#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(login)
BOOST_AUTO_TEST_SUITE(auth)

TSIH_CASE(none_is_chosen, "AuthMethod=None alone is answered with None", judges("R3720-5.3.2-02")) {
  offered(settings().user.empty(), "a login without authentication (CHAP is asked for)");
  auto initiator = connect();
  const Answer answer = initiator.expect_login_answer(
      initiator.login_request(kSecurity, kOperational, {{"AuthMethod", "None"}}));
  verify(answer.keys.value("AuthMethod") == "None", "AuthMethod=None", answer.keys.describe());
}

TSIH_CASE(unknown_method_skipped, "A method that nobody knows is skipped in the list",
          judges("R3720-5.2.1-03")) {
  offered(settings().user.empty(), "a login without authentication (CHAP is asked for)");
  auto initiator = connect();
  const Answer answer = initiator.expect_login_answer(initiator.login_request(
      kSecurity, std::nullopt, {{"AuthMethod", "Z-example.tsih.handshake,None"}}));
  verify(answer.keys.value("AuthMethod") == "None", "AuthMethod=None",
         fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe()));
}

TSIH_CASE(no_known_method, "When no offered method is known, none is chosen, and that is said",
          judges("R3720-5.3.2-04", "R3720-5.3.2-02", "R3720-6.10-01")) {
  auto initiator = connect();
  // Reject, or the end of the negotiation by a status (5.2.1 leaves the choice): both are said.
  const Answer answer = initiator.expect_login_answer(initiator.login_request(
      kSecurity, std::nullopt, {{"AuthMethod", "Z-example.tsih.handshake"}}));
  const auto words = fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe());
  confirm(words);
  judging("R3720-5.3.2-02");
  verify(answer.pdu[field::status] != 0 || answer.keys.value("AuthMethod") == "Reject",
         "AuthMethod=Reject, or a login status of failure", words);
  judging("R3720-6.10-01");
  offered(answer.pdu[field::status] != 0, "the end of the login when no method is agreed on");
  initiator.expect_close();
  confirm(words + ", then a close");
}

TSIH_CASE(none_is_not_enough, "A target that asks for CHAP does not go on with None",
          judges("R3720-5.3.2-02", "R3720-5.3.2-04")) {
  offered(!settings().user.empty(), "CHAP (no --chap USER:SECRET was given)");
  auto initiator = connect();
  const Answer answer = initiator.expect_login_answer(
      initiator.login_request(kSecurity, kOperational, {{"AuthMethod", "None"}}));
  const auto words = fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe());
  verify(answer.keys.value("AuthMethod") != "None", "a choice other than None", words);
  judging("R3720-5.3.2-04");
  verify(answer.pdu[field::status] != 0 || !answer.pdu[field::transit],
         "a status of failure, or no way on from the security stage", words);
}

TSIH_CASE(security_is_not_skipped,
          "A target that asks for CHAP does not let the security stage be left out",
          judges("R3720-5.3.2-04")) {
  offered(!settings().user.empty(), "CHAP (no --chap USER:SECRET was given)");
  auto initiator = connect();
  initiator.send(initiator.login_request(kOperational, kFullFeature));
  const Pdu response = initiator.expect(Opcode::login_response);
  verify(response[field::status] != 0, "a login status of failure, as 0x0201", describe(response));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
