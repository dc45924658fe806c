// CHAP (8.2.1, 11.1.4). Every case needs --chap USER:SECRET.
#include <algorithm>
#include <cctype>

#include "harness/conformance/cases/common.h"
#include "harness/suite/chap.h"

using tsih::suite::chap_response;
using tsih::wire::encode_base64;
using tsih::wire::encode_binary;

BOOST_AUTO_TEST_SUITE(login)

namespace {

struct Challenge {
  std::uint8_t identifier = 0;
  Bytes bytes;
  TextKeys keys;
};

// The first step.
Answer choose_chap(Initiator& initiator) {
  return initiator.expect_login_answer(
      initiator.login_request(kSecurity, std::nullopt, {{"AuthMethod", "CHAP"}}));
}

// Up to the target's challenge; what goes wrong on the way is the target's fault by 11.1.4.
Challenge challenge_from(Initiator& initiator, CaseContext& context) {
  Answer answer = choose_chap(initiator);
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

// The answer of the user that --chap names.
Bytes right_response(const Challenge& challenge, const Settings& settings) {
  return chap_response(challenge.identifier, settings.secret, challenge.bytes);
}

void offers_chap(const Settings& settings) {
  if (settings.user.empty()) throw Unsupported{"CHAP (no --chap USER:SECRET was given)"};
}

// The third step, with these keys.
Answer answer_with(Initiator& initiator, const TextKeys& keys) {
  return initiator.expect_login_answer(initiator.login_request(kSecurity, kOperational, keys));
}

// Keys that are not what the step wants (8.2): initiator error or missing parameter. A target that
// read them as a failed authentication (11.1.4) says that.
bool is_login_reject(const Pdu& response) {
  const auto status = response[field::status];
  return status == 0x0200 || status == 0x0201 || status == 0x0207;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(auth)

TSIH_CASE(chap_challenge, "CHAP_A=5 is answered with a challenge of at most 1024 bytes",
          judges("R3720-11.1.4-02", "R3720-11.1.4-07", "R3720-11.1-03", "R3720-8.2-l03")) {
  judging_all({"R3720-11.1.4-02", "R3720-11.1-03", "R3720-8.2-l03"});
  offers_chap(settings());
  auto initiator = connect();
  const Challenge challenge = challenge_from(initiator, context());
  confirm(challenge.keys.describe());
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
  given("the choice of CHAP", [&] { choose_chap(initiator); });
  initiator.send(initiator.login_request(kSecurity, std::nullopt, {{"CHAP_A", "250"}}));
  const Pdu response = initiator.expect(Opcode::login_response);
  verify(response[field::status] == 0x0201, "status 0x0201", describe(response));
}

TSIH_CASE(chap_right_secret, "The right answer to the challenge opens the way",
          judges("R3720-8.2.1-01", "R3720-11.1-02", "R3720-8.2.1-02", "R3720-5.1-03")) {
  constexpr std::size_t kLongestDemanded = 16;  // 128 bits
  offers_chap(settings());
  auto initiator = connect();
  if (settings().secret.size() >= kLongestDemanded)
    judging_all({"R3720-8.2.1-01", "R3720-11.1-02", "R3720-8.2.1-02"});
  else
    judging_all({"R3720-8.2.1-01", "R3720-11.1-02"});
  const Challenge challenge = challenge_from(initiator, context());
  const Bytes response = right_response(challenge, settings());
  const Answer answer = initiator.expect_login_answer(initiator.login_request(
      kSecurity, kOperational, {{"CHAP_N", settings().user}, {"CHAP_R", encode_binary(response)}}));
  verify(answer.pdu[field::status] == 0 && answer.pdu[field::transit],
         "status 0 and the operational stage", describe(answer.pdu));
  judging("R3720-5.1-03");
  const std::string sent = challenge.keys.value("CHAP_C").value_or("");
  verify(sent.starts_with("0x") || sent.starts_with("0X") || sent.starts_with("0b") ||
             sent.starts_with("0B"),
         "a challenge in hexadecimal or base64", "CHAP_C=" + sent);
  judging("R3720-8.2.1-02");
  offered(settings().secret.size() >= kLongestDemanded, "a secret of 128 bits, given with --chap");
}

TSIH_CASE(chap_wrong_secret, "A wrong answer to the challenge is an authentication failure",
          judges("R3720-11.1.4-04", "R3720-8.2-04")) {
  judging_all({"R3720-11.1.4-04", "R3720-8.2-04"});
  offers_chap(settings());
  auto initiator = connect();
  Challenge challenge;
  given("the challenge", [&] { challenge = challenge_from(initiator, context()); });
  const Bytes response =
      chap_response(challenge.identifier, settings().secret + "x", challenge.bytes);
  initiator.send(initiator.login_request(
      kSecurity, kOperational, {{"CHAP_N", settings().user}, {"CHAP_R", encode_binary(response)}}));
  const Pdu refusal = initiator.expect(Opcode::login_response);
  verify(refusal[field::status] == 0x0201, "status 0x0201", describe(refusal));
}

TSIH_CASE(chap_unknown_user, "A name that nobody knows is an authentication failure",
          judges("R3720-11.1.4-04")) {
  offers_chap(settings());
  auto initiator = connect();
  Challenge challenge;
  given("the challenge", [&] { challenge = challenge_from(initiator, context()); });
  const Bytes response = right_response(challenge, settings());
  initiator.send(initiator.login_request(
      kSecurity, kOperational,
      {{"CHAP_N", settings().user + "-else"}, {"CHAP_R", encode_binary(response)}}));
  const Pdu refusal = initiator.expect(Opcode::login_response);
  verify(refusal[field::status] == 0x0201, "status 0x0201", describe(refusal));
}

TSIH_CASE(chap_response_missing,
          "CHAP_N without CHAP_R is told as initiator error or missing "
          "parameter",
          judges("R3720-8.2-03", "R3720-8.2-l04")) {
  judging_all({"R3720-8.2-03", "R3720-8.2-l04"});
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
  const Bytes response = right_response(challenge, settings());
  initiator.send(initiator.login_request(kSecurity, kOperational,
                                         {{"CHAP_N", settings().user},
                                          {"CHAP_R", encode_binary(response)},
                                          {"CHAP_I", std::to_string(challenge.identifier)},
                                          {"CHAP_C", encode_binary(challenge.bytes)}}));
  const Refusal refusal = initiator.expect_refusal();
  if (refusal.pdu) initiator.expect_close();
  confirm(refusal.words + ", then a close");
}

TSIH_CASE(chap_premature_transition,
          "The security stage does not end while CHAP is chosen and nothing is proved",
          judges("R3720-8.2-03", "R3720-8.2.1-01")) {
  offers_chap(settings());
  auto initiator = connect();
  const Answer first = initiator.expect_login_answer(
      initiator.login_request(kSecurity, kOperational, {{"AuthMethod", "CHAP"}}));
  judging("R3720-8.2.1-01");
  verify(!first.pdu[field::transit], "no transit with the choice of CHAP", describe(first.pdu));
  judging("R3720-8.2-03");
  if (first.pdu[field::status] != 0) {
    confirm(describe(first.pdu));
    return;
  }
  const Answer next = answer_with(initiator, {});
  verify(is_login_reject(next.pdu), "status 0x0200 or 0x0207", describe(next.pdu));
}

TSIH_CASE(chap_transition_after_the_challenge,
          "The security stage does not end while the challenge waits for its answer",
          judges("R3720-8.2-03")) {
  offers_chap(settings());
  auto initiator = connect();
  given("the challenge", [&] { challenge_from(initiator, context()); });
  const Answer next = answer_with(initiator, {});
  verify(is_login_reject(next.pdu), "status 0x0200 or 0x0207", describe(next.pdu));
}

TSIH_CASE(chap_algorithm_from_a_list, "Of several algorithms the one that is known is chosen",
          judges("R3720-5.2.1-03", "R3720-11.1.4-02")) {
  offers_chap(settings());
  auto initiator = connect();
  given("the choice of CHAP", [&] { choose_chap(initiator); });
  const Answer answer = initiator.expect_login_answer(
      initiator.login_request(kSecurity, std::nullopt, {{"CHAP_A", "250,5"}}));
  verify(answer.keys.value("CHAP_A") == "5", "CHAP_A=5",
         fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe()));
  judging("R3720-11.1.4-02");
  verify(answer.keys.has("CHAP_I") && answer.keys.has("CHAP_C"), "CHAP_I and CHAP_C",
         answer.keys.describe());
}

TSIH_CASE(chap_algorithm_is_no_number, "An algorithm that is no number opens no way",
          judges("R3720-11.1.4-02")) {
  offers_chap(settings());
  auto initiator = connect();
  given("the choice of CHAP", [&] { choose_chap(initiator); });
  initiator.send(initiator.login_request(kSecurity, std::nullopt, {{"CHAP_A", "md5"}}));
  const Pdu response = initiator.expect(Opcode::login_response);
  verify(is_login_reject(response), "status 0x0200, 0x0201 or 0x0207", describe(response));
}

TSIH_CASE(chap_response_before_the_challenge, "CHAP_N and CHAP_R have no place before a challenge",
          judges("R3720-8.2-03")) {
  offers_chap(settings());
  auto initiator = connect();
  given("the choice of CHAP", [&] { choose_chap(initiator); });
  const Answer answer = answer_with(
      initiator, {{"CHAP_N", settings().user}, {"CHAP_R", encode_binary(Bytes(16, 0x5a))}});
  verify(is_login_reject(answer.pdu), "status 0x0200 or 0x0207", describe(answer.pdu));
}

TSIH_CASE(chap_challenge_is_new, "Each login gets a challenge of its own",
          judges(should("R3720-8.2.1-01"))) {
  offers_chap(settings());
  auto first = connect(), second = connect();
  const Challenge one = challenge_from(first, context());
  const Challenge two = challenge_from(second, context());
  verify(one.bytes != two.bytes, "two challenges that differ", "the same one twice");
}

TSIH_CASE(chap_response_in_base64, "The right answer is as good in base64",
          judges("R3720-8.2.1-01")) {
  offers_chap(settings());
  auto initiator = connect();
  const Challenge challenge = challenge_from(initiator, context());
  const auto response = encode_base64(right_response(challenge, settings()));
  const Answer answer = answer_with(initiator, {{"CHAP_N", settings().user}, {"CHAP_R", response}});
  verify(answer.pdu[field::status] == 0 && answer.pdu[field::transit],
         "status 0 and the operational stage", describe(answer.pdu));
}

TSIH_CASE(chap_response_in_capitals, "The right answer is as good in capital hexadecimal digits",
          judges("R3720-8.2.1-01")) {
  offers_chap(settings());
  auto initiator = connect();
  const Challenge challenge = challenge_from(initiator, context());
  std::string response = encode_binary(right_response(challenge, settings()));
  std::ranges::transform(response, response.begin(),
                         [](char c) { return static_cast<char>(std::toupper(c)); });
  const Answer answer = answer_with(initiator, {{"CHAP_N", settings().user}, {"CHAP_R", response}});
  verify(answer.pdu[field::status] == 0 && answer.pdu[field::transit],
         "status 0 and the operational stage", describe(answer.pdu));
}

TSIH_CASE(chap_wrong_response_in_base64, "A wrong answer is as wrong in base64",
          judges("R3720-11.1.4-04")) {
  offers_chap(settings());
  auto initiator = connect();
  given("the challenge", [&] { challenge_from(initiator, context()); });
  const Answer answer = answer_with(
      initiator, {{"CHAP_N", settings().user}, {"CHAP_R", encode_base64(Bytes(16, 0x5a))}});
  verify(answer.pdu[field::status] == 0x0201, "status 0x0201", describe(answer.pdu));
}

TSIH_CASE(chap_response_too_short, "The right answer without its last byte opens no way",
          judges("R3720-11.1.4-04")) {
  offers_chap(settings());
  auto initiator = connect();
  Challenge challenge;
  given("the challenge", [&] { challenge = challenge_from(initiator, context()); });
  Bytes response = right_response(challenge, settings());
  response.pop_back();
  const Answer answer =
      answer_with(initiator, {{"CHAP_N", settings().user}, {"CHAP_R", encode_binary(response)}});
  verify(is_login_reject(answer.pdu), "status 0x0201", describe(answer.pdu));
}

TSIH_CASE(chap_response_too_long, "The right answer with more behind it opens no way",
          judges("R3720-11.1.4-04", "R3720-11.1.4-07")) {
  offers_chap(settings());
  for (const std::size_t bytes : {17u, 1025u}) {
    judging(bytes == 17 ? "R3720-11.1.4-04" : "R3720-11.1.4-07");
    auto initiator = connect();
    Challenge challenge;
    given("the challenge", [&] { challenge = challenge_from(initiator, context()); });
    Bytes response = right_response(challenge, settings());
    response.resize(bytes);
    const Answer answer =
        answer_with(initiator, {{"CHAP_N", settings().user}, {"CHAP_R", encode_binary(response)}});
    verify(is_login_reject(answer.pdu), "status 0x0201", describe(answer.pdu));
  }
}

TSIH_CASE(chap_response_is_no_binary, "An answer that is no binary value opens no way",
          judges("R3720-8.2-03")) {
  offers_chap(settings());
  auto initiator = connect();
  given("the challenge", [&] { challenge_from(initiator, context()); });
  const Answer answer =
      answer_with(initiator, {{"CHAP_N", settings().user}, {"CHAP_R", "0xno-digits"}});
  verify(is_login_reject(answer.pdu), "status 0x0200 or 0x0207", describe(answer.pdu));
}

BOOST_AUTO_TEST_SUITE_END()

// The target proves who it is, too (11.1.4): with --mutual-chap its proof is checked.
BOOST_AUTO_TEST_SUITE(mutual_chap)

namespace {

constexpr const char* kIdentifier = "77";

// The right answer, together with a challenge of ours.
Answer ask_back(Initiator& initiator, const Challenge& challenge, const Settings& settings,
                const TextKeys& ours) {
  TextKeys keys{{"CHAP_N", settings.user},
                {"CHAP_R", encode_binary(right_response(challenge, settings))}};
  keys.append(ours);
  return answer_with(initiator, keys);
}

// Its proof, or a refusal by which it says that it has none to give.
void expect_proof(const Answer& answer, const Bytes& challenge, CaseContext& context) {
  const auto words = fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe());
  const Settings& settings = context.settings;
  if (answer.pdu[field::status] == 0x0201 && settings.target_secret.empty())
    throw Unsupported{"authentication of the target (and no --mutual-chap was given)"};
  const auto proof = tsih::wire::parse_binary(answer.keys.value("CHAP_R").value_or(""));
  if (!answer.keys.has("CHAP_N") || !proof) context.fail("CHAP_N and CHAP_R of the target", words);
  const auto right = chap_response(77, settings.target_secret, challenge);
  const bool known = !settings.target_secret.empty();
  if (known && (proof != right || answer.keys.value("CHAP_N") != settings.target_user))
    context.fail("the target's name and the right answer", words);
  context.confirm(answer.keys.describe());
}

}  // namespace

TSIH_CASE(target_answers,
          "A challenge of the initiator is answered with the target's name and proof",
          judges("R3720-11.1.4-05", "R3720-8.2.1-01")) {
  offers_chap(settings());
  auto initiator = connect();
  const Challenge challenge = challenge_from(initiator, context());
  const Bytes ours = pattern(16);
  const Answer answer = ask_back(initiator, challenge, settings(),
                                 {{"CHAP_I", kIdentifier}, {"CHAP_C", encode_binary(ours)}});
  expect_proof(answer, ours, context());
  judging("R3720-8.2.1-01");
  verify(answer.pdu[field::status] == 0 && answer.pdu[field::transit],
         "status 0 and the operational stage", describe(answer.pdu));
}

TSIH_CASE(challenge_in_base64, "A challenge of the initiator in base64 is answered as well",
          judges("R3720-11.1.4-05")) {
  offers_chap(settings());
  auto initiator = connect();
  const Challenge challenge = challenge_from(initiator, context());
  const Bytes ours = pattern(31);
  const Answer answer = ask_back(initiator, challenge, settings(),
                                 {{"CHAP_I", kIdentifier}, {"CHAP_C", encode_base64(ours)}});
  expect_proof(answer, ours, context());
}

TSIH_CASE(long_challenge, "A challenge of 1024 bytes is answered", judges("R3720-11.1.4-05")) {
  offers_chap(settings());
  auto initiator = connect();
  const Challenge challenge = challenge_from(initiator, context());
  const Bytes ours = pattern(1024);
  const Answer answer = ask_back(initiator, challenge, settings(),
                                 {{"CHAP_I", kIdentifier}, {"CHAP_C", encode_binary(ours)}});
  expect_proof(answer, ours, context());
}

TSIH_CASE(challenge_too_long, "A challenge of more than 1024 bytes is not answered",
          judges("R3720-11.1.4-07")) {
  offers_chap(settings());
  auto initiator = connect();
  Challenge challenge;
  given("the challenge", [&] { challenge = challenge_from(initiator, context()); });
  const Answer answer =
      ask_back(initiator, challenge, settings(),
               {{"CHAP_I", kIdentifier}, {"CHAP_C", encode_binary(pattern(1025))}});
  verify(is_login_reject(answer.pdu), "a login status of failure", describe(answer.pdu));
}

TSIH_CASE(challenge_missing,
          "CHAP_I without CHAP_C is told as initiator error or missing parameter",
          judges("R3720-8.2-03")) {
  offers_chap(settings());
  auto initiator = connect();
  Challenge challenge;
  given("the challenge", [&] { challenge = challenge_from(initiator, context()); });
  const Answer answer = ask_back(initiator, challenge, settings(), {{"CHAP_I", kIdentifier}});
  verify(is_login_reject(answer.pdu), "status 0x0200 or 0x0207", describe(answer.pdu));
}

TSIH_CASE(identifier_out_of_bounds, "A CHAP_I beyond one byte is told as initiator error",
          judges("R3720-8.2-03")) {
  offers_chap(settings());
  auto initiator = connect();
  Challenge challenge;
  given("the challenge", [&] { challenge = challenge_from(initiator, context()); });
  const Answer answer = ask_back(initiator, challenge, settings(),
                                 {{"CHAP_I", "256"}, {"CHAP_C", encode_binary(pattern(16))}});
  verify(is_login_reject(answer.pdu), "status 0x0200 or 0x0207", describe(answer.pdu));
}

TSIH_CASE(answer_of_its_own, "The answer that the target itself would give opens no way",
          judges("R3720-8.2.1-09")) {
  offers_chap(settings());
  offered(!settings().target_secret.empty(), "the target's secret (--mutual-chap was not given)");
  auto initiator = connect();
  Challenge challenge;
  given("the challenge", [&] { challenge = challenge_from(initiator, context()); });
  const auto its_own =
      chap_response(challenge.identifier, settings().target_secret, challenge.bytes);
  const Answer answer = answer_with(
      initiator, {{"CHAP_N", settings().target_user}, {"CHAP_R", encode_binary(its_own)}});
  verify(answer.pdu[field::status] == 0x0201, "status 0x0201", describe(answer.pdu));
  initiator.expect_close();
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
