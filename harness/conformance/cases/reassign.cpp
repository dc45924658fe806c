// TASK REASSIGN: tasks go on over another connection (6.2.2, 10.5, 10.6). All of it belongs to
// ErrorRecoveryLevel 2.
#include "harness/conformance/cases/recovery.h"

BOOST_AUTO_TEST_SUITE(reassign)

namespace {

constexpr std::uint8_t kTaskReassign = 8;
constexpr std::uint8_t kComplete = 0;
constexpr std::uint8_t kTaskDoesNotExist = 1;
constexpr std::uint8_t kTaskStillAllegiant = 3;
constexpr std::uint8_t kFunctionRejected = 255;

const TextKeys kSolicitedOnly{
    {"InitialR2T", "Yes"}, {"ImmediateData", "No"}, {"MaxRecvDataSegmentLength", "512"}};
const TextKeys kSmallSegments{{"MaxRecvDataSegmentLength", "512"}};

Pdu task_reassign(Initiator& initiator, const Pdu& task, std::uint32_t exp_data_sn = 0) {
  return initiator.task_management_request(kTaskReassign, task.u32(field::initiator_task_tag))
      .set(field::lun, 0)
      .set(field::exp_data_sn, exp_data_sn);
}

// Over this connection, in favour of its tasks; returns how long to wait with them, in seconds.
std::uint64_t log_out_for_recovery(Initiator& by, const Initiator& leaving) {
  Pdu response;
  setting_up("a logout for recovery", [&] {
    by.send(by.logout_request(kForRecovery).set(field::cid, leaving.cid));
    response = by.expect(Opcode::logout_response);
    if (response[field::response] != 0) throw Broken{"Logout Response 0", describe(response)};
    if (&by == &leaving) by.expect_close();
  });
  return response[field::time2wait];
}

// The first thing that comes for the task is the response that gives it to this connection.
Pdu expect_function_response(Initiator& initiator, const Pdu& task, std::uint32_t exp_data_sn = 0) {
  initiator.send(task_reassign(initiator, task, exp_data_sn));
  return initiator.expect(Opcode::task_management_response);
}

void expect_reassigned(Initiator& initiator, const Pdu& task, CaseContext& context,
                       std::uint32_t exp_data_sn = 0) {
  const Pdu response = expect_function_response(initiator, task, exp_data_sn);
  if (response[field::response] != kComplete)
    context.fail("response 0 (function complete)", describe(response));
  context.confirm(describe(response));
}

// The write goes on from an R2T to GOOD, and the block is what was written.
void expect_write_to_end(Initiator& initiator, const Pdu& write, const Bytes& data,
                         const ScsiCommand& read, CaseContext& context) {
  const Transfer transfer = initiator.expect_finish(write, data);
  if (!transfer.good()) context.fail("GOOD", describe(*transfer.response));
  if (initiator.transfer(read).data != data)
    context.fail("a read of what was written", "other bytes");
  context.confirm("the write ended with GOOD, and a read returns its bytes");
}

}  // namespace

TSIH_CASE(a_write_after_a_logout,
          "A write goes on over another connection when its own was logged out for recovery",
          judges("R3720-6.1.5-02", "R3720-6.2.2-09", "R3720-10.5.1-17", "R3720-10.6-01",
                 "R3720-6.2.2-02", "R3720-6.2.2-05", "R3720-6.2.2-l01", "R3720-10.5.1-l03") *
              writes_lun() * unh("ERT 2.1")) {
  needs_disk(64);
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly, kSmallSegments);
  const PendingWrite write = start_write(second, write_blocks(0, 1));
  respite(log_out_for_recovery(second, second));
  judging_all({"R3720-6.2.2-09", "R3720-10.5.1-17", "R3720-10.6-01"});
  const Pdu response = expect_function_response(first, write.command);
  confirm("the response came before anything of the task");
  judging("R3720-6.1.5-02");
  verify_equal("response", kComplete, response[field::response]);
  judging_all({"R3720-6.2.2-02", "R3720-6.2.2-l01", "R3720-6.2.2-05", "R3720-10.5.1-l03"});
  expect_write_to_end(first, write.command, pattern(block_bytes()), read_blocks(0, 1), context());
}

TSIH_CASE(a_write_without_a_logout,
          "A write whose connection stands is still allegiant to it, and goes on there",
          judges("R3720-6.2.2-08") * writes_lun() * unh("ERT 2.2")) {
  needs_disk(64);
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly, kSmallSegments);
  const PendingWrite write = start_write(second, write_blocks(0, 1));
  const Pdu response = expect_function_response(first, write.command);
  verify_equal("response", kTaskStillAllegiant, response[field::response]);
  send_data(second, write, pattern(block_bytes()));
  verify(second.expect_finish(write.command).good(), "GOOD on its own connection",
         "another status");
}

TSIH_CASE(a_read_after_a_logout,
          "A read of which nothing was acknowledged comes again as a whole, with its status",
          judges("R3720-6.1.5-02", "R3720-10.5.6-01", "R3720-6.2.2-05") *
              unh("ERT 2.3", "FFP 11.2.1")) {
  needs_disk(64);
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly, kSmallSegments);
  const auto read = read_unacknowledged(second, read_blocks(0, 8));
  respite(log_out_for_recovery(second, second));
  expect_reassigned(first, read.command, context());
  judging("R3720-6.2.2-05");
  const Transfer again = first.expect_finish(read.command);
  verify(again.good(), "GOOD", "another status");
  judging("R3720-10.5.6-01");
  verify(again.data == read.data, "all the data", fmt::format("{} bytes", again.data.size()));
}

TSIH_CASE(a_read_without_a_logout, "A read whose connection stands is still allegiant to it",
          judges("R3720-6.2.2-08") * unh("FFP 11.2.2")) {
  needs_disk(64);
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly, kSmallSegments);
  const auto read = read_unacknowledged(second, read_blocks(0, 8));
  const Pdu response = expect_function_response(first, read.command);
  verify_equal("response", kTaskStillAllegiant, response[field::response]);
}

TSIH_CASE(after_a_drop_alone,
          "A task whose connection was dropped, but not logged out, is still allegiant to it",
          judges("R3720-6.2.2-08") * writes_lun() * unh("FFP 11.2.3")) {
  needs_disk(64);
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly, kSmallSegments);
  offered(agreed_number(first, "DefaultTime2Retain", 20) > 0, "DefaultTime2Retain above 0");
  const PendingWrite write = start_write(second, write_blocks(0, 1));
  second.drop();
  const Pdu response = expect_function_response(first, write.command);
  verify_equal("response", kTaskStillAllegiant, response[field::response]);
}

TSIH_CASE(after_a_drop_and_a_logout,
          "A task goes on when its dropped connection was logged out over another one",
          judges("R3720-6.1.5-02", "R3720-6.2.2-05") * writes_lun() * unh("FFP 11.2.3")) {
  needs_disk(64);
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly, kSmallSegments);
  offered(agreed_number(first, "DefaultTime2Retain", 20) > 0, "DefaultTime2Retain above 0");
  const PendingWrite write = start_write(second, write_blocks(0, 1));
  second.drop();
  respite(log_out_for_recovery(first, second));
  expect_reassigned(first, write.command, context());
  judging("R3720-6.2.2-05");
  expect_write_to_end(first, write.command, pattern(block_bytes()), read_blocks(0, 1), context());
}

TSIH_CASE(after_a_reinstatement,
          "A task goes on over the connection that took the place of its own",
          judges("R3720-6.1.5-02", "R3720-6.2.2-05") * writes_lun() * unh("ERT 2.4")) {
  needs_disk(64);
  auto old = log_in_at_level(2, solicited_only());
  offered(agreed_number(old, "DefaultTime2Retain", 20) > 0, "DefaultTime2Retain above 0");
  old.ready();
  const PendingWrite write = start_write(old, write_blocks(0, 1));
  old.drop();
  respite(agreed_number(old, "DefaultTime2Wait", 2));
  auto fresh = join(old, old.cid);
  expect_reassigned(fresh, write.command, context());
  judging("R3720-6.2.2-05");
  expect_write_to_end(fresh, write.command, pattern(block_bytes()), read_blocks(0, 1), context());
}

TSIH_CASE(from_the_acknowledged_number,
          "A read goes on from ExpDataSN: what comes before it has arrived",
          judges("R3720-10.5.6-01", "R3720-6.2.2-03")) {
  needs_disk(64);
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly, kSmallSegments);
  const auto read = read_unacknowledged(second, read_blocks(0, 8));
  constexpr std::uint32_t kArrived = 3;
  const std::size_t from = read.data_in[kArrived].u32(field::buffer_offset);
  given("a reassignment", [&] {
    respite(log_out_for_recovery(second, second));
    expect_reassigned(first, read.command, context(), kArrived);
  });
  const Transfer rest = first.expect_finish(read.command);
  Bytes data(read.data.begin(), read.data.begin() + static_cast<std::ptrdiff_t>(from));
  data.resize(read.data.size());
  bool again = false;
  for (const Pdu& pdu : rest.data_in) {
    const std::size_t offset = pdu[field::buffer_offset];
    again |= offset < from;
    if (offset + pdu.data.size() > data.size()) fail("data within the read", describe(pdu));
    std::ranges::copy(pdu.data, data.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  judging("R3720-6.2.2-03");
  verify(!again, fmt::format("no data before byte {}", from), "some of it again");
  judging("R3720-10.5.6-01");
  verify(rest.good() && data == read.data, "the rest of the data, and GOOD",
         fmt::format("{} Data-In that do not complete it", rest.data_in.size()));
  confirm(fmt::format("{} Data-In from byte {} on, then GOOD", rest.data_in.size(), from));
}

TSIH_CASE(number_out_of_bounds, "An ExpDataSN beyond what was sent is ignored",
          judges("R3720-10.5.6-04")) {
  needs_disk(64);
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly, kSmallSegments);
  const auto read = read_unacknowledged(second, read_blocks(0, 8));
  given("a logout", [&] { respite(log_out_for_recovery(second, second)); });
  expect_reassigned(first, read.command, context(), 0x10000);
  const Transfer again = first.expect_finish(read.command);
  verify(again.good() && again.data == read.data, "all the data and GOOD",
         fmt::format("{} bytes", again.data.size()));
}

TSIH_CASE(a_status_alone, "A finished task whose status was not acknowledged has it sent again",
          judges("R3720-6.2.2-05")) {
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly);
  const Pdu command = second.scsi_command({.cdb = Bytes(6, 0)});
  given("a status that got lost, and a reassignment", [&] {
    second.send(command);
    second.lose(second.expect(Opcode::scsi_response));
    respite(log_out_for_recovery(second, second));
    expect_reassigned(first, command, context());
  });
  const Pdu status = first.expect(Opcode::scsi_response);
  verify(belongs_to(status, command) && is_good(status), "GOOD for the task", describe(status));
}

TSIH_CASE(without_its_snack_tag, "A reassigned read has lost its SNACK Tag",
          judges("R3720-6.2.2-10")) {
  needs_disk(64);
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly, kSmallSegments);
  const auto read = read_unacknowledged(second, read_blocks(0, 2));
  given("an R-Data SNACK, and a reassignment", [&] {
    second.send(
        second.snack_request(kResegmentedData, 0, 0, &read.command).set(field::snack_tag, 0x5ac1));
    second.finish_unacknowledged(read.command);
    second.lose(read.status);
    respite(log_out_for_recovery(second, second));
    expect_reassigned(first, read.command, context());
  });
  const Transfer again = first.expect_finish(read.command);
  verify(again.good(), "GOOD", "another status");
  if (again.response) verify_equal("SNACK Tag", 0, (*again.response)[field::snack_tag]);
}

TSIH_CASE(of_an_immediate_command, "An immediate command does not outlive its connection",
          judges("R3720-6.12-05") * writes_lun()) {
  needs_disk(64);
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly, kSmallSegments);
  const Pdu write = second.scsi_command(write_blocks(0, 1)).set(field::immediate, 1);
  given("an immediate write with an R2T, and the loss of its connection", [&] {
    second.send(write);
    second.expect(Opcode::r2t);
    second.drop();
    respite(log_out_for_recovery(first, second));
  });
  const Pdu response = expect_function_response(first, write);
  verify(response[field::response] != kComplete, "a response other than function complete",
         describe(response));
}

TSIH_CASE(of_a_text_negotiation, "A text negotiation is not reassigned",
          judges("R3720-10.5.1-18")) {
  auto initiator = log_in_at_level(2);
  const Pdu text = initiator.text_request({}).set(field::final, 0);
  initiator.send(text);
  const Pdu answer = initiator.expect(Opcode::text_response);
  offered(!answer[field::final], "a text negotiation that stays open");
  const Pdu response = expect_function_response(initiator, text);
  // It is still allegiant to a connection, too: the RFC says not which of the two comes first.
  verify(response[field::response] == kFunctionRejected ||
             response[field::response] == kTaskStillAllegiant,
         "response 255 (function rejected), or 3", describe(response));
}

TSIH_CASE(when_nothing_is_retained,
          "With Time2Retain 0 the tasks end with their connection, and that is told",
          judges("R3720-6.5-01", "R3720-10.14.5-01", "R3720-10.5.1-01") * writes_lun()) {
  needs_disk(64);
  TextKeys keys = kSolicitedOnly;
  keys.add("DefaultTime2Retain", "0");
  auto [first, second] = log_in_twice_at_level(2, keys, kSmallSegments);
  offered(agreed_number(first, "DefaultTime2Retain", 20) == 0, "DefaultTime2Retain=0");
  const PendingWrite write = start_write(second, write_blocks(0, 1));
  Pdu logout;
  given("a logout for recovery", [&] {
    second.send(second.logout_request(kForRecovery));
    logout = second.expect(Opcode::logout_response);
    second.expect_close();
  });
  offered(logout[field::response] == 0 && logout[field::time2retain] == 0,
          "a logout that retains nothing");
  judging("R3720-10.5.1-01");
  const Pdu response = expect_function_response(first, write.command);
  verify_equal("response", kTaskDoesNotExist, response[field::response]);
  first.send(first.scsi_command({.cdb = Bytes(6, 0)}));
  const Pdu attention = first.expect(Opcode::scsi_response);
  judging_all({"R3720-6.5-01", "R3720-10.14.5-01"});
  verify(sense_of(attention) == kCommandsCleared, "sense 06/47/7f",
         sense_words(attention) + " in " + describe(attention));
}

TSIH_CASE(an_abort_after_a_logout,
          "A task of a connection that was logged out is aborted over another one",
          judges("R3720-10.5.1-01", "R3720-10.5.1-04") * writes_lun()) {
  needs_disk(64);
  auto [first, second] = log_in_twice_at_level(2, kSolicitedOnly, kSmallSegments);
  const PendingWrite write = start_write(second, write_blocks(0, 1));
  given("a logout", [&] { respite(log_out_for_recovery(second, second)); });
  first.send(first.task_management_request(1, write.command.u32(field::initiator_task_tag))
                 .set(field::ref_cmd_sn, write.command[field::cmd_sn]));
  const Pdu response = first.expect(Opcode::task_management_response);
  verify_equal("response", kComplete, response[field::response]);
  judging("R3720-10.5.1-04");
  const Fence fence = first.fence();
  for (const Pdu& pdu : fence.before)
    verify(!belongs_to(pdu, write.command), "nothing more for the task", describe(pdu));
  verify(fence.answer.has_value(), "a session that goes on", "a close");
  confirm("nothing came for the task after the response");
}

BOOST_AUTO_TEST_SUITE_END()
