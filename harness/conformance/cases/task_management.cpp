// Task management (6.2.2, 6.9, 10.5, 10.6). Only functions that leave other initiators alone.
#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(task_management)

namespace {
constexpr std::uint8_t kAbortTask = 1;
constexpr std::uint8_t kTaskReassign = 8;
constexpr std::uint8_t kFunctionComplete = 0;
constexpr std::uint8_t kTaskDoesNotExist = 1;
constexpr std::uint8_t kReassignmentNotSupported = 4;
}  // namespace

TSIH_CASE(finished_task, "Aborting a task that has been answered: the task does not exist",
          judges("R3720-6.9-04", "R3720-10.5.1-01", "R3720-10.6.3-01", "R3720-10-01")) {
  auto initiator = log_in();
  initiator.ready();
  const Pdu command = initiator.scsi_command({.cdb = Bytes(6, 0)});
  given("a finished command", [&] {
    initiator.send(command);
    initiator.expect(Opcode::scsi_response);
  });
  initiator.send(
      initiator.task_management_request(kAbortTask, command.u32(field::initiator_task_tag))
          .set(field::ref_cmd_sn, command[field::cmd_sn]));
  judging("R3720-10.5.1-01");
  const Pdu response = initiator.expect(Opcode::task_management_response);
  confirm(describe(response));
  judging("R3720-10.6.3-01");
  verify(response[field::total_ahs_length] == 0 && response[field::data_segment_length] == 0,
         "both lengths 0", describe(response));
  judging("R3720-10-01");
  verify(reserved_problem(response).empty(), "0 in every reserved bit", reserved_problem(response));
  confirm(describe(response));
  judging("R3720-6.9-04");
  verify_equal("response", kTaskDoesNotExist, response[field::response]);
}

TSIH_CASE(missing_command, "Aborting a command that never came counts it as received",
          judges("R3720-6.9-03")) {
  auto initiator = log_in();
  const auto missing = initiator.cmd_sn++;
  initiator.send(initiator.task_management_request(kAbortTask, initiator.next_tag())
                     .set(field::ref_cmd_sn, missing));
  const Pdu response = initiator.expect(Opcode::task_management_response);
  verify_equal("response", kFunctionComplete, response[field::response]);
  const Fence fence = initiator.fence();
  verify(fence.answer.has_value(), "the next command executed", "a closed connection");
  confirm("function complete, and the next command was executed");
}

TSIH_CASE(aborted_write, "A write that waits for its data is aborted, and no status follows",
          judges("R3720-10.5.1-04") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in({{"InitialR2T", "Yes"}, {"ImmediateData", "No"}});
  initiator.ready();
  const Pdu command = initiator.scsi_command(write_blocks(0, 8));
  given("a write with an R2T", [&] {
    initiator.send(command);
    initiator.expect(Opcode::r2t);
  });
  initiator.send(
      initiator.task_management_request(kAbortTask, command.u32(field::initiator_task_tag))
          .set(field::ref_cmd_sn, command[field::cmd_sn]));
  // Its status may come before the task management response, never after.
  Pdu response;
  for (int i = 0; i < 4 && !response.is(Opcode::task_management_response); ++i) {
    const Event event = initiator.receive();
    if (event.heard != Heard::pdu)
      throw Inconclusive{"no task management response: " + event.words};
    response = event.pdu;
  }
  const Fence fence = initiator.fence(true);
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  for (const Pdu& pdu : fence.before)
    verify(pdu[field::initiator_task_tag] != command[field::initiator_task_tag],
           "nothing more for the aborted task", describe(pdu));
  confirm(describe(response));
}

TSIH_CASE(reassignment, "A target without ErrorRecoveryLevel 2 says that it reassigns no tasks",
          judges("R3720-6.2.2-07")) {
  auto initiator = log_in({{"ErrorRecoveryLevel", "2"}});
  offered(initiator.negotiated().value("ErrorRecoveryLevel") != "2",
          "a target that lacks what this case asks for: it has ErrorRecoveryLevel 2");
  initiator.send(initiator.task_management_request(kTaskReassign, initiator.next_tag()));
  const Pdu response = initiator.expect(Opcode::task_management_response);
  verify_equal("response", kReassignmentNotSupported, response[field::response]);
}

TSIH_CASE(reserved_function, "A function that nobody has defined is not carried out",
          judges("R3720-10-03")) {
  auto initiator = log_in();
  initiator.send(initiator.task_management_request(0x55, kReservedTag));
  const Event event = initiator.receive();
  if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
  const bool complete = event.heard == Heard::pdu &&
                        event.pdu.is(Opcode::task_management_response) &&
                        event.pdu[field::response] == kFunctionComplete;
  verify(!complete, "a Reject, a response other than complete, or a close", event.words);
}

BOOST_AUTO_TEST_SUITE_END()
