// Logouts among several connections, and for recovery (6.5, 10.14, 10.15).
#include "harness/conformance/cases/recovery.h"

BOOST_AUTO_TEST_SUITE(logout)

TSIH_CASE(one_connection_of_two,
          "A logout of one connection ends it and its tasks, and leaves the other alone",
          judges("R3720-10.15-01", "R3720-10.14-04", "R3720-6.5-01", "R3720-10.14.5-01") *
              writes_lun() * unh("FFP 13.1")) {
  needs_disk(64);
  auto first = log_in_for(2, solicited_only());
  first.ready();
  auto second = join(first, 2);
  const PendingWrite of_first = start_write(first, write_blocks(0, 1));
  start_write(second, write_blocks(1, 1));
  second.send(second.logout_request(kCloseConnection));
  const Pdu response = second.expect(Opcode::logout_response);
  verify_equal("response", 0, response[field::response]);
  judging("R3720-10.14-04");
  const Event event = second.receive();
  verify(event.heard == Heard::closed, "nothing more before the close", event.words);
  judging("R3720-10.15-01");
  send_data(first, of_first, pattern(block_bytes()));
  const Pdu status = first.expect(Opcode::scsi_response);
  verify(belongs_to(status, of_first.command) && is_good(status),
         "GOOD for the write on the other connection", describe(status));
  first.send(first.scsi_command({.cdb = Bytes(6, 0)}));
  const Pdu attention = first.expect(Opcode::scsi_response);
  judging_all({"R3720-6.5-01", "R3720-10.14.5-01"});
  verify(sense_of(attention) == kCommandsCleared, "sense 06/47/7f",
         sense_words(attention) + " in " + describe(attention));
}

TSIH_CASE(whole_session_of_two, "A logout of the session closes both its connections",
          judges("R3720-10.15-01", "R3720-10.14-04", "R3720-7.1.4-T8") * writes_lun() *
              unh("FFP 13.2")) {
  needs_disk(64);
  auto first = log_in_for(2, solicited_only());
  first.ready();
  auto second = join(first, 2);
  start_write(first, write_blocks(0, 1));
  start_write(second, write_blocks(1, 1));
  second.send(second.logout_request(kCloseSession));
  verify_equal("response", 0, second.expect(Opcode::logout_response)[field::response]);
  second.expect_close();
  judging("R3720-10.14-04");
  const Event event = first.receive();
  verify(event.heard != Heard::pdu, "nothing more for a pending command", event.words);
  confirm("nothing more came for either write");
  judging_all({"R3720-10.15-01", "R3720-7.1.4-T8"});
  first.expect_close();
  confirm("both connections were closed");
}

TSIH_CASE(no_such_connection, "A logout of a connection that does not exist closes none",
          judges(should("R3720-10.15-01")) * unh("FFP 13.3")) {
  auto first = log_in({{"MaxConnections", "2"}});
  std::vector<Initiator> others;
  if (agreed_number(first, "MaxConnections", 1) > 1) others.push_back(join(first, 2));
  first.send(first.logout_request(kCloseConnection).set(field::cid, 0x7700));
  verify_equal("response", 1, first.expect(Opcode::logout_response)[field::response]);
  for (Initiator& other : others)
    verify(other.fence().answer.has_value(), "the other connection alive", "a close");
  verify(first.fence().answer.has_value(), "the connection alive", "a close");
  confirm("response 1 (CID not found)");
}

TSIH_CASE(for_a_dropped_connection,
          "One connection is logged out over another after it was dropped, and its CID is free",
          judges("R3720-6.12-03", should("R3720-5.3.4-02"), "R3720-7.2.2-M2", "R3720-7.2.2-M4",
                 "R3720-7.2-l01")) {
  judging_all({"R3720-6.12-03", "R3720-7.2-l01", "R3720-7.2.2-M2", "R3720-7.2.2-M4"});
  auto first = log_in_for(2);
  auto second = join(first, 2);
  second.drop();
  first.send(first.logout_request(kCloseConnection).set(field::cid, second.cid));
  const Pdu response = first.expect(Opcode::logout_response);
  // A target may have cleaned up by itself: then the CID is not found.
  verify(response[field::response] <= 1, "response 0, or 1 (CID not found)", describe(response));
  judging("R3720-5.3.4-02");
  auto again = beside(first, second.cid);
  const Answer answer = again.expect_login();
  verify(again.established(), "a new connection with the same CID", describe(answer.pdu));
  verify(first.fence().answer && again.fence().answer, "both connections alive", "a close");
  confirm(describe(response) + ", and a new connection under the CID");
}

namespace {

// A command that waits for an earlier one is lost with its connection, and its number is free.
void discarded_with_its_connection(Initiator& first, Initiator& second, LogoutReason reason,
                                   CaseContext& context) {
  const auto gap = first.cmd_sn++;
  const Pdu held_back = second.nop_out();
  setting_up("a logout", [&] {
    second.send(held_back);
    second.send(second.logout_request(reason));
    const Pdu response = second.expect(Opcode::logout_response);
    if (response[field::response] != 0) context.fail("response 0", describe(response));
    second.expect_close();
  });
  first.send(first.nop_out().set(field::cmd_sn, gap));
  first.expect(Opcode::nop_in);
  const Fence fence = first.fence(true);
  if (!fence.answer) context.fail("the other connection alive", "a close");
  if (fence.answer->u32(field::exp_cmd_sn) != gap + 1)
    context.fail(fmt::format("ExpCmdSN {}, the number of the discarded command", gap + 1),
                 describe(*fence.answer));
  first.send(held_back);
  if (!belongs_to(first.expect(Opcode::nop_in), held_back))
    context.fail("an answer to the command that was sent again", "another");
  context.confirm("the number was free, and the command sent again was answered");
}

}  // namespace

TSIH_CASE(unacknowledged_commands_go_too,
          "A command that waits for an earlier one is dropped when its connection is closed",
          judges("R3720-10.14-04")) {
  auto first = log_in_for(2);
  auto second = join(first, 2);
  discarded_with_its_connection(first, second, kCloseConnection, context());
}

TSIH_CASE(unacknowledged_commands_go_for_recovery,
          "A command that waits for an earlier one is dropped by a logout for recovery",
          judges("R3720-10.14-05")) {
  auto first = log_in_at_level(2, {{"MaxConnections", "2"}});
  offered(agreed_number(first, "MaxConnections", 1) > 1, "MaxConnections=2");
  auto second = join(first, 2);
  discarded_with_its_connection(first, second, kForRecovery, context());
}

TSIH_CASE(nothing_comes_after_one_for_recovery,
          "A logout for recovery stops the transfers of its connection",
          judges("R3720-10.14-05", "R3720-10.15-01", "R3720-10.15.2-01") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in_at_level(2, solicited_only());
  initiator.ready();
  start_write(initiator, write_blocks(0, 1));
  initiator.send(initiator.logout_request(kForRecovery));
  const Pdu response = initiator.expect(Opcode::logout_response);
  verify_equal("response", 0, response[field::response]);
  const Event event = initiator.receive();
  verify(event.heard == Heard::closed, "nothing more before the close", event.words);
  judging("R3720-10.15-01");
  confirm("the connection was closed");
  judging("R3720-10.15.2-01");
  verify(response[field::total_ahs_length] == 0 && response[field::data_segment_length] == 0,
         "both lengths 0", describe(response));
}

TSIH_CASE(recovery_below_level_two,
          "Below ErrorRecoveryLevel 2 a logout for recovery does not prepare any",
          judges(should("R3720-10.14-05"))) {
  auto initiator = log_in();
  initiator.send(initiator.logout_request(kForRecovery));
  const Pdu response = initiator.expect_one_of({Opcode::logout_response, Opcode::reject});
  verify(response.is(Opcode::reject) || response[field::response] == 2,
         "response 2 (connection recovery is not supported), or a Reject", describe(response));
}

BOOST_AUTO_TEST_SUITE_END()
