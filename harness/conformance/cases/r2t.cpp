// Writing by R2T (10.7, 10.8). Every case here writes to the first 64 blocks of the logical unit.
#include <map>

#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(r2t)

TSIH_CASE(first_request,
          "The R2T of a write has a tag, asks for data within the bounds, and "
          "bears no data itself",
          judges("R3720-10.8.5-01", "R3720-10.8.4-01", "R3720-10.8.1-01", "R3720-3.2.4.3-01",
                 "R3720-3.2.2.3-01", "R3720-10-01", "R3720-10.8-01") *
              unh("FFP 8.1") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const Pdu command = initiator.scsi_command(write_blocks(0, 8));
  initiator.send(command);
  judging("R3720-10.8-01");
  const Pdu r2t = initiator.expect(Opcode::r2t);
  confirm("an R2T came before any data");
  judging("R3720-10.8.5-01");
  verify(r2t[field::target_transfer_tag] != kReservedTag, "a target transfer tag", describe(r2t));
  judging("R3720-10.8.4-01");
  verify(r2t[field::desired_length] > 0 && r2t[field::desired_length] <= 262144,
         "1 to 262144 bytes asked for", describe(r2t));
  judging("R3720-10.8.1-01");
  verify(r2t[field::total_ahs_length] == 0 && r2t[field::data_segment_length] == 0,
         "both lengths 0", describe(r2t));
  judging("R3720-3.2.4.3-01");
  verify(r2t[field::lun] == command[field::lun] &&
             r2t[field::initiator_task_tag] == command[field::initiator_task_tag],
         "LUN and task tag of the command", describe(r2t));
  judging("R3720-3.2.2.3-01");
  verify_equal("R2TSN", 0, r2t[field::r2t_sn]);
  judging("R3720-10-01");
  verify(reserved_problem(r2t).empty(), "0 in every reserved bit", reserved_problem(r2t));
  confirm(describe(r2t));
}

TSIH_CASE(burst_limit, "No R2T asks for more than MaxBurstLength",
          judges("R3720-10.8.4-01") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only({{"MaxBurstLength", "1024"}, {"MaxOutstandingR2T", "1"}}));
  initiator.ready();
  const auto burst = agreed_number(initiator, "MaxBurstLength", 1024);
  const Bytes data = pattern(16 * block_bytes());
  const Pdu command = initiator.scsi_command(write_blocks(0, 16));
  initiator.send(command);
  for (std::size_t asked = 0; asked < data.size();) {
    const Event event = initiator.receive();
    offered(event.heard == Heard::pdu && event.pdu.is(Opcode::r2t), "a write of 16 blocks by R2Ts");
    const Pdu& r2t = event.pdu;
    const std::size_t offset = r2t.u32(field::buffer_offset),
                      bytes = r2t.u32(field::desired_length);
    verify(bytes > 0 && bytes <= burst, fmt::format("1 to {} bytes asked for", burst), event.words);
    if (offset + bytes > data.size())
      throw Inconclusive{"an R2T reaches beyond the write: " + event.words};
    initiator.send(initiator.data_out(command, r2t.u32(field::target_transfer_tag),
                                      static_cast<std::uint32_t>(offset),
                                      std::span(data).subspan(offset, bytes), 0, true));
    asked += bytes;
  }
}

TSIH_CASE(requests_follow_one_another,
          "R2Ts are numbered from 0 and ask for ranges that follow one another, to the last byte",
          judges("R3720-10.8-09", "R3720-3.2.2.3-01", "R3720-12.19-01", "R3720-10.7.6-l03") *
              writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only(
      {{"MaxBurstLength", "1024"}, {"DataSequenceInOrder", "Yes"}, {"MaxOutstandingR2T", "1"}}));
  initiator.ready();
  const Bytes data = pattern(16ull * block_bytes());
  const Pdu write = initiator.scsi_command(write_blocks(0, 16));
  initiator.send(write);
  std::uint64_t number = 0, offset = 0;
  for (Pdu r2t = next_pdu(initiator); !r2t.is(Opcode::scsi_response); r2t = next_pdu(initiator)) {
    offered(r2t.is(Opcode::r2t), "a write of 16 blocks by R2T");
    judging("R3720-3.2.2.3-01");
    verify_equal("R2TSN", number++, r2t[field::r2t_sn]);
    judging_all({"R3720-10.8-09", "R3720-12.19-01", "R3720-10.7.6-l03"});
    verify_equal("buffer offset", offset, r2t[field::buffer_offset]);
    offset += r2t[field::desired_length];
    initiator.answer_r2t(write, r2t, data);
  }
  judging("R3720-10.8-09");
  verify_equal("bytes asked for", 16ull * block_bytes(), offset);
}

TSIH_CASE(data_without_bytes, "A Data-Out without data is taken, and the rest after it",
          judges("R3720-10.7.7-01") * unh("FFP 9.3.2") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const Pdu command = initiator.scsi_command(write_blocks(0, 1));
  const Bytes data = pattern(block_bytes());
  Pdu r2t;
  given("an R2T for the whole write", [&] {
    initiator.send(command);
    r2t = initiator.expect(Opcode::r2t);
    verify_equal("bytes asked for", data.size(), r2t[field::desired_length]);
  });
  const auto tag = r2t.u32(field::target_transfer_tag);
  initiator.send(initiator.data_out(command, tag, 0, {}, 0, false));
  initiator.send(initiator.data_out(command, tag, 0, data, 1, true));
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(is_good(response), "GOOD", describe(response));
}

TSIH_CASE(written_is_read, "What was written through R2Ts is what a read returns",
          judges("R3720-3.2.4.1-02", "R3720-3.2.4.1-04") * unh("FFP 16.3.3") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only({{"MaxBurstLength", "2048"}}));
  initiator.ready();
  const Bytes data = pattern(32 * block_bytes());
  const Transfer write = initiator.transfer(write_blocks(0, 32), data);
  offered(write.good(), "a write of 32 blocks");
  judging("R3720-3.2.4.1-04");
  confirm(fmt::format("{} R2Ts and the status on the same connection", write.r2ts.size()));
  judging("R3720-3.2.4.1-02");
  const Transfer read = initiator.transfer(read_blocks(0, 32));
  verify(read.data == data, fmt::format("the {} bytes that were written", data.size()),
         fmt::format("{} bytes, {}", read.data.size(),
                     read.data.size() == data.size() ? "others" : "another number of them"));
}

TSIH_CASE(each_write_counts_from_zero, "Of three writes at a time each numbers its R2Ts from 0",
          judges("R3720-3.2.2.3-01") * unh("FFP 4.1") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only({{"MaxBurstLength", "512"}}));
  initiator.ready();
  const Bytes data = pattern(4 * block_bytes());
  std::map<std::uint64_t, Pdu> writes;          // by task tag
  std::map<std::uint64_t, std::uint64_t> next;  // R2TSN, by task tag
  for (std::uint32_t lba : {0u, 8u, 16u}) {
    const Pdu write = initiator.scsi_command(write_blocks(lba, 4));
    writes[write[field::initiator_task_tag]] = write;
    initiator.send(write);
  }
  for (std::size_t ended = 0; ended < writes.size();) {
    const Pdu pdu = next_pdu(initiator);
    const auto tag = pdu[field::initiator_task_tag];
    ended += pdu.is(Opcode::scsi_response);
    if (!pdu.is(Opcode::r2t)) continue;
    verify_equal("R2TSN", next[tag]++, pdu[field::r2t_sn]);
    initiator.answer_r2t(writes[tag], pdu, data);
  }
  offered(next.size() == writes.size(), "R2Ts for each of three writes");
}

TSIH_CASE(every_field,
          "All R2Ts of a write are for its task, have a tag, follow one another within the bounds, "
          "and take no StatSN",
          judges("R3720-3.2.4.3-01", "R3720-3.2.2.3-01", "R3720-10.8.5-01", "R3720-3.2.2.2-03",
                 "R3720-10.8.4-01", "R3720-10.8-09", "R3720-3.2.4.3-l01", "R3720-10.2.1.7-l01") *
              unh("FFP 10.1") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only({{"DataSequenceInOrder", "Yes"},
                                          {"MaxRecvDataSegmentLength", "1024"},
                                          {"MaxBurstLength", "512"}}));
  initiator.ready();
  const auto burst = agreed_number(initiator, "MaxBurstLength", 512);
  const auto stat_sn = initiator.exp_stat_sn;
  const Bytes data = pattern(8 * block_bytes());
  const Pdu write =
      initiator.scsi_command(write_blocks(0, 8)).set(field::initiator_task_tag, 0x7e57da7a);
  initiator.send(write);
  const Transfer transfer = initiator.finish(write, data);
  offered(transfer.good() && !transfer.r2ts.empty(), "a write of 8 blocks");
  std::uint64_t number = 0, offset = 0;
  for (const Pdu& r2t : transfer.r2ts) {
    judging_all({"R3720-3.2.4.3-01", "R3720-3.2.4.3-l01", "R3720-10.2.1.7-l01"});
    verify(belongs_to(r2t, write) && r2t[field::lun] == write[field::lun],
           "task tag and LUN of the write", describe(r2t));
    judging("R3720-3.2.2.3-01");
    verify_equal("R2TSN", number++, r2t[field::r2t_sn]);
    judging("R3720-10.8.5-01");
    verify(r2t[field::target_transfer_tag] != kReservedTag, "a transfer tag", describe(r2t));
    judging("R3720-10.8.4-01");
    verify(r2t[field::desired_length] > 0 && r2t[field::desired_length] <= burst,
           fmt::format("1 to {} bytes asked for", burst), describe(r2t));
    judging("R3720-10.8-09");
    verify_equal("buffer offset", offset, r2t[field::buffer_offset]);
    offset += r2t[field::desired_length];
  }
  judging("R3720-3.2.2.2-03");
  verify_equal("StatSN of the status", stat_sn, status_of(transfer).u32(field::stat_sn));
}

BOOST_AUTO_TEST_SUITE_END()
