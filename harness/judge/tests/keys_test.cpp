// Red when: a wrong key, value, answer or step of an authentication is not seen by its rule, or a
// right one is called wrong.
#include <boost/test/unit_test.hpp>

#include "harness/judge/tests/dialogue.h"

using namespace tsih;
using namespace tsih::judge;
using namespace tsih::judge::testing;

namespace {

struct Row {
  const char* about;
  TextKeys asks, answers;  ///< of the operational stage
  const char* broken;      ///< exactly these rules
};

const TextKeys kNone;

// One operational exchange that ends the login.
const Row kOperationalRows[] = {
    {"nothing", {}, {}, ""},
    {"all keys",
     {{"HeaderDigest", "CRC32C,None"},
      {"DataDigest", "None"},
      {"MaxConnections", "8"},
      {"InitialR2T", "No"},
      {"ImmediateData", "Yes"},
      {"MaxRecvDataSegmentLength", "0x10000"},
      {"MaxBurstLength", "262144"},
      {"FirstBurstLength", "65536"},
      {"DefaultTime2Wait", "2"},
      {"DefaultTime2Retain", "20"},
      {"MaxOutstandingR2T", "16"},
      {"DataPDUInOrder", "Yes"},
      {"DataSequenceInOrder", "No"},
      {"ErrorRecoveryLevel", "2"},
      {"OFMarkInt", "2048~8192"},
      {"X-com.example.do_something", "3"}},
     {{"HeaderDigest", "None"},
      {"DataDigest", "None"},
      {"MaxConnections", "1"},
      {"InitialR2T", "Yes"},
      {"ImmediateData", "No"},
      {"MaxRecvDataSegmentLength", "8192"},
      {"MaxBurstLength", "4096"},
      {"FirstBurstLength", "Irrelevant"},
      {"DefaultTime2Wait", "3"},
      {"DefaultTime2Retain", "0"},
      {"MaxOutstandingR2T", "1"},
      {"DataSequenceInOrder", "No"},
      {"ErrorRecoveryLevel", "0"},
      {"OFMarkInt", "4096"},
      {"X-com.example.do_something", "NotUnderstood"}},
     ""},
    {"a name with a small letter",
     {{"initialR2T", "No"}},
     {{"initialR2T", "NotUnderstood"}},
     "keys.name"},
    {"a name of 64 bytes",
     {{std::string(64, 'A'), "1"}},
     {{std::string(64, 'A'), "NotUnderstood"}},
     "keys.name"},
    {"an extension with a blank",
     {{"X-a b", "1"}},
     {{"X-a b", "NotUnderstood"}},
     "keys.extension_name"},
    {"a registered extension with a small letter",
     {{"X#a", "1"}},
     {{"X#a", "NotUnderstood"}},
     "keys.registered_name"},
    {"a decimal number of 2^64",
     {{"MaxConnections", "18446744073709551616"}},
     {{"MaxConnections", "Reject"}},
     "keys.decimal"},
    {"a name with a blank",
     {{"TargetName", "iqn.2026-01.example:a b"}},
     {},
     "keys.node_name keys.target_name_once login.repetition_refused"},
    {"a name of a thirteenth month",
     {{"TargetName", "iqn.2026-13.example:a"}},
     {},
     "keys.iqn_date keys.target_name_once login.repetition_refused"},
    {"a range that falls", {{"OFMarkInt", "8192~2048"}}, {{"OFMarkInt", "Reject"}}, "keys.range"},
    {"a reserved word proposed",
     {{"MaxBurstLength", "Irrelevant"}},
     {{"MaxBurstLength", "Reject"}},
     "keys.reserved_word"},
    {"a list answered with another value",
     {{"HeaderDigest", "None"}},
     {{"HeaderDigest", "CRC32C"}},
     "keys.list_answer"},
    {"a list rejected", {{"HeaderDigest", "CRC32C"}}, {{"HeaderDigest", "Reject"}}, ""},
    {"a key of the RFC not understood",
     {{"MaxConnections", "1"}},
     {{"MaxConnections", "NotUnderstood"}},
     "keys.understood"},
    {"a minimum that grows",
     {{"MaxBurstLength", "4096"}},
     {{"MaxBurstLength", "8192"}},
     "keys.number_answer"},
    {"a maximum that shrinks",
     {{"DefaultTime2Wait", "4"}},
     {{"DefaultTime2Wait", "3"}},
     "keys.number_answer"},
    {"an answer below the bounds",
     {{"MaxBurstLength", "4096"}},
     {{"MaxBurstLength", "511"}},
     "keys.number_answer"},
    {"a proposal out of bounds taken",
     {{"MaxOutstandingR2T", "0"}},
     {{"MaxOutstandingR2T", "0"}},
     "keys.bounds"},
    {"a proposal out of bounds rejected",
     {{"MaxOutstandingR2T", "0"}},
     {{"MaxOutstandingR2T", "Reject"}},
     ""},
    {"OR with Yes answered No",
     {{"InitialR2T", "Yes"}},
     {{"InitialR2T", "No"}},
     "keys.boolean_answer"},
    {"AND with Yes answered otherwise",
     {{"ImmediateData", "Yes"}},
     {{"ImmediateData", "yes"}},
     "keys.boolean_answer"},
    {"a range left", {{"OFMarkInt", "2048~8192"}}, {{"OFMarkInt", "1024"}}, "keys.range_answer"},
    {"a number not answered", {{"MaxConnections", "1"}}, {}, "keys.answered"},
    {"a boolean that needs no answer", {{"ImmediateData", "No"}, {"InitialR2T", "Yes"}}, {}, ""},
    {"an unknown key not answered", {{"X-com.example.x", "1"}}, {}, "keys.answered"},
    {"a question at the end", {}, {{"MaxConnections", "1"}}, "keys.login_asks_nothing_last"},
    {"a name twice",
     {{"InitiatorName", "iqn.2026-01.example.story:i"}},
     {},
     "keys.initiator_name_once login.repetition_refused"},
    {"a digest of no form",
     {{"HeaderDigest", "MD5,None"}},
     {{"HeaderDigest", "None"}},
     "keys.digest_name"},
    {"a digest of one's own",
     {{"HeaderDigest", "Y-com.example.sum,None"}},
     {{"HeaderDigest", "None"}},
     ""},
    {"SendTargets in the login", {{"SendTargets", "All"}}, {}, "keys.send_targets_in_full_feature"},
    {"an extension in discovery",
     {{"SessionType", "Discovery"}, {"X-com.example.x", "1"}},
     {{"X-com.example.x", "NotUnderstood"}},
     "keys.extension_in_discovery"},
    {"FirstBurstLength above MaxBurstLength",
     {{"MaxBurstLength", "1024"}, {"FirstBurstLength", "2048"}},
     {{"MaxBurstLength", "1024"}, {"FirstBurstLength", "2048"}},
     "login.first_burst"},
    {"many R2Ts with recovery",
     {{"ErrorRecoveryLevel", "1"}, {"MaxOutstandingR2T", "2"}, {"DataSequenceInOrder", "Yes"}},
     {{"ErrorRecoveryLevel", "1"}, {"MaxOutstandingR2T", "2"}},
     "login.outstanding_r2t"},
};

void chap(Dialogue& d, const TextKeys& first, const TextKeys& second, const TextKeys& third,
          const TextKeys& fourth) {
  d.choose_method("CHAP");
  d.login(kSecurity, first, second);
  d.login(kSecurity, third, fourth, kOperational);
  d.login(kOperational, {}, {}, kFullFeature);
}
const TextKeys kChap1{{"CHAP_A", "5"}};
const TextKeys kChap2{{"CHAP_A", "5"}, {"CHAP_I", "7"}, {"CHAP_C", "0x0102030405060708090a"}};
const TextKeys kChap3{{"CHAP_N", "i"}, {"CHAP_R", "0x0102030405060708090a0b0c0d0e0f10"}};
const TextKeys kChap3Mutual{{"CHAP_N", "i"},
                            {"CHAP_R", "0x0102030405060708090a0b0c0d0e0f10"},
                            {"CHAP_I", "8"},
                            {"CHAP_C", "0bAQIDBAUGBwgJ"}};

void srp(Dialogue& d, const TextKeys& groups, const TextKeys& a, const TextKeys& m,
         const TextKeys& proof) {
  d.choose_method("SRP");
  d.login(kSecurity, {{"SRP_U", "i"}, {"TargetAuth", "Yes"}}, groups);
  d.login(kSecurity, a, {{"SRP_B", "0x02"}});
  d.login(kSecurity, m, proof, kFullFeature);
}
const TextKeys kGroups{{"SRP_GROUP", "SRP-768,SRP-1536"}, {"SRP_s", "0x01"}};
const TextKeys kSrpA{{"SRP_A", "0x01"}, {"SRP_GROUP", "SRP-768"}};

const Tale kTales[] = {
    {"CHAP one way", [](Dialogue& d) { chap(d, kChap1, kChap2, kChap3, {}); }, ""},
    {"CHAP both ways", [](Dialogue& d) { chap(d, kChap1, kChap2, kChap3Mutual, kChap3); }, ""},
    {"the first step left out", [](Dialogue& d) { chap(d, {}, {}, kChap1, kChap2); },
     "keys.login_asks_nothing_last auth.chap_first"},
    {"CHAP without MD5",
     [](Dialogue& d) {
       TextKeys second = kChap2;
       second.set("CHAP_A", "7");
       chap(d, {{"CHAP_A", "6,7"}}, second, kChap3, {});
     },
     "auth.chap_md5"},
    {"an algorithm that was not offered",
     [](Dialogue& d) {
       TextKeys second = kChap2;
       second.set("CHAP_A", "7");
       chap(d, kChap1, second, kChap3, {});
     },
     "auth.chap_challenge auth.wrong_step"},
    {"a challenge left out",
     [](Dialogue& d) {
       chap(d, kChap1, {{"CHAP_A", "5"}, {"CHAP_I", "7"}}, kChap3, {});
     },
     "auth.chap_challenge auth.wrong_step"},
    {"a response left out",
     [](Dialogue& d) {
       chap(d, kChap1, kChap2, {{"CHAP_N", "i"}}, {});
     },
     "auth.chap_response"},
    {"half a challenge",
     [](Dialogue& d) {
       TextKeys third = kChap3;
       third.add("CHAP_I", "8");
       chap(d, kChap1, kChap2, third, {});
     },
     "auth.chap_both_ways"},
    {"a target that proves nothing",
     [](Dialogue& d) {
       chap(d, kChap1, kChap2, kChap3Mutual, {{"CHAP_N", "t"}});
     },
     "auth.chap_proof"},
    {"the target's own challenge back",
     [](Dialogue& d) {
       TextKeys third = kChap3Mutual;
       third.set("CHAP_C", *kChap2.value("CHAP_C"));
       chap(d, kChap1, kChap2, third, kChap3);
     },
     "auth.chap_own_challenge auth.reflection"},
    {"a challenge of 1025 bytes",
     [](Dialogue& d) {
       TextKeys second = kChap2;
       second.set("CHAP_C", "0x" + std::string(2050, '1'));
       chap(d, kChap1, second, kChap3, {});
     },
     "auth.chap_values"},
    {"a challenge in decimal",
     [](Dialogue& d) {
       TextKeys second = kChap2;
       second.set("CHAP_C", "12345");
       chap(d, kChap1, second, kChap3, {});
     },
     "keys.decimal auth.chap_values"},
    {"CHAP_T2 keys in discovery's text",
     [](Dialogue& d) {
       d.log_in();
       d.text({{"CHAP_A", "5"}}, {});
     },
     "keys.security_in_login"},
    {"KRB5",
     [](Dialogue& d) {
       d.choose_method("KRB5");
       d.login(kSecurity, {{"KRB_AP_REQ", "0x01"}}, {}, kFullFeature);
     },
     ""},
    {"KRB5 without its first step",
     [](Dialogue& d) {
       d.choose_method("KRB5");
       d.login(kSecurity, {}, {}, kFullFeature);
     },
     "auth.krb5_first"},
    {"KRB5 with more than it may say",
     [](Dialogue& d) {
       d.choose_method("KRB5");
       d.login(kSecurity, {{"KRB_AP_REQ", "no binary"}}, {}, kFullFeature);
     },
     "auth.krb5_values"},
    {"SPKM1",
     [](Dialogue& d) {
       d.choose_method("SPKM1");
       d.login(kSecurity, {{"SPKM_REQ", "0x01"}}, {{"SPKM_REP_TI", "0x02"}});
       d.login(kSecurity, {{"SPKM_REP_IT", "0x03"}}, {}, kFullFeature);
     },
     ""},
    {"SPKM1 without its steps",
     [](Dialogue& d) {
       d.choose_method("SPKM1");
       d.login(kSecurity, {{"SPKM_ERROR", "0x1"}}, {{"SPKM_ERROR", "0x1"}});
       d.login(kSecurity, {{"SPKM_REQ", "zero"}}, {}, kFullFeature);
     },
     "auth.spkm_first auth.spkm_answer auth.spkm_third auth.spkm_values auth.wrong_step"},
    {"SRP",
     [](Dialogue& d) {
       srp(d, kGroups, kSrpA, {{"SRP_M", "0x03"}}, {{"SRP_HM", "0x04"}});
     },
     ""},
    {"SRP with steps left out",
     [](Dialogue& d) {
       d.choose_method("SRP");
       d.login(kSecurity, {{"SRP_U", "i"}}, {{"SRP_GROUP", "SRP-768"}});
       d.login(kSecurity, {{"SRP_GROUP", "SRP-1024"}}, {{"SRP_s", "0x01"}});
       d.login(kSecurity, {{"TargetAuth", "Yes"}}, {{"SRP_B", "none"}}, kFullFeature);
     },
     "auth.srp_first auth.srp_groups auth.srp_1536 auth.srp_a auth.srp_group auth.srp_b auth.srp_m "
     "auth.srp_proof auth.srp_values auth.wrong_step"},
    {"an operational key in the security stage",
     [](Dialogue& d) {
       d.connect(50000);
       d.login(kSecurity, {{"MaxConnections", "1"}}, {{"MaxConnections", "1"}}, kFullFeature);
     },
     "keys.security_stage"},
    {"a method of no form",
     [](Dialogue& d) {
       d.connect(50000);
       d.login(kSecurity, {{"AuthMethod", "MINE,None"}}, {{"AuthMethod", "None"}}, kFullFeature);
     },
     "keys.method_name"},
    {"a login that says a key twice and is refused",
     [](Dialogue& d) {
       d.connect(50000);
       d.login(kOperational, {{"MaxConnections", "2"}}, {{"MaxConnections", "2"}});
       Pdu again(Opcode::login_request);
       again.set(field::immediate, 1).set(field::csg, 1).set(field::isid, 0x800000000001);
       again.set(field::cid, 1).set(field::initiator_task_tag, 1).set(field::cmd_sn, d.cmd_sn);
       again.set(field::exp_stat_sn, 101);
       again.data = wire::encode_text({{"MaxConnections", "1"}});
       d.initiator(again);
       Pdu refusal(Opcode::login_response);
       refusal.set(field::isid, 0x800000000001).set(field::initiator_task_tag, 1);
       refusal.set(field::status, 0x0200);
       d.target(refusal);
     },
     "keys.answered_once"},
    {"a target that says a key twice, and an initiator that goes on",
     [](Dialogue& d) {
       d.connect(50000);
       d.login(kOperational, {}, {{"MaxConnections", "2"}});
       d.login(kOperational, {{"MaxConnections", "1"}}, {{"MaxConnections", "1"}});
       d.login(kOperational, {}, {}, kFullFeature);
     },
     "keys.answered_once login.repetition_ends"},
    {"a leading key on a further connection",
     [](Dialogue& d) {
       d.log_in();
       d.connect(50001, 2);
       d.asked_handle = d.handle;
       d.log_in({{"MaxConnections", "1"}}, {{"MaxConnections", "1"}});
     },
     "keys.leading_only"},
    {"a leading key in a Text Request",
     [](Dialogue& d) {
       d.log_in();
       d.text({{"MaxBurstLength", "512"}}, {{"MaxBurstLength", "Reject"}});
     },
     "keys.leading_only"},
    {"no names",
     [](Dialogue& d) {
       d.connect(50000);
       Pdu out(Opcode::login_request);
       out.set(field::immediate, 1).set(field::csg, 1).set(field::isid, 1).set(field::cid, 1);
       out.set(field::cmd_sn, 1);
       d.initiator(out);
     },
     "keys.not_empty login.initiator_name login.target_name"},
    {"no portal group",
     [](Dialogue& d) {
       d.connect(50000);
       d.login(kOperational,
               {{"SessionType", "Discovery"}, {"TargetName", "iqn.2026-01.example.story:t"}}, {},
               kFullFeature);
     },
     "login.portal_group"},
    {"a list of targets without groups, asked for by a wrong name",
     [](Dialogue& d) {
       d.log_in({{"SessionType", "Discovery"}});
       d.text({{"Sendtargets", "All"}}, {{"TargetName", "iqn.2026-01.example.story:t"},
                                         {"TargetAddress", "10.0.0.1:3260"},
                                         {"Sendtargets", "NotUnderstood"}});
     },
     "keys.send_targets keys.address_group"},
    {"SendTargets for what is no target",
     [](Dialogue& d) {
       d.log_in({{"SessionType", "Discovery"}});
       d.text({{"SendTargets", "Some"}}, {{"SendTargets", "Reject"}});
     },
     "keys.send_targets_value"},
    {"a Text Response that asks at the end",
     [](Dialogue& d) {
       d.log_in();
       d.text({{"X-com.example.x", "1"}}, {{"X-com.example.x", "1"}, {"MaxConnections", "1"}});
     },
     "keys.leading_only keys.text_asks_nothing_last"},
    {"text that is none",
     [](Dialogue& d) {
       d.log_in();
       Pdu out = d.request(Opcode::text_request, 700);
       out.set(field::target_transfer_tag, wire::kReservedTag);
       out.data = {'A', '=', '1', 0, 'B', 0};
       d.initiator(out);
     },
     "keys.format"},
    {"a version that the target did not name",
     [](Dialogue& d) {
       d.connect(50000);
       Pdu out(Opcode::login_request);
       out.set(field::immediate, 1).set(field::csg, 1).set(field::isid, 1).set(field::cid, 1);
       out.set(field::version_max, 0);
       out.data = wire::encode_text(
           {{"InitiatorName", "iqn.2026-01.a:i"}, {"TargetName", "iqn.2026-01.a:t"}});
       d.initiator(out);
       Pdu in = d.response(Opcode::login_response, 0);
       in.header[1] = 4;
       in.set(field::isid, 1).set(field::exp_cmd_sn, 0).set(field::max_cmd_sn, 0);
       in.set(field::version_max, 2).set(field::version_active, 2);
       in.data = wire::encode_text({{"TargetPortalGroupTag", "1"}});
       d.target(in);
       out.set(field::exp_stat_sn, 101).data.clear();
       d.initiator(out);
     },
     "login.version login.version_of_target"},
};

}  // namespace

std::string tsih::judge::testing::broken_by_keys_test() {
  std::string names;
  for (const Row& row : kOperationalRows) names += std::string(" ") + row.broken;
  return names + rules_in(kTales);
}

BOOST_AUTO_TEST_SUITE(keys)

BOOST_AUTO_TEST_CASE(operational_keys) {
  for (const Row& row : kOperationalRows) {
    Dialogue dialogue;
    dialogue.log_in(row.asks, row.answers);
    const std::string broken = dialogue.broken();
    BOOST_TEST(broken == row.broken,
               row.about << ": expected \"" << row.broken << "\", got \"" << broken << "\"");
  }
}

BOOST_AUTO_TEST_CASE(whole_exchanges) { check(kTales); }

BOOST_AUTO_TEST_SUITE_END()
