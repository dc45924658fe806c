// Task management: what is aborted, what is waited for, what is answered.
#include "target/session/tests/world.h"

namespace tsihd::session::test {

using wire::Opcode;
using Response = TaskManagementResponse;
using namespace std::string_literals;

namespace {

void expect_response(Peer& peer, std::uint32_t tag, Response response) {
  const auto received =
      peer.expect<wire::TaskManagementResponseBhs>(Opcode::task_management_response);
  const auto& bhs = received.as<wire::TaskManagementResponseBhs>();
  BOOST_TEST(bhs.initiator_task_tag == tag);
  BOOST_TEST(bhs.response() == static_cast<int>(response));
}

/// The next PDU is a SCSI Response for this task with this status.
void expect_status(Peer& peer, std::uint32_t tag, scsi::Status status) {
  const auto received = peer.expect<wire::ScsiResponseBhs>(Opcode::scsi_response);
  const auto& bhs = received.as<wire::ScsiResponseBhs>();
  BOOST_TEST(bhs.initiator_task_tag == tag);
  BOOST_TEST(bhs.status() == static_cast<int>(status));
}
std::uint32_t send_ready(Peer& peer) {
  const auto bhs = peer.command(0x00, 0);
  peer.send(bhs);
  return bhs.initiator_task_tag;
}
/// A read beyond the end, or a write with more data than the negotiation allows, with NACA.
std::uint32_t send_failing(Peer& peer, bool found_by_transport) {
  auto bhs = peer.command(found_by_transport ? 0x2a : 0x28, 1, found_by_transport ? 0 : 0x7fffffff);
  bhs.cdb[9] = 0x04;
  bhs.flags |= found_by_transport ? wire::ScsiCommandBhs::kWrite : wire::ScsiCommandBhs::kRead;
  bhs.expected_data_transfer_bytes = 512u;
  if (found_by_transport)
    peer.send(bhs, pattern(512));
  else
    peer.send(bhs);
  return bhs.initiator_task_tag;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(management)

// Red when the condition is not there over a session, CLEAR ACA does not end it, or another
// initiator can (10.5.1). An error that the session layer finds establishes it as well (10.4.7.2).
BOOST_AUTO_TEST_CASE(clear_aca_ends_the_condition) {
  for (const bool found_by_transport : {false, true}) {
    World world;
    Peer peer(world), other(world);
    peer.login({.keys = "ImmediateData=No\0InitialR2T=Yes\0"s});
    other.login({.name = "iqn.2024-01.example:other"});
    peer.test_ready();
    other.test_ready();
    expect_status(peer, send_failing(peer, found_by_transport), scsi::Status::check_condition);
    expect_status(peer, send_ready(peer), scsi::Status::aca_active);
    expect_status(other, send_ready(other), scsi::Status::busy);
    expect_response(other, other.manage(TaskFunction::clear_aca), Response::function_rejected);
    expect_response(peer, peer.manage(TaskFunction::clear_aca), Response::function_complete);
    peer.test_ready();
    other.test_ready();
    expect_response(peer, peer.manage(TaskFunction::clear_aca), Response::function_complete);
  }
}

// Red when the function answers before the command that it aborts is back from the disk.
BOOST_AUTO_TEST_CASE(clear_aca_waits_for_the_aca_command) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  expect_status(peer, send_failing(peer, false), scsi::Status::check_condition);
  world.disk->holding = true;
  auto read = peer.command(0x28, 1);
  read.flags = wire::kFinalBit | wire::ScsiCommandBhs::kRead | 4;  // ACA
  read.expected_data_transfer_bytes = 512u;
  peer.send(read);
  const auto function = peer.manage(TaskFunction::clear_aca);
  peer.expect_silence();
  world.disk->holding = false;
  world.disk->complete_all();
  expect_response(peer, function, Response::function_complete);
  peer.expect_silence();
}

// Red when an aborted write is answered, or the function is while the write can still land.
BOOST_AUTO_TEST_CASE(abort_task_at_the_disk) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  world.disk->holding = true;
  const auto data = pattern(512);
  const auto cmd_sn = peer.cmd_sn;
  const auto tag = peer.write(1, data);
  const auto function = peer.manage(TaskFunction::abort_task, tag, cmd_sn);
  peer.expect_silence();
  world.disk->holding = false;
  world.disk->complete_all();
  expect_response(peer, function, Response::function_complete);
  peer.expect_silence();
  peer.test_ready();  // the place in the window is free
}

// Red when data for an aborted task is rejected or written, or the tag stays taken.
BOOST_AUTO_TEST_CASE(abort_task_that_waits_for_data) {
  World world;
  Peer peer(world);
  peer.login({.keys = "ImmediateData=No\0InitialR2T=Yes\0"s});
  peer.test_ready();
  const auto data = pattern(1024);
  const auto tag = peer.write(2);
  const auto r2t = peer.expect<wire::R2tBhs>(Opcode::r2t);
  const auto function = peer.manage(TaskFunction::abort_task, tag, peer.cmd_sn - 1);
  expect_response(peer, function, Response::function_complete);
  peer.answer(r2t, data);
  peer.expect_silence();
  BOOST_TEST(world.service->counters().data_discarded_bytes == 1024u);
  BOOST_TEST(world.disk->writes == 0u);
  peer.answer(r2t, data);  // once more: nobody waits for it now
  peer.expect_reject(wire::RejectReason::invalid_pdu_field);
}

// Red when 10.6.1 is not kept for tasks that are not there.
BOOST_AUTO_TEST_CASE(abort_task_that_is_not_there) {
  World world;
  Peer peer(world);
  peer.login();
  peer.test_ready();
  expect_response(peer, peer.manage(TaskFunction::abort_task, 0x4242, peer.cmd_sn - 1),
                  Response::task_does_not_exist);
  // A command that never came: it counts as received, and what waited behind it goes on.
  const auto lost = peer.cmd_sn++;
  auto behind = peer.command(0x00, 0);
  peer.send(behind);
  peer.expect_silence();
  const auto function = peer.manage(TaskFunction::abort_task, 0x4242, lost);
  peer.expect_good(behind.initiator_task_tag);
  expect_response(peer, function, Response::function_complete);
  BOOST_TEST(peer.exp_cmd_sn == peer.cmd_sn);
}

// Red when functions that do not exist, or units that do not, are answered otherwise (10.6.1).
BOOST_AUTO_TEST_CASE(functions_that_are_not_there) {
  World world;
  Peer peer(world);
  peer.login();
  expect_response(peer, peer.manage(TaskFunction::task_reassign),
                  Response::reassignment_not_supported);
  expect_response(peer, peer.manage(static_cast<TaskFunction>(60)),
                  Response::function_not_supported);
  wire::TaskManagementRequestBhs bhs;
  bhs.opcode_byte |= wire::kImmediateBit;
  bhs.flags = wire::kFinalBit | static_cast<std::uint8_t>(TaskFunction::logical_unit_reset);
  bhs.lun[1] = std::byte{9};
  bhs.initiator_task_tag = 0x900u;
  bhs.cmd_sn = peer.cmd_sn;
  bhs.exp_stat_sn = peer.exp_stat_sn;
  peer.send(bhs);
  expect_response(peer, 0x900, Response::lun_does_not_exist);
}

// Red when a task set function acts before the R2Ts that are out are answered (10.5.1), or answers
// before earlier responses are confirmed (10.6.2).
BOOST_AUTO_TEST_CASE(abort_task_set_keeps_the_order_of_events) {
  World world;
  Peer peer(world);
  peer.login({.keys = "ImmediateData=No\0InitialR2T=Yes\0MaxBurstLength=512\0"
                      "FirstBurstLength=512\0"s});
  peer.test_ready();
  const auto data = pattern(1024);
  peer.write(2);
  const auto r2t = peer.expect<wire::R2tBhs>(Opcode::r2t);
  const auto stale = peer.exp_stat_sn - 1;  // does not confirm what came last
  wire::TaskManagementRequestBhs bhs;
  bhs.opcode_byte |= wire::kImmediateBit;
  bhs.flags = wire::kFinalBit | static_cast<std::uint8_t>(TaskFunction::abort_task_set);
  bhs.initiator_task_tag = 0x900u;
  bhs.cmd_sn = peer.cmd_sn;
  bhs.exp_stat_sn = stale;
  peer.send(bhs);
  peer.expect_silence();
  // While it waits, a later command is served; its response is not confirmed below.
  const auto later = peer.command(0x00, 0);
  peer.send(later);
  peer.expect_good(later.initiator_task_tag);
  wire::DataOutBhs out;
  out.flags = wire::kFinalBit;
  out.initiator_task_tag = r2t.as<wire::R2tBhs>().initiator_task_tag;
  out.target_transfer_tag = r2t.as<wire::R2tBhs>().target_transfer_tag;
  out.exp_stat_sn = stale;
  peer.send(out, std::span(data).first(512));
  const auto ping = peer.expect<wire::NopInBhs>(Opcode::nop_in);  // solicits the confirmation
  BOOST_TEST(ping.as<wire::NopInBhs>().target_transfer_tag != wire::kReservedTag);
  peer.expect_silence();
  wire::NopOutBhs nop;
  nop.opcode_byte |= wire::kImmediateBit;
  nop.initiator_task_tag = wire::kReservedTag;
  nop.target_transfer_tag = ping.as<wire::NopInBhs>().target_transfer_tag;
  nop.cmd_sn = peer.cmd_sn;
  nop.exp_stat_sn = peer.exp_stat_sn;
  peer.send(nop);
  expect_response(peer, 0x900, Response::function_complete);
  BOOST_TEST(world.disk->writes == 0u);
  peer.expect_silence();
}

// Red when a reset is answered while a write of any session can still land, or another session's
// command gets a status.
BOOST_AUTO_TEST_CASE(logical_unit_reset_covers_all_sessions) {
  World world;
  Peer one(world, "192.0.2.1"), two(world, "192.0.2.2");
  one.login();
  LoginWish other;
  other.name += ":two";
  two.login(other);
  one.test_ready();
  two.test_ready();
  world.disk->holding = true;
  const auto data = pattern(512);
  one.write(1, data);
  two.write(1, data);
  const auto function = one.manage(TaskFunction::logical_unit_reset);
  one.expect_silence();
  world.disk->holding = false;
  world.disk->complete_all();
  expect_response(one, function, Response::function_complete);
  one.expect_silence();
  two.expect_silence();
  const auto command = two.command(0x00, 0);
  two.send(command);  // the unit attention of the reset
  const auto received = two.expect<wire::ScsiResponseBhs>(Opcode::scsi_response);
  BOOST_TEST(received.as<wire::ScsiResponseBhs>().status() == 2);
}

// Red when a cold reset leaves a session, or its response does not go out first.
BOOST_AUTO_TEST_CASE(target_cold_reset_ends_all_sessions) {
  World world;
  Peer one(world, "192.0.2.1"), two(world, "192.0.2.2");
  one.login();
  LoginWish other;
  other.name += ":two";
  two.login(other);
  const auto function = one.manage(TaskFunction::target_cold_reset);
  expect_response(one, function, Response::function_complete);
  BOOST_TEST(one.closed);
  BOOST_TEST(two.closed);
  BOOST_TEST(world.service->sessions().empty());
}

// Red when functions that wait pile up without bound.
BOOST_AUTO_TEST_CASE(too_many_functions_at_once) {
  Limits limits;
  limits.task_management_waiting = 2;
  World world(limits);
  Peer peer(world);
  peer.login();
  peer.test_ready();
  world.disk->holding = true;
  const auto data = pattern(512);
  const auto tag = peer.write(1, data);
  const auto one = peer.manage(TaskFunction::abort_task, tag, peer.cmd_sn - 1);
  const auto two = peer.manage(TaskFunction::logical_unit_reset);
  expect_response(peer, peer.manage(TaskFunction::logical_unit_reset), Response::function_rejected);
  world.disk->holding = false;
  world.disk->complete_all();
  auto first = peer.next(), second = peer.next();
  BOOST_REQUIRE((first && second));
  const std::uint32_t a = first->as<wire::ResponseBhs>().initiator_task_tag,
                      b = second->as<wire::ResponseBhs>().initiator_task_tag;
  BOOST_TEST(std::min(a, b) == one);
  BOOST_TEST(std::max(a, b) == two);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace tsihd::session::test
