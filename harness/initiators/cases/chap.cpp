// CHAP (RFC 3720 11.1.4, 8.2.1): the initiator proves who it is, and looks at the target's proof.
#include "harness/suite/chap.h"

#include <algorithm>

#include "harness/initiators/cases/authentication.h"

using tsih::suite::chap_response;
using tsih::wire::encode_binary;
using tsih::wire::parse_binary;

namespace {

constexpr std::uint8_t kIdentifier = 77;

Bytes challenge_of(std::size_t bytes) {
  Bytes challenge(bytes);
  for (std::size_t i = 0; i < bytes; ++i) challenge[i] = static_cast<std::uint8_t>(i * 11 + 3);
  return challenge;
}

TextKeys challenge_keys(const Bytes& challenge) {
  return {{"CHAP_A", "5"},
          {"CHAP_I", std::to_string(kIdentifier)},
          {"CHAP_C", encode_binary(challenge)}};
}

const Bytes kChallenge = challenge_of(16);

// The answer to the challenge that the initiator put to us.
TextKeys proof(const TextKeys& keys, const char* secret) {
  const auto identifier = tsih::wire::parse_number(keys.value("CHAP_I").value_or("")).value_or(0);
  const Bytes theirs = parse_binary(keys.value("CHAP_C").value_or("")).value_or(Bytes());
  return {{"CHAP_N", kChapTargetUser},
          {"CHAP_R",
           encode_binary(chap_response(static_cast<std::uint8_t>(identifier), secret, theirs))}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(chap)

TSIH_AUTH_TRIAL(algorithms, "As soon as CHAP is chosen, CHAP_A comes, and MD5 is in it",
                judges("R3720-11.1-01", "R3720-11.1.4-01", "R3720-11.1.4-08") * unh("LP 22.1")) {
  const Taken step = choose(kChap, "CHAP");
  const std::string list = need(step.pdu, "CHAP_A");
  judging("R3720-11.1.4-01");
  confirm("CHAP_A=" + list);
  judging("R3720-11.1.4-08");
  verify(("," + list + ",").find(",5,") != std::string::npos, "5 among the algorithms",
         "CHAP_A=" + list);
}

TSIH_AUTH_TRIAL(response, "CHAP_N and the right CHAP_R answer a challenge",
                judges("R3720-11.1.4-03", "R3720-8.2.1-01", "R3720-8.2.1-02", "R3720-8.2-l03",
                       "R3720-11.1-02", "R3720-11.1-03")) {
  const Taken step = say_and_hear(choose(kChap, "CHAP"), challenge_keys(kChallenge));
  const Bytes right = chap_response(kIdentifier, kChapSecret, kChallenge);
  verify(need(step.pdu, "CHAP_N") == kChapUser, std::string("CHAP_N=") + kChapUser,
         keys_of(step.pdu).describe());
  verify(parse_binary(need(step.pdu, "CHAP_R")) == right, "CHAP_R=" + encode_binary(right),
         keys_of(step.pdu).describe());
  say(step, {}, true);
  judging("R3720-8.2.1-01");
  expect_good_end();
  for (const char* clause : {"R3720-8.2.1-02", "R3720-8.2-l03", "R3720-11.1-02", "R3720-11.1-03"}) {
    judging(clause);
    confirm("a login by CHAP, step by step, with a secret of 128 bits");
  }
}

TSIH_AUTH_TRIAL(mutual,
                "An initiator that wants the target's proof asks for it, and takes a good one",
                judges("R3720-11.1.4-03", "R3720-8.2.1-11", "R3720-11.1.4-07")) {
  const Taken step = say_and_hear(choose(kMutualChap, "CHAP"), challenge_keys(kChallenge));
  need(step.pdu, "CHAP_R");
  need(step.pdu, "CHAP_I");
  const auto theirs = parse_binary(need(step.pdu, "CHAP_C"));
  verify(theirs.has_value(), "a binary CHAP_C", keys_of(step.pdu).describe());
  judging("R3720-8.2.1-11");
  verify(*theirs != kChallenge, "a challenge of its own", "ours, sent back");
  judging("R3720-11.1.4-07");
  verify(theirs->size() <= 1024, "at most 1024 bytes", fmt::format("{} bytes", theirs->size()));
  say(step, proof(keys_of(step.pdu), kChapTargetSecret), true);
  judging("R3720-11.1.4-03");
  expect_good_end();
}

TSIH_AUTH_TRIAL(wrong_proof, "A target that fails its own authentication is left",
                judges("R3720-11.1.4-06")) {
  const Taken step = say_and_hear(choose(kMutualChap, "CHAP"), challenge_keys(kChallenge));
  need(step.pdu, "CHAP_C");
  say(step, proof(keys_of(step.pdu), "not-that-of-the-target"), true);
  expect_login_ends(step.peer, "CHAP_R was computed with another secret");
}

TSIH_AUTH_TRIAL(own_secret, "A target that proves itself with the initiator's own secret is left",
                judges("R3720-8.2.1-09")) {
  const Taken step = say_and_hear(choose(kMutualChap, "CHAP"), challenge_keys(kChallenge));
  need(step.pdu, "CHAP_C");
  say(step, proof(keys_of(step.pdu), kChapSecret), true);
  expect_login_ends(step.peer, "CHAP_R is what the initiator would have said itself");
}

TSIH_AUTH_TRIAL(no_proof, "A target that leaves out its proof is left",
                judges("R3720-11.1.4-06", "R3720-8.2-02")) {
  const Taken step = say_and_hear(choose(kMutualChap, "CHAP"), challenge_keys(kChallenge));
  need(step.pdu, "CHAP_C");
  say(step, {}, true);
  expect_login_ends(step.peer, "neither CHAP_N nor CHAP_R came");
  judging("R3720-8.2-02");
  confirm("the connection ended");
}

TSIH_AUTH_TRIAL(challenge_left_out, "A step of the target's without CHAP_C ends the login",
                judges("R3720-8.2-02")) {
  const Taken step = choose(kChap, "CHAP");
  TextKeys keys = challenge_keys(kChallenge);
  keys.remove("CHAP_C");
  say(step, keys);
  expect_login_ends(step.peer, "CHAP_A and CHAP_I came without CHAP_C");
}

TSIH_AUTH_TRIAL(algorithm_not_offered, "An algorithm that was not offered ends the login",
                judges("R3720-8.2-02")) {
  const Taken step = choose(kChap, "CHAP");
  TextKeys keys = challenge_keys(kChallenge);
  keys.set("CHAP_A", "200");
  say(step, keys);
  expect_login_ends(step.peer, "CHAP_A=200 was not offered");
}

TSIH_AUTH_TRIAL(longest_challenge, "A challenge of 1024 bytes is answered",
                judges("R3720-11.1.4-03")) {
  const Bytes challenge = challenge_of(1024);
  const Taken step = say_and_hear(choose(kChap, "CHAP"), challenge_keys(challenge));
  const Bytes right = chap_response(kIdentifier, kChapSecret, challenge);
  verify(parse_binary(need(step.pdu, "CHAP_R")) == right, "CHAP_R=" + encode_binary(right),
         keys_of(step.pdu).describe());
}

TSIH_AUTH_TRIAL(challenge_too_long, "A challenge of 1025 bytes ends the login",
                judges("R3720-8.2-02")) {
  const Taken step = choose(kChap, "CHAP");
  say(step, challenge_keys(challenge_of(1025)));
  expect_login_ends(step.peer, "CHAP_C has more than 1024 bytes (11.1.4)");
}

TSIH_AUTH_TRIAL(refused, "An initiator that failed authentication closes the connection",
                judges(should("R3720-5.3.2-05"), "R3720-7.1.3-T7")) {
  const Taken step = say_and_hear(choose(kChap, "CHAP"), challenge_keys(kChallenge));
  step.peer.send(step.peer.login_failure(step.pdu, 0x0201));
  expect_login_ends(step.peer, "the status was 0x0201, authentication failure");
  judging("R3720-7.1.3-T7");
  confirm("the connection ended");
}

BOOST_AUTO_TEST_SUITE_END()
