// Connection recovery (RFC 3720 6.1.4.3, 6.2.2, 6.4, 6.5): commands outlive their connection.
#include "target/session/tests/world.h"

namespace tsihd::session::test {
namespace {

using wire::Opcode;

constexpr std::uint8_t kComplete = 0, kNoSuchTask = 1, kStillAllegiant = 3, kNotSupported = 4,
                       kRejected = 255;

/// A session at ErrorRecoveryLevel 2 on its first connection; Data-In segments of 512 bytes.
struct Surviving {
  explicit Surviving(std::uint32_t level = 2) {
    world.group().offered.error_recovery_level = level;
    world.group().offered.max_connections = 4;
    world.group().attributes.nop_in_interval_s = 0;
    old.login({.keys = std::string("ErrorRecoveryLevel=2") + '\0' + "MaxConnections=4" + '\0' +
                       "MaxRecvDataSegmentLength=512" + '\0' + "MaxBurstLength=1024" + '\0' +
                       "FirstBurstLength=512" + '\0'});
    old.test_ready();
    old.recovers = fresh.recovers = true;
  }
  /// The other connection joins; with the old one's CID it is its implicit logout.
  void join(std::uint16_t cid) {
    fresh.cmd_sn = old.cmd_sn;
    fresh.next_tag = 0x500;
    fresh.login({.tsih = old.tsih(),
                 .cid = cid,
                 .keys = std::string("MaxRecvDataSegmentLength=512") + '\0'});
  }
  std::uint8_t reassign(std::uint32_t tag, std::uint32_t exp_data_sn = 0) {
    wire::TaskManagementRequestBhs bhs;
    bhs.opcode_byte |= wire::kImmediateBit;
    bhs.flags = static_cast<std::uint8_t>(wire::kFinalBit | 8);
    bhs.initiator_task_tag = fresh.next_tag++;
    bhs.referenced_task_tag = tag;
    bhs.cmd_sn = fresh.cmd_sn;
    bhs.exp_stat_sn = fresh.exp_stat_sn;
    bhs.exp_data_sn = exp_data_sn;
    fresh.send(bhs);
    return fresh.expect<wire::TaskManagementResponseBhs>(Opcode::task_management_response)
        .as<wire::TaskManagementResponseBhs>()
        .response();
  }

  World world;
  Peer old{world, "192.0.2.1", 40000};
  Peer fresh{world, "192.0.2.1", 40001};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(reassignment)

// Red when a read does not survive its connection, goes on elsewhere than the initiator says, or
// goes on before the answer to TASK REASSIGN (10.6).
BOOST_AUTO_TEST_CASE(read_goes_on) {
  Surviving session;
  session.old.lose = 3;  // 2 of 5 data PDUs arrive... none of what follows
  const auto tag = session.old.read(4);
  session.old.vanish();
  BOOST_TEST(session.world.service->sessions().size() == 1u);
  session.join(1);
  session.fresh.acknowledges = false;
  BOOST_TEST(session.reassign(tag, 2) == kComplete);
  for (std::uint32_t sn = 2; sn < 4; ++sn) {
    const auto data = session.fresh.expect<wire::DataInBhs>(Opcode::data_in);
    BOOST_TEST(data.as<wire::DataInBhs>().data_sn == sn);
    BOOST_TEST(data.as<wire::DataInBhs>().buffer_offset_bytes == sn * 512);
    BOOST_TEST(data.as<wire::DataInBhs>().initiator_task_tag == tag);
    BOOST_TEST(data.as<wire::DataInBhs>().has(wire::DataInBhs::kStatus) == (sn == 3));
  }
  session.fresh.expect_silence();
  BOOST_TEST(session.reassign(tag) == kStillAllegiant);  // to the connection it is on now
  session.fresh.exp_stat_sn += 3;                        // the statuses have come
  BOOST_TEST(session.reassign(tag) == kNoSuchTask);
}

// Red when a write that waits for data does not ask for what is missing on its new connection.
BOOST_AUTO_TEST_CASE(write_goes_on) {
  Surviving session;
  const auto data = pattern(2048);
  const auto tag = session.old.write(4);
  const auto r2t = session.old.expect<wire::R2tBhs>(Opcode::r2t);
  session.old.data_out(tag, r2t.as<wire::R2tBhs>().target_transfer_tag, 0, 0,
                       std::span(data).first(512), false);
  session.old.vanish();
  session.join(1);
  BOOST_TEST(session.reassign(tag, 1) == kComplete);
  const auto rest = session.fresh.expect<wire::R2tBhs>(Opcode::r2t);
  BOOST_TEST(rest.as<wire::R2tBhs>().r2t_sn == 1u);
  BOOST_TEST(rest.as<wire::R2tBhs>().buffer_offset_bytes == 512u);
  session.fresh.answer(rest, data);
  session.fresh.answer(session.fresh.expect<wire::R2tBhs>(Opcode::r2t), data);
  session.fresh.expect_good(tag);
  session.fresh.read(4);
  Bytes read;
  for (int i = 0; i < 4; ++i) {
    const auto piece = session.fresh.expect<wire::DataInBhs>(Opcode::data_in);
    read.insert(read.end(), piece.data.begin(), piece.data.end());
  }
  BOOST_TEST((read == data));
}

// Red when a command at the disk ends with its connection, or its status is lost.
BOOST_AUTO_TEST_CASE(command_at_the_disk_goes_on) {
  Surviving session;
  session.world.disk->holding = true;
  const auto tag = session.old.write(1, pattern(512));
  session.old.vanish();
  session.world.disk->complete_all();
  session.world.settle();
  session.join(1);
  BOOST_TEST(session.reassign(tag) == kComplete);
  session.fresh.expect_good(tag);
  session.fresh.expect_silence();
}

// Red when a reassignment is granted before the old connection was logged out (6.2.2), or the
// recovery logout over another connection is refused, or the unacknowledged status is not resent.
BOOST_AUTO_TEST_CASE(after_a_recovery_logout_only) {
  Surviving session;
  session.join(2);
  session.old.cmd_sn = session.fresh.cmd_sn;
  session.old.lose = 1;  // the status
  const auto tag = session.old.write(1, pattern(512));
  session.fresh.cmd_sn = session.old.cmd_sn;
  BOOST_TEST(session.reassign(tag) == kStillAllegiant);  // its connection lives
  session.old.vanish();
  const auto message = session.fresh.expect<wire::AsyncMessageBhs>(Opcode::async_message);
  BOOST_TEST(message.as<wire::AsyncMessageBhs>().async_event == 2);
  BOOST_TEST(message.as<wire::AsyncMessageBhs>().parameter_1 == 1);
  BOOST_TEST(message.as<wire::AsyncMessageBhs>().parameter_3 == 20);
  BOOST_TEST(session.reassign(tag) == kStillAllegiant);
  session.fresh.log_out(2, 1);
  const auto logout = session.fresh.expect<wire::LogoutResponseBhs>(Opcode::logout_response);
  BOOST_TEST(logout.as<wire::LogoutResponseBhs>().response() == 0);
  BOOST_TEST(logout.as<wire::LogoutResponseBhs>().time2wait_s == 2);
  BOOST_TEST(logout.as<wire::LogoutResponseBhs>().time2retain_s == 20);
  BOOST_TEST(session.reassign(tag) == kComplete);
  session.fresh.expect_good(tag);
}

// Red when a connection cannot log itself out for recovery and its commands live on (10.14).
BOOST_AUTO_TEST_CASE(logs_itself_out_for_recovery) {
  Surviving session;
  session.world.disk->holding = true;
  const auto tag = session.old.read(1);
  session.old.log_out(2, 1);
  BOOST_TEST(session.old.expect<wire::LogoutResponseBhs>(Opcode::logout_response)
                 .as<wire::LogoutResponseBhs>()
                 .response() == 0);
  BOOST_TEST(session.old.closed);
  session.world.disk->holding = false;
  session.world.disk->complete_all();
  session.join(1);
  BOOST_TEST(session.reassign(tag) == kComplete);
  session.fresh.expect<wire::DataInBhs>(Opcode::data_in);
}

// Red when lost commands are kept longer than Time2Wait and Time2Retain, a session without any
// connection stays after that, or immediate commands survive (6.12).
BOOST_AUTO_TEST_CASE(nobody_comes_back) {
  Surviving session;
  session.world.disk->holding = true;
  session.old.read(1);
  session.old.vanish();
  session.world.pass(seconds(21));
  BOOST_TEST(session.world.service->sessions().size() == 1u);
  session.world.pass(seconds(2));
  BOOST_TEST(session.world.service->sessions().front().ending);
  session.world.disk->complete_all();
  session.world.settle();
  BOOST_TEST(session.world.service->sessions().empty());
  Peer late(session.world, "192.0.2.1", 40002);
  late.ask_login({.tsih = session.old.tsih()});
  BOOST_TEST(late.status() == 0x020a);
}

// Red when TASK REASSIGN of an open text negotiation gets an answer other than function rejected
// (10.5.1).
BOOST_AUTO_TEST_CASE(text_negotiations_stay) {
  Surviving session;
  session.join(2);
  wire::TextRequestBhs open;
  open.flags = 0;
  open.initiator_task_tag = session.fresh.next_tag++;
  open.cmd_sn = session.fresh.cmd_sn++;
  open.exp_stat_sn = session.fresh.exp_stat_sn;
  session.fresh.send(open);
  session.fresh.expect<wire::TextResponseBhs>(Opcode::text_response);
  BOOST_TEST(session.reassign(open.initiator_task_tag) == kRejected);
}

// Red when sessions that nobody serves keep others out, as somebody could make them by the hundred.
BOOST_AUTO_TEST_CASE(lost_sessions_give_way) {
  Limits limits;
  limits.max_sessions = 2;
  World world(limits);
  world.group().offered.error_recovery_level = 2;
  const std::string level = std::string("ErrorRecoveryLevel=2") + '\0';
  for (std::uint8_t i = 0; i < 5; ++i) {
    Peer gone(world, "192.0.2.9", 50000);
    gone.login({.isid = {0x00, 0x02, 0x3d, 9, 9, i}, .keys = level});
    gone.vanish();
  }
  Peer here(world), too(world, "192.0.2.2"), more(world, "192.0.2.3");
  here.login({.isid = {0x00, 0x02, 0x3d, 0, 0, 1}, .keys = level});
  too.login({.isid = {0x00, 0x02, 0x3d, 0, 0, 2}, .keys = level});
  more.ask_login({.isid = {0x00, 0x02, 0x3d, 0, 0, 3}, .keys = level});
  BOOST_TEST(more.status() == 0x0302);
  BOOST_TEST(world.service->sessions().size() == 2u);
}

// Red when ErrorRecoveryLevel 1 claims to reassign.
BOOST_AUTO_TEST_CASE(not_below_level_two) {
  Surviving session(1);
  session.join(2);
  BOOST_TEST(session.reassign(0x77) == kNotSupported);
  session.world.disk->holding = true;
  session.old.cmd_sn = session.fresh.cmd_sn;
  session.old.read(1);
  session.old.vanish();
  session.fresh.expect<wire::AsyncMessageBhs>(Opcode::async_message);
  BOOST_TEST(session.world.service->sessions().front().commands_active == 1u);
  session.world.disk->complete_all();
  session.world.settle();
  BOOST_TEST(session.world.service->sessions().front().commands_active == 0u);
}

// Red when an ABORT TASK over another connection does not end a lost command, or one whose status
// was issued is not issued again first (10.5.1).
BOOST_AUTO_TEST_CASE(abort_of_a_lost_command) {
  Surviving session;
  session.world.disk->holding = true;
  const auto pending = session.old.read(1);
  const std::uint32_t pending_number = session.old.cmd_sn - 1;
  session.old.vanish();
  session.world.disk->complete_all();
  session.join(1);
  session.fresh.manage(TaskFunction::abort_task, pending, pending_number);
  BOOST_TEST(session.fresh.expect<wire::TaskManagementResponseBhs>(Opcode::task_management_response)
                 .as<wire::TaskManagementResponseBhs>()
                 .response() == kComplete);
  session.fresh.expect_silence();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsihd::session::test
