// Redirection (RFC 3720 10.13.5, 12.8): what is said, and when.
#include <fmt/format.h>

#include "target/session/chap_values.h"
#include "target/session/tests/login_support.h"

namespace tsihd::session {
namespace {

constexpr std::string_view kAddress = "192.0.2.7:3261";

struct RedirectFixture : LoginFixture {
  RedirectFixture() { group->attributes.redirect_address = kAddress; }
  void demand_chap() {
    group->attributes.authentication = true;
    group->chap = {"user", "secret of twelve", "target-user", "another secret"};
  }
  /// CHAP up to the keys that prove the initiator, with a request for `next`.
  Reply prove(std::optional<Stage> next, bool mutual) {
    request(Stage::security, Stage::operational, names() + text_of({"AuthMethod=CHAP"}));
    const Reply reply = request(Stage::security, Stage::operational, {"CHAP_A=5"});
    BOOST_REQUIRE(reply.status() == 0);
    const auto identifier = static_cast<std::uint8_t>(std::stoi(reply.value("CHAP_I").value()));
    const Bytes response = chap_response(ChapAlgorithm::md5, identifier, "secret of twelve",
                                         decode_binary(reply.value("CHAP_C").value()).value());
    std::string keys = text_of({"CHAP_N=user", fmt::format("CHAP_R={}", encode_hex(response))});
    if (mutual) keys += text_of({"CHAP_I=1", "CHAP_C=0x1234"});
    return request(Stage::security, next, keys);
  }
  static bool is_redirection(const Reply& reply, std::uint16_t status = 0x0101) {
    return reply.status() == status && reply.state == LoginState::failed &&
           reply.value("TargetAddress") == kAddress;
  }
};

const std::string kOnlyAddress = text_of({"TargetAddress=192.0.2.7:3261"});

BOOST_FIXTURE_TEST_SUITE(login_redirect, RedirectFixture)

// R3720-10.13.5-01, R3720-12.8-01, R3720-5.3.1-01: the address, without tag, and nothing else.
BOOST_AUTO_TEST_CASE(answered_at_once_without_authentication) {
  for (const Stage stage : {Stage::security, Stage::operational}) {
    begin();
    const Reply reply = request(stage, Stage::full_feature, names());
    BOOST_TEST(is_redirection(reply));
    BOOST_TEST(reply.text == kOnlyAddress);
    BOOST_TEST(login->refusal_status() == LoginStatus::moved_temporarily);
  }
  BOOST_TEST(log.find("login redirected initiator=iqn.2001-04.com.example:host") !=
             std::string::npos);
  group->attributes.redirect_permanent = true;
  begin();
  BOOST_TEST(is_redirection(operational({"MaxBurstLength=512"}), LoginStatus::moved_permanently));
}

// The names may come in parts; before they are whole there is nothing to redirect.
BOOST_AUTO_TEST_CASE(names_in_parts) {
  const std::string text = names();
  BOOST_TEST(part(Stage::operational, text.substr(0, 20)).status() == 0);
  BOOST_TEST(is_redirection(request(Stage::operational, Stage::full_feature, text.substr(20))));
}

// Who may not log in here learns no address.
BOOST_AUTO_TEST_CASE(strangers_are_refused_first) {
  group->attributes.generate_node_acls = false;
  BOOST_TEST(operational({}).status() == LoginStatus::authorization_failure);
  group->attributes.generate_node_acls = true;
  demand_chap();
  begin();
  BOOST_TEST(operational({}).status() == LoginStatus::authentication_failure);
  begin();
  request(Stage::security, Stage::operational, names() + text_of({"AuthMethod=CHAP"}));
  request(Stage::security, Stage::operational, {"CHAP_A=5"});
  const Reply reply = request(Stage::security, Stage::operational, {"CHAP_N=user", "CHAP_R=0x00"});
  BOOST_TEST(reply.status() == LoginStatus::authentication_failure);
  BOOST_TEST(!reply.value("TargetAddress"));
  begin();  // nor one that lingers in the security stage, or wants to leave it at once
  BOOST_TEST(request(Stage::security, std::nullopt, names()).status() == 0);
  BOOST_TEST(request(Stage::security, std::nullopt).status() == 0);
  BOOST_TEST(request(Stage::security, Stage::full_feature).status() == 0);
}

// R3720-10.13.5-03: after the security negotiation, where every initiator follows.
BOOST_AUTO_TEST_CASE(after_one_way_chap) {
  demand_chap();
  for (const auto next : {std::optional(Stage::operational), std::optional(Stage::full_feature),
                          std::optional<Stage>()}) {
    begin();
    const Reply reply = prove(next, false);
    BOOST_TEST(is_redirection(reply));
    BOOST_TEST(reply.text == kOnlyAddress);
  }
}

// The target proves itself before it sends anybody elsewhere.
BOOST_AUTO_TEST_CASE(after_mutual_chap) {
  demand_chap();
  Reply reply = prove(Stage::operational, true);
  BOOST_TEST((reply.transit() && reply.value("CHAP_R").has_value()));
  reply = request(Stage::operational, Stage::full_feature, {"MaxBurstLength=512"});
  BOOST_TEST(is_redirection(reply));
  BOOST_TEST(reply.text == kOnlyAddress);
  begin();
  reply = prove(std::nullopt, true);
  BOOST_TEST(reply.value("CHAP_R").has_value());
  BOOST_TEST(is_redirection(request(Stage::security, Stage::operational)));
  begin();
  reply = prove(Stage::full_feature, true);  // no response but this one will come
  BOOST_TEST(is_redirection(reply));
  BOOST_TEST((reply.value("CHAP_N") == "target-user"));
  BOOST_TEST(reply.value("CHAP_R").has_value());
}

// A discovery session is one of the node, not of a portal group.
BOOST_AUTO_TEST_CASE(discovery_is_served) {
  const Reply reply = request(Stage::operational, Stage::full_feature, discovery_names());
  BOOST_TEST((reply.state == LoginState::awaiting_admission));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tsihd::session
