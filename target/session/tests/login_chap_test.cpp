// The security stage and CHAP (RFC 3720 5.3.2, 8.2, 11.1, 11.1.4; RFC 1994).
#include <fmt/format.h>

#include <set>

#include "target/session/chap_values.h"
#include "target/session/tests/login_support.h"

namespace tsihd::session {
namespace {

struct ChapFixture : LoginFixture {
  ChapFixture() {
    group->attributes.authentication = true;
    group->chap = {"user", "secret of twelve", "target-user", "another secret"};
  }
  Reply choose(std::string_view methods = "CHAP,None") {
    return request(Stage::security, Stage::operational,
                   names() + text_of({fmt::format("AuthMethod={}", methods)}));
  }
  /// Up to the target's challenge.
  void challenge(std::string_view algorithms = "5") {
    choose();
    const Reply reply =
        request(Stage::security, Stage::operational, {fmt::format("CHAP_A={}", algorithms)});
    BOOST_REQUIRE(reply.status() == 0);
    BOOST_TEST(!reply.transit());
    algorithm = static_cast<ChapAlgorithm>(std::stoi(reply.value("CHAP_A").value()));
    identifier = static_cast<std::uint8_t>(std::stoi(reply.value("CHAP_I").value()));
    challenge_text = reply.value("CHAP_C").value();
    challenge_bytes = decode_binary(challenge_text).value();
  }
  Reply prove_and_ask_back(std::string_view identifier_text, std::string_view binary) {
    return respond("user", proof("secret of twelve"),
                   {fmt::format("CHAP_I={}", identifier_text), fmt::format("CHAP_C={}", binary)});
  }
  std::string proof(std::string_view secret) const {
    return encode_hex(chap_response(algorithm, identifier, secret, challenge_bytes));
  }
  Reply respond(std::string_view name, std::string_view response,
                std::initializer_list<std::string_view> more = {}) {
    return request(Stage::security, Stage::operational,
                   text_of({fmt::format("CHAP_N={}", name), fmt::format("CHAP_R={}", response)}) +
                       text_of(more));
  }
  ChapAlgorithm algorithm{};
  std::uint8_t identifier = 0;
  std::string challenge_text;
  Bytes challenge_bytes;
};

BOOST_FIXTURE_TEST_SUITE(login_chap, ChapFixture)

// RFC 1994 gives no numbers; these come from an independent computation (Python's hashlib over
// 01 "secret" 00..0f). Red when the order of identifier, secret and challenge is another.
BOOST_AUTO_TEST_CASE(known_responses) {
  Bytes challenge;
  for (int i = 0; i < 16; ++i) challenge.push_back(static_cast<std::byte>(i));
  const auto hex = [&](ChapAlgorithm a) {
    return encode_hex(chap_response(a, 1, "secret", challenge));
  };
  BOOST_TEST(hex(ChapAlgorithm::md5) == "0x740e86463bda3a4d7017d6e0fba0699d");
  BOOST_TEST(hex(ChapAlgorithm::sha1) == "0x3890198f5112376188a9742805758384545583a6");
  BOOST_TEST(hex(ChapAlgorithm::sha256) ==
             "0x28b96c916cf784528bbfaa6ad7e012cab293437604aae8d66a3295b319132cef");
  BOOST_TEST(hex(ChapAlgorithm::sha3_256) ==
             "0xbdceca071be509f41acf88309bb6d12e51526c23a2d18f22c2bb8ed199c36fd8");
}

// Base64 as an initiator may write it (RFC 2045); we only ever send hexadecimal.
std::string encode_base64(const Bytes& bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = "0b";
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t here = std::min<std::size_t>(3, bytes.size() - at);
    unsigned group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < here ? std::to_integer<unsigned>(bytes[at + i]) : 0);
    for (std::size_t i = 0; i < 4; ++i)
      text += i <= here ? kDigits[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

// R3720-11.1.4: one-way, with each algorithm, hexadecimal and base64.
BOOST_AUTO_TEST_CASE(one_way) {
  for (std::string_view algorithms : {"5", "6", "7", "8", "99,7,5"}) {
    begin();
    BOOST_TEST((choose().value("AuthMethod") == "CHAP"));
    begin();
    challenge(algorithms);
    if (algorithms == "99,7,5") BOOST_TEST((algorithm == ChapAlgorithm::sha256));
    const std::string response = proof("secret of twelve");
    const bool in_base64 = algorithms == "6" || algorithms == "8";
    const Reply reply =
        respond("user", in_base64 ? encode_base64(decode_binary(response).value()) : response);
    BOOST_TEST(reply.status() == 0);
    BOOST_TEST((reply.transit() && reply.next() == Stage::operational));
    BOOST_TEST(reply.text.empty());
    BOOST_TEST(
        (request(Stage::operational, Stage::full_feature).state == LoginState::awaiting_admission));
    BOOST_TEST(login->identity().authenticated);
  }
}

// R3720-11.1.4-05: the target proves itself by the other secret.
BOOST_AUTO_TEST_CASE(mutual) {
  for (std::string_view algorithms : {"5", "6", "7", "8"}) {
    begin();
    challenge(algorithms);
    const Bytes theirs(32, std::byte{0x5c});
    const Reply reply = prove_and_ask_back("200", encode_hex(theirs));
    BOOST_TEST(reply.transit());
    BOOST_TEST((reply.value("CHAP_N") == "target-user"));
    BOOST_TEST((reply.value("CHAP_R") ==
                encode_hex(chap_response(algorithm, 200, "another secret", theirs))));
  }
}

// R3720-11.1.4-04, R3720-8.2-04. Red when a stranger gets in, or learns which of both was wrong.
BOOST_AUTO_TEST_CASE(wrong_name_or_response) {
  std::string lines[3];
  for (int i = 0; i < 3; ++i) {
    begin();
    log.clear();
    challenge();
    const Reply reply = i == 0   ? respond("user", proof("wrong"))
                        : i == 1 ? respond("nobody", proof("secret of twelve"))
                                 : respond("user", "0x00");
    BOOST_TEST(reply.status() == LoginStatus::authentication_failure);
    BOOST_TEST((reply.state == LoginState::failed));
    lines[i] = log;
  }
  BOOST_TEST(lines[0] == lines[1]);
  BOOST_TEST(lines[0] == lines[2]);
}

BOOST_AUTO_TEST_CASE(nothing_secret_is_logged) {
  challenge();
  const std::string wrong = proof("wrong");
  respond("user", wrong);
  for (const std::string& secret :
       {std::string("secret"), challenge_text.substr(2), wrong.substr(2)})
    BOOST_TEST(log.find(secret) == std::string::npos);
}

// R3720-8.2.1-12: the challenge, not its spelling. Red when the target answers its own challenge.
BOOST_AUTO_TEST_CASE(reflected_challenge) {
  for (const bool in_base64 : {false, true}) {
    begin();
    challenge();
    const Reply reply =
        prove_and_ask_back("1", in_base64 ? encode_base64(challenge_bytes) : challenge_text);
    BOOST_TEST(reply.status() == LoginStatus::authentication_failure);
    BOOST_TEST(reply.text.empty());
    BOOST_TEST(log.find("reflected") != std::string::npos);
  }
}

// RFC 1994 2.3: unique and unpredictable, also for a further connection of one session.
BOOST_AUTO_TEST_CASE(each_connection_has_its_own_challenge) {
  directory.tsih = 9;
  std::set<std::string> challenges;
  for (int i = 0; i < 8; ++i) {
    begin();
    header.tsih = i % 2 == 0 ? 0 : 9;
    challenge("7");
    BOOST_TEST(challenge_bytes.size() == 32u);
    challenges.insert(challenge_text);
  }
  BOOST_TEST(challenges.size() == 8u);
}

// A response recorded on one connection is worth nothing on the next.
BOOST_AUTO_TEST_CASE(replayed_response) {
  challenge();
  const std::string recorded = proof("secret of twelve");
  BOOST_TEST(respond("user", recorded).transit());
  begin();
  challenge();
  BOOST_TEST(respond("user", recorded).status() == LoginStatus::authentication_failure);
}

// R3720-11.1.4-07, R3720-5.1-03: 1 to 1024 bytes, hexadecimal or base64; any identifier of RFC
// 1994, in either form of a number.
BOOST_AUTO_TEST_CASE(challenges_of_the_initiator) {
  const Bytes longest(kMaxChapBytes, std::byte{0x31}), one(1, std::byte{0x31});
  for (const Bytes& bytes : {longest, one}) {
    for (const std::string& text : {encode_hex(bytes), encode_base64(bytes)}) {
      begin();
      challenge();
      const Reply reply = prove_and_ask_back("0xff", text);
      BOOST_TEST((reply.value("CHAP_R") ==
                  encode_hex(chap_response(algorithm, 255, "another secret", bytes))));
    }
  }
  const Bytes too_long(kMaxChapBytes + 1, std::byte{0x31});
  for (const std::string& text : {encode_hex(too_long), encode_base64(too_long), std::string("49"),
                                  std::string("0x"), std::string("0x3g")}) {
    begin();
    challenge();
    BOOST_TEST(prove_and_ask_back("1", text).status() == LoginStatus::initiator_error);
  }
  for (std::string_view number : {"256", "-1", "0x100", "", "0bAQ=="}) {
    begin();
    challenge();
    BOOST_TEST(prove_and_ask_back(number, "0x31").status() == LoginStatus::initiator_error);
  }
}

// The security stage is over when CHAP is: nothing of it may come again.
BOOST_AUTO_TEST_CASE(keys_after_the_end) {
  challenge();
  header.flags = 0;
  Reply reply = request(Stage::security, std::nullopt,
                        {"CHAP_N=user", fmt::format("CHAP_R={}", proof("secret of twelve"))});
  BOOST_TEST(reply.status() == 0);
  BOOST_TEST(!reply.transit());
  reply = request(Stage::security, Stage::operational, {"CHAP_I=1", "CHAP_C=0x31"});
  BOOST_TEST(reply.status() == LoginStatus::initiator_error);
}

// R3720-8.2.1-09: one secret for both directions.
BOOST_AUTO_TEST_CASE(shared_secret) {
  group->chap.mutual_password = group->chap.password;
  challenge();
  BOOST_TEST(respond("user", proof("secret of twelve")).status() ==
             LoginStatus::authentication_failure);
}

BOOST_AUTO_TEST_CASE(mutual_asked_for_and_not_configured) {
  group->chap.mutual_userid.clear();
  challenge();
  BOOST_TEST(respond("user", proof("secret of twelve"), {"CHAP_I=1", "CHAP_C=0xabcd"}).status() ==
             LoginStatus::authentication_failure);
}

// R3720-8.2-03: not the keys of the step.
BOOST_AUTO_TEST_CASE(keys_that_are_not_the_step) {
  choose();
  BOOST_TEST(request(Stage::security, Stage::operational).status() ==
             LoginStatus::missing_parameter);
  begin();
  choose();
  BOOST_TEST(request(Stage::security, Stage::operational, {"CHAP_A=5", "CHAP_N=user"}).status() ==
             LoginStatus::initiator_error);
  begin();
  challenge();
  BOOST_TEST(request(Stage::security, Stage::operational, {"CHAP_N=user"}).status() ==
             LoginStatus::missing_parameter);
  begin();
  challenge();
  BOOST_TEST(respond("user", proof("secret of twelve"), {"CHAP_I=1"}).status() ==
             LoginStatus::missing_parameter);
  begin();
  challenge();
  BOOST_TEST(respond("user", proof("secret of twelve"), {"CHAP_I=256", "CHAP_C=0x01"}).status() ==
             LoginStatus::initiator_error);
  begin();
  challenge();
  BOOST_TEST(respond("user", "12345").status() == LoginStatus::initiator_error);  // R3720-5.1-03
  begin();
  BOOST_TEST(
      request(Stage::security, Stage::operational, names() + text_of({"CHAP_A=5"})).status() ==
      LoginStatus::initiator_error);  // no AuthMethod
}

BOOST_AUTO_TEST_CASE(no_common_algorithm) {
  choose();
  BOOST_TEST(request(Stage::security, Stage::operational, {"CHAP_A=4,99,x"}).status() ==
             LoginStatus::authentication_failure);
}

// 5.3.2: CHAP demanded.
BOOST_AUTO_TEST_CASE(none_where_chap_is_demanded) {
  const Reply reply = choose("None");
  BOOST_TEST(reply.status() == LoginStatus::authentication_failure);
  BOOST_TEST((reply.value("AuthMethod") == "Reject"));  // R3720-5.3.2-02
  begin();
  BOOST_TEST(choose("KRB5,SPKM1,SRP").status() == LoginStatus::authentication_failure);
  begin();
  BOOST_TEST((choose("None,KRB5,CHAP").value("AuthMethod") == "CHAP"));
  begin();
  BOOST_TEST(
      (choose("Z-com.example.auth,Z#Registered,CHAP").value("AuthMethod") == "CHAP"));  // 11.1
}

// 5.3.1: the security stage cannot be skipped then.
BOOST_AUTO_TEST_CASE(security_stage_skipped) {
  BOOST_TEST(operational({}).status() == LoginStatus::authentication_failure);
}

// 5.3.2: the target directs the negotiation when the initiator proposes nothing. Red when the
// stage can be left without CHAP.
BOOST_AUTO_TEST_CASE(target_proposes_chap) {
  for (const Stage wanted : {Stage::operational, Stage::full_feature}) {
    begin();
    Reply reply = request(Stage::security, wanted, names());
    BOOST_TEST(!reply.transit());
    BOOST_TEST((reply.value("AuthMethod") == "CHAP"));
    reply = request(Stage::security, wanted, {"AuthMethod=CHAP", "CHAP_A=5"});
    BOOST_TEST(!reply.value("AuthMethod"));
    BOOST_TEST((reply.value("CHAP_A") == "5"));
    BOOST_TEST(!reply.transit());
  }
  begin();
  request(Stage::security, Stage::operational, names());
  for (int i = 0; i < 3; ++i) BOOST_TEST(!request(Stage::security, Stage::full_feature).transit());
  BOOST_TEST(request(Stage::security, Stage::operational, {"AuthMethod=None"}).status() ==
             LoginStatus::authentication_failure);
}

BOOST_AUTO_TEST_CASE(chap_offered_where_none_will_do) {
  group->attributes.authentication = false;
  BOOST_TEST((choose("CHAP,None").value("AuthMethod") == "CHAP"));
  begin();
  BOOST_TEST((choose("None,CHAP").value("AuthMethod") == "None"));
  begin();
  group->chap = {};
  BOOST_TEST((choose("CHAP,None").value("AuthMethod") == "None"));
  begin();
  BOOST_TEST(choose("CHAP").status() == LoginStatus::authentication_failure);
}

// The ACL's credentials and its own say on authentication come before the group's.
BOOST_AUTO_TEST_CASE(acl_credentials) {
  NodeAcl& acl = group->acls[std::string(kInitiator)];
  acl.chap = {"acl-user", "acl secret 12", "", ""};
  challenge();
  BOOST_TEST(respond("user", proof("secret of twelve")).status() ==
             LoginStatus::authentication_failure);
  begin();
  challenge();
  BOOST_TEST(respond("acl-user", proof("acl secret 12")).transit());
  begin();
  acl.authentication = false;
  BOOST_TEST((operational({}).state == LoginState::awaiting_admission));
  begin();
  acl.authentication = true;
  acl.chap = {};
  BOOST_TEST(choose().status() == LoginStatus::authentication_failure);
  BOOST_TEST(log.find("no CHAP userid is configured") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(discovery_authentication) {
  BOOST_TEST((request(Stage::operational, Stage::full_feature, discovery_names()).state ==
              LoginState::awaiting_admission));
  inventory.discovery_authentication = true;
  inventory.discovery_chap = {"finder", "a finder's secret", "", ""};
  begin();
  BOOST_TEST(request(Stage::operational, Stage::full_feature, discovery_names()).status() ==
             LoginStatus::authentication_failure);
  begin();
  const Reply reply = request(Stage::security, Stage::operational,
                              discovery_names() + text_of({"AuthMethod=CHAP", "CHAP_A=5"}));
  BOOST_TEST((reply.value("CHAP_A") == "5"));
}

// R3720-5.1, R3720-11.1.4-07.
BOOST_AUTO_TEST_CASE(binary_values) {
  const auto bytes = [](std::initializer_list<int> values) {
    Bytes result;
    for (int value : values) result.push_back(static_cast<std::byte>(value));
    return std::optional(result);
  };
  BOOST_TEST((decode_binary("0x0aFf") == bytes({0x0a, 0xff})));
  BOOST_TEST((decode_binary("0Xabc") == bytes({0x0a, 0xbc})));  // an odd first digit
  BOOST_TEST((decode_binary("0bAQID") == bytes({1, 2, 3})));
  BOOST_TEST((decode_binary("0BAQI=") == bytes({1, 2})));
  BOOST_TEST((decode_binary("0bAQ==") == bytes({1})));
  BOOST_TEST((decode_binary("0b+/+/") == bytes({0xfb, 0xff, 0xbf})));
  for (std::string_view bad :
       {"", "0", "0x", "0b", "0xg0", "0bAQIDB", "0bA*==", "0b====", "1234", "x0a", "0bA=QI"})
    BOOST_TEST(!decode_binary(bad), bad);
  BOOST_TEST(decode_binary("0x" + std::string(2048, '1')).has_value());
  BOOST_TEST(!decode_binary("0x" + std::string(2049, '1')));
  BOOST_TEST(!decode_binary("0b" + std::string(1368, 'A')));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tsihd::session
