// The authentication methods beside CHAP (11.1.1 to 11.1.3). Nobody here has a ticket, a
// certificate or a verifier: what is offered proves nothing, and the target has to see that. A case
// applies to targets that choose the method.
#include "harness/conformance/cases/common.h"
#include "harness/suite/labels.h"

using tsih::suite::Label;
using tsih::suite::label_problem;

BOOST_AUTO_TEST_SUITE(login)
BOOST_AUTO_TEST_SUITE(methods)

namespace {

constexpr std::uint16_t kAuthenticationFailure = 0x0201, kAuthorizationFailure = 0x0202;
constexpr std::size_t kLimitToken = 65536, kLimitSrpValue = 1024;

// A target that has no method of the list may say Reject or end the login (5.2.1).
void choose(Initiator& initiator, const std::string& method) {
  initiator.send(initiator.login_request(kSecurity, std::nullopt, {{"AuthMethod", method}}));
  const Event event = next_event(initiator);
  const bool chosen = event.heard == Heard::pdu && event.pdu.is(Opcode::login_response) &&
                      event.pdu[field::status] == 0 &&
                      tsih::wire::parse_text(event.pdu.data).keys.value("AuthMethod") == method;
  if (!chosen) throw Unsupported{"AuthMethod=" + method};
}

std::string words(const Answer& answer) {
  return fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe());
}

// The bytes of every binary value that the target sends under keys that begin so.
std::size_t longest_value(const Answer& answer, const std::string& prefix) {
  std::size_t longest = 0;
  for (const auto& [key, value] : answer.keys.pairs())
    if (key.starts_with(prefix))
      longest = std::max(longest, tsih::wire::parse_binary(value).value_or(Bytes{}).size());
  return longest;
}

}  // namespace

TSIH_CASE(kerberos_ticket_of_nobody,
          "A KRB_AP_REQ that is none is an authentication failure, and nothing goes on without the "
          "target's KRB_AP_REP",
          judges("R3720-11.1.1-03", "R3720-11.1.1-04", "R3720-11.1.1-06")) {
  auto initiator = connect();
  choose(initiator, "KRB5");
  const Answer answer = initiator.expect_login_answer(
      initiator.login_request(kSecurity, kOperational, {{"KRB_AP_REQ", "0x6e8200"}}));
  judging("R3720-11.1.1-04");
  verify(answer.pdu[field::status] != 0 || answer.keys.has("KRB_AP_REP"),
         "KRB_AP_REP, or a refusal", words(answer));
  judging("R3720-11.1.1-06");
  verify(longest_value(answer, "KRB_") <= kLimitToken, "at most 65536 bytes", words(answer));
  judging("R3720-11.1.1-03");
  verify(answer.pdu[field::status] == kAuthenticationFailure, "status 0x0201", words(answer));
}

TSIH_CASE(spkm_token_of_nobody,
          "An SPKM_REQ that is none is an error; of SPKM1 an SPKM_REP_IT that is none is an "
          "authentication failure",
          judges("R3720-11.1.2-02", "R3720-11.1.2-03", "R3720-11.1.2-06", "R3720-11.1.2-07")) {
  auto initiator = connect();
  choose(initiator, "SPKM1");
  const Answer first = initiator.expect_login_answer(
      initiator.login_request(kSecurity, std::nullopt, {{"SPKM_REQ", "0x3000"}}));
  const bool refused = first.pdu[field::status] != 0;
  judging("R3720-11.1.2-03");
  verify(refused || first.keys.has("SPKM_ERROR") || first.keys.has("SPKM_REP_TI"),
         "SPKM_REP_TI, SPKM_ERROR or a refusal", words(first));
  judging("R3720-11.1.2-02");
  verify(refused || first.keys.has("SPKM_ERROR"), "a refusal or SPKM_ERROR", words(first));
  judging("R3720-11.1.2-07");
  verify(longest_value(first, "SPKM_") <= kLimitToken, "at most 65536 bytes", words(first));
  judging("R3720-11.1.2-06");
  const Answer last = refused ? first
                              : initiator.expect_login_answer(initiator.login_request(
                                    kSecurity, kOperational, {{"SPKM_REP_IT", "0x3000"}}));
  verify(last.pdu[field::status] == kAuthenticationFailure, "status 0x0201", words(last));
}

TSIH_CASE(spkm_items_of_64_kib, "A target that chooses SPKM takes 64 KiB of text",
          judges("R3720-5.1-05")) {
  auto initiator = connect();
  choose(initiator, "SPKM1");
  // With its key and its zero byte 65536 bytes of text; the pieces go out with C.
  const std::string token = "0x" + std::string(65536 - std::string("SPKM_REQ=0x").size() - 1, '3');
  const Answer answer = initiator.expect_login_answer(
      initiator.login_request(kSecurity, std::nullopt, {{"SPKM_REQ", token}}));
  const auto status = answer.pdu[field::status];
  verify(status == 0 || status == kAuthenticationFailure,
         "an answer to the token, or status 0x0201", words(answer));
}

TSIH_CASE(srp_proof_of_nobody,
          "SRP goes step by step: groups up to SRP-1536 or no authorization, B, and then a proof "
          "that is none is an authentication failure",
          judges("R3720-11.1.3-02", "R3720-11.1.3-10", "R3720-8.2.2-01", "R3720-11.1.3-04",
                 "R3720-11.1.3-09", "R3720-11.1.3-06", "R3720-11.1.3-07", "R3720-13-l01")) {
  auto initiator = connect();
  choose(initiator, "SRP");
  const Answer groups = initiator.expect_login_answer(initiator.login_request(
      kSecurity, std::nullopt, {{"SRP_U", "nobody"}, {"TargetAuth", "Yes"}}));
  const std::string list = "," + groups.keys.value("SRP_GROUP").value_or("") + ",";
  verify(groups.pdu[field::status] == kAuthorizationFailure ||
             (groups.keys.has("SRP_GROUP") && groups.keys.has("SRP_s")),
         "status 0x0202, or SRP_GROUP and SRP_s", words(groups));
  offered(groups.pdu[field::status] == 0, "SRP for a user nobody");
  judging("R3720-11.1.3-10");
  verify(list.find(",SRP-1536,") != std::string::npos, "SRP-1536 among the groups", words(groups));
  // The groups of RFC 3723 are named by the bits of their modulus.
  judging("R3720-8.2.2-01");
  for (const char* small : {",SRP-256,", ",SRP-384,", ",SRP-512,", ",SRP-640,"})
    verify(list.find(small) == std::string::npos, "no group below 768 bits", words(groups));

  judging("R3720-13-l01");
  for (std::string_view rest = list; rest.size() > 1; rest.remove_prefix(rest.find(',', 1))) {
    const auto group = rest.substr(1, rest.find(',', 1) - 1);
    verify(label_problem(group, Label::standard).empty(), "groups named by item-labels",
           label_problem(group, Label::standard));
  }

  const Answer reply = initiator.expect_login_answer(initiator.login_request(
      kSecurity, std::nullopt, {{"SRP_A", "0x5a5a5a5a"}, {"SRP_GROUP", "SRP-1536"}}));
  judging("R3720-11.1.3-04");
  verify(reply.pdu[field::status] == kAuthenticationFailure || reply.keys.has("SRP_B"),
         "status 0x0201, or SRP_B", words(reply));
  judging("R3720-11.1.3-09");
  verify(std::max(longest_value(groups, "SRP_"), longest_value(reply, "SRP_")) <= kLimitSrpValue,
         "values of at most 1024 bytes", words(reply));
  offered(reply.pdu[field::status] == 0, "SRP_B for a user nobody");

  const Answer last = initiator.expect_login_answer(initiator.login_request(
      kSecurity, kOperational, {{"SRP_M", tsih::wire::encode_binary(Bytes(20, 0x5a))}}));
  judging("R3720-11.1.3-07");
  verify(last.pdu[field::status] != 0 || last.keys.has("SRP_HM"), "SRP_HM, or a refusal",
         words(last));
  judging("R3720-11.1.3-06");
  verify(last.pdu[field::status] == kAuthenticationFailure, "status 0x0201", words(last));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
