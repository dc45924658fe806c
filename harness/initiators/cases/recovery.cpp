// Error recovery within a command and within a connection, ErrorRecoveryLevel 1 (RFC
// 3720 6.2.1, 6.7, 6.8, 10.7.2, 10.16): PDUs get lost, and the initiator asks for just these.
#include <algorithm>
#include <chrono>
#include <iterator>

#include "harness/initiators/cases/common.h"

namespace {

constexpr std::uint32_t kPiece = 512;
constexpr std::uint8_t kDataSnack = 0, kStatusSnack = 1, kDataAck = 2, kRDataSnack = 3;

const Want snack_request{"a SNACK Request",
                         [](const Peer&, const Pdu& pdu) { return pdu.is(Opcode::snack_request); }};

class Recovery : public Trial {
 protected:
  using Trial::Trial;

  /// The READ of an initiator that goes along with this level. Unsupported when it does not.
  Taken begin_read(const char* action, unsigned level = 1) {
    wish("ErrorRecoveryLevel", std::to_string(level));
    start(action);
    const Taken taken = serve_until(read_command());
    offered(taken.peer.agreed("ErrorRecoveryLevel", 0) >= level,
            fmt::format("ErrorRecoveryLevel={}", level));
    return taken;
  }

  /// The piece of this number; a read that is served in pieces of 512 bytes.
  Pdu piece(const Taken& read, std::uint32_t data_sn) {
    const Bytes data = read.peer.data_of(read.pdu);
    const std::uint32_t at = data_sn * kPiece;
    offered(data.size() >= at + kPiece, fmt::format("a read of {} bytes", at + kPiece));
    return read.peer.data_in(read.pdu, std::span(data).subspan(at, kPiece), data_sn, at, false);
  }
  void send_piece(const Taken& read, std::uint32_t data_sn) {
    read.peer.send(piece(read, data_sn));
  }
  /// The same with A and a transfer tag to answer it with.
  void send_with_a(const Taken& read, std::uint32_t data_sn, std::uint32_t tag) {
    read.peer.send(
        piece(read, data_sn).set(field::acknowledge, 1).set(field::target_transfer_tag, tag));
  }
  /// All after these pieces, and the status.
  void send_rest(const Taken& read, std::uint32_t from) {
    read.peer.serve_read(read.pdu, from, from * kPiece);
  }

  void verify_run(const Pdu& snack, std::uint8_t type, std::uint32_t from, std::uint32_t count) {
    verify_equal("SNACK type", type, snack[field::snack_type]);
    verify_equal("BegRun", from, snack[field::beg_run]);
    verify_equal("RunLength", count, snack[field::run_length]);
  }
};

}  // namespace

#define TSIH_RECOVERY_TRIAL(case_name, description_text, ...) \
  TSIH_SUITE_CASE(Recovery, case_name, description_text, __VA_ARGS__)

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
                           "R3720-10.16.5-03", "R3720-10.16.7-01") *
                        unh("FFP 10.2", "FFP 13.2")) {
  constexpr std::uint32_t kTag = 0x4711;
  const Taken read = begin_read(kRead);
  send_with_a(read, 0, kTag);
  const auto before = up_to_pong(read.peer);
  const auto ack =
      std::ranges::find_if(before, [](const Pdu& pdu) { return pdu.is(Opcode::snack_request); });
  verify(ack != before.end(), "a SNACK Request", "none before the answer to a ping");
  judging("R3720-10.16.2-01");
  verify_equal("SNACK type", kDataAck, (*ack)[field::snack_type]);
  verify_equal("BegRun", 1, (*ack)[field::beg_run]);
  judging("R3720-10.16.4-01");
  verify_equal("task tag", kReservedTag, (*ack)[field::initiator_task_tag]);
  judging("R3720-10.16.5-03");
  verify_equal("transfer tag", kTag, (*ack)[field::target_transfer_tag]);
  verify_equal("LUN", read.pdu[field::lun], (*ack)[field::lun]);
  judging("R3720-10.16.7-01");
  verify_equal("RunLength", 0, (*ack)[field::run_length]);
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

BOOST_AUTO_TEST_SUITE(reassign)

namespace {

const Want login_again{"a login of the session's", [](const Peer& peer, const Pdu& pdu) {
                         return pdu.is(Opcode::login_request) && !peer.full_feature;
                       }};

class Reassignment : public Recovery {
 protected:
  using Recovery::Recovery;

  /// A read that has come half when its connection is lost, at level 2; the login that follows.
  Taken lose_connection() {
    const Taken read = begin_read(kRead, 2);
    lost_ = read.pdu;
    cid_ = read.peer.cid;
    isid_ = read.peer.isid;
    send_piece(read, 0);
    up_to_pong(read.peer);
    read.peer.close();
    closed_ = tsih::suite::Clock::now();
    return expect_until(login_again);
  }
  /// The request that takes the task along, after everything else was served.
  Taken reach_reassignment() {
    const Taken login = lose_connection();
    login.peer.serve(login.pdu);
    Met met{nullptr, {}, {}};
    while (auto next = target().next()) {
      if (!next->pdu) continue;
      logged_out_ |= next->pdu->is(Opcode::logout_request);
      if (next->pdu->is(Opcode::task_management_request)) return {*next->peer, *next->pdu};
      next->peer->serve(*next->pdu);
    }
    throw tsih::suite::Unsupported{"to reassign a task"};
  }

  Pdu lost_;
  std::uint16_t cid_ = 0;
  std::uint64_t isid_ = 0;
  bool logged_out_ = false;
  tsih::suite::Clock::time_point closed_;
};

}  // namespace

#define TSIH_REASSIGN_TRIAL(case_name, description_text, ...) \
  TSIH_SUITE_CASE(Reassignment, case_name, description_text, __VA_ARGS__)

TSIH_REASSIGN_TRIAL(
    session_goes_on,
    "A lost connection is replaced by one of the same session, and logged out first",
    judges("R3720-6.1.4.3-02", "R3720-10.14-07", "R3720-7.3.1-N4", "R3720-10.12.6-02",
           "R3720-5.3.4-01", "R3720-7.2-l01", "R3720-7.2-l02", "R3720-7.2.2-M2") *
        unh("FFP 7.1")) {
  const Taken login = lose_connection();
  for (const char* clause : {"R3720-10.12.6-02", "R3720-5.3.4-01"}) {
    judging(clause);
    verify_equal("TSIH", service().tsih, login.pdu[field::tsih]);
  }
  verify_equal("ISID", isid_, login.pdu[field::isid]);
  const bool implicit = login.pdu[field::cid] == cid_;
  login.peer.serve(login.pdu);
  const Want after_login{"a request in full feature phase", [](const Peer& peer, const Pdu& pdu) {
                           return peer.full_feature && !pdu.is(Opcode::login_request);
                         }};
  const Taken next = serve_until(after_login);
  judging("R3720-7.3.1-N4");
  confirm("the session is logged in again");
  for (const char* clause :
       {"R3720-10.14-07", "R3720-6.1.4.3-02", "R3720-7.2-l01", "R3720-7.2-l02", "R3720-7.2.2-M2"}) {
    judging(clause);
    verify(implicit || (next.pdu.is(Opcode::logout_request) &&
                        next.pdu[field::logout_reason] == 2 && next.pdu[field::cid] == cid_),
           fmt::format("a login under CID {0}, or its logout for recovery", cid_),
           describe(next.pdu));
  }
}

TSIH_REASSIGN_TRIAL(task_is_taken_along, "Each field of TASK REASSIGN, and when it comes",
                    judges("R3720-6.2.2-01", "R3720-10.5.1-16", "R3720-10.5.1-19",
                           "R3720-10.5.6-03") *
                        unh("FFP 19.5")) {
  const Taken reassign = reach_reassignment();
  for (const char* clause : {"R3720-6.2.2-01", "R3720-10.5.1-16"}) {
    judging(clause);
    verify(logged_out_ || reassign.peer.cid == cid_, "the lost connection logged out before",
           describe(reassign.pdu));
  }
  verify_equal("function", 8, reassign.pdu[field::function]);
  verify_equal("referenced task tag", lost_[field::initiator_task_tag],
               reassign.pdu[field::referenced_task_tag]);
  judging("R3720-10.5.1-19");
  verify_equal("I", 1, reassign.pdu[field::immediate]);
  judging("R3720-10.5.6-03");
  verify(reassign.pdu[field::exp_data_sn] <= 1, "ExpDataSN 0 or 1, for one Data-In was sent",
         describe(reassign.pdu));
}

TSIH_REASSIGN_TRIAL(nothing_twice,
                    "Data below ExpDataSN of the reassignment is not asked for again",
                    judges("R3720-6.2.2-04")) {
  const Taken reassign = reach_reassignment();
  const auto from = reassign.pdu.u32(field::exp_data_sn);
  reassign.peer.send(reassign.peer.task_management_response(reassign.pdu));
  expect_none(
      reassign.peer, fmt::format("SNACK for data below DataSN {}", from),
      [=](const Pdu& pdu) { return pdu.is(Opcode::snack_request) && pdu[field::beg_run] < from; });
}

TSIH_REASSIGN_TRIAL(time_to_wait, "Recovery does not begin before Time2Wait is over",
                    judges(should("R3720-6.4-01"))) {
  wish("DefaultTime2Wait", "1");
  const Taken login = lose_connection();
  const auto waited = tsih::suite::Clock::now() - closed_;
  verify(waited >= std::chrono::seconds(1), "a login after 1 s at the earliest",
         fmt::format("after {} ms",
                     std::chrono::duration_cast<std::chrono::milliseconds>(waited).count()));
}

BOOST_AUTO_TEST_SUITE_END()
