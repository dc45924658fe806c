// Authentication: the choice of the method, and CHAP (5.3.2, 8.2, 11.1). The cases about CHAP need
// --chap; the others a target that lets initiators in without it.
#include "harness/conformance/cases/common.h"
#include "harness/conformance/chap.h"

BOOST_AUTO_TEST_SUITE(login)
BOOST_AUTO_TEST_SUITE(auth)

namespace {

struct Challenge {
  std::uint8_t identifier = 0;
  Bytes bytes;
  TextKeys keys;
};

// Up to the target's challenge; what goes wrong on the way is the target's fault by 11.1.4.
Challenge challenge_from(Initiator& initiator, CaseContext& context) {
  Answer answer = initiator.expect_login_answer(
      initiator.login_request(kSecurity, std::nullopt, {{"AuthMethod", "CHAP"}}));
  if (answer.keys.value("AuthMethod") != "CHAP") throw Unsupported{"CHAP"};
  answer = initiator.expect_login_answer(
      initiator.login_request(kSecurity, std::nullopt, {{"CHAP_A", "5"}}));
  Challenge challenge;
  challenge.keys = answer.keys;
  const auto identifier = tsih::wire::parse_number(answer.keys.value("CHAP_I").value_or(""));
  const auto bytes = tsih::wire::parse_binary(answer.keys.value("CHAP_C").value_or(""));
  if (answer.keys.value("CHAP_A") != "5" || !identifier || *identifier > 255 || !bytes)
    context.fail("CHAP_A=5, CHAP_I and CHAP_C",
                 fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe()));
  challenge.identifier = static_cast<std::uint8_t>(*identifier);
  challenge.bytes = *bytes;
  return challenge;
}

void offers_chap(const Settings& settings) {
  if (settings.user.empty()) throw Unsupported{"CHAP (no --chap USER:SECRET was given)"};
}

}  // namespace

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
          judges("R3720-5.3.2-04", "R3720-5.3.2-02")) {
  auto initiator = connect();
  // Reject, or the end of the negotiation by a status (5.2.1 leaves the choice): both are said.
  const Answer answer = initiator.expect_login_answer(initiator.login_request(
      kSecurity, std::nullopt, {{"AuthMethod", "Z-example.tsih.handshake"}}));
  const auto words = fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe());
  confirm(words);
  judging("R3720-5.3.2-02");
  verify(answer.pdu[field::status] != 0 || answer.keys.value("AuthMethod") == "Reject",
         "AuthMethod=Reject, or a login status of failure", words);
}

TSIH_CASE(chap_challenge, "CHAP_A=5 is answered with a challenge of at most 1024 bytes",
          judges("R3720-11.1.4-02", "R3720-11.1.4-07", "R3720-11.1-03")) {
  offers_chap(settings());
  auto initiator = connect();
  const Challenge challenge = challenge_from(initiator, context());
  confirm(challenge.keys.describe());
  judging("R3720-11.1-03");
  confirm("AuthMethod=CHAP, " + challenge.keys.describe());
  judging("R3720-11.1.4-07");
  verify(!challenge.bytes.empty() && challenge.bytes.size() <= 1024,
         "a challenge of 1 to 1024 bytes", fmt::format("{} bytes", challenge.bytes.size()));
}

TSIH_CASE(chap_unknown_algorithm,
          "CHAP with an algorithm that nobody knows is an authentication "
          "failure",
          judges("R3720-11.1.4-02")) {
  offers_chap(settings());
  auto initiator = connect();
  given("the choice of CHAP", [&] {
    initiator.expect_login_answer(
        initiator.login_request(kSecurity, std::nullopt, {{"AuthMethod", "CHAP"}}));
  });
  initiator.send(initiator.login_request(kSecurity, std::nullopt, {{"CHAP_A", "250"}}));
  const Pdu response = initiator.expect(Opcode::login_response);
  verify(response[field::status] == 0x0201, "status 0x0201", describe(response));
}

TSIH_CASE(chap_right_secret, "The right answer to the challenge opens the way",
          judges("R3720-8.2.1-01")) {
  offers_chap(settings());
  auto initiator = connect();
  const Challenge challenge = challenge_from(initiator, context());
  const Bytes response = chap_response(challenge.identifier, settings().secret, challenge.bytes);
  const Answer answer = initiator.expect_login_answer(initiator.login_request(
      kSecurity, kOperational,
      {{"CHAP_N", settings().user}, {"CHAP_R", tsih::wire::encode_binary(response)}}));
  verify(answer.pdu[field::status] == 0 && answer.pdu[field::transit],
         "status 0 and the operational stage", describe(answer.pdu));
}

TSIH_CASE(chap_wrong_secret, "A wrong answer to the challenge is an authentication failure",
          judges("R3720-11.1.4-04", "R3720-8.2-04")) {
  offers_chap(settings());
  auto initiator = connect();
  Challenge challenge;
  given("the challenge", [&] { challenge = challenge_from(initiator, context()); });
  const Bytes response =
      chap_response(challenge.identifier, settings().secret + "x", challenge.bytes);
  initiator.send(initiator.login_request(
      kSecurity, kOperational,
      {{"CHAP_N", settings().user}, {"CHAP_R", tsih::wire::encode_binary(response)}}));
  const Pdu refusal = initiator.expect(Opcode::login_response);
  verify(refusal[field::status] == 0x0201, "status 0x0201", describe(refusal));
  judging("R3720-8.2-04");
  verify(refusal[field::status] == 0x0201, "status 0x0201", describe(refusal));
}

TSIH_CASE(chap_unknown_user, "A name that nobody knows is an authentication failure",
          judges("R3720-11.1.4-04")) {
  offers_chap(settings());
  auto initiator = connect();
  Challenge challenge;
  given("the challenge", [&] { challenge = challenge_from(initiator, context()); });
  const Bytes response = chap_response(challenge.identifier, settings().secret, challenge.bytes);
  initiator.send(initiator.login_request(
      kSecurity, kOperational,
      {{"CHAP_N", settings().user + "-else"}, {"CHAP_R", tsih::wire::encode_binary(response)}}));
  const Pdu refusal = initiator.expect(Opcode::login_response);
  verify(refusal[field::status] == 0x0201, "status 0x0201", describe(refusal));
}

TSIH_CASE(chap_response_missing,
          "CHAP_N without CHAP_R is told as initiator error or missing "
          "parameter",
          judges("R3720-8.2-03")) {
  offers_chap(settings());
  auto initiator = connect();
  given("the challenge", [&] { challenge_from(initiator, context()); });
  initiator.send(initiator.login_request(kSecurity, kOperational, {{"CHAP_N", settings().user}}));
  const Pdu refusal = initiator.expect(Opcode::login_response);
  verify(refusal[field::status] == 0x0200 || refusal[field::status] == 0x0207,
         "status 0x0200 or 0x0207", describe(refusal));
}

TSIH_CASE(chap_reflected_challenge,
          "The target's own challenge given back as the initiator's ends the connection",
          judges("R3720-8.2.1-12")) {
  offers_chap(settings());
  auto initiator = connect();
  Challenge challenge;
  given("the challenge", [&] { challenge = challenge_from(initiator, context()); });
  const Bytes response = chap_response(challenge.identifier, settings().secret, challenge.bytes);
  initiator.send(initiator.login_request(kSecurity, kOperational,
                                         {{"CHAP_N", settings().user},
                                          {"CHAP_R", tsih::wire::encode_binary(response)},
                                          {"CHAP_I", std::to_string(challenge.identifier)},
                                          {"CHAP_C", tsih::wire::encode_binary(challenge.bytes)}}));
  const Refusal refusal = initiator.expect_refusal();
  if (refusal.pdu) initiator.expect_close();
  confirm(refusal.words + ", then a close");
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
