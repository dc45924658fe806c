// SCSI commands without data, with data in, their responses and residuals (3.2.2.3, 10.3, 10.4,
// 10.7).
#include "harness/conformance/cases/common.h"

namespace {

// A command that no device has: the vendor specific range is left alone.
const ScsiCommand kNoSuchCommand{.cdb = {0x1f, 0, 0, 0, 0, 0}};

ScsiCommand inquiry(std::uint8_t allocation_bytes, std::uint32_t expected_bytes) {
  return {.cdb = {0x12, 0, 0, 0, allocation_bytes, 0}, .read_bytes = expected_bytes};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(command)

TSIH_CASE(sense_data_come_along, "A CHECK CONDITION brings its sense data",
          judges("R3720-10.4.7-01", "R3720-10.4.7-02", "R3720-10.4.8-01")) {
  auto initiator = log_in();
  initiator.ready();
  initiator.send(initiator.scsi_command(kNoSuchCommand));
  const Pdu response = initiator.expect(Opcode::scsi_response);
  offered(response[field::scsi_status] == 2,
          "CHECK CONDITION for an operation code that nobody has defined");
  for (const char* clause : {"R3720-10.4.7-01", "R3720-10.4.7-02"}) {
    judging(clause);
    // Two bytes of length, then sense data that long (10.4.7.1).
    const auto& data = response.data;
    const std::size_t sense_bytes = data.size() < 2 ? 0 : data[0] * 256u + data[1];
    verify(sense_bytes >= 8 && sense_bytes + 2 <= data.size(),
           "SenseLength of at least 8, and that many bytes", data_words(response));
  }
  judging("R3720-10.4.8-01");
  verify_equal("ExpDataSN", 0, response[field::exp_data_sn]);
}

TSIH_CASE(underflow_is_counted, "What an INQUIRY did not fill is told as residual underflow",
          judges("R3720-10.4.5-01")) {
  auto initiator = log_in();
  const Transfer transfer = initiator.transfer(inquiry(255, 4096));
  offered(transfer.good(), "INQUIRY");
  const Pdu& last = transfer.response ? *transfer.response : transfer.data_in.back();
  const std::uint64_t missing = 4096 - transfer.data.size();
  verify(last[field::underflow] && !last[field::overflow] && last[field::residual] == missing,
         fmt::format("U and a residual of {}", missing), describe(last));
}

TSIH_CASE(overflow_is_counted, "What a read had no room for is told as residual overflow",
          judges("R3720-10.4.5-01")) {
  needs_disk(64);
  auto initiator = log_in();
  initiator.ready();
  ScsiCommand read = read_blocks(0, 2);
  read.read_bytes = block_bytes();
  const Transfer transfer = initiator.transfer(read);
  offered(transfer.good(), "a read with less room than blocks");
  const Pdu& last = transfer.response ? *transfer.response : transfer.data_in.back();
  verify(transfer.data.size() <= block_bytes(), "no more data than there is room for",
         fmt::format("{} bytes", transfer.data.size()));
  verify(last[field::overflow] && !last[field::underflow] && last[field::residual] == block_bytes(),
         fmt::format("O and a residual of {}", block_bytes()), describe(last));
}

TSIH_CASE(response_is_clean, "Everything undefined in a SCSI Response is 0",
          judges("R3720-10-01")) {
  auto initiator = log_in();
  initiator.send(initiator.scsi_command({.cdb = Bytes(6, 0)}));
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(reserved_problem(response).empty(), "0 in every reserved bit", reserved_problem(response));
  confirm(describe(response));
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

BOOST_AUTO_TEST_SUITE(data_in)

TSIH_CASE(numbers_and_offsets_rise, "Data-In PDUs are numbered from 0 and follow one another",
          judges("R3720-3.2.2.3-01", "R3720-12.19-01")) {
  needs_disk(64);
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "512"}, {"DataSequenceInOrder", "Yes"}});
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 16));
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 16 blocks");
  std::uint64_t number = 0, offset = 0;
  for (const Pdu& pdu : transfer.data_in) {
    judging("R3720-3.2.2.3-01");
    verify_equal("DataSN", number++, pdu[field::data_sn]);
    judging("R3720-12.19-01");
    verify_equal("buffer offset", offset, pdu[field::buffer_offset]);
    offset += pdu.data.size();
  }
  verify_equal("bytes", 16ull * block_bytes(), offset);
}

TSIH_CASE(segment_limit, "No Data-In is longer than the initiator's MaxRecvDataSegmentLength",
          judges("R3720-10.7.1-02")) {
  needs_disk(64);
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 16));
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 16 blocks");
  for (const Pdu& pdu : transfer.data_in)
    verify(pdu.data.size() <= 512, "at most 512 bytes", describe(pdu));
}

TSIH_CASE(
    segment_limit_by_default,
    "To an initiator that declares no MaxRecvDataSegmentLength, data come in pieces of at most "
    "8192 bytes",
    judges("R3720-10.7.1-02", should("R3720-5.2-10"))) {
  needs_disk(64);
  auto initiator = connect();
  given("a login", [&] {
    initiator.authenticate();
    const Answer answer = initiator.expect_negotiation({{"InitialR2T", "Yes"}});
    if (!initiator.established()) fail("a login", describe(answer.pdu));
    initiator.ready();
  });
  initiator.send(initiator.scsi_command(read_blocks(0, 32)));
  std::size_t bytes = 0;
  for (int i = 0; i < 1000; ++i) {
    const Pdu pdu = initiator.expect(Opcode::data_in);
    judging("R3720-10.7.1-02");
    verify(pdu.data.size() <= 8192, "at most 8192 bytes", describe(pdu));
    judging("R3720-5.2-10");
    verify(!pdu.data.empty(), "some of the data", describe(pdu));
    if ((bytes += pdu.data.size()) >= 32ull * block_bytes()) return;
  }
  fail("an end of the data", "1000 Data-In PDUs without one");
}

TSIH_CASE(burst_limit, "No sequence of Data-In is longer than MaxBurstLength",
          judges("R3720-10.7.1-02")) {
  needs_disk(64);
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "1024"}, {"MaxBurstLength", "4096"}});
  const auto burst =
      tsih::wire::parse_number(initiator.negotiated().value("MaxBurstLength").value_or("4096"));
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 32));
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 32 blocks");
  std::uint64_t in_sequence = 0;
  for (const Pdu& pdu : transfer.data_in) {
    in_sequence += pdu.data.size();
    verify(in_sequence <= burst.value_or(4096), fmt::format("F after at most {} bytes", *burst),
           fmt::format("{} bytes without F before {}", in_sequence, describe(pdu)));
    if (pdu[field::final]) in_sequence = 0;
  }
}

TSIH_CASE(no_acknowledgement_at_level_zero,
          "At ErrorRecoveryLevel 0 no Data-In asks for an acknowledgement",
          judges("R3720-10.7.2-02")) {
  needs_disk(64);
  auto initiator = log_in({{"ErrorRecoveryLevel", "0"}, {"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 16));
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 16 blocks");
  for (const Pdu& pdu : transfer.data_in)
    verify(!pdu[field::acknowledge], "A clear", describe(pdu));
}

TSIH_CASE(status_comes_once, "Status with the data goes with F, and no SCSI Response follows",
          judges("R3720-10.7.3-04", "R3720-10.7.3-02")) {
  needs_disk(64);
  auto initiator = log_in();
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 1));
  offered(transfer.good() && !transfer.response, "status within Data-In");
  verify(transfer.data_in.back()[field::final], "F with S", describe(transfer.data_in.back()));
  judging("R3720-10.7.3-02");
  const Fence fence = initiator.fence();
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  for (const Pdu& pdu : fence.before)
    verify(!pdu.is(Opcode::scsi_response), "no second status", describe(pdu));
  confirm("nothing came before the answer to a later ping");
}

TSIH_CASE(whole_words, "All Data-In but the last of a sequence are filled to whole words",
          judges("R3720-10.7.7-02")) {
  needs_disk(64);
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "515"}});
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 8));
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 8 blocks");
  for (const Pdu& pdu : transfer.data_in)
    verify(pdu[field::final] || pdu.data.size() % 4 == 0, "a multiple of 4 bytes", describe(pdu));
}

TSIH_CASE(no_data_with_an_error, "The sense of a read that fails comes in a SCSI Response",
          judges("R3720-10.7.3-01")) {
  needs_disk(64);
  offered(context().probe.blocks <= 0xfffffff0, "a disk with an end below block 2^32");
  auto initiator = log_in();
  initiator.ready();
  const Transfer transfer =
      initiator.transfer(read_blocks(static_cast<std::uint32_t>(context().probe.blocks), 1));
  offered(!transfer.good(), "an error for a read beyond the end");
  verify(transfer.response.has_value(), "a SCSI Response",
         transfer.data_in.empty() ? "none" : describe(transfer.data_in.back()));
}

TSIH_CASE(reserved_fields_are_zero, "Everything undefined in a Data-In is 0",
          judges("R3720-10-01")) {
  needs_disk(64);
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 8));
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 8 blocks");
  for (const Pdu& pdu : transfer.data_in)
    verify(reserved_problem(pdu).empty(), "0 in every reserved bit", reserved_problem(pdu));
  confirm(describe(transfer.data_in.front()));
}

BOOST_AUTO_TEST_SUITE_END()
