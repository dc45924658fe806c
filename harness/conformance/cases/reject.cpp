// What a target must turn down (3.2.3, 6.3, 10, 10.17).
#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(reject)

TSIH_CASE(unknown_opcode, "An opcode that nobody has defined is turned down",
          judges("R3720-10-03")) {
  auto initiator = log_in();
  initiator.send(initiator.unnamed_request(0x1b).set(field::immediate, 1));
  confirm(initiator.expect_refusal().words);
}

TSIH_CASE(second_login, "A Login Request in full feature phase is turned down",
          judges("R3720-3.2.3-04", "R3720-3.2.3-03")) {
  auto initiator = log_in();
  initiator.send(initiator.login_request(kOperational, kFullFeature, initiator.names()));
  const Refusal refusal = initiator.expect_refusal();
  confirm(refusal.words);
  judging("R3720-3.2.3-03");
  verify(!refusal.pdu || !refusal.pdu->is(Opcode::login_response),
         "a Reject or a close, and no Login Response", refusal.words);
}

TSIH_CASE(number_stays_free, "The number of a command that was rejected is still to come",
          judges("R3720-6.3-02")) {
  auto initiator = log_in();
  const auto number = initiator.cmd_sn;
  const Pdu unknown = initiator.unnamed_request(0x1b);
  initiator.send(unknown);
  const Event event = initiator.receive();
  offered(event.heard == Heard::pdu && event.pdu.is(Opcode::reject),
          "a Reject for a numbered command (it may close the connection instead)");
  initiator.cmd_sn = number;
  const Fence fence = initiator.fence(true);
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  verify_equal("ExpCmdSN", number, fence.answer->u32(field::exp_cmd_sn));
}

TSIH_CASE(reserved_fields_are_zero, "Everything undefined in a Reject is 0",
          judges("R3720-10-01")) {
  auto initiator = log_in();
  initiator.send(initiator.unnamed_request(0x1b).set(field::immediate, 1));
  const Event event = initiator.receive();
  offered(event.heard == Heard::pdu && event.pdu.is(Opcode::reject), "a Reject");
  verify(reserved_problem(event.pdu).empty(), "0 in every reserved bit",
         reserved_problem(event.pdu));
  confirm(event.words);
}

TSIH_CASE(reason_for_a_wrong_tag, "Data under a transfer tag that no R2T gave are an invalid field",
          judges("R3720-10.17.1-l02") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const Pdu write = initiator.scsi_command(write_blocks(0, 1));
  initiator.send(write);
  const Pdu r2t = next_pdu(initiator);
  offered(r2t.is(Opcode::r2t), "an R2T for the write");
  initiator.send(initiator.data_out(write, r2t.u32(field::target_transfer_tag) ^ 0x00010000, 0,
                                    pattern(block_bytes()), 0, true));
  const Fence fence = initiator.fence(true);
  for (const Pdu& pdu : fence.before)
    if (pdu.is(Opcode::reject)) {
      verify_equal("reason", 9, pdu[field::reject_reason]);
      return;
    }
  offered(false, "a Reject of data under a wrong transfer tag");
}

TSIH_CASE(reserved_logout_reason, "A logout for a reason that nobody has defined does not succeed",
          judges("R3720-10-03")) {
  auto initiator = log_in();
  initiator.send(initiator.logout_request(0x55));
  const Event event = initiator.receive();
  if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
  const bool succeeded = event.heard == Heard::pdu && event.pdu.is(Opcode::logout_response) &&
                         event.pdu[field::response] == 0;
  verify(!succeeded, "a Reject, a response other than success, or a close", event.words);
}

BOOST_AUTO_TEST_SUITE_END()
