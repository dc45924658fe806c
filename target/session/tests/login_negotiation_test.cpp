// The operational keys of RFC 3720 section 12, each by its rule.
#include "target/session/keys.h"
#include "target/session/tests/login_support.h"

namespace tsihd::session {
namespace {

BOOST_FIXTURE_TEST_SUITE(login_negotiation, LoginFixture)

// One key, what this target offers of it, what an initiator proposes, what the answer must be.
// Offers are the defaults of OfferedParameters. Red when a key's result function is another one.
BOOST_AUTO_TEST_CASE(each_key_by_its_rule) {
  const struct {
    std::string_view proposal, answer;
  } rows[] = {
      {"HeaderDigest=CRC32C,None", "CRC32C"},  // R3720-5.2.1-01: the initiator's order
      {"HeaderDigest=None,CRC32C", "None"},
      {"HeaderDigest=Y-com.example.sum,CRC32C", "CRC32C"},  // R3720-5.2.1-03
      {"HeaderDigest=Y-com.example.sum", "Reject"},
      {"DataDigest=Y#Registered,None", "None"},  // 12.1: extensions, private and registered
      {"DataDigest=CRC32C", "CRC32C"},
      {"DataDigest=None", "None"},
      {"DataDigest=", "Reject"},
      {"MaxConnections=8", "1"},
      {"MaxConnections=1", "1"},
      {"MaxConnections=0", "Reject"},  // R3720-5.2.2-02
      {"MaxConnections=65536", "Reject"},
      {"InitialR2T=No", "Yes"},  // OR with our Yes
      {"InitialR2T=Yes", "Yes"},
      {"InitialR2T=yes", "Reject"},  // 5.1: case matters
      {"ImmediateData=Yes", "Yes"},
      {"ImmediateData=No", "No"},
      {"ImmediateData=1", "Reject"},
      {"MaxBurstLength=512", "512"},
      {"MaxBurstLength=16777215", "262144"},
      {"MaxBurstLength=0x10000", "65536"},
      {"MaxBurstLength=0X10000", "65536"},
      {"MaxBurstLength=511", "Reject"},
      {"MaxBurstLength=16777216", "Reject"},
      {"MaxBurstLength=18446744073709551616", "Reject"},
      {"MaxBurstLength=065536", "Reject"},
      {"MaxBurstLength=1024~2048", "Reject"},  // R3720-5.2-06: no range here
      {"MaxBurstLength=-512", "Reject"},
      {"MaxBurstLength=", "Reject"},
      {"FirstBurstLength=512", "512"},
      {"FirstBurstLength=262144", "65536"},
      {"DefaultTime2Wait=0", "2"},  // the maximum
      {"DefaultTime2Wait=3600", "3600"},
      {"DefaultTime2Wait=3601", "Reject"},
      {"DefaultTime2Retain=0", "0"},
      {"DefaultTime2Retain=3600", "20"},
      {"MaxOutstandingR2T=16", "1"},
      {"MaxOutstandingR2T=0", "Reject"},
      {"DataPDUInOrder=No", "Yes"},
      {"DataPDUInOrder=Yes", "Yes"},
      {"DataSequenceInOrder=No", "Yes"},
      {"ErrorRecoveryLevel=2", "0"},
      {"ErrorRecoveryLevel=3", "Reject"},
      {"OFMarker=Yes", "No"},
      {"IFMarker=Yes", "No"},
      {"OFMarkInt=2048~8192", "Irrelevant"},
      {"IFMarkInt=1~65535", "Irrelevant"},
      {"X-com.example.key=1", "NotUnderstood"},  // R3720-5.2-07
      {"X#Registered=1", "NotUnderstood"},
      {"TaskReporting=RFC3720", "NotUnderstood"},
  };
  for (const auto& row : rows) {
    begin();
    const Reply reply = log_in({row.proposal});
    BOOST_TEST_CONTEXT(row.proposal) {
      BOOST_TEST(reply.status() == 0);
      const auto answer = reply.value(row.proposal.substr(0, row.proposal.find('=')));
      BOOST_REQUIRE(answer.has_value());
      BOOST_TEST(*answer == row.answer);
    }
  }
}

// R3720-5.2-10, R3720-5.2-11: every key of sections 11 and 12 and of appendix A is in the table.
BOOST_AUTO_TEST_CASE(every_key_is_understood) {
  for (std::string_view name : {"HeaderDigest",
                                "DataDigest",
                                "MaxConnections",
                                "SendTargets",
                                "TargetName",
                                "InitiatorName",
                                "TargetAlias",
                                "InitiatorAlias",
                                "TargetAddress",
                                "TargetPortalGroupTag",
                                "InitialR2T",
                                "ImmediateData",
                                "MaxRecvDataSegmentLength",
                                "MaxBurstLength",
                                "FirstBurstLength",
                                "DefaultTime2Wait",
                                "DefaultTime2Retain",
                                "MaxOutstandingR2T",
                                "DataPDUInOrder",
                                "DataSequenceInOrder",
                                "ErrorRecoveryLevel",
                                "SessionType",
                                "OFMarker",
                                "IFMarker",
                                "OFMarkInt",
                                "IFMarkInt",
                                "AuthMethod",
                                "CHAP_A",
                                "CHAP_I",
                                "CHAP_C",
                                "CHAP_N",
                                "CHAP_R",
                                "X#NodeArchitecture"})
    BOOST_TEST((find_key(name) != nullptr), name);
  for (const KeyRule& rule : key_rules()) BOOST_TEST(static_cast<unsigned>(rule.key) < 64u);
}

// RFC 4850: declared by the leading login, in the operational stage, once; logged, never answered.
BOOST_AUTO_TEST_CASE(node_architecture) {
  Reply reply = log_in({"X#NodeArchitecture=ExampleOS/v1,Initiator/1.05a\x1b[2J"});
  BOOST_TEST(reply.status() == 0);
  BOOST_TEST(!reply.value("X#NodeArchitecture"));
  BOOST_TEST(log.find("value=\"ExampleOS/v1,Initiator/1.05a?[2J\"") != std::string::npos);
  begin();
  request(Stage::operational, std::nullopt, names());
  reply = request(Stage::operational, Stage::full_feature, {"X#NodeArchitecture=a"});
  BOOST_TEST((reply.state == LoginState::awaiting_admission));
  begin();
  request(Stage::operational, std::nullopt, names() + text_of({"X#NodeArchitecture=a"}));
  reply = request(Stage::operational, Stage::full_feature, {"X#NodeArchitecture=b"});
  BOOST_TEST(reply.status() == LoginStatus::initiator_error);
  begin();
  reply = request(Stage::security, Stage::operational, names() + text_of({"X#NodeArchitecture=a"}));
  BOOST_TEST(reply.status() == LoginStatus::initiator_error);
}

// What holds in the session is what was answered; with nothing proposed, the RFC's defaults.
BOOST_AUTO_TEST_CASE(results) {
  group->offered.initial_r2t = false;
  group->offered.max_outstanding_r2t = 8;
  log_in({"HeaderDigest=CRC32C", "DataDigest=None", "InitialR2T=No", "ImmediateData=No",
          "MaxRecvDataSegmentLength=131072", "MaxBurstLength=131072", "FirstBurstLength=4096",
          "DefaultTime2Wait=5", "DefaultTime2Retain=10", "MaxOutstandingR2T=4"});
  const NegotiatedParameters& p = login->parameters();
  BOOST_TEST((p.header_digest && !p.data_digest && !p.initial_r2t && !p.immediate_data));
  BOOST_TEST(p.initiator_max_recv_data_segment_length_bytes == 131072u);
  BOOST_TEST(p.target_max_recv_data_segment_length_bytes == 262144u);
  BOOST_TEST(p.max_burst_length_bytes == 131072u);
  BOOST_TEST(p.first_burst_length_bytes == 4096u);
  BOOST_TEST((p.default_time2wait_s == 5u && p.default_time2retain_s == 10u));
  BOOST_TEST(p.max_outstanding_r2t == 4u);
  begin();
  log_in({});
  const NegotiatedParameters& d = login->parameters();
  BOOST_TEST((!d.header_digest && !d.data_digest && d.initial_r2t && d.immediate_data));
  BOOST_TEST(d.initiator_max_recv_data_segment_length_bytes == 8192u);
  BOOST_TEST((d.max_burst_length_bytes == 262144u && d.first_burst_length_bytes == 65536u));
}

// A login that never enters the operational stage declares nothing: 8192 holds for both sides.
BOOST_AUTO_TEST_CASE(nothing_declared_without_the_operational_stage) {
  request(Stage::security, Stage::full_feature, names());
  BOOST_TEST(!admit().value("MaxRecvDataSegmentLength"));
  BOOST_TEST(login->parameters().target_max_recv_data_segment_length_bytes == 8192u);
}

// R3720-12.12: a declaration out of range cannot be answered.
BOOST_AUTO_TEST_CASE(declared_length_out_of_range) {
  for (std::string_view pair : {"MaxRecvDataSegmentLength=511", "MaxRecvDataSegmentLength=16777216",
                                "MaxRecvDataSegmentLength=Reject"}) {
    begin();
    BOOST_TEST(operational({pair}).status() == LoginStatus::initiator_error);
  }
}

// R3720-5.2-08: answers are no proposals.
BOOST_AUTO_TEST_CASE(reserved_words_as_proposals) {
  for (std::string_view pair :
       {"MaxBurstLength=Reject", "ImmediateData=Irrelevant", "HeaderDigest=NotUnderstood"}) {
    begin();
    BOOST_TEST(operational({pair}).status() == LoginStatus::initiator_error);
  }
}

// R3720-5.3-12, R3720-5.3-13: within a text and across requests, unknown keys too.
BOOST_AUTO_TEST_CASE(repeated_keys) {
  BOOST_TEST(operational({"MaxBurstLength=512", "MaxBurstLength=512"}).status() ==
             LoginStatus::initiator_error);
  for (std::string_view pair : {"MaxBurstLength=512", "X-com.example.key=1"}) {
    begin();
    request(Stage::operational, std::nullopt, names() + text_of({pair}));
    BOOST_TEST(request(Stage::operational, Stage::full_feature, {pair}).status() ==
               LoginStatus::initiator_error);
  }
}

// R3720-12.14-01, whatever the order of the keys.
BOOST_AUTO_TEST_CASE(first_burst_within_max_burst) {
  Reply reply = log_in({"FirstBurstLength=65536", "MaxBurstLength=4096"});
  BOOST_TEST((reply.value("FirstBurstLength") == "4096"));
  begin();
  log_in({"MaxBurstLength=4096"});  // the default of FirstBurstLength follows
  BOOST_TEST(login->parameters().first_burst_length_bytes == 4096u);
  begin();
  request(Stage::operational, std::nullopt, names() + text_of({"FirstBurstLength=65536"}));
  reply = request(Stage::operational, Stage::full_feature, {"MaxBurstLength=4096"});
  BOOST_TEST(reply.status() == LoginStatus::initiator_error);  // R3720-5.2-14
}

// R3720-12.19-02.
BOOST_AUTO_TEST_CASE(one_r2t_with_recovery_in_order) {
  group->offered.error_recovery_level = 1;
  group->offered.max_outstanding_r2t = 8;
  BOOST_TEST(
      (log_in({"MaxOutstandingR2T=8", "ErrorRecoveryLevel=2"}).value("MaxOutstandingR2T") == "1"));
  begin();
  BOOST_TEST(
      (log_in({"MaxOutstandingR2T=8", "ErrorRecoveryLevel=0"}).value("MaxOutstandingR2T") == "8"));
}

// Section 12, "Irrelevant when SessionType=Discovery".
BOOST_AUTO_TEST_CASE(irrelevant_in_discovery) {
  const Reply reply = [&] {
    request(Stage::operational, Stage::full_feature,
            discovery_names() +
                text_of({"MaxConnections=4", "InitialR2T=No", "ImmediateData=Yes",
                         "MaxBurstLength=65536", "FirstBurstLength=65536", "MaxOutstandingR2T=1",
                         "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes", "DefaultTime2Wait=0",
                         "DefaultTime2Retain=0", "ErrorRecoveryLevel=0", "HeaderDigest=CRC32C"}));
    return admit();
  }();
  for (std::string_view key :
       {"MaxConnections", "InitialR2T", "ImmediateData", "MaxBurstLength", "FirstBurstLength",
        "MaxOutstandingR2T", "DataPDUInOrder", "DataSequenceInOrder"})
    BOOST_TEST((reply.value(key) == "Irrelevant"), key);
  BOOST_TEST((reply.value("DefaultTime2Wait") == "2"));
  BOOST_TEST((reply.value("ErrorRecoveryLevel") == "0"));
  BOOST_TEST((reply.value("HeaderDigest") == "CRC32C"));
}

// 5.3, R3720-11-01: a key in the wrong stage.
BOOST_AUTO_TEST_CASE(keys_in_the_wrong_stage) {
  BOOST_TEST(request(Stage::security, Stage::operational, names() + text_of({"MaxBurstLength=512"}))
                 .status() == LoginStatus::initiator_error);
  begin();
  BOOST_TEST(operational({"AuthMethod=None"}).status() == LoginStatus::initiator_error);
  begin();
  BOOST_TEST(
      (request(Stage::security, Stage::operational, names() + text_of({"X-com.example.key=1"}))
           .value("X-com.example.key") == "NotUnderstood"));
}

// Configuration tighter than the defaults, and an initiator that proposes nothing: the target
// does, and the stage does not end before the answers (R3720-5.3-10).
BOOST_AUTO_TEST_CASE(proposals_of_the_target) {
  group->offered.immediate_data = false;
  group->offered.max_burst_length_bytes = 16384;
  group->offered.default_time2wait_s = 4;
  Reply reply = operational({"DefaultTime2Retain=20"});
  BOOST_TEST((reply.state == LoginState::exchanging));
  BOOST_TEST(!reply.transit());
  BOOST_TEST((reply.value("ImmediateData") == "No"));
  BOOST_TEST((reply.value("MaxBurstLength") == "16384"));
  BOOST_TEST((reply.value("DefaultTime2Wait") == "4"));
  BOOST_TEST(!reply.value("FirstBurstLength"));
  reply = request(Stage::operational, Stage::full_feature, {"MaxBurstLength=8192"});
  BOOST_TEST(!reply.transit());  // two answers are still missing
  BOOST_TEST(reply.text.empty());
  reply =
      request(Stage::operational, Stage::full_feature, {"ImmediateData=No", "DefaultTime2Wait=9"});
  BOOST_TEST((reply.state == LoginState::awaiting_admission));
  BOOST_TEST(admit().text.empty());  // an answer is not answered
  const NegotiatedParameters& p = login->parameters();
  BOOST_TEST(!p.immediate_data);
  BOOST_TEST(p.max_burst_length_bytes == 8192u);
  BOOST_TEST(p.first_burst_length_bytes == 8192u);
  BOOST_TEST(p.default_time2wait_s == 9u);
}

// R3720-5.2.2: an answer that the rule does not admit ends the login.
BOOST_AUTO_TEST_CASE(inadmissible_answers) {
  group->offered.immediate_data = false;
  for (std::string_view pair : {"ImmediateData=Yes", "ImmediateData=Reject", "ImmediateData=x"}) {
    begin();
    operational({});
    BOOST_TEST(request(Stage::operational, Stage::full_feature, {pair}).status() ==
               LoginStatus::initiator_error);
  }
}

BOOST_AUTO_TEST_CASE(answers_out_of_range) {
  group->offered.max_burst_length_bytes = 16384;
  for (std::string_view pair : {"MaxBurstLength=511", "MaxBurstLength=16385"}) {
    begin();
    operational({});
    BOOST_TEST(request(Stage::operational, Stage::full_feature, {pair}).status() ==
               LoginStatus::initiator_error);
  }
}

// 5.3: the next stage is the target's to select, not beyond what was asked for.
BOOST_AUTO_TEST_CASE(detour_over_the_operational_stage) {
  group->offered.header_digest_none = false;
  Reply reply = request(Stage::security, Stage::full_feature, names());
  BOOST_TEST((reply.transit() && reply.next() == Stage::operational));
  reply = request(Stage::operational, Stage::full_feature);
  BOOST_TEST((reply.value("HeaderDigest") == "CRC32C"));
  reply = request(Stage::operational, Stage::full_feature, {"HeaderDigest=CRC32C"});
  BOOST_TEST((reply.state == LoginState::awaiting_admission));
  BOOST_TEST(login->parameters().header_digest);
}

BOOST_AUTO_TEST_CASE(digest_demanded_and_refused) {
  group->offered.data_digest_none = false;
  BOOST_TEST(operational({"DataDigest=None"}).status() == LoginStatus::initiator_error);
  begin();
  group->offered.data_digest_none = true;
  group->offered.data_digest_crc32c = false;
  BOOST_TEST((log_in({"DataDigest=CRC32C,None"}).value("DataDigest") == "None"));
}

BOOST_AUTO_TEST_CASE(numbers) {
  BOOST_TEST((parse_number("0") == 0u));
  BOOST_TEST((parse_number("18446744073709551615") == UINT64_MAX));
  BOOST_TEST(!parse_number("18446744073709551616"));
  BOOST_TEST((parse_number("0xffffffffffffffff") == UINT64_MAX));
  BOOST_TEST(!parse_number("0x10000000000000000"));
  for (std::string_view bad : {"", "0x", "00", "01", "1 ", " 1", "1a", "0xg", "+1", "-1", "0b1"})
    BOOST_TEST(!parse_number(bad), bad);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tsihd::session
