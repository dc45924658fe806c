// Text of the login: amounts, unknown keys, keys said twice (5.1, 5.2, 5.3).
#include "harness/conformance/cases/common.h"

namespace {

// Extension keys that nobody knows, together of this many bytes with their zero bytes.
TextKeys filler(std::size_t bytes) {
  TextKeys keys;
  std::size_t left = bytes;
  for (int i = 0; left > 0; ++i) {
    const std::string key = fmt::format("X-example.tsih.filler{:03}", i);
    const std::size_t overhead = key.size() + 2;
    std::size_t value = std::min<std::size_t>(left - overhead, 200);
    // What would remain has to be able to hold a pair of its own.
    if (const std::size_t rest = left - overhead - value; rest > 0 && rest < overhead + 1)
      value -= overhead + 1 - rest;
    keys.add(key, std::string(value, 'v'));
    left -= overhead + value;
  }
  return keys;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(login)
BOOST_AUTO_TEST_SUITE(text)

TSIH_CASE(unknown_key, "A key that nobody knows is answered with NotUnderstood",
          judges("R3720-5.2-07")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer = initiator.expect_login_answer(
      initiator.login_request(kOperational, std::nullopt, {{"X-example.tsih.unheard_of", "1"}}));
  verify(answer.pdu[field::status] == 0, "a login that goes on", describe(answer.pdu));
  verify(answer.keys.value("X-example.tsih.unheard_of") == "NotUnderstood",
         "X-example.tsih.unheard_of=NotUnderstood", answer.keys.describe());
}

TSIH_CASE(eight_kib_in_one_pdu, "8192 bytes of text in one request are taken",
          judges("R3720-5.1-04")) {
  auto initiator = connect();
  initiator.authenticate();
  Pdu request = initiator.login_request(kOperational, kFullFeature);
  const Bytes rest = tsih::wire::encode_text(filler(8192 - request.data.size()));
  request.data.insert(request.data.end(), rest.begin(), rest.end());
  const Answer answer = initiator.expect_login_answer(request);
  verify(answer.pdu[field::status] == 0, "a login that goes on",
         fmt::format("{} after {} bytes of text", describe(answer.pdu), request.data.size()));
}

TSIH_CASE(eight_kib_in_pieces, "8192 bytes of text in pieces (C) are taken",
          judges("R3720-5.1-04", "R3720-5.2-02")) {
  auto initiator = connect();
  initiator.authenticate();
  Pdu request = initiator.login_request(kOperational, std::nullopt);
  const Bytes more = tsih::wire::encode_text(filler(8192 - request.data.size()));
  Bytes whole = request.data;
  whole.insert(whole.end(), more.begin(), more.end());
  judging("R3720-5.2-02");
  constexpr std::size_t kPiece = 1024;
  for (std::size_t at = 0; at + kPiece < whole.size(); at += kPiece) {
    request.data.assign(whole.begin() + static_cast<std::ptrdiff_t>(at),
                        whole.begin() + static_cast<std::ptrdiff_t>(at + kPiece));
    request.set(field::continues, 1).set(field::exp_stat_sn, initiator.exp_stat_sn);
    initiator.send(request);
    const Pdu empty = initiator.expect(Opcode::login_response);
    verify(empty[field::status] == 0 && empty.data.empty(), "a Login Response without data",
           describe(empty));
  }
  request.data.assign(whole.end() - kPiece, whole.end());
  request.set(field::continues, 0);
  judging("R3720-5.1-04");
  const Answer answer = initiator.expect_login_answer(request);
  verify(answer.pdu[field::status] == 0, "a login that goes on", describe(answer.pdu));
}

TSIH_CASE(answers_are_well_formed, "Every pair of the target's text ends with a zero byte",
          judges("R3720-5.1-01")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer = initiator.expect_negotiation(
      {{"MaxBurstLength", "65536"}, {"InitialR2T", "No"}, {"X-example.tsih.a", "1"}});
  verify(answer.text_problems.empty(), "well-formed pairs",
         answer.text_problems.empty() ? answer.keys.describe() : answer.text_problems.front());
}

TSIH_CASE(key_twice_in_one_request, "A key negotiated twice in one request is an initiator error",
          judges("R3720-5.3-12", "R3720-5.3-13", "R3720-6.10-l02")) {
  auto initiator = connect();
  initiator.authenticate();
  initiator.send(initiator.login_request(
      kOperational, std::nullopt, {{"MaxBurstLength", "65536"}, {"MaxBurstLength", "32768"}}));
  const Refusal refusal = initiator.expect_refusal();
  confirm(refusal.words);
  judging_all({"R3720-5.3-13", "R3720-6.10-l02"});
  verify(refusal.pdu && refusal.pdu->is(Opcode::login_response) &&
             (*refusal.pdu)[field::status] >> 8 == 2,
         "a Login Response with status class 2", refusal.words);
}

TSIH_CASE(key_twice_in_two_requests,
          "A key negotiated again in a later request of the same login "
          "is an initiator error",
          judges("R3720-5.3-12", "R3720-5.3-13")) {
  auto initiator = connect();
  initiator.authenticate();
  given("the first negotiation", [&] {
    const Answer answer = initiator.expect_login_answer(
        initiator.login_request(kOperational, std::nullopt, {{"MaxBurstLength", "65536"}}));
    verify_equal("status", 0, answer.pdu[field::status]);
  });
  initiator.send(
      initiator.login_request(kOperational, std::nullopt, {{"MaxBurstLength", "32768"}}));
  const Refusal refusal = initiator.expect_refusal();
  confirm(refusal.words);
  judging("R3720-5.3-13");
  verify(refusal.pdu && refusal.pdu->is(Opcode::login_response) &&
             (*refusal.pdu)[field::status] >> 8 == 2,
         "a Login Response with status class 2", refusal.words);
}

TSIH_CASE(nothing_said_twice, "In a login of several answers the target says no key twice",
          judges("R3720-5.3-l02", "R3720-5.2-l03")) {
  judging_all({"R3720-5.3-l02", "R3720-5.2-l03"});
  auto initiator = connect();
  initiator.authenticate();
  TextKeys said;
  const auto look_at = [&](const Answer& answer) {
    verify(answer.pdu[field::status] == 0, "a login that goes on", describe(answer.pdu));
    for (const auto& [key, value] : answer.keys.pairs()) {
      // A target may have many addresses (5.3).
      verify(key == "TargetAddress" || !said.has(key), "each key once", key + "=" + value);
      said.add(key, value);
    }
  };
  for (const TextKeys& keys :
       {TextKeys{{"MaxBurstLength", "65536"}}, TextKeys{}, TextKeys{{"ErrorRecoveryLevel", "0"}}})
    look_at(
        initiator.expect_login_answer(initiator.login_request(kOperational, std::nullopt, keys)));
  confirm(said.describe());
}

TSIH_CASE(name_declared_twice,
          "InitiatorName declared again in the same login is an initiator "
          "error",
          judges("R3720-5.3-12", "R3720-5.3-13")) {
  auto initiator = connect();
  const Stage stage = settings().user.empty() ? kOperational : kSecurity;
  given("the first declaration", [&] {
    const Answer answer =
        initiator.expect_login_answer(initiator.login_request(stage, std::nullopt));
    verify_equal("status", 0, answer.pdu[field::status]);
  });
  initiator.send(initiator.login_request(stage, std::nullopt,
                                         {{"InitiatorName", initiator.initiator_name + "2"}}));
  const Refusal refusal = initiator.expect_refusal();
  confirm(refusal.words);
  judging("R3720-5.3-13");
  verify(refusal.pdu && refusal.pdu->is(Opcode::login_response) &&
             (*refusal.pdu)[field::status] >> 8 == 2,
         "a Login Response with status class 2", refusal.words);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
