// Red when: what recovery, several connections, Asynchronous Messages or the end of a connection
// demand is not seen to be broken, or a repetition that was asked for is called wrong.
#include <boost/test/unit_test.hpp>

#include "harness/judge/tests/dialogue.h"

using namespace tsih;
using namespace tsih::judge;
using namespace tsih::judge::testing;

namespace {

constexpr unsigned kLogoutForRecovery = 2, kReassign = 8;

/// A Data-In with A.
Pdu asks_for_ack(Dialogue& d, std::uint32_t tag, std::uint32_t number, std::uint32_t offset) {
  Pdu pdu = d.data_in(tag, number, offset);
  return pdu.set(field::acknowledge, 1).set(field::target_transfer_tag, 70).set(field::lun, kLun);
}

Pdu data_ack(Dialogue& d, std::uint32_t begin) {
  return d.snack(kDataAck, wire::kReservedTag, begin, 0)
      .set(field::target_transfer_tag, 70)
      .set(field::lun, kLun);
}

/// Connection 1 dies with task 10 at level 2, and connection 2 takes over.
void lose_the_connection(Dialogue& d) {
  d.log_in_at_level("2");
  d.initiator(d.read(10, 2048));
  d.target(d.data_in(10, 0, 0));
  d.target(d.data_in(10, 1, 512));
  d.log_in_beside(2);
}
void log_out_the_lost(Dialogue& d) {
  Pdu out = d.request(Opcode::logout_request, 20, true);
  out.set(field::logout_reason, kLogoutForRecovery).set(field::cid, 1);
  d.initiator(out);
  d.target(d.response(Opcode::logout_response, 20).set(field::time2retain, 20));
}

const Tale kTales[] = {
    // SNACK and what it brings again.
    {"data again, data acknowledged",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 2048));
       for (std::uint32_t i : {0u, 1u, 2u}) d.target(d.data_in(10, i, 512 * i, i == 1));
       d.initiator(d.snack(kDataSnack, 10, 1, 1));
       d.target(d.data_in(10, 1, 512, true));
       d.target(asks_for_ack(d, 10, 3, 1536).set(field::final, 1));
       d.initiator(data_ack(d, 4));
       d.target(d.good(10, 4));
       d.initiator(d.ping(30));
     },
     ""},
    {"a status again",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 512));
       d.target(d.data_in(10, 0, 0, true));
       const Pdu status = d.good(10, 1);
       d.target(status);
       d.initiator(d.snack(kStatusSnack, wire::kReservedTag, status.u32(field::stat_sn), 1)
                       .set(field::exp_stat_sn, status.u32(field::stat_sn)));
       Pdu again = status;
       d.target(again.set(field::max_cmd_sn, d.cmd_sn + 9));
     },
     ""},
    {"a status again, and another one",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 512));
       d.target(d.data_in(10, 0, 0, true));
       const Pdu status = d.good(10, 1);
       d.target(status);
       d.initiator(d.snack(kStatusSnack, wire::kReservedTag, status.u32(field::stat_sn), 1)
                       .set(field::exp_stat_sn, status.u32(field::stat_sn)));
       Pdu again = status;
       d.target(again.set(field::scsi_status, 8));
     },
     "numbering.repeated"},
    {"a status again that nobody asked for",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 512));
       d.target(d.data_in(10, 0, 0, true));
       const Pdu status = d.good(10, 1);
       d.target(status);
       d.target(status);
     },
     "numbering.stat_sn"},
    {"tags and runs of SNACKs",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 2048));
       d.target(d.data_in(10, 0, 0));
       d.initiator(d.snack(kDataSnack, wire::kReservedTag, 0, 1));
       d.initiator(d.snack(kDataSnack, 10, 0, 1).set(field::target_transfer_tag, 1));
       d.initiator(d.snack(kStatusSnack, 10, 0, 0));
       d.initiator(d.snack(kRDataSnack, 10, 1, 1).set(field::snack_tag, 5));
       d.initiator(d.snack(kRDataSnack, 10, 0, 0).set(field::snack_tag, 5));
     },
     "snack.no_task_tag snack.task_tag snack.snack_tag snack.no_transfer_tag snack.r_data_begin "
     "snack.run_length"},
    {"a SNACK behind the acknowledgement",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 512));
       d.target(d.data_in(10, 0, 0, true));
       d.target(d.good(10, 1));
       d.initiator(d.snack(kDataSnack, 10, 0, 1));
     },
     "snack.before_acknowledgement"},
    {"acknowledged data asked for again",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 2048));
       d.target(d.data_in(10, 0, 0));
       d.target(asks_for_ack(d, 10, 1, 512).set(field::final, 1));
       d.initiator(data_ack(d, 2));
       d.initiator(d.snack(kDataSnack, 10, 1, 1));
     },
     "snack.not_acknowledged"},
    {"a DataACK with a tag of its own",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(data_ack(d, 2));
     },
     "snack.ack_tag"},
    {"a DataACK over a hole",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 2048));
       d.target(d.data_in(10, 0, 0));
       d.initiator(d.snack(kDataSnack, 10, 0, 1));
       d.target(asks_for_ack(d, 10, 1, 512).set(field::final, 1));
       d.initiator(data_ack(d, 2));
     },
     "snack.ack_without_holes"},
    {"a status acknowledged over a hole",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 512));
       d.target(d.data_in(10, 0, 0, true));
       d.initiator(d.snack(kDataSnack, 10, 0, 1));
       d.target(d.good(10, 1));
       d.initiator(d.ping(30));
     },
     "snack.status_without_holes"},
    {"no DataACK",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 4096));
       d.target(d.data_in(10, 0, 0));
       d.target(asks_for_ack(d, 10, 1, 512).set(field::final, 1));
       d.scribe.wait(10);
       d.log_out();
     },
     "snack.ack_comes"},
    {"another limit, and data as it was",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       d.initiator(d.read(10, 2048));
       d.target(d.data_in(10, 0, 0));
       d.text({{"MaxRecvDataSegmentLength", "1024"}}, {});
       d.initiator(d.snack(kDataSnack, 10, 0, 1));
     },
     "snack.new_limit"},
    // Reassignment.
    {"a task goes on",
     [](Dialogue& d) {
       lose_the_connection(d);
       log_out_the_lost(d);
       d.initiator(d.management(kReassign, 21, 10).set(field::exp_data_sn, 2));
       d.target(d.response(Opcode::task_management_response, 21));
       d.target(d.data_in(10, 2, 1024));
       d.target(d.data_in(10, 3, 1536, true));
       d.target(d.good(10, 4));
     },
     ""},
    {"a reassignment without logout, not immediate, from too far on",
     [](Dialogue& d) {
       lose_the_connection(d);
       d.initiator(
           d.management(kReassign, 21, 10).set(field::exp_data_sn, 3).set(field::immediate, 0));
     },
     "management.reassign_immediate management.reassign_after_logout "
     "management.reassign_exp_data_sn"},
    {"a SNACK on another connection",
     [](Dialogue& d) {
       lose_the_connection(d);
       d.initiator(d.snack(kDataSnack, 10, 0, 1));
     },
     "snack.connection"},
    {"an abort on another connection",
     [](Dialogue& d) {
       lose_the_connection(d);
       d.initiator(d.management(1, 21, 10).set(field::ref_cmd_sn, d.cmd_sn - 1));
     },
     "management.abort_connection"},
    // Retries.
    {"a retry that fills a gap",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       const Pdu command = d.read(10, 512);
       d.initiator(command);
       d.initiator(command);
     },
     ""},
    {"a retry of what was acknowledged, changed, and elsewhere",
     [](Dialogue& d) {
       d.log_in_at_level("1");
       Pdu command = d.read(10, 512);
       d.initiator(command);
       d.initiator(d.ping(11));
       d.target(d.response(Opcode::nop_in, 11).set(field::target_transfer_tag, wire::kReservedTag));
       d.initiator(command.set(field::attribute, 1).set(field::exp_stat_sn, 102));
       d.log_in_beside(2);
       command.set(field::exp_stat_sn, 101);
       d.initiator(command);
     },
     "command.retry_same command.retry_fills_gap command.retry_connection"},
    // Several connections.
    {"a number that another connection has used",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.log_in_beside(2);
       d.use(50000);
       d.initiator(d.read(10, 512));
       d.use(50001);
       d.initiator(d.read(11, 512));
       Pdu again = d.read(12, 512);
       d.use(50000);
       d.initiator(again.set(field::cmd_sn, d.cmd_sn - 2).set(field::exp_stat_sn, 101));
     },
     "numbering.session_cmd_sn"},
    {"a handle that the session has not",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.log_in_beside(2, 77);
     },
     "login.tsih_kept login.handle_of_session"},
    {"a reinstated connection with another handle",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.log_in_beside(1, 77);
     },
     "login.tsih_kept login.handle_of_session login.reinstates_by_handle"},
    {"a handle of a session that is over",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.log_out();
       d.log_in_beside(1, 9);
     },
     "login.new_session"},
    {"a command on a session that is being closed, and one when it is over",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.log_in_beside(2);
       d.initiator(d.request(Opcode::logout_request, 20, true));
       d.use(50000);
       d.initiator(d.read(10, 512));
       d.use(50001);
       d.target(d.response(Opcode::logout_response, 20));
       d.use(50000);
       d.initiator(d.read(11, 512));
     },
     "logout.no_new_request_elsewhere logout.session_is_over"},
    // R2T, Reject, text.
    {"two R2Ts where one was agreed",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.initiator(d.write(10, 1024));
       d.target(d.r2t(10, 0, 0, 512));
       d.target(d.r2t(10, 1, 512, 512));
     },
     "r2t.outstanding"},
    {"a rejected command's number is passed over",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       const Pdu command = d.read(10, 512);
       d.initiator(command);
       d.target(d.reject(5, command).set(field::exp_cmd_sn, d.cmd_sn - 1));
       d.initiator(d.ping(11));
       d.target(d.response(Opcode::nop_in, 11).set(field::target_transfer_tag, wire::kReservedTag));
     },
     "reject.number_stays_open"},
    {"a rejected command comes again",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       const Pdu command = d.read(10, 512);
       d.initiator(command);
       d.target(d.reject(5, command).set(field::exp_cmd_sn, d.cmd_sn - 1));
       d.initiator(command);
       d.target(d.data_in(10, 0, 0, true));
       d.target(d.good(10, 1));
     },
     ""},
    {"a Reject with a number",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       Pdu command = d.read(10, 512);
       d.initiator(command);
       d.target(d.reject(5, command).set(field::data_sn, 1).set(field::exp_cmd_sn, d.cmd_sn - 1));
     },
     "reject.reserved"},
    {"a key twice in a Text Request, answered",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.text({{"InitiatorAlias", "a"}, {"InitiatorAlias", "b"}}, {});
     },
     "text.repetition_rejected"},
    {"SendTargets turned down",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.text({{"SendTargets", "All"}}, {{"SendTargets", "Reject"}});
     },
     ""},
    {"a negotiation that was rejected goes on",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       Pdu out = d.request(Opcode::text_request, 700, true);
       out.set(field::target_transfer_tag, wire::kReservedTag);
       out.data = wire::encode_text({{"InitiatorAlias", "a"}, {"InitiatorAlias", "b"}});
       d.initiator(out);
       d.target(d.reject(4, out));
       out.data.clear();
       d.initiator(out.set(field::target_transfer_tag, 5).set(field::exp_stat_sn, 102));
     },
     "text.starts_over"},
    // Asynchronous Messages.
    {"a logout that was asked for, in time",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.target(d.async(kLogoutRequested, 10));
       d.log_out(1);
     },
     ""},
    {"a logout that was asked for, late, for recovery, and a command before it",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.target(d.async(kLogoutRequested, 10));
       d.initiator(d.read(10, 512));
       d.scribe.wait(10);
       d.log_out(2);
     },
     "async.logout_in_time async.logout_reason async.no_new_command"},
    {"a negotiation that was asked for, late",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.target(d.async(kNegotiationRequested, 3));
       d.scribe.wait(3);
       d.text({}, {});
     },
     "async.negotiation_in_time"},
    {"a negotiation that was asked for, empty",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.target(d.async(kNegotiationRequested, 3));
       d.text({}, {});
     },
     ""},
    {"a message with what its event has not",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.target(d.async(kLogoutRequested, 10).set(field::parameter1, 1));
       d.target(d.async(kScsiEvent, 0));
     },
     "async.reserved async.sense"},
    // The end.
    {"a FIN in full feature phase",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.scribe.close(50000, From::initiator);
     },
     "closing.graceful"},
    {"a FIN of the target in full feature phase",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.scribe.close(50000, From::target);
     },
     "closing.graceful closing.announced"},
    {"a FIN of the target that was announced",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.target(d.async(kConnectionDropped, 0).set(field::parameter1, 1));
       d.scribe.close(50000, From::target);
     },
     ""},
    {"a FIN of the target behind a cold reset",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.initiator(d.management(7, 21, wire::kReservedTag).set(field::lun, 0));
       d.target(d.response(Opcode::task_management_response, 21));
       d.scribe.close(50000, From::target);
     },
     ""},
    {"a reset of the target while its session is reinstated",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.connect(50001);
       d.login(kOperational, {}, {});
       d.scribe.reset(50000, From::target);
       d.handle = 10;
       d.login(kOperational, {}, {}, kFullFeature);
     },
     ""},
    {"a reset of the target when the login that would reinstate its session was refused",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.connect(50001);
       d.login(kOperational, {}, {});
       d.initiator(Pdu(Opcode::login_request)
                       .set(field::immediate, 1)
                       .set(field::csg, kOperational)
                       .set(field::isid, 0x800000000001)
                       .set(field::cid, 1)
                       .set(field::initiator_task_tag, 1)
                       .set(field::cmd_sn, d.cmd_sn)
                       .set(field::exp_stat_sn, 101));
       d.target(d.response(Opcode::login_response, 1)
                    .set(field::isid, 0x800000000001)
                    .set(field::status, 0x0302));
       d.scribe.reset(50000, From::target);
     },
     "closing.announced"},
    {"a FIN of the target while another connection of the session is reinstated",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.log_in_beside(2);
       d.connect(50002, 2);
       d.login(kOperational, {}, {});
       d.scribe.close(50001, From::target);
       d.scribe.close(50000, From::target);
     },
     "closing.graceful closing.announced"},
    {"a FIN before the Logout Response",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.initiator(d.request(Opcode::logout_request, 20, true));
       d.scribe.shut(50000, From::initiator);
     },
     "closing.graceful closing.logout_answered"},
    {"a connection that stays open behind its logout",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.initiator(d.request(Opcode::logout_request, 20, true));
       d.target(d.response(Opcode::logout_response, 20));
       d.scribe.wait(120);
       d.connect(50001);
     },
     "closing.behind_logout closing.target_behind_logout"},
    {"a connection that stays open, but so did the capture's end come",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.initiator(d.request(Opcode::logout_request, 20, true));
       d.target(d.response(Opcode::logout_response, 20));
     },
     ""},
    {"a login that failed, and a connection that stays open",
     [](Dialogue& d) {
       d.connect(50000);
       Pdu out(Opcode::login_request);
       out.set(field::immediate, 1).set(field::csg, 1).set(field::isid, 1).set(field::cid, 1);
       out.data = wire::encode_text(
           {{"InitiatorName", "iqn.2026-01.a:i"}, {"TargetName", "iqn.2026-01.a:t"}});
       d.initiator(out);
       d.target(Pdu(Opcode::login_response).set(field::isid, 1).set(field::status, 0x0203));
       d.scribe.wait(120);
       d.connect(50001);
     },
     "closing.behind_refusal"},
    {"a ping that is never answered",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       d.target(d.response(Opcode::nop_in, wire::kReservedTag).set(field::target_transfer_tag, 5));
       d.keep_stat_sn();
       d.scribe.wait(120);
       d.connect(50001);
     },
     "closing.pings_answered"},
    // Commands.
    {"a medium moved out of order",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       Pdu command = d.request(Opcode::scsi_command, 10, true);
       command.header[32] = 0xa5;
       d.initiator(command);
     },
     "command.state_change"},
    {"a long CDB without its header",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       Pdu command = d.request(Opcode::scsi_command, 10);
       command.header[32] = 0x7f;
       command.header[39] = 24;
       d.initiator(command);
     },
     "command.long_cdb"},
    {"a long CDB with its header",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       Pdu command = d.request(Opcode::scsi_command, 10);
       command.header[32] = 0x7f;
       command.header[39] = 24;
       command.ahs = {0, 17, 1, 0};
       command.ahs.resize(20);
       d.initiator(command);
     },
     ""},
    {"a short CDB in a header, a read length left out",
     [](Dialogue& d) {
       d.log_in_at_level("0");
       Pdu command = d.write(10, 512);
       command.set(field::read, 1);
       command.ahs = {0, 1, 1, 0};
       d.initiator(command);
     },
     "command.bidirectional_length command.extended_cdb"},
};

}  // namespace

std::string tsih::judge::testing::broken_by_recovery_test() { return rules_in(kTales); }

BOOST_AUTO_TEST_SUITE(recovery)

BOOST_AUTO_TEST_CASE(tales) { check(kTales); }

BOOST_AUTO_TEST_SUITE_END()
