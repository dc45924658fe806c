// SNACK of every kind (RFC 3720 10.16): what was lost on the way to the initiator comes again.
#include "target/session/tests/world.h"

namespace tsihd::session::test {
namespace {

using wire::Opcode;
using wire::RejectReason;

constexpr std::uint8_t kData = 0, kStatus = 1, kDataAck = 2, kRData = 3;

/// A session at ErrorRecoveryLevel 1 whose Data-In segments are 512 bytes and bursts 1024.
struct Recovering {
  explicit Recovering(const std::string& keys = {}) {
    world.group().offered.error_recovery_level = 2;
    peer.login({.keys = std::string("ErrorRecoveryLevel=1") + '\0' +
                        "MaxRecvDataSegmentLength=512" + '\0' + "MaxBurstLength=1024" + '\0' +
                        "FirstBurstLength=512" + '\0' + keys});
    peer.test_ready();
    peer.recovers = true;
    peer.acknowledges = false;
  }
  void snack(std::uint8_t type, std::uint32_t tag, std::uint32_t begin, std::uint32_t length,
             std::uint32_t transfer_tag = wire::kReservedTag) {
    wire::SnackRequestBhs bhs;
    bhs.flags = static_cast<std::uint8_t>(wire::kFinalBit | type);
    bhs.initiator_task_tag = tag;
    bhs.target_transfer_tag = transfer_tag;
    bhs.exp_stat_sn = peer.exp_stat_sn;
    bhs.beg_run = begin;
    bhs.run_length = length;
    peer.send(bhs);
  }
  std::vector<Received> all() {
    std::vector<Received> received;
    while (auto next = peer.next()) received.push_back(std::move(*next));
    return received;
  }

  World world;
  Peer peer{world};
};

/// The same PDU but for the numbers that may be newer (10.16).
void expect_replica(Received first, Received again) {
  const auto blank = [](Received& received) {
    auto& bhs = *reinterpret_cast<wire::ResponseBhs*>(received.header.data());
    bhs.exp_cmd_sn = bhs.max_cmd_sn = 0;
    if (received.opcode() == Opcode::r2t) bhs.stat_sn = 0;
  };
  blank(first);
  blank(again);
  BOOST_TEST((first.header == again.header));
  BOOST_TEST((first.data == again.data));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(snack)

// Red when a replica is not one, when more or less comes than was asked for, or the wrong part.
BOOST_AUTO_TEST_CASE(data_in) {
  Recovering session;
  const auto tag = session.peer.read(5);
  const auto sent = session.all();
  BOOST_REQUIRE(sent.size() == 5u);
  session.snack(kData, tag, 1, 2);
  auto again = session.all();
  BOOST_REQUIRE(again.size() == 2u);
  expect_replica(sent[1], again[0]);
  expect_replica(sent[2], again[1]);
  session.snack(kData, tag, 3, 0);  // to the end: the status rides on the last
  again = session.all();
  BOOST_REQUIRE(again.size() == 2u);
  expect_replica(sent[4], again[1]);
  session.snack(kData, tag, 0, 0);
  BOOST_TEST(session.all().size() == 5u);
}

// Red when what was never sent, or was acknowledged, is answered with anything but a Reject that
// tells the next number (10.16, 10.17.2).
BOOST_AUTO_TEST_CASE(data_in_that_is_not_to_be_had) {
  Recovering session;
  const auto tag = session.peer.read(2);
  session.all();
  session.snack(kData, tag, 2, 1);
  auto refused = session.peer.expect<wire::RejectBhs>(Opcode::reject);
  BOOST_TEST(refused.as<wire::RejectBhs>().reason() == 0x04);
  BOOST_TEST(refused.as<wire::RejectBhs>().data_sn == 2u);
  session.snack(kData, tag, 1, 2);
  session.peer.expect_reject(RejectReason::protocol_error);
  session.snack(kData, tag + 77, 0, 0);
  session.peer.expect_reject(RejectReason::protocol_error);
  session.peer.exp_stat_sn += 1;  // now it is acknowledged
  session.snack(kData, tag, 0, 1);
  session.peer.expect_reject(RejectReason::protocol_error);
}

// Red when the A bit is set elsewhere than at the end of a burst, or a DataACK does not count.
BOOST_AUTO_TEST_CASE(data_ack) {
  Recovering session;
  const auto tag = session.peer.read(5);
  const auto sent = session.all();
  const auto acknowledge = [&](std::size_t i) {
    return sent[i].as<wire::DataInBhs>().has(wire::DataInBhs::kAcknowledge);
  };
  BOOST_TEST(!acknowledge(0));
  BOOST_TEST(acknowledge(1));
  BOOST_TEST(!acknowledge(2));
  BOOST_TEST(acknowledge(3));
  BOOST_TEST(!acknowledge(4));  // its status says it
  const std::uint32_t transfer_tag = sent[1].as<wire::DataInBhs>().target_transfer_tag;
  BOOST_TEST(transfer_tag != wire::kReservedTag);
  session.snack(kDataAck, wire::kReservedTag, 2, 0, transfer_tag);
  session.peer.expect_silence();
  session.snack(kData, tag, 1, 1);
  session.peer.expect_reject(RejectReason::protocol_error);
  session.snack(kData, tag, 0, 0);  // all that is not acknowledged
  BOOST_TEST(session.all().size() == 3u);
  session.snack(kDataAck, wire::kReservedTag, 9, 0, transfer_tag);
  session.peer.expect_reject(RejectReason::invalid_data_ack);
  session.snack(kDataAck, wire::kReservedTag, 2, 0, transfer_tag + 5);
  session.peer.expect_reject(RejectReason::invalid_data_ack);
}

// Red when a numbered response of any kind is lost to Status SNACK, or comes under another number.
BOOST_AUTO_TEST_CASE(status) {
  Recovering session;
  const std::uint32_t first = session.peer.exp_stat_sn;
  session.peer.ping(pattern(40));
  session.peer.send(session.peer.command(0xff, 0));  // check condition
  session.peer.read(1);
  auto sent = session.all();
  BOOST_REQUIRE(sent.size() == 3u);
  session.snack(kStatus, wire::kReservedTag, 0, 0);
  auto again = session.all();
  BOOST_REQUIRE(again.size() == 3u);
  for (std::size_t i = 0; i < 3; ++i) expect_replica(sent[i], again[i]);
  session.snack(kStatus, wire::kReservedTag, first + 1, 1);
  again = session.all();
  BOOST_REQUIRE(again.size() == 1u);
  expect_replica(sent[1], again[0]);
  session.snack(kStatus, wire::kReservedTag, first + 3, 1);  // not sent yet
  session.peer.expect_reject(RejectReason::protocol_error);
  session.peer.exp_stat_sn = first + 2;
  session.snack(kStatus, wire::kReservedTag, first, 1);  // acknowledged
  session.peer.expect_reject(RejectReason::protocol_error);
}

// Red when an R2T is resent other than it was, or after its data has come.
BOOST_AUTO_TEST_CASE(ready_to_transfer) {
  Recovering session;
  const auto data = pattern(1024);
  const auto tag = session.peer.write(2);
  const auto r2t = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  session.snack(kData, tag, 0, 1);
  const auto again = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  expect_replica(r2t, again);
  session.snack(kData, tag, 1, 1);
  const auto refused = session.peer.expect<wire::RejectBhs>(Opcode::reject);
  BOOST_TEST(refused.as<wire::RejectBhs>().data_sn == 1u);
  session.peer.answer(again, data);
  session.peer.expect_good(tag);
}

// Red when an R-Data SNACK does not cut anew, restarts elsewhere than at the last DataACK, or the
// final response lacks the tag or comes under another StatSN (10.16.3).
BOOST_AUTO_TEST_CASE(r_data) {
  Recovering session;
  const auto tag = session.peer.read(4);
  const std::uint32_t status_number = session.peer.exp_stat_sn;
  const auto sent = session.all();
  BOOST_REQUIRE(sent.size() == 4u);
  session.snack(kDataAck, wire::kReservedTag, 2, 0,
                sent[1].as<wire::DataInBhs>().target_transfer_tag);
  session.snack(kRData, tag, 0, 0, 0x55);
  const auto again = session.all();
  BOOST_REQUIRE(again.size() == 3u);
  BOOST_TEST(again[0].as<wire::DataInBhs>().data_sn == 2u);
  BOOST_TEST(again[0].as<wire::DataInBhs>().buffer_offset_bytes == 1024u);
  BOOST_TEST(!again[1].as<wire::DataInBhs>().has(wire::DataInBhs::kStatus));
  BOOST_REQUIRE((again[2].opcode() == Opcode::scsi_response));
  BOOST_TEST(again[2].as<wire::ScsiResponseBhs>().snack_tag == 0x55u);
  BOOST_TEST(again[2].as<wire::ScsiResponseBhs>().stat_sn == status_number);
  session.snack(kStatus, wire::kReservedTag, status_number, 1);
  const auto response = session.peer.expect<wire::ScsiResponseBhs>(Opcode::scsi_response);
  BOOST_TEST(response.as<wire::ScsiResponseBhs>().snack_tag == 0x55u);
  session.snack(kRData, tag, 0, 0, 0);
  session.peer.expect_reject(RejectReason::protocol_error);
}

// Red when what is kept for recovery keeps others from their memory, or grows without end.
BOOST_AUTO_TEST_CASE(kept_data_gives_way) {
  Limits limits;
  limits.session_data_bytes = 64 * 512;
  World world(limits);
  world.group().offered.error_recovery_level = 1;
  Peer peer(world);
  peer.login({.keys = std::string("ErrorRecoveryLevel=1") + '\0'});
  peer.test_ready();
  peer.recovers = true;
  const std::uint32_t first = peer.exp_stat_sn;
  peer.acknowledges = false;
  for (int i = 0; i < 12; ++i) {
    peer.read(16);
    BOOST_REQUIRE((peer.next()->opcode() == Opcode::data_in));
  }
  BOOST_TEST(world.service->data_bytes() <= limits.session_data_bytes);
  wire::SnackRequestBhs bhs;
  bhs.flags = static_cast<std::uint8_t>(wire::kFinalBit | kStatus);
  bhs.initiator_task_tag = wire::kReservedTag;
  bhs.exp_stat_sn = bhs.beg_run = first;
  bhs.run_length = 1;
  peer.send(bhs);
  peer.expect_reject(RejectReason::snack_reject);
}

// Red when a SNACK is taken at ErrorRecoveryLevel 0.
BOOST_AUTO_TEST_CASE(not_at_level_zero) {
  World world;
  Peer peer(world);
  peer.login();
  wire::SnackRequestBhs bhs;
  bhs.flags = static_cast<std::uint8_t>(wire::kFinalBit | kStatus);
  bhs.initiator_task_tag = wire::kReservedTag;
  peer.send(bhs);
  peer.expect_reject(RejectReason::protocol_error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsihd::session::test
