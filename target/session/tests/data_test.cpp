// Data in both directions: segmentation, status with data, residuals, R2T, unsolicited data,
// digests.
#include <boost/test/data/test_case.hpp>

#include "target/session/tests/world.h"

namespace tsihd::session::test {

using wire::Opcode;
using Condition = Task::Condition;

BOOST_AUTO_TEST_SUITE(data_in)

// Red when status stops riding on the last Data-In, or a good read costs a response of its own.
BOOST_AUTO_TEST_CASE(good_status_rides_on_the_data) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  const auto tag = peer.read(8);
  const auto received = peer.expect<wire::DataInBhs>(Opcode::data_in);
  const auto& bhs = received.as<wire::DataInBhs>();
  BOOST_TEST(bhs.initiator_task_tag == tag);
  BOOST_TEST(bhs.is_final());
  BOOST_TEST(bhs.has(wire::DataInBhs::kStatus));
  BOOST_TEST(!bhs.has(wire::DataInBhs::kOverflow | wire::DataInBhs::kUnderflow));
  BOOST_TEST(received.data.size() == 4096u);
  BOOST_TEST(bhs.target_transfer_tag == wire::kReservedTag);
  peer.expect_silence();
}

// Red when a Data-In PDU exceeds MaxRecvDataSegmentLength, a sequence exceeds MaxBurstLength, F is
// missing at a sequence's end or set within, or DataSN or offsets do not count on.
BOOST_AUTO_TEST_CASE(cut_to_the_initiators_limits) {
  World world;
  Peer peer(world);
  using namespace std::string_literals;
  peer.login({.keys = "MaxRecvDataSegmentLength=1002\0MaxBurstLength=2500\0"s});
  peer.test_ready();
  const auto data = pattern(16 * 512);
  for (std::uint32_t block = 0; block < 16; block += 4)
    peer.expect_good(peer.write(4, std::span(data).subspan(block * 512, 2048), true, block));
  peer.read(16);
  std::uint32_t offset = 0, sn = 0;
  Bytes got;
  while (offset < 16 * 512) {
    const auto received = peer.expect<wire::DataInBhs>(Opcode::data_in);
    const auto& bhs = received.as<wire::DataInBhs>();
    BOOST_TEST(bhs.data_sn == sn++);
    BOOST_TEST(bhs.buffer_offset_bytes == offset);
    BOOST_TEST(received.data.size() <= 1000u);  // whole words within a sequence
    offset += static_cast<std::uint32_t>(received.data.size());
    got.insert(got.end(), received.data.begin(), received.data.end());
    const bool burst_end = offset % 2500 == 0 || offset == 16 * 512;
    BOOST_TEST(bhs.is_final() == burst_end);
    BOOST_TEST(bhs.has(wire::DataInBhs::kStatus) == (offset == 16 * 512));
  }
  BOOST_TEST(got == data);
}

// Red when a residual is missing, has the wrong sign or the wrong count.
BOOST_AUTO_TEST_CASE(residuals_of_reads) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  for (const std::uint32_t expected : {1024u, 4096u + 512u}) {
    auto bhs = peer.command(0x28, 8);
    bhs.flags |= wire::ScsiCommandBhs::kRead;
    bhs.expected_data_transfer_bytes = expected;
    peer.send(bhs);
    const auto received = peer.expect<wire::DataInBhs>(Opcode::data_in);
    const auto& in = received.as<wire::DataInBhs>();
    BOOST_TEST(received.data.size() == std::min(expected, 4096u));
    BOOST_TEST(in.has(wire::DataInBhs::kOverflow) == (expected < 4096));
    BOOST_TEST(in.has(wire::DataInBhs::kUnderflow) == (expected > 4096));
    BOOST_TEST(in.residual_bytes == (expected < 4096 ? 4096 - expected : expected - 4096));
  }
}

// Red when CHECK CONDITION loses its sense or rides on a Data-In.
BOOST_AUTO_TEST_CASE(errors_come_in_a_response_with_sense) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  const auto tag = peer.read(1, 1 << 20);
  const auto received = peer.expect<wire::ScsiResponseBhs>(Opcode::scsi_response);
  const auto& bhs = received.as<wire::ScsiResponseBhs>();
  BOOST_TEST(bhs.initiator_task_tag == tag);
  BOOST_TEST(bhs.status() == 2);
  BOOST_TEST(bhs.has(wire::ScsiResponseBhs::kUnderflow));
  BOOST_TEST(bhs.residual_bytes == 512u);
  BOOST_TEST(bhs.exp_data_sn == 0u);
  BOOST_TEST(received.data.size() >= 20u);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE(data_out)

const std::vector<bool> kBoth{false, true};

// Red when one of the four ways of 12.10 and 12.11 loses data, sends a needless R2T, or asks for
// data that has come.
BOOST_DATA_TEST_CASE(every_combination_of_unsolicited_data,
                     boost::unit_test::data::make(kBoth) * boost::unit_test::data::make(kBoth),
                     initial_r2t, immediate_data) {
  World world;
  Peer peer(world);
  using namespace std::string_literals;
  peer.login({.keys = "InitialR2T="s + (initial_r2t ? "Yes" : "No") + '\0' +
                      "ImmediateData=" + (immediate_data ? "Yes" : "No") + '\0' +
                      "FirstBurstLength=2048\0"s + "MaxBurstLength=4096\0"s});
  peer.test_ready();
  const auto data = pattern(24 * 512);
  const std::size_t immediate = immediate_data ? 1024 : 0;
  const auto tag = peer.write(24, std::span(data).first(immediate), initial_r2t);
  std::uint32_t have = static_cast<std::uint32_t>(immediate);
  if (!initial_r2t) {
    peer.expect_silence();
    peer.data_out(tag, wire::kReservedTag, 0, have, std::span(data).subspan(have, 2048 - have),
                  true);
    have = 2048;
  }
  std::uint32_t r2t_sn = 0;
  while (have < data.size()) {
    const auto r2t = peer.expect<wire::R2tBhs>(Opcode::r2t);
    const auto& bhs = r2t.as<wire::R2tBhs>();
    BOOST_TEST(bhs.r2t_sn == r2t_sn++);
    BOOST_TEST(bhs.buffer_offset_bytes == have);
    BOOST_TEST(bhs.desired_data_transfer_bytes == std::min<std::size_t>(4096, data.size() - have));
    BOOST_TEST(bhs.stat_sn == peer.exp_stat_sn);  // it bears the next one and takes none (10.8.3)
    have += bhs.desired_data_transfer_bytes;
    peer.answer(r2t, data);
  }
  const auto status = peer.expect<wire::ScsiResponseBhs>(Opcode::scsi_response);
  BOOST_TEST(status.as<wire::ScsiResponseBhs>().initiator_task_tag == tag);
  BOOST_TEST(status.as<wire::ScsiResponseBhs>().status() == 0);
  BOOST_TEST(status.as<wire::ScsiResponseBhs>().exp_data_sn == 0u);  // no Data-In came (10.4.8)
  peer.read(24);
  BOOST_TEST(peer.expect<wire::DataInBhs>(Opcode::data_in).data.size() > 0u);
}

// Red when more R2Ts are out than MaxOutstandingR2T, or fewer although more were agreed.
BOOST_AUTO_TEST_CASE(outstanding_r2ts) {
  World world;
  world.group().offered.max_outstanding_r2t = 3;
  Peer peer(world);
  using namespace std::string_literals;
  peer.login({.keys = "MaxOutstandingR2T=3\0MaxBurstLength=1024\0FirstBurstLength=512\0"s});
  peer.test_ready();
  const auto data = pattern(10 * 512);
  const auto tag = peer.write(10);
  std::vector<Received> r2ts;
  for (int i = 0; i < 3; ++i) r2ts.push_back(peer.expect<wire::R2tBhs>(Opcode::r2t));
  peer.expect_silence();
  for (std::size_t i = 0; i < r2ts.size(); ++i) {
    peer.answer(r2ts[i], data);
    if (r2ts.size() < 5) r2ts.push_back(peer.expect<wire::R2tBhs>(Opcode::r2t));
  }
  peer.expect_good(tag);
}

// Red when data that was not agreed on is written, or its end is answered before its last PDU.
BOOST_AUTO_TEST_CASE(unsolicited_data_that_was_not_agreed_on) {
  World world;
  world.group().offered.initial_r2t = true;
  Peer peer(world);
  using namespace std::string_literals;
  peer.login({.keys = "ImmediateData=No\0"s});
  peer.test_ready();
  const auto data = pattern(1024);
  const auto first = peer.write(2, data);  // immediate
  peer.expect_condition(first, 0x0c0c);
  const auto second = peer.write(2, {}, false);  // says that Data-Out follows
  peer.expect_silence();
  peer.data_out(second, wire::kReservedTag, 0, 0, std::span(data).first(512), false);
  peer.expect_silence();
  peer.data_out(second, wire::kReservedTag, 1, 512, std::span(data).subspan(512), true);
  peer.expect_condition(second, 0x0c0c);
  BOOST_TEST(world.disk->writes == 0u);
}

// Red when more than FirstBurstLength passes as unsolicited, or less without a word.
BOOST_AUTO_TEST_CASE(first_burst_length_is_kept) {
  World world;
  Peer peer(world);
  using namespace std::string_literals;
  peer.login({.keys = "InitialR2T=No\0FirstBurstLength=1024\0"s});
  peer.test_ready();
  const auto data = pattern(4096);
  const auto too_much = peer.write(8, std::span(data).first(1536));
  peer.expect_condition(too_much, 0x0c0d);
  const auto over = peer.write(8, std::span(data).first(512), false);
  peer.data_out(over, wire::kReservedTag, 0, 512, std::span(data).first(1024), true);
  peer.expect_condition(over, 0x0c0d);
  const auto less = peer.write(8, std::span(data).first(512), false);
  peer.data_out(less, wire::kReservedTag, 0, 512, std::span(data).first(256), true);
  peer.expect_condition(less, 0x0c0d);
  BOOST_TEST(world.disk->writes == 0u);
}

// Red when an R2T is answered beyond its bounds, short, out of order, or under another's tags, and
// the data is written all the same.
BOOST_AUTO_TEST_CASE(answers_to_r2t_are_checked) {
  World world;
  Peer peer(world);
  using namespace std::string_literals;
  peer.login({.keys = "ImmediateData=No\0InitialR2T=Yes\0"s});
  peer.test_ready();
  const auto data = pattern(2048);
  const auto begin = [&](std::uint32_t& tag) {
    tag = peer.write(4);
    const auto r2t = peer.expect<wire::R2tBhs>(Opcode::r2t);
    return static_cast<std::uint32_t>(r2t.as<wire::R2tBhs>().target_transfer_tag);
  };
  std::uint32_t tag = 0;
  auto transfer = begin(tag);
  peer.data_out(tag, transfer, 0, 0, std::span(data).first(1024), true);  // short
  peer.expect_condition(tag, 0x0c0d);

  transfer = begin(tag);
  peer.data_out(tag, transfer, 1, 0, data, true);  // DataSN: one is missing
  peer.expect_condition(tag, 0x4705);

  transfer = begin(tag);
  peer.data_out(tag, transfer, 0, 512, std::span(data).first(512), false);  // offset
  peer.expect_reject(wire::RejectReason::invalid_pdu_field);
  peer.expect_silence();  // the last Data-Out is awaited (10.4.2)
  peer.data_out(tag, transfer, 1, 512, std::span(data).first(512), true);
  peer.expect_condition(tag, 0x0c0d);

  transfer = begin(tag);
  const auto long_data = pattern(2560);
  peer.data_out(tag, transfer, 0, 0, long_data, true);  // more than was asked for
  peer.expect_reject(wire::RejectReason::invalid_pdu_field);
  peer.expect_condition(tag, 0x0c0d);

  transfer = begin(tag);
  peer.data_out(tag + 7, transfer, 0, 0, data, true);  // another task's tag
  peer.expect_reject(wire::RejectReason::invalid_pdu_field);
  peer.data_out(tag, transfer ^ 0x40, 0, 0, data, true);  // a transfer tag that is not out
  peer.expect_reject(wire::RejectReason::invalid_pdu_field);
  BOOST_TEST(world.disk->writes == 0u);
  peer.data_out(tag, transfer, 0, 0, std::span(data).first(0), false);  // empty is legal (10.7.7)
  peer.data_out(tag, transfer, 1, 0, data, true);
  peer.expect_good(tag);
  BOOST_TEST(world.disk->writes == 1u);
}

// Red when a response overtakes data that the initiator still owes.
BOOST_AUTO_TEST_CASE(a_device_error_waits_for_unsolicited_data) {
  World world;
  Peer peer(world);
  using namespace std::string_literals;
  peer.login({.keys = "InitialR2T=No\0"s});
  peer.test_ready();
  const auto data = pattern(1024);
  const auto tag = peer.write(2, std::span(data).first(512), false, 1 << 20);  // beyond the end
  peer.expect_silence();
  peer.data_out(tag, wire::kReservedTag, 0, 512, std::span(data).subspan(512), true);
  const auto received = peer.expect<wire::ScsiResponseBhs>(Opcode::scsi_response);
  BOOST_TEST(received.as<wire::ScsiResponseBhs>().status() == 2);
  BOOST_TEST(received.as<wire::ScsiResponseBhs>().initiator_task_tag == tag);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE(digests)

LoginWish with_digests() {
  using namespace std::string_literals;
  return {.keys = "HeaderDigest=CRC32C\0DataDigest=CRC32C\0"s};
}

// Red when digests are made or checked over the wrong bytes (padding, AHS, an empty segment).
BOOST_AUTO_TEST_CASE(good_ones_pass_both_ways) {
  World world;
  Peer peer(world);
  peer.login(with_digests());
  BOOST_TEST((peer.digests.header && peer.digests.data));
  peer.test_ready();
  const auto data = pattern(1024);
  peer.expect_silence();
  const auto tag = peer.write(2, data);
  peer.expect_good(tag);
  peer.read(2);
  BOOST_TEST(peer.expect<wire::DataInBhs>(Opcode::data_in).data == data);
  const auto odd = pattern(13);
  peer.ping(odd);
  BOOST_TEST(peer.expect<wire::NopInBhs>(Opcode::nop_in).data == odd);
}

// Red when a command with a bad data digest is executed, or its CmdSN counts as received (6.3).
BOOST_AUTO_TEST_CASE(bad_data_digest_of_a_command) {
  World world;
  Peer peer(world);
  peer.login(with_digests());
  peer.test_ready();
  const auto data = pattern(512);
  auto bhs = peer.command(0x2a, 1);
  bhs.flags |= wire::ScsiCommandBhs::kWrite;
  bhs.expected_data_transfer_bytes = 512u;
  Bytes bytes;
  wire::append_pdu(bytes, bhs, data, peer.digests);
  bytes.back() ^= std::byte{1};
  peer.send_bytes(bytes);
  peer.expect_reject(wire::RejectReason::data_digest_error);
  BOOST_TEST(world.disk->writes == 0u);
  BOOST_TEST(peer.exp_cmd_sn == bhs.cmd_sn);
  peer.send(bhs, data);  // the same again plugs the gap
  peer.expect_good(bhs.initiator_task_tag);
}

// Red when wrong data is written, or the task ends before its last Data-Out (6.7).
BOOST_AUTO_TEST_CASE(bad_data_digest_of_data_out) {
  World world;
  Peer peer(world);
  using namespace std::string_literals;
  auto wish = with_digests();
  wish.keys += "ImmediateData=No\0InitialR2T=Yes\0"s;
  peer.login(wish);
  peer.test_ready();
  const auto data = pattern(1024);
  const auto tag = peer.write(2);
  const auto r2t = peer.expect<wire::R2tBhs>(Opcode::r2t);
  wire::DataOutBhs bhs;
  bhs.initiator_task_tag = tag;
  bhs.target_transfer_tag = r2t.as<wire::R2tBhs>().target_transfer_tag;
  Bytes bytes;
  wire::append_pdu(bytes, bhs, std::span(data).first(512), peer.digests);
  bytes[60] ^= std::byte{1};
  peer.send_bytes(bytes);
  peer.expect_reject(wire::RejectReason::data_digest_error);
  peer.expect_silence();
  peer.data_out(tag, r2t.as<wire::R2tBhs>().target_transfer_tag, 1, 512,
                std::span(data).subspan(512), true);
  peer.expect_condition(tag, 0x4705);
  BOOST_TEST(world.disk->writes == 0u);
}

// Red when a connection goes on after a header whose length cannot be believed.
BOOST_AUTO_TEST_CASE(bad_header_digest_ends_the_connection) {
  World world;
  Peer peer(world);
  peer.login(with_digests());
  Bytes bytes;
  wire::append_pdu(bytes, peer.command(0x00, 0), {}, peer.digests);
  bytes[40] ^= std::byte{1};
  peer.send_bytes(bytes);
  BOOST_TEST(peer.closed);
  BOOST_TEST(world.service->counters().header_digest_errors == 1u);
  BOOST_TEST(world.service->sessions().empty());
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace tsihd::session::test
