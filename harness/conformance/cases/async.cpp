// Asynchronous Messages (10.9). Nothing that an initiator says brings one about: --provoke names a
// program that asks the target's administrator for it.
#include "harness/conformance/cases/recovery.h"

BOOST_AUTO_TEST_SUITE(async)

namespace {

enum AsyncEvent : std::uint8_t {
  kScsiEvent = 0,
  kLogoutRequested = 1,
  kDropsConnection = 2,
  kDropsSession = 3,
  kNegotiate = 4
};

// The next Asynchronous Message; what else the target says by itself is passed over.
Pdu expect_message(Initiator& initiator, CaseContext& context) {
  constexpr int kLimitUnasked = 100;
  for (int i = 0; i < kLimitUnasked; ++i) {
    const Event event = initiator.receive_raw();
    if (event.heard == Heard::pdu && event.pdu.is(Opcode::async_message)) return event.pdu;
    if (event.heard != Heard::pdu) context.fail("an Asynchronous Message", event.words);
  }
  throw Inconclusive{"the target says everything but an Asynchronous Message"};
}

// A target that was told to end this connection says so, and then nothing of a write that waits.
void expect_an_announced_end(Initiator& initiator, AsyncEvent announced, CaseContext& context) {
  const Pdu message = expect_message(initiator, context);
  if (message[field::async_event] != announced)
    context.fail(fmt::format("AsyncEvent {}", static_cast<int>(announced)), describe(message));
  const Event event = initiator.receive_raw();
  if (event.heard == Heard::pdu) context.fail("nothing more for a command that waits", event.words);
  if (event.heard != Heard::closed) throw Inconclusive{"the connection stays open: " + event.words};
  context.confirm(describe(message) + ", then a close");
}

}  // namespace

TSIH_CASE(a_logout_is_asked_for_on_its_connection,
          "A request to log out comes on the connection that is to be logged out",
          judges("R3720-10.9.1-01", "R3720-7.1.4-T11", "R3720-7.1.4-T10")) {
  judging_all({"R3720-10.9.1-01", "R3720-7.1.4-T11"});
  auto initiator = log_in();
  provoke("logout", initiator);
  const Pdu message = expect_message(initiator, context());
  verify_equal("AsyncEvent", kLogoutRequested, message[field::async_event]);
  judging("R3720-7.1.4-T10");
  initiator.send(initiator.logout_request(kCloseSession));
  const Pdu response = initiator.expect(Opcode::logout_response);
  verify_equal("response", 0, response[field::response]);
}

TSIH_CASE(an_event_names_its_logical_unit,
          "The report of a SCSI event names the logical unit, and brings its sense data",
          judges("R3720-10.9.3-01")) {
  needs_disk(64);
  auto initiator = log_in();
  initiator.ready();
  provoke("capacity", initiator);
  const Pdu message = expect_message(initiator, context());
  verify_equal("AsyncEvent", kScsiEvent, message[field::async_event]);
  const Pdu command = initiator.scsi_command(read_blocks(0, 1));
  verify_equal("LUN", command[field::lun], message[field::lun]);
  verify(message.data.size() > 2, "sense data", data_words(message));
}

TSIH_CASE(a_dropped_session_brings_nothing_more,
          "A target that drops a session says so, and its commands bring no more responses",
          judges("R3720-10.9.1-l03", "R3720-3.2.5-02") * writes_lun()) {
  judging_all({"R3720-10.9.1-l03", "R3720-3.2.5-02"});
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  start_write(initiator, write_blocks(0, 1));
  provoke("drop-session", initiator);
  expect_an_announced_end(initiator, kDropsSession, context());
}

TSIH_CASE(a_dropped_connection_brings_nothing_more,
          "A target that drops a connection says so, and its commands bring no more responses",
          judges("R3720-10.9.1-l02", "R3720-3.2.5-02") * writes_lun()) {
  judging_all({"R3720-10.9.1-l02", "R3720-3.2.5-02"});
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  start_write(initiator, write_blocks(0, 1));
  provoke("drop-connection", initiator);
  expect_an_announced_end(initiator, kDropsConnection, context());
}

TSIH_CASE(reserved_fields_are_zero, "Everything undefined in an Asynchronous Message is 0",
          judges("R3720-10-01")) {
  auto initiator = log_in();
  provoke("negotiate", initiator);
  const Pdu message = expect_message(initiator, context());
  const bool plain = message[field::async_event] == kNegotiate;
  offered(plain, "a request to negotiate anew");
  // Of this event the parameters are Parameter3 alone (10.9.1); LUN and AsyncVCode are reserved.
  verify(reserved_problem(message).empty() && message[field::lun] == 0 &&
             message[field::async_vcode] == 0,
         "0 in every reserved bit", describe(message));
}

BOOST_AUTO_TEST_SUITE_END()
