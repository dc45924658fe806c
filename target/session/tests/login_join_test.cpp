// Logins with a TSIH: connections that join a session, or take the place of one of its own (RFC
// 3720 5.3.1, 5.3.4, 10.12.6, 12).
#include "target/session/tests/login_support.h"

namespace tsihd::session {
namespace {

constexpr std::uint16_t kTsih = 9;

struct JoinFixture : LoginFixture {
  JoinFixture() {
    directory.tsih = kTsih;
    NegotiatedParameters& session = directory.parameters;
    session.header_digest = true;
    session.data_digest = true;
    session.max_connections = 4;
    session.initial_r2t = false;
    session.initiator_max_recv_data_segment_length_bytes = 65536;
    session.target_max_recv_data_segment_length_bytes = 65536;
    session.max_burst_length_bytes = 16384;
    session.first_burst_length_bytes = 4096;
    session.error_recovery_level = 2;
    header.tsih = kTsih;
  }
  void begin_again() {
    begin();
    header.tsih = kTsih;
  }
};

BOOST_FIXTURE_TEST_SUITE(login_join, JoinFixture)

// R3720-10.12.6-04 and the table of 5.3.1; 10.13.3: the response carries the TSIH of the request.
BOOST_AUTO_TEST_CASE(tsih_of_a_session) {
  Reply reply = operational({});
  BOOST_TEST((reply.state == LoginState::awaiting_admission));
  BOOST_TEST(login->identity().tsih == kTsih);
  reply = admit(kTsih);
  BOOST_TEST(reply.bhs.tsih == kTsih);
}

BOOST_AUTO_TEST_CASE(tsih_of_no_session) {
  header.tsih = kTsih + 1;
  BOOST_TEST(operational({}).status() == LoginStatus::session_does_not_exist);
  begin_again();
  header.isid[0] = 0x80;  // 5.3.1: "new", whatever the TSIH
  BOOST_TEST(operational({}).status() == LoginStatus::session_does_not_exist);
}

// Appendix D: sessions do not span addresses of different portal groups.
BOOST_AUTO_TEST_CASE(session_of_another_portal_group) {
  auto second = std::make_unique<PortalGroup>();
  second->tag = 8;
  second->portals.push_back({"127.0.0.2", 3260});
  directory.group = second.get();
  inventory.targets[0]->portal_groups.push_back(std::move(second));
  BOOST_TEST(operational({}).status() == LoginStatus::cannot_include_in_session);
  BOOST_TEST(log.find("portal group 8, this address is of 7") != std::string::npos);
}

// The only session of a discovery session's initiator is none that can be joined (12.21).
BOOST_AUTO_TEST_CASE(discovery_sessions_cannot_be_joined) {
  const Reply reply = request(Stage::operational, Stage::full_feature, discovery_names());
  BOOST_TEST(reply.status() == LoginStatus::session_does_not_exist);
}

// R3720-12-01. Each of section 12's LO keys.
BOOST_AUTO_TEST_CASE(leading_only_keys_are_refused) {
  for (std::string_view pair :
       {"MaxConnections=2", "InitialR2T=Yes", "ImmediateData=Yes", "MaxBurstLength=16384",
        "FirstBurstLength=4096", "DefaultTime2Wait=2", "DefaultTime2Retain=20",
        "MaxOutstandingR2T=1", "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes",
        "ErrorRecoveryLevel=2"}) {
    begin_again();
    BOOST_TEST_CONTEXT(pair) {
      BOOST_TEST(operational({pair}).status() == LoginStatus::initiator_error);
    }
  }
}

// Stock initiators say SessionType=Normal in every login; it changes nothing.
BOOST_AUTO_TEST_CASE(normal_session_type_is_no_redeclaration) {
  BOOST_TEST(names().find("SessionType=Normal") != std::string::npos);
  BOOST_TEST((operational({}).state == LoginState::awaiting_admission));
}

// What is session-wide is the session's; what is a connection's own begins at its default and is
// negotiated anew (12.1, 12.12).
BOOST_AUTO_TEST_CASE(parameters_start_from_the_session) {
  BOOST_TEST((operational({}).state == LoginState::awaiting_admission));
  const NegotiatedParameters& plain = login->parameters();
  BOOST_TEST(plain.max_connections == 4u);
  BOOST_TEST(!plain.initial_r2t);
  BOOST_TEST(plain.max_burst_length_bytes == 16384u);
  BOOST_TEST(plain.first_burst_length_bytes == 4096u);
  BOOST_TEST(plain.error_recovery_level == 2u);
  BOOST_TEST(!plain.header_digest);
  BOOST_TEST(!plain.data_digest);
  BOOST_TEST(plain.initiator_max_recv_data_segment_length_bytes == 8192u);

  begin_again();
  const Reply reply = log_in({"HeaderDigest=CRC32C", "MaxRecvDataSegmentLength=4096"});
  BOOST_TEST((reply.value("HeaderDigest") == "CRC32C"));
  const NegotiatedParameters& own = login->parameters();
  BOOST_TEST(own.header_digest);
  BOOST_TEST(!own.data_digest);
  BOOST_TEST(own.initiator_max_recv_data_segment_length_bytes == 4096u);
  BOOST_TEST(own.target_max_recv_data_segment_length_bytes ==
             group->offered.max_recv_data_segment_length_bytes);
  BOOST_TEST(own.error_recovery_level == 2u);
}

// A portal group that has become stricter since: LO keys are not proposed, digests are.
BOOST_AUTO_TEST_CASE(only_connection_wide_keys_are_proposed) {
  group->offered.max_burst_length_bytes = 8192;
  group->offered.header_digest_none = false;
  const Reply reply = operational({});
  BOOST_TEST((reply.value("HeaderDigest") == "CRC32C"));
  BOOST_TEST(!reply.value("MaxBurstLength"));
}

// The directory's answer is used up when the login has begun: the session may end meanwhile.
BOOST_AUTO_TEST_CASE(session_that_ends_during_the_login) {
  request(Stage::security, Stage::operational, names());
  directory.tsih = 0;
  directory.parameters = {};
  BOOST_TEST(
      (request(Stage::operational, Stage::full_feature).state == LoginState::awaiting_admission));
  BOOST_TEST(login->parameters().error_recovery_level == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tsihd::session
