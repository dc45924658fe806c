// Kerberos, SPKM and SRP (RFC 3720 11.1.1 to 11.1.3). The target cannot give a right proof with
// them: the cases look at the initiator's steps, and that no wrong proof is taken for right.
#include <algorithm>

#include "harness/initiators/cases/authentication.h"
#include "harness/suite/labels.h"

namespace {

constexpr const char* kNoProof = "0x00";

}  // namespace

BOOST_AUTO_TEST_SUITE(kerberos)

TSIH_AUTH_TRIAL(first_step, "KRB5 begins with KRB_AP_REQ",
                judges("R3720-11.1.1-01", "R3720-11.1-01")) {
  const Taken step = choose(kMutualChap, "KRB5");
  need(step.pdu, "KRB_AP_REQ");
  judging("R3720-11.1-01");
  confirm("KRB_AP_REQ came as soon as KRB5 was chosen");
}

TSIH_AUTH_TRIAL(wrong_proof, "A target that fails KRB5 is left", judges("R3720-11.1.1-05")) {
  const Taken step = choose(kMutualChap, "KRB5");
  need(step.pdu, "KRB_AP_REQ");
  say(step, {{"KRB_AP_REP", kNoProof}}, true);
  expect_login_ends(step.peer, "KRB_AP_REP is no proof");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(spkm)

TSIH_AUTH_TRIAL(first_step_of_1, "SPKM1 begins with SPKM_REQ", judges("R3720-11.1.2-01")) {
  need(choose(kMutualChap, "SPKM1").pdu, "SPKM_REQ");
}

TSIH_AUTH_TRIAL(first_step_of_2, "SPKM2 begins with SPKM_REQ", judges("R3720-11.1.2-01")) {
  need(choose(kMutualChap, "SPKM2").pdu, "SPKM_REQ");
}

TSIH_AUTH_TRIAL(wrong_proof,
                "A target that fails SPKM1 is left, and is not answered with SPKM_REP_IT",
                judges("R3720-11.1.2-04", "R3720-11.1.2-05")) {
  const Taken step = choose(kMutualChap, "SPKM1");
  need(step.pdu, "SPKM_REQ");
  say(step, {{"SPKM_REP_TI", kNoProof}});
  expect_login_ends(step.peer, "SPKM_REP_TI is no proof");
  judging("R3720-11.1.2-05");
  confirm("no SPKM_REP_IT for a token that proves nothing");
}

TSIH_AUTH_TRIAL(long_token, "An initiator that offers SPKM takes 64 KiB of text",
                judges("R3720-5.1-05")) {
  constexpr std::size_t kAllBytes = 64u << 10, kPartBytes = 8192;  // the default of 12.12
  const std::string key = "SPKM_REP_TI=0x";
  const Taken step = choose(kMutualChap, "SPKM1");
  Bytes text = tsih::wire::encode_text(
      {{"SPKM_REP_TI", "0x" + std::string(kAllBytes - key.size() - 1, '3')}});
  Pdu request_for_more = step.pdu;
  for (std::size_t at = 0; at < text.size(); at += kPartBytes) {
    Pdu part = step.peer.login_failure(request_for_more, 0);
    const bool last = at + kPartBytes >= text.size();
    const auto begin = text.begin() + static_cast<std::ptrdiff_t>(at);
    part.data.assign(begin, last ? text.end() : begin + kPartBytes);
    step.peer.send(part.set(field::continues, !last));
    if (last) return confirm("the last part was asked for");
    request_for_more = expect(step.peer, request(Opcode::login_request));
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(extension_method)

TSIH_AUTH_TRIAL(labels, "What an extension's method says has keys that are standard-labels",
                judges("R3720-11.1-09")) {
  const Taken step =
      choose_first(kChap, "an extension's AuthMethod", [](const std::string& method) {
        return method.starts_with("Z-") || method.starts_with("Z#");
      });
  const TextKeys keys = keys_of(step.pdu);
  offered(!keys.empty(), "a key of that method");
  for (const auto& [key, value] : keys.pairs()) {
    const std::string problem = tsih::suite::label_problem(key, tsih::suite::Label::standard);
    verify(problem.empty(), "a standard-label", problem.empty() ? key : problem);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(srp)

namespace {

const TextKeys kGroups{{"SRP_GROUP", "SRP-1536,SRP-2048"}, {"SRP_s", "0x0123456789abcdef"}};
const TextKeys kB{{"SRP_B", "0x1234567890abcdef1234567890abcdef"}};

}  // namespace

TSIH_AUTH_TRIAL(first_step, "SRP begins with SRP_U and TargetAuth", judges("R3720-11.1.3-01")) {
  const Taken step = choose(kMutualChap, "SRP");
  need(step.pdu, "SRP_U");
  need(step.pdu, "TargetAuth");
}

TSIH_AUTH_TRIAL(later_steps, "SRP_A with an offered group, SRP_M: the steps that follow",
                judges("R3720-11.1.3-03", "R3720-11.1.3-05")) {
  const Taken second = say_and_hear(choose(kMutualChap, "SRP"), kGroups);
  need(second.pdu, "SRP_A");
  const std::string group = need(second.pdu, "SRP_GROUP");
  verify(group == "SRP-1536" || group == "SRP-2048", "one of the offered groups", group);
  judging("R3720-11.1.3-05");
  need(say_and_hear(second, kB).pdu, "SRP_M");
}

TSIH_AUTH_TRIAL(unknown_group, "A group that nobody knows is passed over",
                judges("R3720-5.2.1-03")) {
  const Taken second = say_and_hear(choose(kMutualChap, "SRP"), {{"SRP_GROUP", "SRP-9999,SRP-1536"},
                                                                 {"SRP_s", "0x0123456789abcdef"}});
  const std::string group = need(second.pdu, "SRP_GROUP");
  verify(group == "SRP-1536", "SRP_GROUP=SRP-1536", group);
}

TSIH_AUTH_TRIAL(wrong_proof, "A target that fails SRP is left", judges("R3720-11.1.3-08")) {
  const Taken second = say_and_hear(choose(kMutualChap, "SRP"), kGroups);
  need(second.pdu, "SRP_A");
  const Taken third = say_and_hear(second, kB);
  need(third.pdu, "SRP_M");
  say(third, {{"SRP_HM", kNoProof}}, true);
  expect_login_ends(third.peer, "SRP_HM is no proof");
}

BOOST_AUTO_TEST_SUITE_END()
