// Sessions of several connections (RFC 3720 3.2.4.1, 5.3.4, 5.3.6, 10.14).
#include "target/session/tests/world.h"

namespace tsihd::session::test {
namespace {

using wire::Opcode;

constexpr unsigned kCommandsCleared = 0x477f;

std::string key(const char* text) { return std::string(text) + '\0'; }

/// A session of two connections, CIDs 1 and 2, whose LUN takes commands.
struct Pair {
  explicit Pair(const std::string& keys = {}) {
    world.group().offered.max_connections = 4;
    one.login({.keys = key("MaxConnections=2") + keys});
    one.test_ready();
    two.cmd_sn = one.cmd_sn;
    two.login({.tsih = one.tsih(), .cid = 2});
    two.next_tag = 0x200;  // tags are the session's, too
  }
  /// The initiator numbers the commands of a session together.
  Peer& on(Peer& peer) {
    one.cmd_sn = two.cmd_sn = std::max(one.cmd_sn, two.cmd_sn);
    return peer;
  }
  std::uint8_t logout_response(Peer& peer) {
    return peer.expect<wire::LogoutResponseBhs>(Opcode::logout_response)
        .as<wire::LogoutResponseBhs>()
        .response();
  }

  World world;
  Peer one{world, "192.0.2.1", 40000};
  Peer two{world, "192.0.2.2", 40001};
};

/// A read has ended well: data with status.
void expect_read(Peer& peer, std::uint32_t tag) {
  const auto received = peer.expect<wire::DataInBhs>(Opcode::data_in);
  BOOST_TEST(received.as<wire::DataInBhs>().initiator_task_tag == tag);
  BOOST_TEST(received.as<wire::DataInBhs>().has(wire::DataInBhs::kStatus));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(connections)

// Red when a response goes to another connection than the request came on, or the login of the
// second connection says other command numbers than the session's.
BOOST_AUTO_TEST_CASE(allegiance) {
  Pair pair;
  BOOST_TEST(pair.two.tsih() == pair.one.tsih());
  BOOST_TEST(pair.two.exp_cmd_sn == pair.one.exp_cmd_sn);
  BOOST_TEST(pair.two.max_cmd_sn == pair.one.max_cmd_sn);
  pair.world.disk->holding = true;
  const auto first = pair.on(pair.one).read(1);
  const auto second = pair.on(pair.two).read(1);
  pair.world.disk->complete_all();
  pair.world.settle();
  expect_read(pair.one, first);
  expect_read(pair.two, second);
  pair.one.expect_silence();
  pair.two.expect_silence();
  BOOST_TEST(pair.world.service->sessions().size() == 1u);
}

// Red when the order of commands is kept for each connection instead of for the session.
BOOST_AUTO_TEST_CASE(order_over_connections) {
  Pair pair;
  const std::uint32_t first_number = pair.one.cmd_sn;
  pair.two.cmd_sn = first_number + 1;
  const auto late = pair.two.ping();
  const auto later = pair.two.read(1);
  pair.two.expect_silence();
  pair.one.cmd_sn = first_number;
  const auto first = pair.one.read(1);
  expect_read(pair.one, first);
  BOOST_TEST(
      pair.two.expect<wire::NopInBhs>(Opcode::nop_in).as<wire::NopInBhs>().initiator_task_tag ==
      late);
  expect_read(pair.two, later);
}

// Red when a session takes more connections than were negotiated, or counts those that are gone.
BOOST_AUTO_TEST_CASE(as_many_as_negotiated) {
  Pair pair;
  Peer three(pair.world, "192.0.2.3", 40002);
  three.ask_login({.tsih = pair.one.tsih(), .cid = 3});
  BOOST_TEST(three.status() == 0x0206);
  pair.on(pair.two).log_out(1, 2);
  BOOST_TEST(pair.logout_response(pair.two) == 0);
  BOOST_TEST(pair.two.closed);
  Peer four(pair.world, "192.0.2.3", 40003);
  four.login({.tsih = pair.one.tsih(), .cid = 3});
  pair.one.test_ready();
}

// Red when an answer to Logout comes before the commands of that connection are off the disk, when
// it touches commands of another connection, or when no unit attention tells of what ended (6.5).
BOOST_AUTO_TEST_CASE(logout_over_another_connection) {
  Pair pair;
  pair.world.disk->holding = true;
  pair.on(pair.two).write(1, pattern(512));
  const auto mine = pair.on(pair.one).read(1);
  pair.on(pair.one).log_out(1, 2);
  BOOST_TEST(pair.two.closed);
  pair.one.expect_silence();
  pair.world.disk->complete_all();
  pair.world.disk->holding = false;
  pair.world.settle();
  pair.one.expect<wire::LogoutResponseBhs>(Opcode::logout_response);
  expect_read(pair.one, mine);
  const auto probe = pair.on(pair.one).read(1);
  const auto attention = pair.one.expect<wire::ScsiResponseBhs>(Opcode::scsi_response);
  BOOST_TEST(attention.as<wire::ScsiResponseBhs>().initiator_task_tag == probe);
  BOOST_TEST(std::to_integer<unsigned>(attention.data[2 + 12]) == kCommandsCleared >> 8);
  BOOST_TEST(std::to_integer<unsigned>(attention.data[2 + 13]) == (kCommandsCleared & 0xff));
  pair.on(pair.one).log_out(1, 2);
  BOOST_TEST(pair.logout_response(pair.one) == 1);  // no such CID any more
}

// Red when a Logout of the session leaves a connection of it open.
BOOST_AUTO_TEST_CASE(logout_of_the_session) {
  Pair pair;
  pair.on(pair.two).log_out(0, 0);
  BOOST_TEST(pair.logout_response(pair.two) == 0);
  BOOST_TEST(pair.one.closed);
  BOOST_TEST(pair.two.closed);
}

// Red when one connection's end ends the session, its commands are answered elsewhere, or the other
// connection is not told (Async Message 2).
BOOST_AUTO_TEST_CASE(one_is_lost) {
  Pair pair;
  pair.world.disk->holding = true;
  pair.on(pair.two).read(1);
  const auto mine = pair.on(pair.one).read(1);
  pair.two.vanish();
  const auto message = pair.one.expect<wire::AsyncMessageBhs>(Opcode::async_message);
  BOOST_TEST(message.as<wire::AsyncMessageBhs>().async_event == 2);
  BOOST_TEST(message.as<wire::AsyncMessageBhs>().parameter_1 == 2);
  BOOST_TEST(message.as<wire::AsyncMessageBhs>().parameter_3 == 0);  // nothing is kept
  pair.world.disk->complete_all();
  pair.world.disk->holding = false;
  pair.world.settle();
  expect_read(pair.one, mine);
  BOOST_TEST(pair.world.service->sessions().size() == 1u);
  BOOST_TEST(pair.world.service->counters().sessions_dropped == 0u);
}

// Red when a command that waits for its turn keeps its number although its connection is logged
// out: then the retry on another connection would be ignored as a duplicate (10.14).
BOOST_AUTO_TEST_CASE(waiting_commands_go_with_their_connection) {
  Pair pair;
  const std::uint32_t gap = pair.one.cmd_sn;
  pair.two.cmd_sn = gap + 1;
  pair.two.read(1);
  pair.two.ping();
  pair.two.vanish();
  pair.one.expect<wire::AsyncMessageBhs>(Opcode::async_message);
  pair.one.cmd_sn = gap;
  expect_read(pair.one, pair.one.read(1));
  expect_read(pair.one, pair.one.read(1));  // under the number that was held
  pair.one.ping();
  pair.one.expect<wire::NopInBhs>(Opcode::nop_in);
}

// Red when the reinstatement of one connection disturbs another (5.3.4).
BOOST_AUTO_TEST_CASE(one_is_reinstated) {
  Pair pair;
  pair.world.disk->holding = true;
  pair.on(pair.two).read(1);
  const auto mine = pair.on(pair.one).read(1);
  Peer again(pair.world, "192.0.2.2", 40002);
  again.ask_login({.tsih = pair.one.tsih(), .cid = 2});
  BOOST_TEST(pair.two.closed);
  BOOST_TEST(!again.logged_in());
  pair.world.disk->complete_all();
  pair.world.disk->holding = false;
  pair.world.settle();
  BOOST_TEST(again.logged_in());
  expect_read(pair.one, mine);
  pair.one.expect_silence();
  again.cmd_sn = pair.one.cmd_sn;
  again.next_tag = 0x300;
  again.read(1);
  again.expect<wire::ScsiResponseBhs>(Opcode::scsi_response);  // 47/7F
  expect_read(again, again.read(1));
}

// Red when a format error on one connection leaves the others of its session open (6.6).
BOOST_AUTO_TEST_CASE(format_error_ends_the_session) {
  Pair pair;
  wire::NopOutBhs bhs;
  bhs.data_segment_bytes = 0xffffff;
  pair.two.send_bytes(std::as_bytes(std::span(&bhs, 1)));
  BOOST_TEST(pair.one.closed);
  BOOST_TEST(pair.two.closed);
  BOOST_TEST(pair.world.lines_with("MaxRecvDataSegmentLength") > 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsihd::session::test
