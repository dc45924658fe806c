// Which session a login means: ISID, TSIH and CID (5.3.1, 5.3.4, 5.3.5, 10.12.5 to 10.12.7).
#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(login)
BOOST_AUTO_TEST_SUITE(session)

namespace {

// A TSIH that the target has given to no session of ours: one beside those that it gave.
std::uint16_t other_than(std::uint16_t tsih) {
  return static_cast<std::uint16_t>(tsih == 0xffff ? 0x7ffe : tsih ^ 0x5555);
}

void expect_session_does_not_exist(Initiator& initiator, CaseContext& context) {
  const Pdu response = initiator.expect_login().pdu;
  if (response[field::status] != 0x020a)
    context.fail("status 0x020a (session does not exist)", describe(response));
  context.confirm(describe(response));
}

}  // namespace

TSIH_CASE(unknown_handle_new_port,
          "A session handle from an initiator port without a session: the session does not exist",
          judges("R3720-10.12.6-04")) {
  auto initiator = connect();
  initiator.tsih = 0x7ffe;
  expect_session_does_not_exist(initiator, context());
}

TSIH_CASE(unknown_handle_known_port,
          "A session handle other than that of the port's session: the session does not exist",
          judges("R3720-10.12.6-04")) {
  auto first = log_in();
  auto second = connect();
  second.isid = first.isid;
  second.tsih = other_than(first.tsih);
  second.cid = 2;
  expect_session_does_not_exist(second, context());
}

TSIH_CASE(two_ports_two_sessions, "Two initiator ports have a session each, side by side",
          judges("R3720-10.12.6-04")) {
  auto first = log_in();
  auto second = connect();
  const Answer answer = second.expect_login();
  verify(second.established(), "a second session", describe(answer.pdu));
  const Fence one = first.fence();
  const Fence two = second.fence();
  verify(one.answer.has_value() && two.answer.has_value(), "both sessions alive",
         fmt::format("the first {}, the second {}", one.answer ? "alive" : "closed",
                     two.answer ? "alive" : "closed"));
  confirm(fmt::format("TSIH {} and {}", first.tsih, second.tsih));
}

TSIH_CASE(reinstatement,
          "The same port with TSIH 0 comes back: the new session takes the old one's place",
          judges("R3720-10.12.6-04", "R3720-6.13-02", "R3720-3.4.3-l02")) {
  auto first = log_in();
  auto second = connect();
  second.isid = first.isid;
  second.authenticate();
  judging("R3720-6.13-02");
  const Answer answer = second.expect_negotiation({});
  verify(second.established(), "a new session", describe(answer.pdu));
  judging_all({"R3720-10.12.6-04", "R3720-3.4.3-l02"});
  first.expect_replaced();
  verify(second.fence().answer.has_value(), "the new session alive", "a closed connection");
  confirm("the old connection was closed, the new session lives");
}

TSIH_CASE(connection_reinstatement,
          "The same session and CID on a new connection take the old connection's place",
          judges(should("R3720-5.3.4-02"))) {
  auto first = log_in();
  auto second = connect();
  second.isid = first.isid;
  second.tsih = first.tsih;
  second.cid = first.cid;
  second.cmd_sn = first.cmd_sn;
  const Answer answer = second.expect_login();
  verify(second.established(), "the connection in place of the old one", describe(answer.pdu));
  first.expect_replaced();
  confirm("the old connection was closed, the new one is in full feature phase");
}

TSIH_CASE(one_connection,
          "A session of one connection is had: from the transport connection to full feature phase",
          judges("R3720-3.2.1-01", "R3720-7.1.4-T3", "R3720-7.1.4-T4", "R3720-7.1.4-T5",
                 "R3720-7.3.2-N1", "R3720-7.3.2-N2")) {
  judging_all({"R3720-3.2.1-01", "R3720-7.1.4-T3", "R3720-7.1.4-T4", "R3720-7.1.4-T5",
               "R3720-7.3.2-N1", "R3720-7.3.2-N2"});
  auto initiator = connect();
  const Answer answer = initiator.expect_login();
  verify(initiator.established(), "full feature phase", describe(answer.pdu));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
