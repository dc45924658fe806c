// Asynchronous Messages (RFC 3720 10.9): every event, and what follows it.
#include "target/session/tests/world.h"

namespace tsihd::session::test {
namespace {

using wire::Opcode;

wire::AsyncMessageBhs expect_event(Peer& peer, std::uint8_t event) {
  const auto received = peer.expect<wire::AsyncMessageBhs>(Opcode::async_message);
  const auto bhs = received.as<wire::AsyncMessageBhs>();
  BOOST_TEST(bhs.async_event == event);
  BOOST_TEST(bhs.initiator_task_tag == wire::kReservedTag);
  return bhs;
}

std::uint64_t only_session(World& world) { return world.service->sessions().front().id; }

}  // namespace

BOOST_AUTO_TEST_SUITE(async_messages)

// Red when a changed capacity is told to who did not ask for events, twice, or without its sense.
BOOST_AUTO_TEST_CASE(scsi_event) {
  World world;
  Peer peer(world);
  peer.login();
  world.service->refresh_capacities();
  BOOST_REQUIRE(world.disk->resize(2u << 20).has_value());
  world.service->refresh_capacities();
  world.settle();
  peer.expect_silence();
  world.group().attributes.scsi_events = true;
  BOOST_REQUIRE(world.disk->resize(3u << 20).has_value());
  world.service->refresh_capacities();
  world.service->refresh_capacities();
  world.settle();
  const auto received = peer.expect<wire::AsyncMessageBhs>(Opcode::async_message);
  BOOST_TEST(received.as<wire::AsyncMessageBhs>().async_event == 0);
  BOOST_REQUIRE(received.data.size() == 2u + 18u);
  BOOST_TEST(std::to_integer<int>(received.data[1]) == 18);
  BOOST_TEST(std::to_integer<int>(received.data[2 + 12]) == 0x2a);
  BOOST_TEST(std::to_integer<int>(received.data[2 + 13]) == 0x09);
  peer.expect_silence();
}

// Red when the very first change of a size, before anybody looked, is not told.
BOOST_AUTO_TEST_CASE(first_change_of_a_size) {
  World world;
  world.group().attributes.scsi_events = true;
  Peer peer(world);
  peer.login();
  BOOST_REQUIRE(world.disk->resize(2u << 20).has_value());
  world.service->refresh_capacities();
  world.settle();
  expect_event(peer, 0);
}

// Red when a request for negotiation ends anything, or is not on every connection.
BOOST_AUTO_TEST_CASE(request_for_negotiation) {
  World world;
  Peer peer(world);
  peer.login();
  BOOST_TEST(!world.service->request_negotiation(999).has_value());
  BOOST_REQUIRE(world.service->request_negotiation(only_session(world)).has_value());
  world.settle();
  BOOST_TEST(expect_event(peer, 4).parameter_3 == 5);
  world.pass(seconds(10));
  BOOST_TEST(!peer.closed);
}

// Red when a dropped session is not told, lives on, or is told of a time that nothing is kept for.
BOOST_AUTO_TEST_CASE(dropped_session) {
  World world;
  Peer peer(world);
  peer.login();
  BOOST_REQUIRE(world.service->drop(only_session(world), std::nullopt).has_value());
  world.settle();
  const auto message = expect_event(peer, 3);
  BOOST_TEST(message.parameter_2 == 2);
  BOOST_TEST(message.parameter_3 == 0);
  BOOST_TEST(peer.closed);
  BOOST_TEST(world.service->sessions().empty());
}

// Red when the drop of one connection names another, or its commands cannot be taken up although
// Time2Retain says so.
BOOST_AUTO_TEST_CASE(dropped_connection_at_level_two) {
  World world;
  world.group().offered.error_recovery_level = 2;
  Peer peer(world), again(world, "192.0.2.1", 40001);
  peer.login({.cid = 7, .keys = std::string("ErrorRecoveryLevel=2") + '\0'});
  peer.test_ready();
  world.disk->holding = true;
  const auto tag = peer.read(1);
  BOOST_TEST(!world.service->drop(only_session(world), 8).has_value());
  BOOST_REQUIRE(world.service->drop(only_session(world), 7).has_value());
  world.settle();
  const auto message = expect_event(peer, 2);
  BOOST_TEST(message.parameter_1 == 7);
  BOOST_TEST(message.parameter_3 == 20);
  BOOST_TEST(peer.closed);
  again.cmd_sn = peer.cmd_sn;
  again.login({.tsih = peer.tsih(), .cid = 7});
  again.manage(TaskFunction::task_reassign, tag);
  BOOST_TEST(again.expect<wire::TaskManagementResponseBhs>(Opcode::task_management_response)
                 .as<wire::TaskManagementResponseBhs>()
                 .response() == 0);
  world.disk->complete_all();
  world.settle();
  BOOST_TEST(
      again.expect<wire::DataInBhs>(Opcode::data_in).as<wire::DataInBhs>().initiator_task_tag ==
      tag);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsihd::session::test
