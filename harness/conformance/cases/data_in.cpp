// Data-In: numbering, offsets, bounds, status (3.2.2.3, 10.7).
#include <map>

#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(data_in)

TSIH_CASE(numbers_and_offsets_rise, "Data-In PDUs are numbered from 0 and follow one another",
          judges("R3720-3.2.2.3-01", "R3720-12.19-01", "R3720-10.8-06", "R3720-10.7.6-l02",
                 "R3720-12.18-l01", "R3720-10.7.6-l01") *
              unh("FFP 9.4", "FFP 9.5")) {
  needs_disk(64);
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "512"},
                           {"DataSequenceInOrder", "Yes"},
                           {"DataPDUInOrder", "Yes"}});
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 16));
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 16 blocks");
  std::uint64_t number = 0, offset = 0;
  for (const Pdu& pdu : transfer.data_in) {
    judging("R3720-3.2.2.3-01");
    verify_equal("DataSN", number++, pdu[field::data_sn]);
    judging_all({"R3720-12.19-01", "R3720-10.8-06", "R3720-10.7.6-l02", "R3720-12.18-l01"});
    verify_equal("buffer offset", offset, pdu[field::buffer_offset]);
    offset += pdu.data.size();
    judging("R3720-10.7.6-l01");
    verify(offset <= 16ull * block_bytes(), "no data beyond 16 blocks", describe(pdu));
  }
  judging("R3720-10.8-06");
  verify_equal("bytes", 16ull * block_bytes(), offset);
}

TSIH_CASE(each_read_counts_from_zero, "Of three reads at a time each numbers its Data-In from 0",
          judges("R3720-3.2.2.3-01") * unh("FFP 3.1")) {
  needs_disk(64);
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  std::map<std::uint64_t, std::uint64_t> next;  // DataSN, by task tag
  for (std::uint32_t lba : {0u, 8u, 16u}) {
    const Pdu read = initiator.scsi_command(read_blocks(lba, 8));
    next[read[field::initiator_task_tag]] = 0;
    initiator.send(read);
  }
  for (std::size_t ended = 0; ended < next.size();) {
    const Pdu pdu = next_pdu(initiator);
    if (pdu.is(Opcode::data_in))
      verify_equal("DataSN", next[pdu[field::initiator_task_tag]]++, pdu[field::data_sn]);
    ended += pdu.is(Opcode::scsi_response) || pdu[field::has_status];
  }
  confirm(fmt::format("{} Data-In of three reads", next.begin()->second * next.size()));
}

TSIH_CASE(last_is_final, "The last Data-In of a read ends its sequence (F)",
          judges(should("R3720-10.7.1-02")) * unh("FFP 9.2")) {
  needs_disk(64);
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 8));
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 8 blocks");
  verify(transfer.data_in.back()[field::final], "F", describe(transfer.data_in.back()));
}

TSIH_CASE(
    no_tag_without_a_question,
    "A Data-In that asks for no acknowledgement (A) has neither a transfer tag nor a LUN; one "
    "that does has both",
    judges("R3720-10.7.4-01", "R3720-10.7.4-02") * unh("FFP 8.2")) {
  needs_disk(64);
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "512"}, {"ErrorRecoveryLevel", "1"}});
  initiator.ready();
  const Pdu read = initiator.scsi_command(read_blocks(0, 16));
  initiator.send(read);
  const Transfer transfer = initiator.finish(read);
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 16 blocks");
  for (const Pdu& pdu : transfer.data_in) {
    const bool tagged = pdu[field::target_transfer_tag] != kReservedTag;
    judging("R3720-10.7.4-01");
    verify(tagged == (pdu[field::acknowledge] != 0), "a transfer tag with A and only with A",
           describe(pdu));
    judging("R3720-10.7.4-02");
    verify(pdu[field::lun] == (tagged ? read[field::lun] : 0),
           tagged ? "the LUN of the command" : "no LUN", describe(pdu));
  }
}

TSIH_CASE(segment_limit, "No Data-In is longer than the initiator's MaxRecvDataSegmentLength",
          judges("R3720-10.7.1-02", "R3720-10.7.1-l01") * unh("FFP 9.3.1")) {
  needs_disk(64);
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 16));
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 16 blocks");
  for (const Pdu& pdu : transfer.data_in) {
    judging("R3720-10.7.1-02");
    verify(pdu.data.size() <= 512, "at most 512 bytes", describe(pdu));
    judging("R3720-10.7.1-l01");
    verify(!pdu.data.empty(), "data", describe(pdu));
  }
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
  const auto burst = agreed_number(initiator, "MaxBurstLength", 4096);
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 32));
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 32 blocks");
  std::uint64_t in_sequence = 0;
  for (const Pdu& pdu : transfer.data_in) {
    in_sequence += pdu.data.size();
    verify(in_sequence <= burst, fmt::format("F after at most {} bytes", burst),
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
          judges("R3720-10.7.3-04", "R3720-10.7.3-01", "R3720-10.7.3-02") * unh("FFP 9.1")) {
  needs_disk(64);
  auto initiator = log_in();
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 1));
  offered(transfer.good() && !transfer.response, "status within Data-In");
  const Pdu& last = transfer.data_in.back();
  verify(last[field::final], "F with S", describe(last));
  judging("R3720-10.7.3-01");
  // GOOD, CONDITION MET, INTERMEDIATE, INTERMEDIATE-CONDITION MET (SAM-2): none of them is an
  // error.
  const auto status = last[field::scsi_status];
  verify(status == 0x00 || status == 0x04 || status == 0x10 || status == 0x14,
         "a status that is no error", describe(last));
  judging("R3720-10.7.3-02");
  const Fence fence = initiator.fence();
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  for (const Pdu& pdu : fence.before)
    verify(!pdu.is(Opcode::scsi_response), "no second status", describe(pdu));
  confirm("nothing came before the answer to a later ping");
}

TSIH_CASE(whole_words, "All Data-In but the last of a sequence are filled to whole words",
          judges("R3720-10.7.7-02") * unh("FFP 9.3.3")) {
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
  offered(context().probe.blocks <= kBeyondTheEnd, "a disk with an end below block 2^32");
  auto initiator = log_in();
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(kBeyondTheEnd, 1));
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
