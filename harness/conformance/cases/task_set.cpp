// ABORT TASK SET, and task management about task management (10.5.1, 10.6.2).
#include "harness/conformance/cases/recovery.h"

BOOST_AUTO_TEST_SUITE(task_management)

TSIH_CASE(task_set_with_an_r2t,
          "ABORT TASK SET waits for the data of an R2T; to abort it in the meantime is rejected",
          judges("R3720-10.5.1-07", "R3720-10.5.1-11", "R3720-10.5.1-04") * writes_lun()) {
  constexpr std::uint8_t kAbortTask = 1, kAbortTaskSet = 2;
  constexpr std::uint8_t kNotSupported = 5, kFunctionRejected = 255;
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const PendingWrite write = start_write(initiator, write_blocks(0, 1));
  const Pdu abort = initiator.task_management_request(kAbortTaskSet, kReservedTag);
  initiator.send(abort);
  const Fence waiting = initiator.fence(true);
  for (const Pdu& pdu : waiting.before)
    offered(!pdu.is(Opcode::task_management_response) || pdu[field::response] != kNotSupported,
            "ABORT TASK SET");
  verify(is_quiet(waiting), "no response before the data have come", words(waiting));
  judging("R3720-10.5.1-11");
  initiator.send(initiator.task_management_request(kAbortTask, abort.u32(field::initiator_task_tag))
                     .set(field::ref_cmd_sn, abort[field::cmd_sn]));
  const Pdu second = initiator.expect_one_of({Opcode::task_management_response, Opcode::reject});
  // One immediate task management request at a time is all that it has to take (3.2.2.1).
  offered(second.is(Opcode::task_management_response), "two task management requests at a time");
  verify_equal("response", kFunctionRejected, second[field::response]);
  judging("R3720-10.5.1-07");
  send_data(initiator, write, pattern(block_bytes()));
  Pdu response;
  for (int i = 0; i < 6 && !belongs_to(response, abort); ++i) {
    response = initiator.expect_one_of(
        {Opcode::task_management_response, Opcode::scsi_response, Opcode::nop_in});
    // The answer waits until the status of the write, if any, is acknowledged (10.6.1).
    if (response.is(Opcode::scsi_response))
      initiator.send(initiator.nop_out().set(field::immediate, 1));
  }
  verify(belongs_to(response, abort), "the response to ABORT TASK SET", describe(response));
  judging("R3720-10.5.1-04");
  const Fence after = initiator.fence();
  verify(after.answer.has_value(), "a session that goes on", "a close");
  for (const Pdu& pdu : after.before)
    verify(!belongs_to(pdu, write.command), "nothing for the write after it", describe(pdu));
  confirm(describe(response));
}

BOOST_AUTO_TEST_SUITE_END()
