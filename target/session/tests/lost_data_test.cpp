// Data-Out that is lost or comes in any order (RFC 3720 6.7, 6.8, 10.7.6, 10.8).
#include "target/session/tests/world.h"

namespace tsihd::session::test {
namespace {

using wire::Opcode;

constexpr std::uint32_t kBytes = 2048;

struct Writing {
  explicit Writing(const std::string& keys, Limits limits = {}) : world(limits) {
    world.group().offered.error_recovery_level = 1;
    world.group().offered.data_pdu_in_order = false;
    peer.login({.keys = std::string("DataDigest=CRC32C") + '\0' + "MaxBurstLength=2048" + '\0' +
                        "FirstBurstLength=1024" + '\0' + keys});
    peer.test_ready();
  }
  /// A piece of `data` in answer to an R2T.
  void piece(std::uint32_t tag, const Received& r2t, std::uint32_t data_sn, std::uint32_t offset,
             std::uint32_t bytes, bool final) {
    peer.data_out(tag, r2t.as<wire::R2tBhs>().target_transfer_tag, data_sn, offset,
                  std::span(data).subspan(offset, bytes), final);
  }
  void expect_written(std::uint32_t tag) {
    peer.expect_good(tag);
    const auto read = peer.read(kBytes / 512);
    const auto received = peer.expect<wire::DataInBhs>(Opcode::data_in);
    BOOST_TEST(received.as<wire::DataInBhs>().initiator_task_tag == read);
    BOOST_TEST((received.data == data));
  }

  World world;
  Peer peer{world};
  const Bytes data = pattern(kBytes);
};

std::string key(const char* text) { return std::string(text) + '\0'; }
const std::string kLevel1 = key("ErrorRecoveryLevel=1");

}  // namespace

BOOST_AUTO_TEST_SUITE(lost_data)

// Red when a lost Data-Out is not asked for again, the recovery R2T asks for another range or under
// another R2TSN than the next, or what is written then is not what was sent.
BOOST_AUTO_TEST_CASE(recovery_r2t_for_a_gap) {
  Writing session(kLevel1);
  const auto tag = session.peer.write(kBytes / 512);
  const auto r2t = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  session.piece(tag, r2t, 0, 0, 512, false);
  session.piece(tag, r2t, 2, 1024, 512, false);  // DataSN 1 is lost
  session.piece(tag, r2t, 3, 1536, 512, true);
  const auto again = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  BOOST_TEST(again.as<wire::R2tBhs>().r2t_sn == 1u);
  BOOST_TEST(again.as<wire::R2tBhs>().buffer_offset_bytes == 512u);
  BOOST_TEST(again.as<wire::R2tBhs>().desired_data_transfer_bytes == 512u);
  BOOST_TEST(again.as<wire::R2tBhs>().target_transfer_tag !=
             r2t.as<wire::R2tBhs>().target_transfer_tag);
  session.piece(tag, again, 0, 512, 512, true);
  session.expect_written(tag);
  BOOST_TEST(session.world.service->counters().recovery_r2ts == 1u);
}

// Red when a wrong data digest ends a write at ErrorRecoveryLevel 1, or is not rejected (6.7).
BOOST_AUTO_TEST_CASE(recovery_r2t_for_a_wrong_digest) {
  Writing session(kLevel1);
  const auto tag = session.peer.write(kBytes / 512);
  const auto r2t = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  session.piece(tag, r2t, 0, 0, 1024, false);
  wire::DataOutBhs bhs;
  bhs.flags = wire::kFinalBit;
  bhs.initiator_task_tag = tag;
  bhs.target_transfer_tag = r2t.as<wire::R2tBhs>().target_transfer_tag;
  bhs.data_sn = 1;
  bhs.buffer_offset_bytes = 1024;
  bhs.exp_stat_sn = session.peer.exp_stat_sn;
  Bytes bytes;
  wire::append_pdu(bytes, bhs, std::span(session.data).subspan(1024), session.peer.digests);
  bytes.back() ^= std::byte{1};
  session.peer.send_bytes(bytes);
  session.peer.expect_reject(wire::RejectReason::data_digest_error);
  const auto again = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  BOOST_TEST(again.as<wire::R2tBhs>().buffer_offset_bytes == 1024u);
  session.peer.answer(again, session.data);
  session.expect_written(tag);
}

// Red when lost unsolicited data is not asked for.
BOOST_AUTO_TEST_CASE(lost_unsolicited_data) {
  Writing session(kLevel1 + key("InitialR2T=No"));
  const auto tag = session.peer.write(kBytes / 512, std::span(session.data).first(512), false);
  session.peer.data_out(tag, wire::kReservedTag, 1, 768, std::span(session.data).subspan(768, 256),
                        true);  // DataSN 0 is lost
  const auto again = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  BOOST_TEST(again.as<wire::R2tBhs>().buffer_offset_bytes == 512u);
  BOOST_TEST(again.as<wire::R2tBhs>().desired_data_transfer_bytes == 256u);
  session.peer.answer(again, session.data);
  const auto rest = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  BOOST_TEST(rest.as<wire::R2tBhs>().buffer_offset_bytes == 1024u);
  session.peer.answer(rest, session.data);
  session.expect_written(tag);
}

// Red when a sequence whose end is lost waits for ever, is asked for more often than the limit
// says, or late data of the old sequence counts as an error.
BOOST_AUTO_TEST_CASE(a_sequence_stands_still) {
  Limits limits;
  limits.recovery_r2ts = 2;
  Writing session(kLevel1, limits);
  session.world.group().attributes.nop_in_interval_s = 0;
  const auto tag = session.peer.write(kBytes / 512);
  const auto first = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  session.piece(tag, first, 0, 0, 512, false);
  session.peer.answers_pings = true;
  session.world.pass(seconds(limits.data_out_timeout_s));
  const auto second = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  BOOST_TEST(second.as<wire::R2tBhs>().buffer_offset_bytes == 512u);
  session.piece(tag, first, 1, 512, 512, true);  // late: passed over
  session.peer.expect_silence();
  session.world.pass(seconds(limits.data_out_timeout_s));
  session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  session.world.pass(seconds(limits.data_out_timeout_s));
  session.peer.expect_condition(tag, 0x4705);
}

// Red when an R2T that was lost and replaced cannot be had again, or its data counts twice (6.8).
BOOST_AUTO_TEST_CASE(a_replaced_r2t_is_asked_for) {
  Writing session(kLevel1);
  session.world.group().attributes.nop_in_interval_s = 0;
  session.peer.lose = 1;  // the R2T
  const auto tag = session.peer.write(kBytes / 512);
  session.world.pass(seconds(Limits{}.data_out_timeout_s));
  const auto second = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  BOOST_TEST(second.as<wire::R2tBhs>().r2t_sn == 1u);
  wire::SnackRequestBhs bhs;
  bhs.initiator_task_tag = tag;
  bhs.target_transfer_tag = wire::kReservedTag;
  bhs.exp_stat_sn = session.peer.exp_stat_sn;
  bhs.run_length = 1;
  session.peer.send(bhs);
  const auto first = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  BOOST_TEST(first.as<wire::R2tBhs>().r2t_sn == 0u);
  session.peer.answer(first, session.data);
  session.peer.expect_silence();
  session.peer.answer(second, session.data);
  session.expect_written(tag);
}

// Red when DataPDUInOrder=No is not honoured, overlays pass, or a hole counts as whole.
BOOST_AUTO_TEST_CASE(data_pdus_in_any_order) {
  Writing session(key("DataPDUInOrder=No"));
  auto tag = session.peer.write(kBytes / 512);
  auto r2t = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  session.piece(tag, r2t, 0, 1536, 512, false);
  session.piece(tag, r2t, 1, 0, 512, false);
  session.piece(tag, r2t, 2, 512, 1024, true);
  session.expect_written(tag);
  tag = session.peer.write(kBytes / 512);
  r2t = session.peer.expect<wire::R2tBhs>(Opcode::r2t);
  session.piece(tag, r2t, 0, 0, 1024, false);
  session.piece(tag, r2t, 1, 512, 1024, true);  // 512 bytes twice, 512 never
  session.peer.expect_reject(wire::RejectReason::invalid_pdu_field);
  session.peer.expect_condition(tag, 0x0c0d);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsihd::session::test
