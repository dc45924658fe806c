// R2T and the Data-Out that answers it (RFC 3720 10.7, 10.8, 3.2.4.2).
#include "harness/initiators/cases/common.h"

namespace {

constexpr std::uint32_t kTag = 0x20;

// The R2T of a write that the case has taken: this tag, this number, this range.
struct Ask {
  std::uint32_t tag = kTag;
  std::uint32_t r2t_sn = 0;
  std::uint32_t offset = 0;
  std::uint32_t bytes = 4096;
};

Pdu send_r2t(Peer& initiator, const Pdu& command, const Ask& ask) {
  const Pdu r2t = initiator.r2t(command, ask.tag, ask.r2t_sn, ask.offset, ask.bytes);
  initiator.send(r2t);
  return r2t;
}

std::uint32_t bytes_of(const std::vector<Pdu>& data_outs) {
  std::uint32_t bytes = 0;
  for (const Pdu& pdu : data_outs) bytes += static_cast<std::uint32_t>(pdu.data.size());
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(r2t)

TSIH_TRIAL(one_burst, "Each field of the Data-Outs that an R2T asks for",
           judges("R3720-10.8-04", "R3720-10.7.1-02", "R3720-3.2.2.3-01", "R3720-10.8-06",
                  "R3720-3.2.4.3-01", "R3720-3.2.4.2-06", "R3720-10.7.1-l01") *
               unh("FFP 6.1", "FFP 9.1", "FFP 11.1.1", "FFP 11.2.2", "FFP 11.4", "FFP 12.2")) {
  constexpr std::uint32_t kMost = 4096, kAsked = 20480;
  wish("MaxRecvDataSegmentLength", std::to_string(kMost));
  wish("ImmediateData", "No");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  initiator.begin_write(write, false);
  const auto burst = expect_data_outs(initiator, send_r2t(initiator, write, {.bytes = kAsked}));
  std::uint32_t data_sn = 0, offset = 0;
  for (const Pdu& pdu : burst) {
    judging("R3720-3.2.4.3-01");
    verify_equal("LUN", write[field::lun], pdu[field::lun]);
    judging("R3720-10.7.1-02");
    verify(pdu.data.size() <= kMost, fmt::format("at most {} bytes", kMost), describe(pdu));
    judging("R3720-3.2.2.3-01");
    verify_equal("DataSN", data_sn++, pdu[field::data_sn]);
    judging("R3720-10.8-06");
    verify_equal("buffer offset", offset, pdu[field::buffer_offset]);
    offset += static_cast<std::uint32_t>(pdu.data.size());
    judging("R3720-10.8-04");
    verify(offset <= kAsked, fmt::format("data within {} bytes", kAsked), describe(pdu));
  }
  judging("R3720-3.2.4.2-06");
  verify_equal("bytes", kAsked, offset);
  judging("R3720-10.7.1-l01");
  for (const Pdu& pdu : burst) verify(!pdu.data.empty(), "data", describe(pdu));
}

TSIH_TRIAL(one_data_out, "A single Data-Out has just the range of its R2T, and F",
           judges("R3720-10.8-03") * unh("FFP 12.1")) {
  wish("ImmediateData", "No");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  initiator.begin_write(write, false);
  const auto burst = expect_data_outs(initiator, send_r2t(initiator, write, {.bytes = 512}));
  offered(burst.size() == 1, "a single Data-Out");
  verify_equal("bytes", 512, bytes_of(burst));
  verify_equal("buffer offset", 0, burst[0][field::buffer_offset]);
}

TSIH_TRIAL(numbers_begin_anew, "DataSN begins at 0 with each R2T",
           judges("R3720-3.2.2.3-01") * unh("FFP 11.3")) {
  wish("ImmediateData", "No");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  initiator.begin_write(write, false);
  for (std::uint32_t i = 0; i < 3; ++i) {
    const Pdu r2t = send_r2t(initiator, write, {kTag + i, i, i * 4096});
    const auto burst = expect_data_outs(initiator, r2t);
    verify_equal("DataSN", 0, burst.front()[field::data_sn]);
  }
}

TSIH_TRIAL(odd_sizes, "R2Ts of one byte, of three, of no block's length, bring just these",
           judges("R3720-3.2.4.2-06", "R3720-10.8-04")) {
  wish("ImmediateData", "No");
  start(kCopy);
  auto [initiator, write] = serve_until(write_command());
  const auto total = static_cast<std::uint32_t>(initiator.begin_write(write, false).data.size());
  std::uint32_t r2t_sn = 0, offset = 0;
  for (const std::uint32_t bytes : {1u, 3u, 511u, 513u, 4093u, total - 5121u}) {
    const Pdu r2t = send_r2t(initiator, write, {kTag + r2t_sn, r2t_sn, offset, bytes});
    judging("R3720-10.8-04");
    const auto burst = expect_data_outs(initiator, r2t);
    verify_equal("bytes", bytes, bytes_of(burst));
    offset += bytes;
    ++r2t_sn;
  }
  initiator.finish_write(write);
  judging("R3720-3.2.4.2-06");
  expect_copied();
}

TSIH_TRIAL(tag_of_zero, "Zero is a transfer tag like any other", judges("R3720-3.2.4.3-01")) {
  wish("ImmediateData", "No");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  initiator.begin_write(write, false);
  expect_data_outs(initiator, send_r2t(initiator, write, {.tag = 0}));
  confirm("Data-Out with transfer tag 0");
}

TSIH_TRIAL(late, "An R2T that comes after other things is answered all the same",
           judges("R3720-3.2.4.2-06")) {
  wish("ImmediateData", "No");
  start(kCopy);
  auto [initiator, write] = serve_until(write_command());
  initiator.begin_write(write, false);
  up_to_pong(initiator);
  initiator.send(initiator.nop_in());
  const auto total = write.u32(field::expected_data_transfer_length);
  expect_data_outs(initiator, send_r2t(initiator, write, {.bytes = total}));
  initiator.finish_write(write);
  expect_copied();
}

TSIH_TRIAL(several_at_once, "Several R2Ts of a write are answered in their order",
           judges("R3720-10.8-07", "R3720-12.19-01", "R3720-10.7.6-l03") * unh("FFP 12.4")) {
  wish("ImmediateData", "No");
  wish("MaxOutstandingR2T", "4");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  offered(initiator.agreed("MaxOutstandingR2T", 1) >= 3, "MaxOutstandingR2T=3");
  initiator.begin_write(write, false);
  std::vector<Pdu> r2ts;
  for (std::uint32_t i = 0; i < 3; ++i)
    r2ts.push_back(send_r2t(initiator, write, {kTag + i, i, i * 4096}));
  std::vector<Pdu> sequences;  // the first Data-Out of each
  std::uint32_t end = 0;
  judging_all({"R3720-10.8-07", "R3720-12.19-01", "R3720-10.7.6-l03"});
  while (sequences.size() < r2ts.size()) {
    Pdu pdu = expect(initiator, request(Opcode::data_out));
    sequences.push_back(pdu);
    verify(pdu[field::buffer_offset] >= end, fmt::format("a sequence from offset {} on", end),
           describe(pdu));
    while (!pdu[field::final]) pdu = expect(initiator, request(Opcode::data_out));
    end = pdu.u32(field::buffer_offset) + bytes_of({pdu});
  }
  judging("R3720-10.8-07");
  for (std::size_t i = 0; i < r2ts.size(); ++i)
    verify_equal("transfer tag", r2ts[i][field::target_transfer_tag],
                 sequences[i][field::target_transfer_tag]);
}

TSIH_TRIAL(out_of_order, "R2Ts step back where DataSequenceInOrder=No was agreed",
           judges("R3720-3.2.4.2-06") * unh("FFP 12.3")) {
  wish("ImmediateData", "No");
  wish("DataSequenceInOrder", "No");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  offered(initiator.said("DataSequenceInOrder") == "No", "DataSequenceInOrder=No");
  initiator.begin_write(write, false);
  expect_data_outs(initiator, send_r2t(initiator, write, {kTag, 0, 8192}));
  const auto burst = expect_data_outs(initiator, send_r2t(initiator, write, {kTag + 1, 1, 0}));
  verify_equal("buffer offset", 0, burst.front()[field::buffer_offset]);
}

TSIH_TRIAL(twice, "An R2T that comes twice is answered once", judges("R3720-6.8-05")) {
  wish("ImmediateData", "No");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  initiator.begin_write(write, false);
  send_r2t(initiator, write, {});
  const Pdu r2t = send_r2t(initiator, write, {});
  expect_data_outs(initiator, r2t);
  // R2Ts are answered in their order (10.8): what answers the one that came twice comes before
  // this.
  const Pdu next = send_r2t(initiator, write, {kTag + 1, 1, 4096});
  const Pdu data_out = expect(initiator, request(Opcode::data_out));
  verify(data_out[field::target_transfer_tag] == next[field::target_transfer_tag],
         "one answer to an R2T that came twice", describe(data_out));
}

TSIH_TRIAL(gap_in_r2t_sn, "An R2T that never came is noticed by the number of the next",
           judges("R3720-6.8-01")) {
  wish("ImmediateData", "No");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  initiator.begin_write(write, false);
  send_r2t(initiator, write, {.r2t_sn = 1});
  const Met met = target().next_of(initiator);
  verify(!met.pdu || !met.pdu->is(Opcode::data_out),
         "the connection to end or R2T 0 to be asked for: R2TSN 0 was never seen", met.words);
}

TSIH_TRIAL(beyond_the_end, "An R2T for more than the write has",
           judges(should("R3720-6.6-01"), "R3720-3.2.4.2-01")) {
  wish("ImmediateData", "No");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  initiator.begin_write(write, false);
  const auto total = write.u32(field::expected_data_transfer_length);
  send_r2t(initiator, write, {.offset = total - 512, .bytes = 1024});
  judging("R3720-3.2.4.2-01");
  expect_none(initiator, "Data-Out beyond the expected length", [&](const Pdu& pdu) {
    return pdu.is(Opcode::data_out) && pdu[field::buffer_offset] + pdu.data.size() > total;
  });
  judging("R3720-6.6-01");
  expect_gives_up(initiator, "an R2T asks for more than there is");
}

TSIH_TRIAL(for_a_read, "An R2T for a command that only reads",
           judges("R3720-3.2.4.2-01", should("R3720-6.6-01"))) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  send_r2t(initiator, read, {});
  expect_none(initiator, "Data-Out for a read",
              [](const Pdu& pdu) { return pdu.is(Opcode::data_out); });
  judging("R3720-6.6-01");
  expect_gives_up(initiator, "an R2T contradicts the command");
}

TSIH_TRIAL(of_no_bytes, "An R2T that asks for nothing", judges(should("R3720-6.6-01"))) {
  wish("ImmediateData", "No");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  initiator.begin_write(write, false);
  send_r2t(initiator, write, {.bytes = 0});
  expect_gives_up(initiator, "DesiredDataTransferLength is 0 (10.8.4)");
}

TSIH_TRIAL(of_no_task, "An R2T with a task tag that nobody uses", judges(should("R3720-6.6-01"))) {
  wish("ImmediateData", "No");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  initiator.send(initiator.r2t(write, kTag, 0, 0, 4096).set(field::initiator_task_tag, 0x7ead0000));
  expect_gives_up(initiator, "there is no such task");
}

BOOST_AUTO_TEST_SUITE_END()
