// Task management (6.2.2, 6.9, 10.5, 10.6). Only functions that leave other initiators alone.
#include "harness/conformance/cases/common.h"

namespace {
constexpr std::uint8_t kAbortTask = 1;
constexpr std::uint8_t kAbortTaskSet = 2;
constexpr std::uint8_t kTaskReassign = 8;
constexpr std::uint8_t kFunctionComplete = 0;
constexpr std::uint8_t kTaskDoesNotExist = 1;
constexpr std::uint8_t kReassignmentNotSupported = 4;
constexpr std::uint8_t kNotSupported = 5;
}  // namespace

BOOST_AUTO_TEST_SUITE(task_management)

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
          judges("R3720-6.9-03", "R3720-10.5.1-l02", "R3720-10.5.5-l01", "R3720-10.6.1-l02")) {
  auto initiator = log_in();
  const auto missing = initiator.cmd_sn++;
  initiator.send(initiator.task_management_request(kAbortTask, initiator.next_tag())
                     .set(field::ref_cmd_sn, missing));
  judging("R3720-10.5.1-l02");
  const Pdu response = initiator.expect(Opcode::task_management_response);
  confirm("answered, while a number before it is missing");
  judging_all({"R3720-6.9-03", "R3720-10.5.5-l01", "R3720-10.6.1-l02"});
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

TSIH_CASE(first_of_two_writes,
          "Of two writes the one that is aborted gets nothing more, and the other ends well",
          judges("R3720-10.5.1-04", "R3720-10.5.1-01", "R3720-10.6.1-l01") * unh("FFP 11.1") *
              writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const Bytes data = pattern(2 * block_bytes());
  const Pdu first = initiator.scsi_command(write_blocks(0, 2));
  initiator.send(first);
  const Pdu r2t = next_pdu(initiator);
  offered(r2t.is(Opcode::r2t), "an R2T for the first write");
  const Pdu second = initiator.scsi_command(write_blocks(8, 2)).set(field::immediate, 1);
  initiator.send(second);
  initiator.send(initiator.task_management_request(kAbortTask, first.u32(field::initiator_task_tag))
                     .set(field::ref_cmd_sn, first[field::cmd_sn]));
  initiator.answer_r2t(first, r2t, data);  // too late
  bool aborted = false, written = false;
  while (!aborted || !written) {
    const Pdu pdu = next_pdu(initiator);
    judging("R3720-10.5.1-04");
    verify(!aborted || !belongs_to(pdu, first), "nothing more for the aborted write",
           describe(pdu));
    if (pdu.is(Opcode::r2t) && belongs_to(pdu, second)) initiator.answer_r2t(second, pdu, data);
    if (pdu.is(Opcode::scsi_response) && belongs_to(pdu, second)) {
      verify(is_good(pdu), "GOOD for the other write", describe(pdu));
      written = true;
    }
    judging("R3720-10.5.1-01");
    if (pdu.is(Opcode::task_management_response)) {
      judging_all({"R3720-10.5.1-01", "R3720-10.6.1-l01"});
      verify_equal("response", kFunctionComplete, pdu[field::response]);
      aborted = true;
    }
  }
  judging("R3720-10.5.1-04");
  const Fence fence = initiator.fence(true);
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  for (const Pdu& pdu : fence.before)
    verify(!belongs_to(pdu, first), "nothing more for the aborted write", describe(pdu));
}

TSIH_CASE(task_set,
          "After the answer to ABORT TASK SET nothing more comes of a read, and a ping is answered",
          judges("R3720-10.5.1-04", "R3720-10.5.1-01", "R3720-10.5.1-l01") * unh("FFP 11.3.1")) {
  needs_disk(64);
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const Pdu read = initiator.scsi_command(read_blocks(0, 64));
  initiator.send(read);
  initiator.send(initiator.task_management_request(kAbortTaskSet, kReservedTag));
  const Pdu ping = initiator.nop_out();  // with the CmdSN of the request before it
  initiator.send(ping);
  bool aborted = false, pinged = false;
  while (!aborted || !pinged) {
    const Pdu pdu = next_pdu(initiator);
    judging_all({"R3720-10.5.1-04", "R3720-10.5.1-l01"});
    verify(!aborted || !belongs_to(pdu, read), "nothing more of the read", describe(pdu));
    pinged |= pdu.is(Opcode::nop_in) && belongs_to(pdu, ping);
    judging("R3720-10.5.1-01");
    if (pdu.is(Opcode::task_management_response)) {
      offered(pdu[field::response] != kNotSupported, "ABORT TASK SET");
      verify_equal("response", kFunctionComplete, pdu[field::response]);
      aborted = true;
    }
    // The answer waits until the status of the read, if any, is acknowledged (10.6.1).
    if (belongs_to(pdu, read) && (pdu.is(Opcode::scsi_response) || pdu[field::has_status]))
      initiator.send(initiator.nop_out().set(field::immediate, 1));
  }
  judging_all({"R3720-10.5.1-04", "R3720-10.5.1-l01"});
  const Fence fence = initiator.fence(true);
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  for (const Pdu& pdu : fence.before)
    verify(!belongs_to(pdu, read), "nothing more of the read", describe(pdu));
}

TSIH_CASE(unknown_task, "Aborting a task that never was leaves the others alone",
          judges("R3720-10.5.1-01", "R3720-10.6.1-l03") * unh("FFP 11.3.3")) {
  needs_disk(64);
  auto initiator = log_in();
  initiator.ready();
  const Pdu read = initiator.scsi_command(read_blocks(0, 64));
  initiator.send(read);
  // A RefCmdSN that was never in the window of this session.
  initiator.send(initiator.task_management_request(kAbortTask, initiator.next_tag())
                     .set(field::ref_cmd_sn, initiator.cmd_sn - 1000));
  const Pdu ping = initiator.nop_out();
  initiator.send(ping);
  bool answered = false, read_good = false, pinged = false;
  while (!answered || !read_good || !pinged) {
    const Pdu pdu = next_pdu(initiator);
    judging("R3720-10.5.1-01");
    if (belongs_to(pdu, read) && (pdu.is(Opcode::scsi_response) || pdu[field::has_status])) {
      verify_equal("status of the read", 0, pdu[field::scsi_status]);
      read_good = true;
    }
    pinged |= pdu.is(Opcode::nop_in) && belongs_to(pdu, ping);
    if (pdu.is(Opcode::task_management_response)) {
      judging_all({"R3720-10.5.1-01", "R3720-10.6.1-l03"});
      verify_equal("response", kTaskDoesNotExist, pdu[field::response]);
      answered = true;
    }
  }
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
