// A login that takes the place of a connection or of a session (5.3.4, 5.3.5).
#include "harness/conformance/cases/recovery.h"

BOOST_AUTO_TEST_SUITE(reinstatement)

namespace {

// Nothing is told of the tasks that went with the old connection, but for the unit attention.
void expect_commands_cleared(Initiator& initiator, CaseContext& context) {
  initiator.send(initiator.scsi_command({.cdb = Bytes(6, 0)}));
  const Pdu response = initiator.expect(Opcode::scsi_response);
  if (sense_of(response) != kCommandsCleared)
    context.fail("sense 06/47/7f", sense_words(response) + " in " + describe(response));
  context.confirm(describe(response));
}

}  // namespace

TSIH_CASE(ends_the_tasks_of_the_connection,
          "Below ErrorRecoveryLevel 2 the tasks of the old connection end without a word",
          judges(should("R3720-5.3.4-02"), "R3720-3.2.1-02", "R3720-10.14-04", "R3720-6.5-01",
                 "R3720-10.14.5-01", "R3720-5.3.4-l01") *
              writes_lun()) {
  needs_disk(64);
  auto old = log_in(solicited_only());
  old.ready();
  const PendingWrite write = start_write(old, write_blocks(0, 1));
  auto fresh = beside(old, old.cid);
  judging_all({"R3720-5.3.4-02", "R3720-3.2.1-02"});
  const Answer answer = fresh.expect_login();
  verify(fresh.established(), "the connection in place of the old one", describe(answer.pdu));
  judging("R3720-5.3.4-02");
  old.expect_replaced();
  confirm("the old connection was closed, the new one is in full feature phase");
  judging_all({"R3720-10.14-04", "R3720-5.3.4-l01"});
  const Fence fence = fresh.fence(true);
  verify(is_quiet(fence), "nothing for the old task", words(fence));
  confirm("nothing came for the write");
  judging("R3720-6.5-01");
  expect_commands_cleared(fresh, context());
  judging("R3720-10.14.5-01");
  confirm("the unit attention came");
}

TSIH_CASE(nothing_is_remembered,
          "What the old session had agreed on is no part of the new one: only its own login counts",
          judges("R3720-5.2-05")) {
  constexpr std::size_t kDefaultBytes = 8192;
  needs_disk(128);
  auto old = log_in({{"MaxRecvDataSegmentLength", "262144"}});
  old.ready();
  auto fresh = connect();
  fresh.isid = old.isid;
  fresh.authenticate();
  const Answer answer = fresh.expect_negotiation({});
  if (!fresh.established()) throw Inconclusive{"no session: " + describe(answer.pdu)};
  fresh.ready();
  const Transfer read = fresh.transfer(read_blocks(0, 128));
  offered(read.good(), "a read of 128 blocks");
  for (const Pdu& pdu : read.data_in)
    verify(pdu.data.size() <= kDefaultBytes, "at most 8192 bytes in a Data-In, by default",
           describe(pdu));
}

TSIH_CASE(of_one_connection_of_two, "A connection that is reinstated leaves the others alone",
          judges(should("R3720-5.3.4-02"))) {
  auto first = log_in_for(2);
  auto second = join(first, 2);
  auto fresh = beside(first, 2);
  const Answer answer = fresh.expect_login();
  verify(fresh.established(), "the connection in place of the second one", describe(answer.pdu));
  second.expect_replaced();
  verify(first.fence().answer && fresh.fence().answer, "the first and the new one alive",
         "a close");
  confirm("the second connection was closed, the first and the new one live");
}

TSIH_CASE(of_a_dropped_connection, "A connection that was dropped is reinstated under its CID",
          judges(should("R3720-5.3.4-02"))) {
  auto first = log_in_for(2);
  auto second = join(first, 2);
  second.drop();
  auto fresh = beside(first, 2);
  const Answer answer = fresh.expect_login();
  verify(fresh.established(), "the connection again", describe(answer.pdu));
  verify(first.fence().answer && fresh.fence().answer, "both connections alive", "a close");
  confirm(describe(answer.pdu));
}

TSIH_CASE(of_the_session_ends_all_its_connections,
          "A new session of the same port closes every connection of the old one",
          judges("R3720-6.13-02", "R3720-10.12.6-04", "R3720-7.3.2-N6")) {
  judging_all({"R3720-6.13-02", "R3720-7.3.2-N6"});
  auto first = log_in_for(2);
  auto second = join(first, 2);
  auto fresh = connect();
  fresh.isid = first.isid;
  const Answer answer = fresh.expect_login();
  verify(fresh.established(), "a new session", describe(answer.pdu));
  judging("R3720-10.12.6-04");
  first.expect_replaced();
  second.expect_replaced();
  verify(fresh.fence().answer.has_value(), "the new session alive", "a close");
  confirm("both old connections were closed, the new session lives");
}

TSIH_CASE(of_a_session_that_lost_its_connection,
          "At ErrorRecoveryLevel 2 a session outlives its only connection for Time2Retain",
          judges("R3720-5.3.4-02", "R3720-3.4.3-01", "R3720-7.1.4-T15", "R3720-7.3.2-N5",
                 "R3720-7.3.2-N7", "R3720-7.3.2-N10")) {
  judging_all(
      {"R3720-5.3.4-02", "R3720-7.1.4-T15", "R3720-7.3.2-N5", "R3720-7.3.2-N7", "R3720-7.3.2-N10"});
  auto old = log_in_at_level(2, {{"DefaultTime2Retain", "20"}});
  offered(agreed_number(old, "DefaultTime2Retain", 20) > 0, "DefaultTime2Retain above 0");
  old.drop();
  respite(agreed_number(old, "DefaultTime2Wait", 2));
  auto fresh = beside(old, old.cid);
  const Answer answer = fresh.expect_login();
  verify(fresh.established(), "the connection again", describe(answer.pdu));
  judging("R3720-3.4.3-01");
  verify_equal("TSIH", old.tsih, fresh.tsih);
  verify(fresh.fence().answer.has_value(), "the session alive", "a close");
  confirm(describe(answer.pdu));
}

TSIH_CASE(of_a_session_that_lost_all_its_connections,
          "When every connection was dropped, a new session of the port goes before any recovery",
          judges("R3720-6.12-04", "R3720-6.13-02")) {
  auto first = log_in({{"ErrorRecoveryLevel", "2"}});
  first.drop();
  auto fresh = connect();
  fresh.isid = first.isid;
  const Answer answer = fresh.expect_login();
  verify(fresh.established(), "a new session", describe(answer.pdu));
  judging("R3720-6.13-02");
  verify(fresh.fence().answer.has_value(), "the new session alive", "a close");
  confirm(describe(answer.pdu));
}

BOOST_AUTO_TEST_SUITE_END()
