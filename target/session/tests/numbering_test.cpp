// The order of commands: window, gaps, duplicates, immediate delivery, and input that comes cut at
// every place.
#include "target/session/command_window.h"
#include "target/session/tests/world.h"

namespace tsihd::session::test {

using wire::Opcode;
using Verdict = CommandWindow::Verdict;

BOOST_AUTO_TEST_SUITE(numbering)

// Red when arithmetic is not modulo 2^32, or MaxCmdSN moves back as commands come.
BOOST_AUTO_TEST_CASE(window_wraps) {
  CommandWindow window(0xfffffffe, 4);
  BOOST_TEST(window.max_cmd_sn() == 1u);
  BOOST_TEST((window.judge(0xfffffffe) == Verdict::deliver));
  BOOST_TEST((window.judge(1) == Verdict::hold));
  BOOST_TEST((window.judge(2) == Verdict::ignore));
  BOOST_TEST((window.judge(0xfffffffd) == Verdict::ignore));
  for (int i = 0; i < 4; ++i) {
    window.advance();
    window.begin();
    BOOST_TEST(window.max_cmd_sn() == 1u);
  }
  BOOST_TEST(window.exp_cmd_sn() == window.max_cmd_sn() + 1);  // closed
  BOOST_TEST((window.judge(window.exp_cmd_sn()) == Verdict::ignore));
  window.finish();
  BOOST_TEST(window.max_cmd_sn() == 2u);
}

// Red when a command is executed before one that was numbered before it (3.2.2.1).
BOOST_AUTO_TEST_CASE(gaps_hold_back_what_follows) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  const auto one = pattern(512, 1), two = pattern(512, 2), three = pattern(512, 3);
  std::vector<wire::ScsiCommandBhs> writes;
  for (int i = 0; i < 3; ++i) {
    writes.push_back(peer.command(0x2a, 1));
    writes.back().flags |= wire::ScsiCommandBhs::kWrite;
    writes.back().expected_data_transfer_bytes = 512u;
  }
  wire::NopOutBhs nop;
  nop.initiator_task_tag = 0x99u;
  nop.cmd_sn = peer.cmd_sn++;
  peer.send(nop);
  peer.send(writes[2], three);
  peer.send(writes[1], two);
  peer.expect_silence();
  BOOST_TEST(world.disk->writes == 0u);
  peer.send(writes[0], one);
  unsigned good = 0, echoed = 0;
  while (auto received = peer.next()) {
    if (received->opcode() == Opcode::scsi_response) ++good;
    if (received->opcode() == Opcode::nop_in) ++echoed;
  }
  BOOST_TEST(good == 3u);
  BOOST_TEST(echoed == 1u);
  peer.read(1);
  BOOST_TEST(peer.expect<wire::DataInBhs>(Opcode::data_in).data == three);
}

// Red when a duplicate or a number outside the window gets an answer.
BOOST_AUTO_TEST_CASE(what_is_outside_is_ignored) {
  World world;
  world.group().attributes.default_cmdsn_depth = 4;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  auto bhs = peer.command(0x00, 0);
  peer.send(bhs);
  (void)peer.expect<wire::ScsiResponseBhs>(Opcode::scsi_response);
  peer.send(bhs);  // a duplicate of one that was executed
  bhs.cmd_sn = peer.max_cmd_sn + 1;
  bhs.initiator_task_tag = 0x777u;
  peer.send(bhs);  // beyond the window
  peer.expect_silence();
  BOOST_TEST(world.service->counters().commands_ignored == 2u);
  auto ahead = peer.command(0x00, 0);
  ahead.cmd_sn = peer.cmd_sn;
  peer.send(ahead);
  ahead.initiator_task_tag = 0x778u;
  peer.send(ahead);  // a duplicate of one that is held
  peer.expect_silence();
  BOOST_TEST(world.service->counters().commands_ignored == 3u);
  peer.cmd_sn -= 1;
  peer.test_ready();
}

// Red when the window does not close with commands in progress, or opens before their status.
BOOST_AUTO_TEST_CASE(window_closes_and_opens) {
  World world;
  world.group().attributes.default_cmdsn_depth = 2;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  world.disk->holding = true;
  const auto first = peer.read(1);
  peer.read(1);
  auto third = peer.command(0x28, 1);
  third.flags |= wire::ScsiCommandBhs::kRead;
  third.expected_data_transfer_bytes = 512u;
  peer.send(third);
  world.disk->holding = false;
  world.disk->complete_all();
  const auto received = peer.expect<wire::DataInBhs>(Opcode::data_in);
  BOOST_TEST(received.as<wire::DataInBhs>().initiator_task_tag == first);
  BOOST_TEST(received.as<wire::DataInBhs>().max_cmd_sn ==
             received.as<wire::DataInBhs>().exp_cmd_sn);
  (void)peer.expect<wire::DataInBhs>(Opcode::data_in);
  peer.expect_silence();  // the third was outside and is forgotten
  peer.send(third);
  (void)peer.expect<wire::DataInBhs>(Opcode::data_in);
}

// Red when immediate commands wait for numbers, take numbers, or come without limit.
BOOST_AUTO_TEST_CASE(immediate_commands) {
  Limits limits;
  limits.immediate_commands = 2;
  World world(limits);
  Peer peer(world);
  peer.login();
  peer.test_ready();
  world.disk->holding = true;
  const auto send_one = [&] {
    auto bhs = peer.command(0x28, 1);
    --peer.cmd_sn;
    bhs.opcode_byte |= wire::kImmediateBit;
    bhs.flags |= wire::ScsiCommandBhs::kRead;
    bhs.expected_data_transfer_bytes = 512u;
    peer.send(bhs);
  };
  send_one();
  send_one();
  send_one();
  peer.expect_reject(wire::RejectReason::too_many_immediate_commands);
  BOOST_TEST(peer.exp_cmd_sn == peer.cmd_sn);
  world.disk->holding = false;
  world.disk->complete_all();
  (void)peer.expect<wire::DataInBhs>(Opcode::data_in);
  (void)peer.expect<wire::DataInBhs>(Opcode::data_in);
  send_one();
  (void)peer.expect<wire::DataInBhs>(Opcode::data_in);
}

// Red when contradictions in a header reach the device server.
BOOST_AUTO_TEST_CASE(faults_of_a_command_header) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  const auto try_one = [&](auto change, wire::RejectReason reason) {
    auto bhs = peer.command(0x28, 1);
    bhs.flags |= wire::ScsiCommandBhs::kRead;
    bhs.expected_data_transfer_bytes = 512u;
    change(bhs);
    peer.send(bhs);
    peer.expect_reject(reason);
    --peer.cmd_sn;  // it does not count as received (6.3)
  };
  using R = wire::RejectReason;
  using C = wire::ScsiCommandBhs;
  const auto drop = [](C& bhs, std::uint8_t bits) {
    bhs.flags = static_cast<std::uint8_t>(bhs.flags & ~bits);
  };
  try_one([&](C& bhs) { drop(bhs, wire::kFinalBit); }, R::invalid_pdu_field);
  try_one([&](C& bhs) { drop(bhs, C::kRead); }, R::invalid_pdu_field);
  try_one([&](C& bhs) { bhs.flags |= 7; }, R::invalid_pdu_field);
  try_one([&](C& bhs) { bhs.initiator_task_tag = wire::kReservedTag; }, R::invalid_pdu_field);
  try_one([&](C& bhs) { bhs.flags |= C::kWrite; }, R::invalid_pdu_field);  // no read length AHS
  try_one([&](C& bhs) { bhs.opcode_byte = 0x1c; }, R::command_not_supported);
  try_one([&](C& bhs) { bhs.opcode_byte = 0x10; }, R::protocol_error);  // SNACK at level 0
  try_one([&](C& bhs) { bhs.opcode_byte = 0x43; }, R::protocol_error);  // login
  peer.test_ready();
}

// Red when a tag in use starts a second task.
BOOST_AUTO_TEST_CASE(a_tag_in_use) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  world.disk->holding = true;
  const auto tag = peer.read(1);
  auto bhs = peer.command(0x28, 1);
  bhs.flags |= wire::ScsiCommandBhs::kRead;
  bhs.expected_data_transfer_bytes = 512u;
  bhs.initiator_task_tag = tag;
  peer.send(bhs);
  peer.expect_reject(wire::RejectReason::task_in_progress);
  world.disk->holding = false;
  world.disk->complete_all();
  (void)peer.expect<wire::DataInBhs>(Opcode::data_in);
}

// Red when a PDU that is cut by reads is understood otherwise than a whole one.
BOOST_AUTO_TEST_CASE(input_cut_at_every_place) {
  using namespace std::string_literals;
  const auto talk = [](std::size_t piece_bytes) {
    World world;
    Peer peer(world);
    peer.piece_bytes = piece_bytes;
    peer.login({.keys = "HeaderDigest=CRC32C\0DataDigest=CRC32C\0InitialR2T=No\0"
                        "FirstBurstLength=512\0"s});
    peer.test_ready();
    const auto data = pattern(1024);
    const auto tag = peer.write(2, std::span(data).first(129), false);
    peer.data_out(tag, wire::kReservedTag, 0, 129, std::span(data).subspan(129, 383), true);
    peer.answer(peer.expect<wire::R2tBhs>(Opcode::r2t), data);
    peer.expect_good(tag);
    peer.read(2);
    const auto received = peer.expect<wire::DataInBhs>(Opcode::data_in);
    BOOST_TEST(received.data == data);
    peer.ping(std::span(data).first(5));
    (void)peer.expect<wire::NopInBhs>(Opcode::nop_in);
    peer.log_out();
    (void)peer.expect<wire::LogoutResponseBhs>(Opcode::logout_response);
    BOOST_TEST(peer.closed);
  };
  for (std::size_t piece = 1; piece < 80; ++piece) talk(piece);
  for (const std::size_t piece : {255u, 256u, 511u, 513u, 1100u}) talk(piece);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace tsihd::session::test
