// Red when: what comes again and may not, or comes again as another, is not seen: keys, challenges,
// data, statuses, commands, connections; or a recovery that is tried too early or too late.
#include <boost/test/unit_test.hpp>

#include "harness/judge/tests/dialogue.h"

using namespace tsih;
using namespace tsih::judge;
using namespace tsih::judge::testing;

namespace {

constexpr unsigned kAbort = 1, kReassign = 8, kForRecovery = 2;

/// At level 1 a read of four Data-Ins whose second one is asked for again.
void ask_again(Dialogue& d) {
  d.log_in_at_level("1");
  d.initiator(d.read(10, 2048));
  for (std::uint32_t i : {0u, 1u, 2u}) d.target(d.data_in(10, i, 512 * i, i == 1));
  d.initiator(d.snack(kDataSnack, 10, 1, 1));
}

/// At level 2 a read loses its connection, and another one of the session logs that out. The target
/// has answered that recovery has to wait 5 s and must come within 10 s more.
void log_out_the_lost(Dialogue& d, unsigned response = 0) {
  d.log_in_at_level("2");
  d.initiator(d.read(10, 2048));
  d.target(d.data_in(10, 0, 0));
  d.log_in_beside(2);
  Pdu out = d.request(Opcode::logout_request, 20, true);
  d.initiator(out.set(field::logout_reason, kForRecovery).set(field::cid, 1));
  d.target(d.response(Opcode::logout_response, 20)
               .set(field::response, response)
               .set(field::time2wait, 5)
               .set(field::time2retain, 10));
}
void reassign(Dialogue& d) {
  d.initiator(d.management(kReassign, 21, 10).set(field::exp_data_sn, 1));
}
void log_out_again(Dialogue& d) {
  Pdu out = d.request(Opcode::logout_request, 22, true);
  d.initiator(out.set(field::logout_reason, kForRecovery).set(field::cid, 1));
}

/// A text negotiation stops halfway with its connection, at level 2.
void lose_a_negotiation(Dialogue& d) {
  d.log_in_at_level("2");
  Pdu out = d.request(Opcode::text_request, 10);
  out.set(field::target_transfer_tag, wire::kReservedTag).set(field::final, 0);
  out.data = wire::encode_text({{"InitiatorAlias", "a"}});
  d.initiator(out);
  Pdu in = d.response(Opcode::text_response, 10);
  d.target(in.set(field::final, 0).set(field::target_transfer_tag, 5));
  d.scribe.shut(50000, From::initiator);
  d.log_in_beside(2);
}

/// A read with an R-Data SNACK, whose status comes with this SNACK Tag, and its tag once more.
void answer_r_data(Dialogue& d, std::uint32_t snack_tag) {
  d.log_in_at_level("1");
  d.initiator(d.read(10, 512));
  d.target(d.data_in(10, 0, 0, true));
  d.initiator(d.snack(kRDataSnack, 10, 0, 0).set(field::snack_tag, 6));
  d.target(d.data_in(10, 0, 0, true));
  d.target(d.good(10, 1).set(field::snack_tag, snack_tag));
  d.initiator(d.read(10, 512));
}

/// A CHAP login with this challenge of the target's, and this one of the initiator's.
void chap(Dialogue& d, const char* of_target, const char* of_initiator, bool goes_on) {
  d.choose_method("CHAP");
  d.login(kSecurity, {{"CHAP_A", "5"}}, {{"CHAP_A", "5"}, {"CHAP_I", "1"}, {"CHAP_C", of_target}});
  if (!goes_on) return;
  const std::string response = "0x" + std::string(32, '1');
  d.login(kSecurity,
          {{"CHAP_N", "i"}, {"CHAP_R", response}, {"CHAP_I", "2"}, {"CHAP_C", of_initiator}},
          {{"CHAP_N", "t"}, {"CHAP_R", response}}, kFullFeature);
}

/// A negotiation of full feature phase that would let the target send 1024 bytes, and fails.
void fail_to_negotiate(Dialogue& d) {
  d.log_in_at_level("0");
  Pdu out = d.request(Opcode::text_request, 30, true);
  out.set(field::target_transfer_tag, wire::kReservedTag);
  out.data = wire::encode_text({{"MaxRecvDataSegmentLength", "1024"}});
  d.initiator(out);
  d.target(d.reject(9, out));
}
Pdu long_data_in(Dialogue& d, std::size_t bytes) {
  Pdu pdu = d.data_in(10, 0, 0, true);
  pdu.data.assign(bytes, 5);
  return pdu;
}

const Tale kTales[] = {
    // Keys and challenges.
    {"a key that was answered, again",
     [](Dialogue& d) {
       d.connect(50000);
       d.login(kOperational, {{"HeaderDigest", "None"}}, {{"HeaderDigest", "None"}});
       d.login(kOperational, {{"HeaderDigest", "None"}}, {{"HeaderDigest", "None"}});
     },
     "keys.answered_once login.repetition_refused"},
    {"a key of one negotiation in the next one",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.text({{"MaxRecvDataSegmentLength", "1024"}}, {});
       d.text({{"MaxRecvDataSegmentLength", "512"}}, {});
     },
     ""},
    {"groups of SRP with a small letter, and too short",
     [](Dialogue& d) {
       d.choose_method("SRP");
       d.login(kSecurity, {{"SRP_U", "i"}, {"TargetAuth", "No"}},
               {{"SRP_GROUP", "SRP-1536,srp-768,SRP-512"}, {"SRP_s", "0x01"}});
     },
     "keys.srp_group auth.srp_modulus"},
    {"the initiator's challenge back on the next connection",
     [](Dialogue& d) {
       chap(d, "0x01020304", "0x05060708", true);
       d.connect(50001, 2);
       d.asked_handle = d.handle;
       chap(d, "0x05060708", "0x0a0b0c0d", true);
     },
     "auth.reflection"},
    {"the same, and the initiator ends it",
     [](Dialogue& d) {
       chap(d, "0x01020304", "0x05060708", true);
       d.connect(50001, 2);
       d.asked_handle = d.handle;
       chap(d, "0x05060708", "", false);
     },
     ""},
    {"the target's challenge back", [](Dialogue& d) { chap(d, "0x01020304", "0x01020304", true); },
     "auth.chap_own_challenge auth.reflection"},
    {"a limit that a failed negotiation declared",
     [](Dialogue& d) {
       fail_to_negotiate(d);
       d.initiator(d.read(10, 1024));
       d.target(long_data_in(d, 1024));
     },
     "keys.failed_negotiation"},
    {"the limit that was there before",
     [](Dialogue& d) {
       fail_to_negotiate(d);
       d.initiator(d.read(10, 512));
       d.target(long_data_in(d, 512));
     },
     ""},
    {"a limit that was agreed",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.text({{"MaxRecvDataSegmentLength", "1024"}}, {});
       d.initiator(d.read(10, 1024));
       d.target(long_data_in(d, 1024));
     },
     ""},
    // Data and statuses.
    {"other data",
     [](Dialogue& d) {
       ask_again(d);
       Pdu again = d.data_in(10, 1, 512, true);
       again.data.back() ^= 1;
       d.target(again);
     },
     "data_in.again"},
    {"another place for the same data",
     [](Dialogue& d) {
       ask_again(d);
       d.target(d.data_in(10, 1, 1536, true));
     },
     "data_in.again"},
    {"the same data, another window",
     [](Dialogue& d) {
       ask_again(d);
       d.target(d.data_in(10, 1, 512, true).set(field::max_cmd_sn, d.cmd_sn + 9));
     },
     ""},
    {"data in other pieces, asked for by R-Data SNACK after the status",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 1024));
       d.target(d.data_in(10, 0, 0));
       d.target(d.data_in(10, 1, 512, true));
       const Pdu status = d.good(10, 2);
       d.target(status);
       d.initiator(d.snack(kRDataSnack, 10, 0, 0)
                       .set(field::snack_tag, 6)
                       .set(field::exp_stat_sn, status.u32(field::stat_sn)));
       for (std::uint32_t i : {0u, 1u, 2u, 3u}) {
         Pdu piece = d.data_in(10, i, 256 * i, i == 3);
         piece.data.resize(256);
         d.target(piece);
       }
     },
     ""},
    {"a status without the tag of the R-Data SNACK, taken",
     [](Dialogue& d) { answer_r_data(d, 0); }, "snack.status_with_tag"},
    {"a status with it", [](Dialogue& d) { answer_r_data(d, 6); }, ""},
    // Commands.
    {"a SNACK in the login",
     [](Dialogue& d) {
       d.connect(50000);
       d.login(kOperational, {}, {});
       d.initiator(d.snack(kStatusSnack, wire::kReservedTag, 0, 0));
     },
     "login.only_in_login snack.in_full_feature"},
    {"numbers that overtake a retry",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       const Pdu command = d.read(10, 512);
       d.initiator(command);
       d.initiator(command);
       for (std::uint32_t tag : {11u, 12u, 13u}) {
         d.cmd_sn += 0x30000000;
         d.initiator(d.read(tag, 512));
       }
     },
     "numbering.cmd_sn numbering.window command.retry_not_overtaken"},
    {"numbers far behind a retry that was cleared away",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       const Pdu command = d.read(10, 512);
       d.initiator(command);
       d.initiator(command);
       d.initiator(d.read(11, 512));
       d.initiator(d.ping(30));
       d.target(d.response(Opcode::nop_in, 30).set(field::target_transfer_tag, wire::kReservedTag));
       for (std::uint32_t tag : {12u, 13u, 14u}) {
         d.cmd_sn += 0x30000000;
         d.initiator(d.read(tag, 512).set(field::exp_stat_sn, 102));
       }
     },
     "numbering.cmd_sn numbering.window"},
    // Recovery in time.
    {"a task is reassigned at once",
     [](Dialogue& d) {
       log_out_the_lost(d);
       reassign(d);
     },
     "recovery.waits"},
    {"a task is reassigned in time",
     [](Dialogue& d) {
       log_out_the_lost(d);
       d.scribe.wait(5);
       reassign(d);
     },
     ""},
    {"a task is reassigned too late",
     [](Dialogue& d) {
       log_out_the_lost(d);
       d.scribe.wait(15);
       reassign(d);
     },
     "recovery.in_time"},
    {"a logout that failed is tried again at once",
     [](Dialogue& d) {
       log_out_the_lost(d, 3);
       log_out_again(d);
     },
     "recovery.waits"},
    {"a logout that failed is tried again in time",
     [](Dialogue& d) {
       log_out_the_lost(d, 3);
       d.scribe.wait(6);
       log_out_again(d);
     },
     ""},
    {"a connection that the target dropped is reinstated in time",
     [](Dialogue& d) {
       d.log_in_at_level("2");
       d.target(d.async(kConnectionDropped, 10).set(field::parameter1, 1));
       d.scribe.close(50000, From::target);
       d.log_in_beside(1);
     },
     ""},
    {"a connection that the target dropped is reinstated too late",
     [](Dialogue& d) {
       d.log_in_at_level("2");
       d.target(d.async(kConnectionDropped, 10).set(field::parameter1, 1));
       d.scribe.close(50000, From::target);
       d.scribe.wait(11);
       d.log_in_beside(1);
     },
     "recovery.in_time"},
    {"a connection that the target ended is reinstated too late by the defaults",
     [](Dialogue& d) {
       d.log_in_at_level("2");
       d.scribe.close(50000, From::target);
       d.scribe.wait(22);
       d.log_in_beside(1);
     },
     "recovery.in_time closing.graceful closing.announced"},
    {"a connection that the initiator ended itself",
     [](Dialogue& d) {
       d.log_in_at_level("2");
       d.scribe.close(50000, From::initiator);
       d.scribe.wait(22);
       d.log_in_beside(1);
     },
     "closing.graceful"},
    {"a negotiation goes on elsewhere",
     [](Dialogue& d) {
       lose_a_negotiation(d);
       Pdu out = d.request(Opcode::text_request, 10);
       d.initiator(out.set(field::target_transfer_tag, 5));
     },
     "text.ends_with_connection closing.graceful"},
    {"a negotiation is aborted",
     [](Dialogue& d) {
       lose_a_negotiation(d);
       d.initiator(d.management(kAbort, 21, 10).set(field::ref_cmd_sn, d.cmd_sn - 1));
     },
     "closing.graceful"},
};

}  // namespace

std::string tsih::judge::testing::broken_by_again_test() { return rules_in(kTales); }

BOOST_AUTO_TEST_SUITE(again)

BOOST_AUTO_TEST_CASE(tales) { check(kTales); }

BOOST_AUTO_TEST_SUITE_END()
