// Error recovery within a command and within a connection, ErrorRecoveryLevel 1 (RFC 3720 6.2.1,
// 6.7, 6.8, 10.7.2, 10.16): PDUs get lost, and the initiator asks for just these.
#include "harness/initiators/cases/recovery.h"

#include <algorithm>
#include <iterator>
#include <vector>

BOOST_AUTO_TEST_SUITE(recovery)

TSIH_RECOVERY_TRIAL(lost_data_in,
                    "A Data-In that never came is asked for by a Data SNACK, and comes",
                    judges("R3720-6.8-01", "R3720-10.16-01", "R3720-10.16.4-02",
                           "R3720-10.16.5-04") *
                        unh("FFP 13.1")) {
  const Taken read = begin_read(kCopy);
  send_piece(read, 0);
  send_piece(read, 2);
  const Pdu snack = expect_reaction(read.peer, snack_request);
  verify_run(snack, kDataSnack, 1, 1);
  judging("R3720-10.16-01");
  confirm(describe(snack));
  judging("R3720-10.16.4-02");
  verify_equal("task tag", read.pdu[field::initiator_task_tag], snack[field::initiator_task_tag]);
  judging("R3720-10.16.5-04");
  verify_equal("transfer tag", kReservedTag, snack[field::target_transfer_tag]);
  send_piece(read, 1);
  send_rest(read, 3);
  judging("R3720-6.8-01");
  expect_copied();
}

TSIH_RECOVERY_TRIAL(wrong_digest, "A Data-In with a wrong data digest is asked for again",
                    judges("R3720-6.7-05", "R3720-6.7-06")) {
  wish("DataDigest", "CRC32C,None");
  const Taken read = begin_read(kCopy);
  offered(read.peer.said("DataDigest") == "CRC32C", "DataDigest=CRC32C");
  send_piece(read, 0);
  read.peer.send(read.peer.data_in(read.pdu, Bytes(kPiece, 0xee), 1, kPiece, false),
                 {.spoil_data = true});
  send_piece(read, 2);
  judging("R3720-6.7-06");
  verify_run(expect_reaction(read.peer, snack_request), kDataSnack, 1, 1);
  send_piece(read, 1);
  send_rest(read, 3);
  judging("R3720-6.7-05");
  expect_copied();
}

TSIH_RECOVERY_TRIAL(
    status_waits,
    "A status is not acknowledged before the data that ExpDataSN tells of was asked "
    "for and came",
    judges("R3720-10.16.1-01", "R3720-6.8-04", "R3720-10.7.2-07")) {
  const Taken read = begin_read(kCopy);
  const auto total = read.pdu.u32(field::expected_data_transfer_length);
  for (std::uint32_t data_sn = 0; data_sn + 1 < total / kPiece; ++data_sn)
    send_piece(read, data_sn);
  const std::uint32_t status = read.peer.stat_sn;
  read.peer.send(
      read.peer.scsi_response(read.pdu, kGood, total).set(field::exp_data_sn, total / kPiece));
  std::vector<Pdu> before{expect_reaction(read.peer, snack_request)};
  std::ranges::copy(up_to_pong(read.peer), std::back_inserter(before));
  for (const char* clause : {"R3720-10.16.1-01", "R3720-6.8-04", "R3720-10.7.2-07"}) {
    judging(clause);
    for (const Pdu& pdu : before)
      verify(static_cast<std::int32_t>(pdu.u32(field::exp_stat_sn) - status) <= 0,
             fmt::format("ExpStatSN {} at most", status), describe(pdu));
    verify(static_cast<std::int32_t>(read.peer.acknowledged - status) <= 0,
           fmt::format("ExpStatSN {} at most", status),
           fmt::format("ExpStatSN {} with the answer to a ping", read.peer.acknowledged));
  }
  send_piece(read, total / kPiece - 1);
  expect_copied();
}

TSIH_RECOVERY_TRIAL(data_ack, "An A bit is answered with a DataACK, each of its fields",
                    judges("R3720-10.7.2-04", "R3720-10.16.2-01", "R3720-10.16.4-01",
                           "R3720-10.16.5-03", "R3720-10.16.7-01", "R3720-6.1.5-01") *
                        unh("FFP 10.2", "FFP 13.2")) {
  constexpr std::uint32_t kTag = 0x4711;
  const Taken read = begin_read(kRead);
  send_with_a(read, 0, kTag);
  judging_all({"R3720-10.7.2-04", "R3720-6.1.5-01"});
  const Pdu ack = expect_acknowledgement(read.peer);
  judging("R3720-10.16.2-01");
  verify_equal("SNACK type", kDataAck, ack[field::snack_type]);
  verify_equal("BegRun", 1, ack[field::beg_run]);
  judging("R3720-10.16.4-01");
  verify_equal("task tag", kReservedTag, ack[field::initiator_task_tag]);
  judging("R3720-10.16.5-03");
  verify_equal("transfer tag", kTag, ack[field::target_transfer_tag]);
  verify_equal("LUN", read.pdu[field::lun], ack[field::lun]);
  judging("R3720-10.16.7-01");
  verify_equal("RunLength", 0, ack[field::run_length]);
}

TSIH_RECOVERY_TRIAL(level_of_the_target,
                    "An initiator that takes the level which the target proposes answers an A bit",
                    judges("R3720-6.1.5-02")) {
  service().proposals = {{"ErrorRecoveryLevel", "1"}};
  start(kAttach);
  auto [initiator, login] = serve_until(login_in(kOperational));
  offered(!tsih::wire::parse_text(login.data).keys.has("ErrorRecoveryLevel"),
          "to leave ErrorRecoveryLevel to the target");
  initiator.serve(login);
  const Want reading{"a command that reads", [](const Peer&, const Pdu& pdu) {
                       return pdu.is(Opcode::scsi_command) && pdu[field::read];
                     }};
  const Pdu command = serve_until(reading).pdu;
  const std::string level = initiator.offered.value("ErrorRecoveryLevel").value_or("0");
  offered(level == "1", "ErrorRecoveryLevel=1, in answer to the target's");
  const Bytes data = initiator.data_of(command);
  offered(!data.empty(), "a command that reads");
  initiator.send(initiator.data_in(command, data, 0, 0, true)
                     .set(field::acknowledge, 1)
                     .set(field::target_transfer_tag, 0x4711));
  const Pdu ack = expect_acknowledgement(initiator);
  verify_equal("SNACK type", kDataAck, ack[field::snack_type]);
}

TSIH_RECOVERY_TRIAL(data_ack_waits, "A DataACK waits until the holes before it are filled",
                    judges("R3720-10.7.2-06", "R3720-10.16.2-02")) {
  const Taken read = begin_read(kRead);
  send_piece(read, 0);
  send_with_a(read, 2, 0x4711);
  verify_run(expect_reaction(read.peer, snack_request), kDataSnack, 1, 1);
  for (const Pdu& pdu : up_to_pong(read.peer))
    if (pdu.is(Opcode::snack_request) && pdu[field::snack_type] == kDataAck)
      fail("no DataACK before Data-In 1 came", describe(pdu));
  send_piece(read, 1);
  const Pdu ack = expect_reaction(read.peer, snack_request);
  verify_run(ack, kDataAck, 3, 0);
  judging("R3720-10.16.2-02");
  confirm(describe(ack));
}

TSIH_RECOVERY_TRIAL(acknowledged_data, "Data that was acknowledged is not asked for again",
                    judges("R3720-10.16.2-04")) {
  const Taken read = begin_read(kRead);
  send_piece(read, 0);
  send_with_a(read, 1, 0x4711);
  const Pdu ack = expect_reaction(read.peer, snack_request);
  offered(ack[field::snack_type] == kDataAck, "a DataACK");
  send_piece(read, 3);
  const Pdu snack = expect_reaction(read.peer, snack_request);
  verify(snack[field::beg_run] >= ack[field::beg_run],
         fmt::format("BegRun {} at least", ack[field::beg_run]), describe(snack));
}

TSIH_RECOVERY_TRIAL(lost_status, "A status that never came is asked for by a Status SNACK",
                    judges("R3720-6.8-03", "R3720-3.2.2.2-02", "R3720-10.16.4-01") *
                        unh("FFP 5.1")) {
  const Taken read = begin_read(kMany);
  const std::uint32_t lost = read.peer.stat_sn++;
  read.peer.serve(read.pdu);
  const Pdu snack = expect_reaction(read.peer, snack_request);
  verify_run(snack, kStatusSnack, lost, 1);
  judging("R3720-3.2.2.2-02");
  confirm("recovery began");
  judging("R3720-10.16.4-01");
  verify_equal("task tag", kReservedTag, snack[field::initiator_task_tag]);
}

TSIH_RECOVERY_TRIAL(
    r_data_snack, "After a change of MaxRecvDataSegmentLength data is asked for by an R-Data SNACK",
    judges("R3720-10.16.3-01", "R3720-10.16.5-01", "R3720-10.16.6-01", "R3720-10.16.7-01")) {
  const Taken read = begin_read(kRead);
  send_piece(read, 0);
  read.peer.send(read.peer.async_message(4, 0, 0, 3));
  const Pdu text = expect(read.peer, request(Opcode::text_request));
  offered(tsih::wire::parse_text(text.data).keys.has("MaxRecvDataSegmentLength"),
          "a new MaxRecvDataSegmentLength");
  read.peer.serve(text);
  send_piece(read, 2);
  const Pdu snack = expect_reaction(read.peer, snack_request);
  verify_equal("SNACK type", kRDataSnack, snack[field::snack_type]);
  judging("R3720-10.16.5-01");
  verify(snack[field::snack_tag] != 0 && snack[field::snack_tag] != kReservedTag,
         "a SNACK tag that is neither 0 nor reserved", describe(snack));
  judging("R3720-10.16.6-01");
  verify_equal("BegRun", 0, snack[field::beg_run]);
  judging("R3720-10.16.7-01");
  verify_equal("RunLength", 0, snack[field::run_length]);
}

TSIH_RECOVERY_TRIAL(snack_rejected,
                    "After its SNACK was rejected the initiator takes the CHECK CONDITION for the "
                    "command's end",
                    judges(should("R3720-9.2-01")) * unh("FFP 16.4.2")) {
  const Taken read = begin_read(kRead);
  send_piece(read, 0);
  send_piece(read, 2);
  const Pdu snack = expect_reaction(read.peer, snack_request);
  read.peer.send(read.peer.reject(0x03, snack));
  read.peer.send(
      read.peer.scsi_response(read.pdu, kCheckCondition, 0, fixed_sense(0x0b, 0x47, 0x06)));
  expect_goes_on(read.peer);
}

TSIH_RECOVERY_TRIAL(retry,
                    "A command that did not arrive is sent again as it was, on its connection",
                    judges("R3720-6.2.1-03", "R3720-6.2.1-04", "R3720-6.2.1-01") * unh("FFP 4.1")) {
  service().window = 1;
  const Taken read = begin_read(kMany);
  read.peer.exp_cmd_sn = read.pdu.u32(field::cmd_sn);
  for (int i = 0; i < 3; ++i) read.peer.send(read.peer.nop_in());
  const auto before = up_to_pong(read.peer);
  const auto again = std::ranges::find_if(before, [](const Pdu& pdu) {
    return pdu.is(Opcode::scsi_command) && !pdu[field::immediate];
  });
  offered(again != before.end(), "to retry a command");
  judging("R3720-6.2.1-01");
  verify_equal("CmdSN", read.pdu[field::cmd_sn], (*again)[field::cmd_sn]);
  judging("R3720-6.2.1-03");
  for (const auto& same :
       {field::initiator_task_tag, field::lun, field::cdb_high, field::cdb_low, field::read,
        field::write, field::attribute, field::expected_data_transfer_length})
    verify_equal(std::string(same.name), read.pdu[same], (*again)[same]);
  judging("R3720-6.2.1-04");
  confirm("it came over the same connection");
}

TSIH_RECOVERY_TRIAL(no_retry, "A command that did arrive is not sent again, however long it takes",
                    judges("R3720-6.2.1-01")) {
  const Taken read = begin_read(kRead);
  for (int i = 0; i < 3; ++i) read.peer.send(read.peer.nop_in());
  expect_none(read.peer, "command sent again",
              [](const Pdu& pdu) { return pdu.is(Opcode::scsi_command); });
}

BOOST_AUTO_TEST_SUITE_END()
