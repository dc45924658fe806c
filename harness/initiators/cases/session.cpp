// What happens to a session that stands (RFC 3720 10.9, 10.14, 10.17): events, Rejects, statuses,
// the logout.
#include "harness/initiators/cases/common.h"

namespace {

const Want text_or_logout{"a Text Request or a logout", [](const Peer&, const Pdu& pdu) {
                            return pdu.is(Opcode::text_request) || pdu.is(Opcode::logout_request);
                          }};

}  // namespace

BOOST_AUTO_TEST_SUITE(async)

TSIH_TRIAL(scsi_event, "A SCSI event is taken, and its StatSN counted",
           judges(should("R3720-3.2.2.2-03"))) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  Pdu event = initiator.async_message(0);
  event.data = {0, 18};
  const Bytes sense = fixed_sense(0x06, 0x3f, 0x0e);
  event.data.insert(event.data.end(), sense.begin(), sense.end());
  initiator.send(event);
  expect_goes_on(initiator);
}

TSIH_TRIAL(vendor_event, "A vendor's event disturbs nobody, and its StatSN is counted",
           judges(should("R3720-3.2.2.2-03"))) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  initiator.send(initiator.async_message(255));
  expect_goes_on(initiator);
}

TSIH_TRIAL(logout_requested,
           "Asked to log out within a second, the initiator does, and starts "
           "nothing new",
           judges("R3720-10.9.1-02", "R3720-10.9.1-03", "R3720-10.9.1-04") *
               unh("FFP 14.1", "FFP 20.1")) {
  start(kRead);  // nothing waits to be sent, so that nothing new can have crossed the request
  auto [initiator, read] = serve_until(read_command());
  up_to_pong(initiator);
  initiator.send(initiator.async_message(1, 0, 0, 1));
  std::string new_command;
  const Pdu logout = expect_within(initiator,
                                   {"a Logout Request",
                                    [&](const Peer&, const Pdu& pdu) {
                                      if (pdu.is(Opcode::scsi_command)) new_command = describe(pdu);
                                      return pdu.is(Opcode::logout_request);
                                    }},
                                   1);
  confirm(describe(logout));
  judging("R3720-10.9.1-03");
  verify(logout[field::logout_reason] <= 1, "reason 0 or 1", describe(logout));
  judging("R3720-10.9.1-04");
  verify(new_command.empty(), "no new command", new_command.empty() ? "none" : new_command);
}

TSIH_TRIAL(negotiation_requested,
           "Asked to negotiate within a second, the initiator does or logs "
           "out",
           judges("R3720-10.9.1-06") * unh("FFP 20.4")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  initiator.send(initiator.async_message(4, 0, 0, 1));
  confirm(describe(expect_within(initiator, text_or_logout, 1)));
}

TSIH_TRIAL(connection_dropped,
           "After the news that its connection is dropped the initiator lets "
           "go of it",
           judges(should("R3720-6.1.4.3-03")) * unh("FFP 20.2")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  initiator.send(initiator.async_message(2, initiator.cid, 0, 0));
  expect_gives_up(initiator, "the target said that it drops this connection");
}

TSIH_TRIAL(session_dropped,
           "After the news that its session is dropped the initiator lets go of it",
           judges(should("R3720-6.1.4.3-03")) * unh("FFP 20.3")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  initiator.send(initiator.async_message(3, 0, 0, 0));
  expect_gives_up(initiator, "the target said that it drops all connections");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reject)

TSIH_TRIAL(of_a_command,
           "The number of a command that was rejected is used again, or the session "
           "ends",
           judges("R3720-6.3-03")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  const std::uint32_t gap = initiator.exp_cmd_sn = read.u32(field::cmd_sn);
  initiator.send(initiator.reject(0x04, read));
  while (true) {
    const Met met = target().next_of(initiator);
    if (!met.pdu) return confirm(met.words);
    if ((*met.pdu)[field::immediate] || met.pdu->is(Opcode::data_out)) continue;
    return verify_equal("CmdSN", gap, met.pdu->u32(field::cmd_sn));
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(status)

#define TSIH_STATUS_TRIAL(name, title, test, refusal_status, refusal_sense)          \
  TSIH_TRIAL(name, title, judges(should("R3720-9.2-01")) * unh(test)) {              \
    start(kRead);                                                                    \
    auto [initiator, read] = serve_until(read_command());                            \
    initiator.send(initiator.scsi_response(read, refusal_status, 0, refusal_sense)); \
    expect_goes_on(initiator);                                                       \
    judging("R3720-9.2-01");                                                         \
    confirm("the session stands");                                                   \
  }

TSIH_STATUS_TRIAL(busy, "BUSY ends a command and no session", "FFP 16.4.5", kBusy, Bytes{})
TSIH_STATUS_TRIAL(reservation_conflict, "RESERVATION CONFLICT ends a command and no session",
                  "FFP 16.4.6", kReservationConflict, Bytes{})
TSIH_STATUS_TRIAL(crc_error, "A CRC error told in sense data ends a command and no session",
                  "FFP 16.4.1", kCheckCondition, fixed_sense(0x0b, 0x47, 0x05))
TSIH_STATUS_TRIAL(unexpected_data,
                  "Unexpected data told in sense data end a command and no session", "FFP 16.4.3",
                  kCheckCondition, fixed_sense(0x0b, 0x0c, 0x0c))
TSIH_STATUS_TRIAL(too_little_data,
                  "Too little data told in sense data end a command and no session", "FFP 16.4.4",
                  kCheckCondition, fixed_sense(0x0b, 0x0c, 0x0d))

TSIH_TRIAL(of_no_task, "A SCSI Response with a task tag that nobody uses",
           judges(should("R3720-6.6-01"))) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  initiator.send(
      initiator.scsi_response(read, kGood, 0).set(field::initiator_task_tag, 0x7ead0000));
  expect_gives_up(initiator, "there is no such task");
}

TSIH_TRIAL(reserved_opcode, "An opcode that no one has defined is a protocol error",
           judges("R3720-10-03")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  Pdu strange = initiator.nop_in();
  strange.header[0] = 0x3b;
  initiator.send(strange);
  expect_gives_up(initiator, "opcode 0x3b is reserved");
}

TSIH_TRIAL(opcode_of_initiators, "A SCSI Command that a target sends",
           judges(should("R3720-6.6-01"))) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  initiator.send(Pdu(Opcode::scsi_command).set(field::initiator_task_tag, 0x7ead0000));
  expect_gives_up(initiator, "targets send no commands (10.2.1.2)");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(logout)

TSIH_TRIAL(in_order, "A logout has no data, nothing follows it, and the connection is closed",
           judges("R3720-10.14.2-01", "R3720-10.14-02", "R3720-10.15-01", "R3720-10.14-06") *
               unh("FFP 17.1")) {
  start(kAttach);
  auto [initiator, logout] = serve_until(request(Opcode::logout_request));
  verify(logout.data.empty() && logout.ahs.empty(), "neither data nor AHS", describe(logout));
  initiator.serve(logout);
  judging("R3720-10.14-02");
  expect_closed(initiator);
  for (const char* clause : {"R3720-10.15-01", "R3720-10.14-06"}) {
    judging(clause);
    confirm("the connection was closed");
  }
}

BOOST_AUTO_TEST_SUITE_END()
