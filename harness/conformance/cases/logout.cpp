// Logout (10.14, 10.15).
#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(logout)

TSIH_CASE(close_the_session, "After the answer to a logout of the session the connection is closed",
          judges("R3720-10.15-01", "R3720-7.1.4-T9", "R3720-7.1.4-T13", "R3720-7.3.2-N3")) {
  judging_all({"R3720-10.15-01", "R3720-7.1.4-T9", "R3720-7.1.4-T13", "R3720-7.3.2-N3"});
  auto initiator = log_in();
  initiator.send(initiator.logout_request(0));
  const Pdu response = initiator.expect(Opcode::logout_response);
  verify_equal("response", 0, response[field::response]);
  initiator.expect_close();
  confirm(describe(response) + ", then a close");
}

TSIH_CASE(close_the_connection,
          "After the answer to a logout of the connection the connection is closed",
          judges("R3720-10.15-01")) {
  auto initiator = log_in();
  initiator.send(initiator.logout_request(1));
  const Pdu response = initiator.expect(Opcode::logout_response);
  verify_equal("response", 0, response[field::response]);
  initiator.expect_close();
  confirm(describe(response) + ", then a close");
}

TSIH_CASE(response_has_no_data, "A Logout Response has neither data nor additional headers",
          judges("R3720-10.15.2-01", "R3720-10-01")) {
  auto initiator = log_in();
  initiator.send(initiator.logout_request(0));
  const Pdu response = initiator.expect(Opcode::logout_response);
  verify(response[field::total_ahs_length] == 0 && response[field::data_segment_length] == 0,
         "both lengths 0", describe(response));
  judging("R3720-10-01");
  verify(reserved_problem(response).empty(), "0 in every reserved bit", reserved_problem(response));
  confirm(describe(response));
}

TSIH_CASE(pending_commands_end, "A write that waits for its data ends with the session",
          judges("R3720-10.14-04", "R3720-10.14-l01") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in({{"InitialR2T", "Yes"}, {"ImmediateData", "No"}});
  initiator.ready();
  given("a write with an R2T", [&] {
    initiator.send(initiator.scsi_command(write_blocks(0, 8)));
    initiator.expect(Opcode::r2t);
  });
  initiator.send(initiator.logout_request(0));
  const Pdu response = initiator.expect(Opcode::logout_response);
  verify_equal("response", 0, response[field::response]);
  judging_all({"R3720-10.14-04", "R3720-10.14-l01"});
  const Event event = initiator.receive();
  verify(event.heard == Heard::closed, "nothing more before the close", event.words);
}

BOOST_AUTO_TEST_SUITE_END()
