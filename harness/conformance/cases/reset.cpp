// Resets of the whole target (10.5.1, 10.6.1). They end the work of every initiator.
#include "harness/conformance/cases/common.h"

namespace {

constexpr std::uint8_t kLogicalUnitReset = 5;
constexpr std::uint8_t kWarmReset = 6;
constexpr std::uint8_t kColdReset = 7;

// Numbered, so that the target carries it out after what was sent before.
Pdu reset_request(Initiator& initiator, std::uint8_t function) {
  return initiator.task_management_request(function, kReservedTag)
      .set(field::immediate, 0)
      .set(field::lun, 0);
}

// A target may leave resets out, or allow them to some only (10.5.1).
bool is_carried_out(const Pdu& response) {
  constexpr std::uint8_t kNotSupported = 5, kNotAuthorized = 6, kRejected = 255;
  const auto code = response[field::response];
  return code != kNotSupported && code != kNotAuthorized && code != kRejected;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(task_management)

TSIH_CASE(warm_reset, "After the answer to a warm reset nothing more comes of what was under way",
          judges("R3720-10.5.1-01", "R3720-10.5.1-04", "R3720-10.5.1-14") * unh("FFP 11.4") *
              resets_target() * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const Pdu read = initiator.scsi_command(read_blocks(0, 64));
  initiator.send(read);
  const Pdu write = initiator.scsi_command(write_blocks(0, 2));  // waits for its data for ever
  initiator.send(write);
  initiator.send(reset_request(initiator, kWarmReset));
  Pdu answer;
  while (!answer.is(Opcode::task_management_response)) answer = next_pdu(initiator);
  confirm(describe(answer));
  judging("R3720-10.5.1-14");
  constexpr std::uint8_t kLastResponse = 6, kFunctionRejected = 255;  // (10.6.1)
  verify(answer[field::response] <= kLastResponse || answer[field::response] == kFunctionRejected,
         "a response that 10.6.1 defines", describe(answer));
  judging("R3720-10.5.1-04");
  offered(is_carried_out(answer), "TARGET WARM RESET");
  verify_equal("response", 0, answer[field::response]);
  const Fence fence = initiator.fence(true);
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  for (const Pdu& pdu : fence.before)
    verify(!belongs_to(pdu, read) && !belongs_to(pdu, write), "nothing more of a read and a write",
           describe(pdu));
}

TSIH_CASE(logical_unit_reset,
          "A logical unit reset ends the tasks of all, and tells the others by a unit attention",
          judges("R3720-10.5.1-12", "R3720-3.2.2.1-l01") * resets_target() * writes_lun()) {
  judging_all({"R3720-10.5.1-12", "R3720-3.2.2.1-l01"});
  needs_disk(64);
  auto other = log_in(solicited_only());
  other.ready();
  auto initiator = log_in();
  initiator.ready();
  const Pdu write = other.scsi_command(write_blocks(0, 1));
  given("a write of another initiator that waits for its data", [&] {
    other.send(write);
    other.expect(Opcode::r2t);
  });
  initiator.send(reset_request(initiator, kLogicalUnitReset).set(field::lun, write[field::lun]));
  const Pdu answer = initiator.expect(Opcode::task_management_response);
  verify_equal("response", 0, answer[field::response]);
  const Pdu question = other.scsi_command({.cdb = Bytes(6, 0)});
  other.send(question);
  const Pdu status = next_pdu(other);  // the connection may go with the task
  // SAM-5 6.3.3: a unit attention for every other I_T nexus, 29h and a qualifier of the target's.
  const auto sense = sense_of(status);
  verify(belongs_to(status, question) && sense && sense->key == 6 && sense->asc == 0x29,
         "nothing of the write, and sense 06/29 for the next command",
         describe(status) + ", " + sense_words(status));
}

TSIH_CASE(cold_reset, "A cold reset closes the connections of every initiator",
          judges("R3720-10.5.1-15", "R3720-10.6.1-01", "R3720-F.2-l01") * unh("FFP 11.5") *
              resets_target()) {
  judging_all({"R3720-10.5.1-15", "R3720-10.6.1-01"});
  needs_disk(64);
  auto other = log_in();
  auto initiator = log_in();
  initiator.ready();
  initiator.send(initiator.scsi_command(read_blocks(0, 64)));
  initiator.send(reset_request(initiator, kColdReset));
  // The answer itself may be lost with the connection (10.5.1).
  Event event = next_event(initiator);
  while (event.heard == Heard::pdu && !event.pdu.is(Opcode::task_management_response))
    event = next_event(initiator);
  offered(event.heard != Heard::pdu || is_carried_out(event.pdu), "TARGET COLD RESET");
  initiator.expect_close();
  confirm(event.words);
  other.expect_close();
  confirm("the connection of another initiator was closed too");
  judging("R3720-F.2-l01");
  auto after = log_in();
  after.send(after.scsi_command({.cdb = Bytes(6, 0)}));
  const Pdu status = after.expect(Opcode::scsi_response);
  const auto sense = sense_of(status);
  verify(sense && sense->key == 6 && sense->asc == 0x29, "sense 06/29 for the next command",
         describe(status) + ", " + sense_words(status));
}

BOOST_AUTO_TEST_SUITE_END()
