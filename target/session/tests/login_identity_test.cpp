// Who may log in where (RFC 3720 5.3, 5.3.1, 10.13.5, 12.4, 12.5, 12.21).
#include "target/session/login_identity.h"

#include "target/session/tests/login_support.h"

namespace tsihd::session {
namespace {

BOOST_FIXTURE_TEST_SUITE(login_identity, LoginFixture)

std::uint16_t status_with(LoginFixture& fixture, std::initializer_list<std::string_view> pairs) {
  fixture.begin();
  return fixture.request(Stage::operational, Stage::full_feature, pairs).status();
}

// R3720-5.3-01, R3720-5.3-03, R3720-12.4-01, R3720-12.5-01.
BOOST_AUTO_TEST_CASE(missing_names) {
  BOOST_TEST(status_with(*this, {"TargetName=iqn.2001-04.com.example:disk"}) ==
             LoginStatus::missing_parameter);
  BOOST_TEST(status_with(*this, {"InitiatorName=iqn.2001-04.com.example:host"}) ==
             LoginStatus::missing_parameter);
  BOOST_TEST(status_with(*this, {}) == LoginStatus::missing_parameter);
}

BOOST_AUTO_TEST_CASE(names_that_are_none) {
  BOOST_TEST(
      status_with(*this, {"InitiatorName=host", "TargetName=iqn.2001-04.com.example:disk"}) ==
      LoginStatus::initiator_error);
  BOOST_TEST(status_with(*this, {"InitiatorName=iqn.2001-04.com.example:host",
                                 "TargetName=disk"}) == LoginStatus::not_found);
  BOOST_TEST(status_with(*this, {"InitiatorName=iqn.2001-04.com.example:host",
                                 "TargetName=iqn.2001-04.com.example:other"}) ==
             LoginStatus::not_found);
}

// Names compare without regard to case (3.2.6.2): folded before ACL and registry see them.
BOOST_AUTO_TEST_CASE(names_are_folded) {
  group->attributes.generate_node_acls = false;
  group->acls[std::string(kInitiator)].initiator_name = kInitiator;
  const Reply reply = request(
      Stage::operational, Stage::full_feature,
      {"InitiatorName=IQN.2001-04.com.Example:HOST", "TargetName=iqn.2001-04.COM.example:disk"});
  BOOST_TEST((reply.state == LoginState::awaiting_admission));
  BOOST_TEST(login->identity().initiator_name == kInitiator);
  BOOST_TEST((login->identity().acl == &group->acls.begin()->second));
}

// R3720-10.13.5: 0202 for one without an ACL.
BOOST_AUTO_TEST_CASE(unknown_initiator) {
  group->attributes.generate_node_acls = false;
  BOOST_TEST(operational({}).status() == LoginStatus::authorization_failure);
  BOOST_TEST(log.find("initiator=iqn.2001-04.com.example:host") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(portals) {
  local_address = "127.0.0.2";
  begin();
  BOOST_TEST(operational({}).status() == LoginStatus::not_found);
  group->portals[0].address = "0.0.0.0";
  begin();
  BOOST_TEST((operational({}).state == LoginState::awaiting_admission));
  group->portals[0].port = 3261;
  begin();
  BOOST_TEST(operational({}).status() == LoginStatus::not_found);
}

BOOST_AUTO_TEST_CASE(portal_matching) {
  BOOST_TEST(portal_takes({"0.0.0.0", 3260}, "10.0.0.1", 3260));
  BOOST_TEST(!portal_takes({"0.0.0.0", 3260}, "fe80::1", 3260));
  BOOST_TEST(portal_takes({"::", 3260}, "fe80::1", 3260));
  BOOST_TEST(portal_takes({"::1", 3260}, "0:0:0:0:0:0:0:1", 3260));
  BOOST_TEST(portal_takes({"10.0.0.1", 3260}, "::ffff:10.0.0.1", 3260));
  BOOST_TEST(!portal_takes({"10.0.0.1", 3260}, "10.0.0.2", 3260));
  BOOST_TEST(portal_takes({"127.0.0.1", 0}, "127.0.0.1", 41234));
  BOOST_TEST(portal_takes({"fe80::1", 3260}, "fe80::1%eth0", 3260));
  BOOST_TEST(!portal_takes({"fe80::1", 3260}, "fe80::2%eth0", 3260));
}

// The group with the very address wins over one with a wildcard.
BOOST_AUTO_TEST_CASE(most_special_portal_group) {
  group->portals[0].address = "0.0.0.0";
  auto second = std::make_unique<PortalGroup>();
  second->tag = 8;
  second->attributes.generate_node_acls = true;
  second->portals.push_back({"127.0.0.1", 3260});
  inventory.targets[0]->portal_groups.push_back(std::move(second));
  BOOST_TEST((log_in().value("TargetPortalGroupTag") == "8"));
}

BOOST_AUTO_TEST_CASE(portal_group_that_is_not_enabled) {
  group->enabled = false;
  BOOST_TEST(operational({}).status() == LoginStatus::service_unavailable);
}

// R3720-12.21.
BOOST_AUTO_TEST_CASE(discovery) {
  Reply reply = request(Stage::operational, Stage::full_feature, discovery_names());
  BOOST_TEST((reply.state == LoginState::awaiting_admission));
  BOOST_TEST((login->identity().type == SessionType::discovery));
  BOOST_TEST((login->identity().target == nullptr));
  BOOST_TEST(!admit().value("TargetPortalGroupTag"));
}

// R3720-5.3.1-01: "for all session types when TargetName is given".
BOOST_AUTO_TEST_CASE(discovery_with_a_target_name) {
  request(Stage::operational, Stage::full_feature,
          discovery_names() + text_of({"TargetName=iqn.2001-04.com.example:disk"}));
  BOOST_TEST((admit().value("TargetPortalGroupTag") == "7"));
  BOOST_TEST((login->identity().target == nullptr));
}

BOOST_AUTO_TEST_CASE(session_type_that_is_none) {
  BOOST_TEST(
      status_with(*this, {"InitiatorName=iqn.2001-04.com.example:host", "SessionType=Special"}) ==
      LoginStatus::session_type_not_supported);
}

// R3720-12.4-02, R3720-12.5-02, R3720-5.3-13.
BOOST_AUTO_TEST_CASE(names_declared_again) {
  request(Stage::security, Stage::operational, names());
  BOOST_TEST(request(Stage::operational, Stage::full_feature,
                     {"InitiatorName=iqn.2001-04.com.example:host"})
                 .status() == LoginStatus::initiator_error);
  begin();
  request(Stage::operational, std::nullopt, discovery_names());
  BOOST_TEST(
      request(Stage::operational, Stage::full_feature, {"TargetName=iqn.2001-04.com.example:disk"})
          .status() == LoginStatus::initiator_error);
}

// R3720-12.6-01.
BOOST_AUTO_TEST_CASE(aliases) {
  group->offered.target_alias = "the disk";
  BOOST_TEST((log_in({"InitiatorAlias=a host"}).value("TargetAlias") == "the disk"));
  BOOST_TEST(login->identity().initiator_alias == "a host");
  begin();
  BOOST_TEST(operational({"InitiatorAlias=" + std::string(256, 'a')}).status() ==
             LoginStatus::initiator_error);
}

// What only targets send.
BOOST_AUTO_TEST_CASE(keys_of_the_other_party) {
  for (std::string_view pair :
       {"TargetAlias=x", "TargetPortalGroupTag=1", "TargetAddress=10.0.0.1,1", "SendTargets=All"}) {
    begin();
    BOOST_TEST(operational({pair}).status() == LoginStatus::initiator_error);
  }
}

BOOST_AUTO_TEST_CASE(log_lines_hold_no_control_characters) {
  operational({"ImmediateData=Yes", "ImmediateData=Yes"});
  BOOST_TEST(log.find("ImmediateData came more than once") != std::string::npos);
  log.clear();
  begin();
  operational({"HeaderDigest=\nfaked line", "HeaderDigest=x"});
  BOOST_TEST(std::count(log.begin(), log.end(), '\n') == 1);
  log.clear();
  begin();
  operational({"MaxConnections=\nfaked", "OFMarker=\nfaked", "DataDigest=Reject\nfaked"});
  operational({"ErrorRecoveryLevel=Reject"});
  BOOST_TEST(std::count(log.begin(), log.end(), '\n') <= 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tsihd::session
