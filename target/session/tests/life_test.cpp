// The life of a session: logout, keepalive, reinstatement, discovery, limits.
#include "target/session/tests/world.h"

namespace tsihd::session::test {

using wire::Opcode;
using namespace std::string_literals;

BOOST_AUTO_TEST_SUITE(life)

// Red when ping data comes back changed, or beyond the initiator's limit (10.19).
BOOST_AUTO_TEST_CASE(ping_is_echoed) {
  World world;
  Peer peer(world);
  peer.login({.keys = "MaxRecvDataSegmentLength=512\0"s});
  const auto data = pattern(700);
  const auto tag = peer.ping(data);
  const auto received = peer.expect<wire::NopInBhs>(Opcode::nop_in);
  BOOST_TEST(received.as<wire::NopInBhs>().initiator_task_tag == tag);
  BOOST_TEST(received.as<wire::NopInBhs>().target_transfer_tag == wire::kReservedTag);
  BOOST_TEST((received.data == Bytes(data.begin(), data.begin() + 512)));
}

// Red when a silent initiator keeps its session, or a living one loses it.
BOOST_AUTO_TEST_CASE(keepalive) {
  World world;
  Peer alive(world, "192.0.2.1"), silent(world, "192.0.2.2");
  alive.answers_pings = true;
  alive.login();
  LoginWish other;
  other.name += ":two";
  silent.login(other);
  world.pass(seconds(15));
  const auto ping = silent.expect<wire::NopInBhs>(Opcode::nop_in);
  BOOST_TEST(ping.as<wire::NopInBhs>().initiator_task_tag == wire::kReservedTag);
  BOOST_TEST(ping.as<wire::NopInBhs>().target_transfer_tag != wire::kReservedTag);
  BOOST_TEST(ping.data.empty());
  BOOST_TEST(ping.as<wire::NopInBhs>().stat_sn == silent.exp_stat_sn);
  world.pass(seconds(29));
  BOOST_TEST(!silent.closed);
  world.pass(seconds(2));
  BOOST_TEST(silent.closed);
  BOOST_TEST(silent.was_reset);
  BOOST_TEST(!alive.closed);
  BOOST_TEST(world.service->counters().keepalive_timeouts == 1u);
  BOOST_TEST(world.service->sessions().size() == 1u);
}

// Red when a Logout is answered before the session's writes are back, or the socket stays open.
BOOST_AUTO_TEST_CASE(logout_waits_for_the_disk) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  world.disk->holding = true;
  const auto data = pattern(512);
  peer.write(1, data);
  const auto tag = peer.log_out();
  peer.expect_silence();
  BOOST_TEST(!peer.closed);
  world.disk->complete_all();
  const auto received = peer.expect<wire::LogoutResponseBhs>(Opcode::logout_response);
  BOOST_TEST(received.as<wire::LogoutResponseBhs>().response() == 0);
  BOOST_TEST(received.as<wire::LogoutResponseBhs>().initiator_task_tag == tag);
  BOOST_TEST(peer.closed);
  BOOST_TEST(world.service->counters().logouts == 1u);
}

// Red when a reason is answered as another (10.15.1).
BOOST_AUTO_TEST_CASE(logout_reasons) {
  World world;
  Peer peer(world);
  peer.login();
  peer.log_out(1, 7);
  BOOST_TEST(peer.expect<wire::LogoutResponseBhs>(Opcode::logout_response)
                 .as<wire::LogoutResponseBhs>()
                 .response() == 1);
  peer.log_out(2, 1);
  BOOST_TEST(peer.expect<wire::LogoutResponseBhs>(Opcode::logout_response)
                 .as<wire::LogoutResponseBhs>()
                 .response() == 2);
  peer.log_out(3, 1);
  peer.expect_reject(wire::RejectReason::invalid_pdu_field);
  BOOST_TEST(!peer.closed);
  peer.log_out(1, 1);
  BOOST_TEST(peer.expect<wire::LogoutResponseBhs>(Opcode::logout_response)
                 .as<wire::LogoutResponseBhs>()
                 .response() == 0);
  BOOST_TEST(peer.closed);
}

// Red when a second login of a port leaves two sessions, or is answered while a write of the old
// one can still land (5.3.5).
BOOST_AUTO_TEST_CASE(session_reinstatement) {
  World world;
  Peer old(world, "192.0.2.1", 40000), fresh(world, "192.0.2.1", 40001);
  old.login();
  old.test_ready();
  world.disk->holding = true;
  const auto data = pattern(512);
  old.write(1, data);
  fresh.ask_login();
  BOOST_TEST(old.closed);
  BOOST_TEST(!fresh.logged_in());
  world.disk->complete_all();
  world.settle();
  BOOST_TEST(fresh.logged_in());
  BOOST_TEST(fresh.tsih() != 0);
  BOOST_TEST(world.service->sessions().size() == 1u);
  BOOST_TEST(world.service->counters().session_reinstatements == 1u);
}

// Red when the session does not survive its connection's reinstatement, or a task of the old
// connection is answered on the new one (5.3.4).
BOOST_AUTO_TEST_CASE(connection_reinstatement) {
  World world;
  Peer old(world, "192.0.2.1", 40000), fresh(world, "192.0.2.1", 40001);
  old.login();
  old.test_ready();
  world.disk->holding = true;
  old.read(1);
  fresh.cmd_sn = old.cmd_sn;
  fresh.ask_login({.tsih = old.tsih()});
  BOOST_TEST(!fresh.logged_in());
  world.disk->holding = false;
  world.disk->complete_all();
  world.settle();
  BOOST_REQUIRE(fresh.logged_in());
  BOOST_TEST(old.closed);
  BOOST_TEST(fresh.tsih() == old.tsih());
  fresh.test_ready();
  fresh.expect_silence();
  BOOST_TEST(world.service->sessions().size() == 1u);
  Peer second(world, "192.0.2.1", 40002);
  second.ask_login({.tsih = fresh.tsih(), .cid = 9});  // MaxConnections is 1
  BOOST_TEST(second.status() == 0x0206);
  BOOST_TEST(!fresh.closed);
}

// Red when a discovery session can do more than SendTargets and leave.
BOOST_AUTO_TEST_CASE(discovery) {
  World world;
  Peer peer(world);
  peer.login({.discovery = true});
  wire::TextRequestBhs bhs;
  bhs.flags = wire::kFinalBit;
  bhs.initiator_task_tag = 5u;
  bhs.cmd_sn = peer.cmd_sn++;
  bhs.exp_stat_sn = peer.exp_stat_sn;
  const std::string text = "SendTargets=All\0"s;
  peer.send(bhs, std::as_bytes(std::span(text)));
  const auto received = peer.expect<wire::TextResponseBhs>(Opcode::text_response);
  const std::string answer(reinterpret_cast<const char*>(received.data.data()),
                           received.data.size());
  BOOST_TEST(answer.find("TargetName="s + kTarget) != std::string::npos);
  auto command = peer.command(0x00, 0);
  peer.send(command);
  peer.expect_reject(wire::RejectReason::protocol_error);
  --peer.cmd_sn;
  peer.log_out();
  (void)peer.expect<wire::LogoutResponseBhs>(Opcode::logout_response);
  BOOST_TEST(peer.closed);
}

// Red when a login that stalls keeps its place.
BOOST_AUTO_TEST_CASE(a_login_takes_its_time) {
  Limits limits;
  limits.login_timeout_s = 5;
  limits.max_logins_in_progress = 1;
  World world(limits);
  Peer slow(world);
  {
    Peer refused(world);
    BOOST_TEST(refused.closed);
  }
  BOOST_TEST(world.service->counters().connections_refused == 1u);
  BOOST_TEST(world.service->counters().limit_logins_in_progress == 1u);
  world.pass(seconds(5));
  BOOST_TEST(slow.closed);
  BOOST_TEST(world.service->counters().logins_timed_out == 1u);
  Peer next(world);
  next.login();
}

// RFC 3720 10.13.5, 0301h. Red when a login under way at shutdown is cut off without a word.
BOOST_AUTO_TEST_CASE(shutdown_during_logins) {
  World world;
  Peer silent(world), under_way(world);
  wire::LoginRequestBhs request;
  request.flags = wire::LoginFlags::stages(wire::Stage::security, wire::Stage::security);
  const std::string names =
      "InitiatorName="s + kInitiator + "\0"s + "TargetName="s + kTarget + "\0"s;
  under_way.send(request, std::as_bytes(std::span(names)));
  BOOST_TEST(under_way.status() == 0u);
  world.service->begin_shutdown();
  world.settle();
  BOOST_TEST(under_way.status() == 0x0301);
  BOOST_TEST(under_way.closed);
  BOOST_TEST(silent.status() == 0xffff);  // it has asked nothing that could be answered
  BOOST_TEST(silent.closed);
  BOOST_TEST(world.service->idle());
}

// Red when sessions or connections have no bound.
BOOST_AUTO_TEST_CASE(limits_of_the_process) {
  Limits limits;
  limits.max_sessions = 1;
  limits.max_connections = 2;
  World world(limits);
  Peer one(world), two(world), three(world);
  BOOST_TEST(three.closed);
  one.login();
  LoginWish other;
  other.name += ":two";
  two.ask_login(other);
  BOOST_TEST(two.status() == 0x0302);
  const Counters& counters = world.service->counters();
  BOOST_TEST(counters.limit_connections == 1u);
  BOOST_TEST(counters.limit_sessions == 1u);
  BOOST_TEST(counters.logins_failed == 1u);
  BOOST_TEST(counters.logins_refused.back() == 1u);  // 0302h is the last of 10.13.5
  BOOST_TEST(world.lines_with("connection refused peer=192.0.2.1:40000") == 1u);
  BOOST_TEST(world.lines_with("request=1 status=0302") == 1u);
}

// Red when a peer that does not read makes us queue without end, or is kept for ever.
BOOST_AUTO_TEST_CASE(a_peer_that_does_not_read) {
  Limits limits;
  limits.output_pdus = 8;
  World world(limits);
  Peer peer(world);
  peer.login();
  peer.test_ready();
  peer.reads = false;
  int sent = 0;
  while (peer.connection->wants_input() && sent < 100) {
    peer.ping();
    ++sent;
  }
  BOOST_TEST(sent == 8);
  peer.reads = true;
  peer.flush();
  BOOST_TEST(peer.connection->wants_input());
  for (int i = 0; i < sent; ++i) (void)peer.expect<wire::NopInBhs>(Opcode::nop_in);
  peer.reads = false;
  peer.ping();
  world.group().attributes.nop_in_interval_s = 0;
  world.pass(seconds(59));
  BOOST_TEST(!peer.connection->wants_close());
  world.pass(seconds(4));
  BOOST_TEST(peer.closed);
  BOOST_TEST(world.service->counters().output_stalls == 1u);
}

// Red when commands hold more memory than the budget, or a waiting one never starts.
BOOST_AUTO_TEST_CASE(memory_budget_withholds_r2ts) {
  Limits limits;
  limits.session_data_bytes = 64 << 10;
  World world(limits);
  Peer peer(world);
  peer.login({.keys = "ImmediateData=No\0InitialR2T=Yes\0"s});
  peer.test_ready();
  const auto data = pattern(32 << 10);
  std::vector<std::uint32_t> tags;
  for (int i = 0; i < 4; ++i) tags.push_back(peer.write(64));
  std::deque<Received> r2ts;
  r2ts.push_back(peer.expect<wire::R2tBhs>(Opcode::r2t));
  r2ts.push_back(peer.expect<wire::R2tBhs>(Opcode::r2t));
  peer.expect_silence();
  BOOST_TEST(world.service->data_bytes() == 64u << 10);
  for (const auto tag : tags) {
    peer.answer(r2ts.front(), data);
    r2ts.pop_front();
    peer.expect_good(tag);
    if (auto r2t = peer.next()) r2ts.push_back(*r2t);
  }
  BOOST_TEST(world.service->data_bytes() == 0u);
  BOOST_TEST(world.service->counters().waits_for_memory == 2u);
}

// Red when one command larger than the budget stands still for ever.
BOOST_AUTO_TEST_CASE(one_command_always_goes) {
  Limits limits;
  limits.session_data_bytes = 512;
  World world(limits);
  Peer peer(world);
  peer.login();
  peer.test_ready();
  peer.read(64);
  peer.read(64);
  (void)peer.expect<wire::DataInBhs>(Opcode::data_in);
  while (auto more = peer.next()) {
  }
  BOOST_TEST(world.service->data_bytes() == 0u);
}

// Red when an operator's logout is not asked for, or not enforced.
BOOST_AUTO_TEST_CASE(logout_on_command) {
  World world;
  Peer peer(world);
  peer.answers_pings = true;
  peer.login();
  BOOST_TEST(!world.service->logout(999).has_value());
  BOOST_REQUIRE(world.service->logout(world.service->sessions().front().id).has_value());
  const auto received = peer.expect<wire::AsyncMessageBhs>(Opcode::async_message);
  BOOST_TEST(received.as<wire::AsyncMessageBhs>().async_event == 1);
  BOOST_TEST(received.as<wire::AsyncMessageBhs>().parameter_3 == 5);
  world.pass(seconds(5));
  const auto drop = peer.expect<wire::AsyncMessageBhs>(Opcode::async_message);
  BOOST_TEST(drop.as<wire::AsyncMessageBhs>().async_event == 2);
  BOOST_TEST(drop.as<wire::AsyncMessageBhs>().parameter_1 == 1);  // its CID
  BOOST_TEST(peer.closed);
}

// Red when a session with commands at a disk is forgotten before they are back.
BOOST_AUTO_TEST_CASE(a_lost_connection_with_commands_out) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  world.disk->holding = true;
  const auto data = pattern(512);
  peer.write(1, data);
  peer.read(1);
  peer.vanish();
  BOOST_REQUIRE(world.service->sessions().size() == 1u);
  BOOST_TEST(world.service->sessions().front().ending);
  world.disk->complete_all();
  world.settle();
  BOOST_TEST(world.service->sessions().empty());
}

// An ORDERED command runs as soon as the one before it is aborted, also when that is because their
// connection goes: then there is nobody to tell of its end.
BOOST_AUTO_TEST_CASE(a_command_that_ends_while_its_connection_leaves_is_not_left_behind) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  peer.write(8);
  (void)peer.expect<wire::R2tBhs>(wire::Opcode::r2t);
  auto ordered = peer.command(0x28, 0);
  ordered.flags = wire::kFinalBit | wire::ScsiCommandBhs::kRead | 2;
  peer.send(ordered);
  peer.expect_silence();
  peer.vanish();
  BOOST_TEST(world.service->registry().sessions().empty());
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace tsihd::session::test
