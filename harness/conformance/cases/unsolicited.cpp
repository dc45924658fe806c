// Writing with immediate data and with Data-Out that no R2T asks for (10.7, 12.10, 12.11). Every
// case here writes to the first 64 blocks of the logical unit, but the one that fails.
#include "harness/conformance/cases/common.h"

namespace {

// A CHECK CONDITION says what was wrong with the data (10.4.7.2). Other refusals have no words.
bool explained(const Event& event) {
  if (event.heard != Heard::pdu || !is_failure(event.pdu) || event.pdu[field::scsi_status] != 2)
    return true;
  const auto sense = sense_of(event.pdu);
  return sense == kUnexpectedData || sense == kIncorrectAmountOfData;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(unsolicited)

TSIH_CASE(immediate_data_refused,
          "With InitialR2T=Yes and ImmediateData=No, immediate data are "
          "refused",
          judges("R3720-12.11-01") * unh("FFP 16.3.4") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  Pdu command = initiator.scsi_command(write_blocks(0, 1));
  command.data = pattern(block_bytes());
  initiator.send(command);
  const Event event = next_event(initiator);
  verify(is_refusal(event), "a Reject, a SCSI Response of failure, or a close", event.words);
}

TSIH_CASE(data_out_refused,
          "With InitialR2T=Yes and ImmediateData=No, a Data-Out that no one "
          "asked for does not complete the write",
          judges("R3720-12.11-01") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const Pdu command = initiator.scsi_command(write_blocks(0, 1)).set(field::final, 0);
  initiator.send(command);
  initiator.send(initiator.data_out(command, kReservedTag, 0, pattern(block_bytes()), 0, true));
  const Fence fence = initiator.fence(true);
  Event event{Heard::closed, {}, "the connection was closed"};
  // A device may need its time to refuse: what has not come before the fence is waited for.
  if (!fence.before.empty())
    event = {Heard::pdu, fence.before.front(), describe(fence.before.front())};
  else if (fence.answer)
    event = initiator.receive();
  verify(is_refusal(event), "a Reject, a SCSI Response of failure, or a close", event.words);
}

TSIH_CASE(immediate_data_taken,
          "With ImmediateData=Yes a write with all its data in the command "
          "needs no R2T",
          judges("R3720-5.2.2-05") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in({{"ImmediateData", "Yes"}, {"InitialR2T", "Yes"}});
  offered(initiator.negotiated().value("ImmediateData") == "Yes", "ImmediateData=Yes");
  initiator.ready();
  Pdu command = initiator.scsi_command(write_blocks(0, 1));
  command.data = pattern(block_bytes());
  const Bytes data = command.data;
  initiator.send(command);
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(is_good(response), "GOOD", describe(response));
  const Transfer read = initiator.transfer(read_blocks(0, 1));
  verify(read.data == data, "a read of what was written",
         fmt::format("{} bytes", read.data.size()));
  confirm("GOOD, and a read returns the same bytes");
}

TSIH_CASE(immediate_data_by_default,
          "Where neither side spoke of ImmediateData, a write with all its data in the command is "
          "taken",
          judges("R3720-12.11-l01") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in({{"InitialR2T", "Yes"}});
  offered(!initiator.negotiated().has("ImmediateData"), "the default of ImmediateData");
  initiator.ready();
  Pdu command = initiator.scsi_command(write_blocks(0, 1));
  command.data = pattern(block_bytes());
  initiator.send(command);
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(is_good(response), "GOOD", describe(response));
}

TSIH_CASE(first_burst_taken,
          "With InitialR2T=No the first burst comes unasked, and the rest is "
          "asked for from where it ended",
          judges("R3720-10.8-09", "R3720-10.8.5-01", "R3720-3.2.4.3-01", "R3720-5.2.2-05") *
              unh("FFP 8.1") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in({{"InitialR2T", "No"},
                           {"ImmediateData", "No"},
                           {"FirstBurstLength", "2048"},
                           {"MaxBurstLength", "65536"}});
  offered(initiator.negotiated().value("InitialR2T") == "No", "InitialR2T=No");
  initiator.ready();
  const auto first_burst = agreed_number(initiator, "FirstBurstLength", 2048);
  const auto blocks = static_cast<std::uint16_t>(8192 / block_bytes() + 1);
  const Bytes data = pattern(std::size_t{blocks} * block_bytes());
  const std::size_t unasked = std::min<std::size_t>(first_burst, data.size());
  const Pdu command = initiator.scsi_command(write_blocks(0, blocks)).set(field::final, 0);
  initiator.send(command);
  initiator.send(
      initiator.data_out(command, kReservedTag, 0, std::span(data).first(unasked), 0, true));
  const Pdu r2t = initiator.expect(Opcode::r2t);
  verify_equal("buffer offset", unasked, r2t[field::buffer_offset]);
  judging("R3720-10.8.5-01");
  verify(r2t[field::target_transfer_tag] != kReservedTag, "a transfer tag", describe(r2t));
  judging("R3720-3.2.4.3-01");
  verify(belongs_to(r2t, command) && r2t[field::lun] == command[field::lun],
         "task tag and LUN of the command", describe(r2t));
  judging("R3720-5.2.2-05");
  initiator.send(initiator.data_out(command, r2t.u32(field::target_transfer_tag),
                                    static_cast<std::uint32_t>(unasked),
                                    std::span(data).subspan(unasked), 0, true));
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(is_good(response), "GOOD", describe(response));
}

TSIH_CASE(error_waits_for_the_data,
          "A write that fails at once is answered only after its unsolicited data have come",
          judges("R3720-10.4.2-01")) {
  needs_disk(64);
  offered(context().probe.blocks <= kBeyondTheEnd, "a disk with an end below block 2^32");
  auto initiator = log_in({{"InitialR2T", "No"}, {"ImmediateData", "No"}});
  offered(initiator.negotiated().value("InitialR2T") == "No", "InitialR2T=No");
  initiator.ready();
  const Pdu command = initiator.scsi_command(write_blocks(kBeyondTheEnd, 1)).set(field::final, 0);
  initiator.send(command);
  const Fence fence = initiator.fence(true);
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  for (const Pdu& pdu : fence.before)
    verify(!pdu.is(Opcode::scsi_response), "no SCSI Response before the data have come",
           describe(pdu));
  initiator.send(initiator.data_out(command, kReservedTag, 0, pattern(block_bytes()), 0, true));
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(response[field::scsi_status] != 0, "a SCSI Response of failure", describe(response));
}

TSIH_CASE(immediate_then_asked_for,
          "Of a write with half its data immediate the other half is asked for, and it ends well",
          judges("R3720-10.8-09", "R3720-5.2.2-05") * unh("FFP 16.3.1") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in({{"ImmediateData", "Yes"},
                           {"InitialR2T", "Yes"},
                           {"FirstBurstLength", fmt::format("{}", block_bytes())}});
  offered(initiator.negotiated().value("ImmediateData") == "Yes", "ImmediateData=Yes");
  initiator.ready();
  const Bytes data = pattern(2 * block_bytes());
  Pdu command = initiator.scsi_command(write_blocks(0, 2));
  command.data.assign(data.begin(), data.begin() + block_bytes());
  initiator.send(command);
  const Pdu r2t = initiator.expect(Opcode::r2t);
  verify_equal("buffer offset", block_bytes(), r2t[field::buffer_offset]);
  judging("R3720-5.2.2-05");
  initiator.answer_r2t(command, r2t, data);
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(is_good(response), "GOOD", describe(response));
  const Transfer read = initiator.transfer(read_blocks(0, 2));
  verify(read.data == data, "a read of what was written",
         fmt::format("{} bytes", read.data.size()));
}

TSIH_CASE(too_much_immediate_data,
          "Immediate data beyond FirstBurstLength do not complete the write",
          judges(should("R3720-3.2.4.2-01"), should("R3720-6.6-01")) * unh("FFP 16.3.2") *
              writes_lun()) {
  needs_disk(64);
  auto initiator = log_in({{"ImmediateData", "Yes"},
                           {"InitialR2T", "Yes"},
                           {"FirstBurstLength", fmt::format("{}", block_bytes())}});
  offered(initiator.negotiated().value("ImmediateData") == "Yes", "ImmediateData=Yes");
  initiator.ready();
  Pdu command = initiator.scsi_command(write_blocks(0, 2));
  command.data = pattern(2 * block_bytes());
  initiator.send(command);
  const Event event = next_event(initiator);
  verify(is_refusal(event), "a Reject, a SCSI Response of failure, or a close", event.words);
  judging("R3720-6.6-01");
  verify(explained(event), "sense 0b/0c/0c or 0b/0c/0d", event.words);
}

TSIH_CASE(too_much_first_burst,
          "Data-Out that no one asked for, beyond FirstBurstLength, do not complete the write",
          judges(should("R3720-3.2.4.2-01"), should("R3720-6.6-01")) * unh("FFP 7.2") *
              writes_lun()) {
  needs_disk(64);
  auto initiator = log_in({{"InitialR2T", "No"},
                           {"ImmediateData", "No"},
                           {"FirstBurstLength", fmt::format("{}", block_bytes())}});
  offered(initiator.negotiated().value("InitialR2T") == "No", "InitialR2T=No");
  initiator.ready();
  const Bytes data = pattern(2 * block_bytes());
  const Pdu command = initiator.scsi_command(write_blocks(0, 2)).set(field::final, 0);
  initiator.send(command);
  initiator.send(initiator.data_out(command, kReservedTag, 0, data, 0, true));
  const Event event = next_event(initiator);
  verify(is_refusal(event), "a Reject, a SCSI Response of failure, or a close", event.words);
  judging("R3720-6.6-01");
  verify(explained(event), "sense 0b/0c/0c or 0b/0c/0d", event.words);
}

TSIH_CASE(all_in_the_first_burst, "A write whose data all come unasked needs no R2T",
          judges("R3720-5.2.2-05") * unh("FFP 16.3.5") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in({{"InitialR2T", "No"},
                           {"ImmediateData", "No"},
                           {"FirstBurstLength", fmt::format("{}", 2 * block_bytes())}});
  offered(initiator.negotiated().value("InitialR2T") == "No", "InitialR2T=No");
  offered(agreed_number(initiator, "FirstBurstLength", 65536) >= 2 * block_bytes(),
          "FirstBurstLength of two blocks");
  initiator.ready();
  const Bytes data = pattern(2 * block_bytes());
  const Pdu command = initiator.scsi_command(write_blocks(0, 2)).set(field::final, 0);
  initiator.send(command);
  initiator.send(initiator.data_out(command, kReservedTag, 0, data, 0, true));
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(is_good(response), "GOOD", describe(response));
  const Transfer read = initiator.transfer(read_blocks(0, 2));
  verify(read.data == data, "a read of what was written",
         fmt::format("{} bytes", read.data.size()));
}

TSIH_CASE(too_little_first_burst,
          "A write whose unasked data end too soon does not end well with half its data",
          judges(should("R3720-6.6-01")) * unh("FFP 16.3.6") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in({{"InitialR2T", "No"},
                           {"ImmediateData", "No"},
                           {"FirstBurstLength", fmt::format("{}", 2 * block_bytes())}});
  offered(initiator.negotiated().value("InitialR2T") == "No", "InitialR2T=No");
  initiator.ready();
  const Bytes data = pattern(2 * block_bytes());
  const Pdu command = initiator.scsi_command(write_blocks(0, 2)).set(field::final, 0);
  initiator.send(command);
  initiator.send(
      initiator.data_out(command, kReservedTag, 0, std::span(data).first(block_bytes()), 0, true));
  const Event event = next_event(initiator);
  // 10.4.7.2 speaks of writes longer than FirstBurstLength; here a target may ask for the rest.
  const bool asked = event.heard == Heard::pdu && event.pdu.is(Opcode::r2t);
  verify(asked || (is_refusal(event) && explained(event)),
         "sense 0b/0c/0d, a Reject, a close, or an R2T for the rest", event.words);
}

TSIH_CASE(incorrect_amount_of_data,
          "Unasked data that end before FirstBurstLength, of a write longer than that, fail it",
          judges(should("R3720-6.6-01")) * unh("FFP 16.3.6") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in({{"InitialR2T", "No"},
                           {"ImmediateData", "No"},
                           {"FirstBurstLength", fmt::format("{}", 2 * block_bytes())}});
  offered(initiator.negotiated().value("InitialR2T") == "No", "InitialR2T=No");
  initiator.ready();
  const Pdu command = initiator.scsi_command(write_blocks(0, 3)).set(field::final, 0);
  initiator.send(command);
  initiator.send(initiator.data_out(command, kReservedTag, 0, pattern(block_bytes()), 0, true));
  const Event event = next_event(initiator);
  verify(is_refusal(event) && explained(event), "sense 0b/0c/0d, a Reject, or a close",
         event.words);
}

BOOST_AUTO_TEST_SUITE_END()
