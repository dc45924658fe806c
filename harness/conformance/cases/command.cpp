// SCSI commands: their responses, sense data and residuals (10.3, 10.4).
#include "harness/conformance/cases/common.h"

namespace {

// A command that no device has: the vendor specific range is left alone.
const ScsiCommand kNoSuchCommand{.cdb = {0x1f, 0, 0, 0, 0, 0}};

ScsiCommand inquiry(std::uint8_t allocation_bytes, std::uint32_t expected_bytes) {
  return {.cdb = {0x12, 0, 0, 0, allocation_bytes, 0}, .read_bytes = expected_bytes};
}

// The additional header that says how much a bidirectional command reads (10.2.2.3).
Bytes expected_bidirectional_read(std::uint32_t bytes) {
  constexpr std::uint8_t kType = 2, kLength = 5;
  return {0,
          kLength,
          kType,
          0,
          static_cast<std::uint8_t>(bytes >> 24),
          static_cast<std::uint8_t>(bytes >> 16),
          static_cast<std::uint8_t>(bytes >> 8),
          static_cast<std::uint8_t>(bytes)};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(command)

TSIH_CASE(sense_data_come_along, "A CHECK CONDITION brings its sense data",
          judges("R3720-10.4.7-01", "R3720-10.4.7-02", "R3720-3.5.1.2-01", "R3720-9.2-01",
                 "R3720-10.4.8-01") *
              unh("FFP 16.3.7")) {
  auto initiator = log_in();
  initiator.ready();
  initiator.send(initiator.scsi_command(kNoSuchCommand));
  const Pdu response = initiator.expect(Opcode::scsi_response);
  offered(response[field::scsi_status] == 2,
          "CHECK CONDITION for an operation code that nobody has defined");
  judging_all({"R3720-10.4.7-01", "R3720-10.4.7-02", "R3720-3.5.1.2-01", "R3720-9.2-01"});
  // Two bytes of length, then sense data that long (10.4.7.1).
  const auto& data = response.data;
  const std::size_t sense_bytes = data.size() < 2 ? 0 : data[0] * 256u + data[1];
  verify(sense_bytes >= 8 && sense_bytes + 2 <= data.size(),
         "SenseLength of at least 8, and that many bytes", data_words(response));
  judging("R3720-10.4.8-01");
  verify_equal("ExpDataSN", 0, response[field::exp_data_sn]);
}

TSIH_CASE(underflow_is_counted, "What an INQUIRY did not fill is told as residual underflow",
          judges("R3720-10.4.5-01") * unh("FFP 16.1")) {
  auto initiator = log_in();
  const Transfer transfer = initiator.transfer(inquiry(255, 4096));
  offered(transfer.good(), "INQUIRY");
  const Pdu& last = status_of(transfer);
  const std::uint64_t missing = 4096 - transfer.data.size();
  verify(last[field::underflow] && !last[field::overflow] && last[field::residual] == missing,
         fmt::format("U and a residual of {}", missing), describe(last));
}

TSIH_CASE(overflow_is_counted, "What a read had no room for is told as residual overflow",
          judges("R3720-10.4.5-01", "R3720-10.4.1-l01")) {
  needs_disk(64);
  auto initiator = log_in();
  initiator.ready();
  ScsiCommand read = read_blocks(0, 2);
  read.read_bytes = block_bytes();
  const Transfer transfer = initiator.transfer(read);
  offered(transfer.good(), "a read with less room than blocks");
  const Pdu& last = status_of(transfer);
  verify(transfer.data.size() <= block_bytes(), "no more data than there is room for",
         fmt::format("{} bytes", transfer.data.size()));
  judging("R3720-10.4.1-l01");
  verify(!last[field::overflow] || !last[field::underflow], "not both O and U", describe(last));
  judging("R3720-10.4.5-01");
  verify(last[field::overflow] && !last[field::underflow] && last[field::residual] == block_bytes(),
         fmt::format("O and a residual of {}", block_bytes()), describe(last));
}

TSIH_CASE(inquiry_overflow_is_counted,
          "What an INQUIRY had no room for is not sent, and told as residual overflow",
          judges("R3720-10.4.5-01") * unh("FFP 16.2")) {
  auto initiator = log_in();
  const Transfer whole = initiator.transfer(inquiry(255, 255));
  offered(whole.good() && whole.data.size() > 4, "INQUIRY");
  const Transfer cut = initiator.transfer(inquiry(255, 4));
  offered(cut.good(), "INQUIRY with room for four bytes");
  const Pdu& last = status_of(cut);
  verify(cut.data.size() <= 4, "no more than 4 bytes", fmt::format("{}", cut.data.size()));
  // To say nothing of it is allowed; to say something wrong is not.
  const auto missing = whole.data.size() - 4;
  verify(!last[field::underflow] && (!last[field::overflow] || last[field::residual] == missing),
         fmt::format("a residual of {} with O, and no U", missing), describe(last));
  offered(last[field::overflow], "residual counts of overflows");
}

TSIH_CASE(no_data_unless_expected, "A command that expects no data gets none",
          judges("R3720-10.4.5-01", "R3720-10.4.8-01") * unh("FFP 19.1")) {
  auto initiator = log_in();
  initiator.ready();
  const ScsiCommand read_capacity{.cdb = {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}};
  initiator.send(initiator.scsi_command(read_capacity).set(field::read, 1));
  const Event event = next_event(initiator);
  verify(event.heard == Heard::pdu && event.pdu.data.empty(), "no data", event.words);
  if (!event.pdu.is(Opcode::scsi_response)) throw Unsupported{"a SCSI Response: " + event.words};
  verify(!event.pdu[field::underflow] &&
             (!event.pdu[field::overflow] || event.pdu[field::residual] == 8),
         "a residual of 8 with O, and no U", event.words);
  judging("R3720-10.4.8-01");
  verify_equal("ExpDataSN", 0, event.pdu[field::exp_data_sn]);
}

TSIH_CASE(
    bidirectional,
    "The status of a bidirectional command comes in a SCSI Response, and what it did not read "
    "is counted",
    judges("R3720-10.7.3-03", "R3720-10.4.6-01")) {
  constexpr std::uint8_t kXdWriteRead10 = 0x53;  // SBC-3
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const ScsiCommand both{.cdb = {kXdWriteRead10, 0, 0, 0, 0, 0, 0, 0, 1, 0},
                         .write_bytes = block_bytes()};
  Pdu command = initiator.scsi_command(both).set(field::read, 1);
  command.ahs = expected_bidirectional_read(2 * block_bytes());
  initiator.send(command);
  const Transfer transfer = initiator.finish(command, Bytes(block_bytes(), 0));
  verify(transfer.response.has_value(), "a SCSI Response", describe(status_of(transfer)));
  judging("R3720-10.4.6-01");
  const Pdu& response = *transfer.response;
  offered(response[field::bidi_underflow] || response[field::bidi_overflow],
          "a residual count of what is read by a bidirectional command");
  const auto missing = 2 * block_bytes() - transfer.data.size();
  verify(!response[field::bidi_overflow] && response[field::bidi_residual] == missing,
         fmt::format("u and a residual of {}", missing), describe(response));
}

TSIH_CASE(response_of_a_failed_delivery,
          "A response other than Command Completed at Target has no residual flags",
          judges("R3720-10.4.1-01") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  Pdu command = initiator.scsi_command(write_blocks(0, 2));
  command.data = pattern(block_bytes());  // which nobody allowed
  initiator.send(command);
  const Event event = next_event(initiator);
  offered(event.heard == Heard::pdu && event.pdu.is(Opcode::scsi_response) &&
              event.pdu[field::response] != 0,
          "a response other than Command Completed at Target");
  verify(!event.pdu[field::bidi_overflow] && !event.pdu[field::bidi_underflow] &&
             !event.pdu[field::overflow] && !event.pdu[field::underflow],
         "bits 3 to 6 at 0", event.words);
}

TSIH_CASE(response_is_clean, "Everything undefined in a SCSI Response is 0",
          judges("R3720-10-01", "R3720-10.4.4-l01")) {
  auto initiator = log_in();
  initiator.send(initiator.scsi_command({.cdb = Bytes(6, 0)}));
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(reserved_problem(response).empty(), "0 in every reserved bit", reserved_problem(response));
  confirm(describe(response));
  judging("R3720-10.4.4-l01");
  verify_equal("SNACK Tag", 0, response[field::snack_tag]);
}

TSIH_CASE(reserved_bits_are_ignored, "Bits that no one has defined do not disturb a command",
          judges("R3720-10-02")) {
  auto initiator = log_in();
  initiator.ready();
  Pdu command = initiator.scsi_command({.cdb = Bytes(6, 0)});
  command.header[1] |= 0x18;
  command.header[2] = 0xff;
  command.header[3] = 0xff;
  initiator.send(command);
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(response[field::response] == 0 && response[field::scsi_status] == 0, "GOOD",
         describe(response));
}

BOOST_AUTO_TEST_SUITE_END()
