// SNACK: data, R2Ts and statuses are asked for again, data are acknowledged (6.7, 10.16).
#include "harness/conformance/cases/recovery.h"

BOOST_AUTO_TEST_SUITE(snack)

namespace {

constexpr std::uint8_t kSnackReject = 3;
constexpr std::uint8_t kProtocolError = 4;

// What a SNACK brings back. A target may turn one down for lack of resources (6.7): then there is
// nothing to compare.
Pdu expect_again(Initiator& initiator, Opcode opcode) {
  const Pdu pdu = initiator.expect_one_of({opcode, Opcode::reject});
  if (pdu.is(Opcode::reject) && pdu[field::reject_reason] == kSnackReject)
    throw Unsupported{"retransmission: it answers with a SNACK reject"};
  return pdu;
}

// These Data-In, one after the other, and nothing more.
void expect_data_again(Initiator& initiator, std::span<const Pdu> originals, CaseContext& context) {
  for (const Pdu& original : originals) {
    const Pdu again = expect_again(initiator, Opcode::data_in);
    // StatSN has a meaning only beside a status.
    const Field free_field = original[field::has_status] ? field::exp_cmd_sn : field::stat_sn;
    const std::string wrong =
        again.is(Opcode::data_in) ? difference(original, again, {free_field}) : "the opcode";
    if (!wrong.empty())
      context.fail("a replica of " + describe(original),
                   fmt::format("{}, which differs in {}", describe(again), wrong));
  }
  const Fence fence = initiator.fence(true);
  if (!is_quiet(fence)) context.fail("no more than was asked for", words(fence));
  context.confirm(fmt::format("{} replicas", originals.size()));
}

// SNACKs for what there is not are protocol errors (10.16); the data of the Reject are the SNACK.
void expect_protocol_error(Initiator& initiator, const Pdu& snack, CaseContext& context) {
  initiator.send(snack);
  const Pdu reject = initiator.expect(Opcode::reject);
  if (reject[field::reject_reason] != kProtocolError)
    context.fail("a Reject with reason 4 (protocol error)", describe(reject));
  context.confirm(describe(reject));
}

}  // namespace

TSIH_CASE(an_r2t, "An R2T that was asked for again is the same, with the StatSN of now",
          judges("R3720-10.16-02", "R3720-10.16-03", "R3720-10.16-01") * writes_lun() *
              unh("FFP 12.1", "ERT 3.1")) {
  needs_disk(64);
  auto initiator = log_in_at_level(1, solicited_only());
  initiator.ready();
  const PendingWrite write = start_write(initiator, write_blocks(0, 1));
  given("a status in between", [&] { initiator.fence(); });
  initiator.send(
      initiator.snack_request(kDataOrR2t, write.r2t.u32(field::r2t_sn), 1, &write.command));
  const Pdu again = expect_again(initiator, Opcode::r2t);
  const std::string wrong = difference(write.r2t, again, {field::stat_sn});
  verify(wrong.empty(), "a replica of " + describe(write.r2t), describe(again));
  judging("R3720-10.16-03");
  verify_equal("StatSN", initiator.exp_stat_sn, again.u32(field::stat_sn));
  judging("R3720-10.16-01");
  send_data(initiator, write, pattern(block_bytes()));
  verify(is_good(initiator.expect(Opcode::scsi_response)), "GOOD for the write", "another status");
}

TSIH_CASE(turned_down_before_the_status,
          "A read whose data cannot be had again ends with SNACK rejected (0b/11/13)",
          judges("R3720-6.7-08")) {
  constexpr std::uint16_t kBlocks = 1024;
  constexpr Sense kSnackRejected{0x0b, 0x11, 0x13};
  needs_disk(kBlocks);
  auto initiator = log_in_at_level(1, {{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const Pdu read = initiator.scsi_command(read_blocks(0, kBlocks));
  initiator.send(read);
  const Pdu first = next_pdu(initiator);
  offered(first.is(Opcode::data_in), "a read of 1024 blocks");
  initiator.send(initiator.snack_request(kDataOrR2t, first.u32(field::data_sn), 1, &read));
  bool turned_down = false;
  Pdu pdu;
  for (std::size_t i = 0; i < 4 * kBlocks; ++i) {
    pdu = next_pdu(initiator);
    turned_down |= pdu.is(Opcode::reject) && pdu[field::reject_reason] == kSnackReject;
    if (pdu.is(Opcode::scsi_response) || (pdu.is(Opcode::data_in) && pdu[field::has_status])) break;
    if (pdu.is(Opcode::data_in) && pdu[field::acknowledge]) initiator.send(initiator.data_ack(pdu));
  }
  offered(turned_down, "a SNACK reject before the status: it sends the data again");
  verify(sense_of(pdu) == kSnackRejected, "sense 0b/11/13",
         describe(pdu) + ", " + sense_words(pdu));
}

TSIH_CASE(one_data_in, "One Data-In in the midst of a read is sent again",
          judges("R3720-10.16-04", "R3720-10.16-01", "R3720-6.7-07") * unh("FFP 12.2", "ERT 3.2")) {
  needs_disk(64);
  auto initiator = log_in_at_level(1, {{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const auto read = read_unacknowledged(initiator, read_blocks(0, 8));
  judging_all({"R3720-10.16-04", "R3720-10.16-01", "R3720-6.7-07"});
  initiator.send(initiator.snack_request(kDataOrR2t, 1, 1, &read.command));
  expect_data_again(initiator, std::span(read.data_in).subspan(1, 1), context());
}

TSIH_CASE(a_run_of_data_in, "A run of Data-In is sent again, no more and no less",
          judges("R3720-10.16-04") * unh("ERT 3.3")) {
  needs_disk(64);
  auto initiator = log_in_at_level(1, {{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const auto read = read_unacknowledged(initiator, read_blocks(0, 8));
  initiator.send(initiator.snack_request(kDataOrR2t, 2, 3, &read.command));
  expect_data_again(initiator, std::span(read.data_in).subspan(2, 3), context());
}

TSIH_CASE(data_in_to_the_end, "RunLength 0 brings all Data-In from BegRun on",
          judges("R3720-10.16-04")) {
  needs_disk(64);
  auto initiator = log_in_at_level(1, {{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const auto read = read_unacknowledged(initiator, read_blocks(0, 8));
  initiator.send(initiator.snack_request(kDataOrR2t, 3, 0, &read.command));
  expect_data_again(initiator, std::span(read.data_in).subspan(3), context());
}

TSIH_CASE(all_data_in, "BegRun 0 and RunLength 0 bring all Data-In that were not acknowledged",
          judges("R3720-10.16-04") * unh("FFP 12.3", "ERT 3.4")) {
  needs_disk(64);
  auto initiator = log_in_at_level(1, {{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const auto read = read_unacknowledged(initiator, read_blocks(0, 8));
  initiator.send(initiator.snack_request(kDataOrR2t, 0, 0, &read.command));
  expect_data_again(initiator, read.data_in, context());
}

TSIH_CASE(a_status, "A SCSI Response that was lost is sent again, under its StatSN",
          judges("R3720-10.16-02", "R3720-10.4.9-01") * unh("ERT 3.5")) {
  auto initiator = log_in_at_level(1);
  initiator.ready();
  const Pdu command = initiator.scsi_command({.cdb = Bytes(6, 0)});
  Pdu response;
  given("a SCSI Response", [&] {
    initiator.send(command);
    response = initiator.expect(Opcode::scsi_response);
  });
  initiator.lose(response);
  initiator.send(initiator.snack_request(kStatus, response.u32(field::stat_sn), 1));
  const Pdu again = expect_again(initiator, Opcode::scsi_response);
  const std::string wrong = difference(response, again, {field::exp_data_sn, field::stat_sn});
  verify(wrong.empty(), "a replica of " + describe(response), describe(again));
  judging("R3720-10.4.9-01");
  verify_equal("StatSN", response.u32(field::stat_sn), again.u32(field::stat_sn));
}

TSIH_CASE(all_statuses, "BegRun 0 and RunLength 0 bring all statuses that were not acknowledged",
          judges("R3720-10.16-02")) {
  auto initiator = log_in_at_level(1);
  initiator.ready();
  std::vector<Pdu> responses;
  given("three SCSI Responses", [&] {
    const auto acknowledged = initiator.exp_stat_sn;
    for (int i = 0; i < 3; ++i) {
      initiator.exp_stat_sn = acknowledged;
      initiator.send(initiator.scsi_command({.cdb = Bytes(6, 0)}));
      responses.push_back(initiator.expect(Opcode::scsi_response));
    }
  });
  initiator.lose(responses.front());
  initiator.send(initiator.snack_request(kStatus, 0, 0));
  for (const Pdu& response : responses) {
    const Pdu again = expect_again(initiator, Opcode::scsi_response);
    verify(difference(response, again, {field::exp_data_sn}).empty(),
           "a replica of " + describe(response), describe(again));
  }
}

TSIH_CASE(on_the_connection_of_the_command,
          "What a SNACK brings back comes on the connection of the command",
          judges("R3720-3.2.4.1-05")) {
  needs_disk(64);
  auto first = log_in_at_level(1, {{"MaxConnections", "2"}});
  offered(agreed_number(first, "MaxConnections", 1) > 1, "MaxConnections=2");
  first.ready();
  auto second = join(first, 2, {{"MaxRecvDataSegmentLength", "512"}});
  const auto read = read_unacknowledged(second, read_blocks(0, 4));
  second.send(second.snack_request(kDataOrR2t, 0, 1, &read.command));
  expect_data_again(second, std::span(read.data_in).first(1), context());
  const Fence fence = first.fence(true);
  verify(is_quiet(fence), "nothing on the other connection", words(fence));
}

TSIH_CASE(data_never_sent, "A SNACK for a Data-In that never was is a protocol error",
          judges("R3720-10.16-05")) {
  needs_disk(64);
  auto initiator = log_in_at_level(1, {{"MaxRecvDataSegmentLength", "512"}});
  initiator.ready();
  const auto read = read_unacknowledged(initiator, read_blocks(0, 2));
  expect_protocol_error(initiator, initiator.snack_request(kDataOrR2t, 255, 1, &read.command),
                        context());
}

TSIH_CASE(r2t_never_sent,
          "A SNACK for an R2T that never was is a protocol error, and the write goes on",
          judges("R3720-10.16-05", "R3720-6.3-01") * writes_lun() * unh("FFP 12.4")) {
  needs_disk(64);
  auto initiator = log_in_at_level(1, solicited_only());
  initiator.ready();
  const PendingWrite write = start_write(initiator, write_blocks(0, 1));
  expect_protocol_error(initiator, initiator.snack_request(kDataOrR2t, 255, 1, &write.command),
                        context());
  judging("R3720-6.3-01");
  send_data(initiator, write, pattern(block_bytes()));
  const Pdu status = initiator.expect(Opcode::scsi_response);
  verify(belongs_to(status, write.command), "a SCSI Response for the write", describe(status));
}

TSIH_CASE(status_never_sent, "A SNACK for a status that never was is a protocol error",
          judges("R3720-10.16-05")) {
  auto initiator = log_in_at_level(1);
  expect_protocol_error(
      initiator, initiator.snack_request(kStatus, initiator.exp_stat_sn + 1000, 1), context());
}

TSIH_CASE(status_acknowledged, "A SNACK for a status that was acknowledged is a protocol error",
          judges("R3720-10.16-05")) {
  auto initiator = log_in_at_level(1);
  given("a status that is acknowledged", [&] {
    initiator.fence();
    initiator.fence();
  });
  expect_protocol_error(initiator, initiator.snack_request(kStatus, initiator.exp_stat_sn - 2, 1),
                        context());
}

TSIH_CASE(data_acknowledged,
          "Data that were acknowledged when the A bit asked for it are not sent again",
          judges("R3720-10.16-05", "R3720-10.16-04", "R3720-10.7.4-01", "R3720-10.7.4-02",
                 "R3720-10.7.2-01")) {
  needs_disk(64);
  auto initiator =
      log_in_at_level(1, {{"MaxRecvDataSegmentLength", "512"}, {"MaxBurstLength", "1024"}});
  const std::size_t burst = agreed_number(initiator, "MaxBurstLength", 262144);
  initiator.ready();
  const auto blocks = static_cast<std::uint16_t>(4096 / block_bytes() + 1);
  const auto read = read_unacknowledged(initiator, read_blocks(0, blocks));
  const Pdu* asking = nullptr;
  std::size_t since_bytes = burst;
  for (const Pdu& pdu : read.data_in) {
    since_bytes += pdu.data.size();
    if (!pdu[field::acknowledge]) continue;
    judging("R3720-10.7.2-01");
    verify(since_bytes >= burst || &pdu == &read.data_in.back(),
           fmt::format("at least {} bytes between two A bits", burst), describe(pdu));
    since_bytes = 0;
    judging("R3720-10.7.4-01");
    verify(pdu[field::target_transfer_tag] != kReservedTag, "a Target Transfer Tag beside A",
           describe(pdu));
    judging("R3720-10.7.4-02");
    verify(pdu[field::lun] == read.command[field::lun], "the LUN of the command", describe(pdu));
    if (!asking) asking = &pdu;
  }
  offered(asking && asking != &read.data_in.back(), "an A bit amid the data");
  initiator.send(initiator.data_ack(*asking));
  const std::size_t acknowledged = asking->u32(field::data_sn) + 1;
  judging("R3720-10.16-05");
  expect_protocol_error(initiator, initiator.snack_request(kDataOrR2t, 0, 1, &read.command),
                        context());
  judging("R3720-10.16-04");
  initiator.lose(read.status);
  initiator.send(initiator.snack_request(kDataOrR2t, 0, 0, &read.command));
  expect_data_again(initiator, std::span(read.data_in).subspan(acknowledged), context());
}

TSIH_CASE(resegmented_data,
          "After a shorter MaxRecvDataSegmentLength an R-Data SNACK brings the data in shorter "
          "pieces, and a SCSI Response with its tag",
          judges("R3720-10.16.3-03", "R3720-10.16.5-02", "R3720-10.7.1-02", "R3720-10.4.9-01",
                 "R3720-10.16.3-l01", "R3720-10.16.3-l02")) {
  needs_disk(64);
  auto initiator = log_in_at_level(1, {{"MaxRecvDataSegmentLength", "2048"}});
  initiator.ready();
  const auto blocks = static_cast<std::uint16_t>(4096 / block_bytes());
  const auto read =
      read_unacknowledged(initiator, read_blocks(0, std::max<std::uint16_t>(blocks, 1)));
  given("a new MaxRecvDataSegmentLength", [&] {
    initiator.send(initiator.text_request({{"MaxRecvDataSegmentLength", "512"}}));
    initiator.expect(Opcode::text_response);
  });
  initiator.lose(read.status);
  constexpr std::uint32_t kTag = 0x5ac0;
  initiator.send(
      initiator.snack_request(kResegmentedData, 0, 0, &read.command).set(field::snack_tag, kTag));
  Bytes data(read.data.size());
  Pdu pdu = expect_again(initiator, Opcode::data_in);
  for (; pdu.is(Opcode::data_in);
       pdu = initiator.expect_one_of({Opcode::data_in, Opcode::scsi_response})) {
    judging("R3720-10.7.1-02");
    verify(pdu.data.size() <= 512, "at most 512 bytes", describe(pdu));
    const std::size_t offset = pdu[field::buffer_offset];
    if (offset + pdu.data.size() > data.size()) fail("data within the read", describe(pdu));
    std::ranges::copy(pdu.data, data.begin() + static_cast<std::ptrdiff_t>(offset));
    judging_all({"R3720-10.16.3-03", "R3720-10.16.3-l01"});
  }
  verify(pdu.is(Opcode::scsi_response) && data == read.data, "all the data, then a SCSI Response",
         describe(pdu));
  judging("R3720-10.16.5-02");
  verify_equal("SNACK Tag", kTag, pdu.u32(field::snack_tag));
  judging_all({"R3720-10.4.9-01", "R3720-10.16.3-l02"});
  verify_equal("StatSN", read.status.u32(field::stat_sn), pdu.u32(field::stat_sn));
}

TSIH_CASE(an_unknown_data_ack, "A Reject of a DataACK with a wrong tag is in good form",
          judges("R3720-10-01", "R3720-3.2.2.2-03") * unh("FFP 14.2")) {
  needs_disk(64);
  auto initiator = log_in_at_level(1);
  initiator.ready();
  const auto read = read_unacknowledged(initiator, read_blocks(0, 1));
  initiator.exp_stat_sn = read.status.u32(field::stat_sn) + 1;
  const Pdu snack = initiator.snack_request(kDataAck, 1, 0).set(field::target_transfer_tag, 0x7ac);
  const auto number = initiator.exp_stat_sn;
  initiator.send(snack);
  const Fence fence = initiator.fence(true);
  offered(!fence.before.empty() && fence.before.front().is(Opcode::reject),
          "a Reject for a DataACK that nobody asked for");
  const Pdu& reject = fence.before.front();
  verify(reserved_problem(reject).empty(), "0 in every reserved bit", reserved_problem(reject));
  verify(reject_problem(reject, snack).empty(), "a Reject as 10.17 draws it",
         reject_problem(reject, snack));
  confirm(describe(reject));
  judging("R3720-3.2.2.2-03");
  verify_equal("StatSN", number, reject.u32(field::stat_sn));
  verify(fence.answer.has_value(), "a session that goes on", "a close");
  verify_equal("StatSN of the next answer", static_cast<std::uint32_t>(number + 1),
               fence.answer->u32(field::stat_sn));
}

TSIH_CASE(below_level_one,
          "At ErrorRecoveryLevel 0 a Reject of a SNACK does not end the write it speaks of",
          judges("R3720-6.3-01", "R3720-10-01") * writes_lun() * unh("FFP 14.3")) {
  needs_disk(64);
  TextKeys keys = solicited_only();
  keys.add("ErrorRecoveryLevel", "0");
  auto initiator = log_in(keys);
  initiator.ready();
  const PendingWrite write = start_write(initiator, write_blocks(0, 1));
  const Pdu snack = initiator.snack_request(kDataOrR2t, 0, 1, &write.command);
  initiator.send(snack);
  const Fence fence = initiator.fence(true);
  // It may also send the R2T, or end the session: nothing was agreed about SNACK.
  offered(fence.answer && !fence.before.empty() && fence.before.front().is(Opcode::reject),
          "a Reject of a SNACK at ErrorRecoveryLevel 0");
  send_data(initiator, write, pattern(block_bytes()));
  // GOOD, or CHECK CONDITION for a rejected SNACK (6.7): a status in either case.
  const Pdu status = initiator.expect(Opcode::scsi_response);
  verify(belongs_to(status, write.command), "a SCSI Response for the write", describe(status));
  judging("R3720-10-01");
  const Pdu& reject = fence.before.front();
  verify(reserved_problem(reject).empty(), "0 in every reserved bit", reserved_problem(reject));
  verify(reject_problem(reject, snack).empty(), "a Reject as 10.17 draws it",
         reject_problem(reject, snack));
  confirm(describe(reject));
}

TSIH_CASE(reserved_type, "A SNACK of a type that nobody has defined is turned down",
          judges("R3720-10-03")) {
  auto initiator = log_in_at_level(1);
  initiator.send(initiator.snack_request(kDataOrR2t, 0, 0).set(field::snack_type, 9));
  confirm(initiator.expect_refusal().words);
}

BOOST_AUTO_TEST_SUITE_END()
