// ACA, QERR, TST and TAS: what the error of one command means for the commands beside it (SAM-5
// 5.6 and 5.10), and how CLEAR ACA and the rest let go again.
#include "target/scsi/device_server.h"
#include "target/scsi/tests/bench.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

constexpr std::uint8_t kNaca = 0x04;

/// A command that ends with CHECK CONDITION, LBA OUT OF RANGE.
Cdb failing(std::uint8_t control = kNaca) {
  Cdb cdb = cdb10(0x28, 0x7fffffff, 1);
  cdb[9] = control;
  return cdb;
}
bool has_status(const Sent& it, Status status) { return it.done && it.command.status == status; }
bool refused(const Sent& it) { return has_status(it, Status::aca_active); }

/// PERSISTENT RESERVE OUT, with exclusive access where the action has a type.
Sent& reserve_out(Initiator& by, std::uint8_t action, std::uint64_t key, std::uint64_t action_key) {
  Bytes list(24);
  put64(&list[0], key);
  put64(&list[8], action_key);
  return by.send({0x5f, action, 3, 0, 0, 0, 0, 0, 24, 0}, list);
}

struct ControlPage {
  std::uint8_t task_sets = 0;    // TST
  std::uint8_t queue_error = 0;  // QERR
  bool task_aborted = false;     // TAS
  std::uint8_t interlock = 0;    // UA_INTLCK_CTRL
  std::uint8_t reordering = 1;   // QAM
};

struct AcaBench : ScriptedBench {
  void control(const ControlPage& wanted) {
    Bytes list = a->send({0x1a, 0x08, 0x0a, 0, 255, 0}).data();
    list[0] = list[2] = std::byte{0};
    list[6] = (list[6] & std::byte{0x1f}) | std::byte(wanted.task_sets << 5);
    list[7] = std::byte(wanted.reordering << 4 | wanted.queue_error << 1);
    list[8] = std::byte(wanted.interlock << 4);
    list[9] = std::byte(wanted.task_aborted ? 0x40 : 0);
    BOOST_TEST(a->send({0x15, 0x10, 0, 0, 16, 0}, list).good());
    BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2a01));
    b->send({0x03, 0, 0, 0, 18, 0});  // with interlock only that clears it
  }
  Sent& aca(const Cdb& cdb) { return a->send(cdb, {}, kPlenty, TaskAttribute::aca); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(aca, AcaBench)

// Red when NACA is not looked at, or the unit does not say that it is.
BOOST_AUTO_TEST_CASE(a_failed_command_with_naca_holds_its_nexus) {
  BOOST_TEST(((a->send({0x12, 0, 0, 0, 96, 0}).data().at(3) & std::byte{0x20}) != std::byte{0}));
  BOOST_TEST(a->send(failing(0)).failed(0x5, 0x2100));
  BOOST_TEST(a->send(kTestUnitReady).good());
  BOOST_TEST(a->send(failing()).failed(0x5, 0x2100));
  BOOST_TEST(refused(a->send(kTestUnitReady)));
  BOOST_TEST(refused(a->send({0x03, 0, 0, 0, 18, 0})));
  BOOST_TEST(unit->clear_aca(a->nexus));
  BOOST_TEST(a->send(kTestUnitReady).good());
}

// Red when a good command, or a status other than CHECK CONDITION, establishes the condition.
BOOST_AUTO_TEST_CASE(naca_alone_does_nothing) {
  Cdb ready = kTestUnitReady;
  ready[5] = kNaca;
  BOOST_TEST(a->send(ready).good());
  BOOST_TEST(a->send(kTestUnitReady).good());
  BOOST_TEST(unit->clear_aca(a->nexus));
}

// SAM-5 5.10.4. Red when the one command with the ACA attribute does not get through, or a second.
BOOST_AUTO_TEST_CASE(one_command_with_the_aca_attribute_runs) {
  BOOST_TEST(aca(kTestUnitReady).failed(0x5, 0x4900));
  a->send(failing());
  Sent& read = aca(cdb10(0x28, 0, 1));
  BOOST_TEST(disk().held.size() == 1u);
  BOOST_TEST(refused(aca(kTestUnitReady)));
  disk().complete(0);
  BOOST_TEST(read.good());
  BOOST_TEST(aca(kTestUnitReady).good());
  BOOST_TEST(refused(a->send(kTestUnitReady)));
}

// SAM-5 5.10.6. Red when the failure of the ACA command leaves the old condition, or makes none.
BOOST_AUTO_TEST_CASE(a_failing_aca_command_ends_the_condition_unless_it_has_naca) {
  a->send(failing());
  BOOST_TEST(aca(failing()).failed(0x5, 0x2100));
  BOOST_TEST(refused(a->send(kTestUnitReady)));
  BOOST_TEST(aca(failing(0)).failed(0x5, 0x2100));
  BOOST_TEST(a->send(kTestUnitReady).good());
}

// SAM-5 5.10.5. Red when the others run on, or get the wrong status.
BOOST_AUTO_TEST_CASE(one_task_set_holds_the_other_nexuses_too) {
  a->send(failing());
  BOOST_TEST(has_status(b->send(kTestUnitReady), Status::busy));
  Cdb ready = kTestUnitReady;
  ready[5] = kNaca;
  BOOST_TEST(refused(b->send(ready)));
  BOOST_TEST(refused(b->send(kTestUnitReady, {}, 0, TaskAttribute::aca)));
  BOOST_TEST(!unit->clear_aca(b->nexus));  // it is not his
  BOOST_TEST(unit->clear_aca(a->nexus));
  BOOST_TEST(b->send(kTestUnitReady).good());
}

// Red when TST is not looked at.
BOOST_AUTO_TEST_CASE(a_task_set_for_each_nexus_leaves_the_others_alone) {
  control({.task_sets = 1});
  Sent& before = b->send(cdb10(0x28, 0, 1));
  a->send(failing());
  BOOST_TEST(b->send(kTestUnitReady).good());
  disk().complete_all();
  BOOST_TEST(before.good());
  BOOST_TEST(b->send(kTestUnitReady, {}, 0, TaskAttribute::aca).failed(0x5, 0x4900));
  BOOST_TEST(unit->clear_aca(b->nexus));  // nothing to clear in its task set
  BOOST_TEST(refused(a->send(kTestUnitReady)));
}

// Table of SAM-5 5.10.2, QERR 00b. Red when a command in the set starts, or ends, meanwhile.
BOOST_AUTO_TEST_CASE(commands_in_the_set_are_blocked_until_it_is_cleared) {
  Sent& at_disk = a->send(cdb10(0x28, 0, 1));
  Sent& other = b->send(cdb10(0x28, 1, 1));
  Sent& collecting = b->send_without_data(cdb10(0x2a, 2, 1), filled(512, 1));
  Sent& barrier = a->send(cdb10(0x28, 3, 1), {}, kPlenty, TaskAttribute::ordered);
  a->send(failing());
  disk().complete_all();
  b->give_data(collecting);
  BOOST_TEST((!at_disk.done && !other.done && !collecting.done && !barrier.done));
  BOOST_TEST(disk().held.empty());
  BOOST_TEST(unit->clear_aca(a->nexus));
  BOOST_TEST((at_disk.good() && other.good()));
  disk().complete_all();
  BOOST_TEST((collecting.good() && barrier.good()));
}

// Red when a held command cannot be aborted, or runs on afterwards.
BOOST_AUTO_TEST_CASE(a_blocked_command_can_be_aborted) {
  Sent& at_disk = a->send(cdb10(0x28, 0, 1));
  Sent& collecting = a->send_without_data(cdb10(0x2a, 2, 1), filled(512, 1));
  a->send(failing());
  disk().complete_all();
  a->give_data(collecting);
  unit->abort_task_set(a->nexus);
  BOOST_TEST((at_disk.aborted && collecting.aborted));
  BOOST_TEST(unit->clear_aca(a->nexus));
  BOOST_TEST(disk().held.empty());
}

// Red when a held exchange keeps the ACA command from the disk for ever.
BOOST_AUTO_TEST_CASE(a_blocked_exchange_does_not_hold_up_the_aca_command) {
  Cdb exchange(16);
  exchange[0] = 0x89;
  exchange[13] = 1;
  Sent& held = a->send(exchange, Bytes(1024));
  a->send(failing());
  disk().complete_all();
  BOOST_TEST(!held.done);
  Sent& read = aca(cdb10(0x28, 0, 1));
  disk().complete_all();
  BOOST_TEST(read.good());
  BOOST_TEST(unit->clear_aca(a->nexus));
  BOOST_TEST(held.good());
}

// Red when a held command that failed itself does not establish the next condition.
BOOST_AUTO_TEST_CASE(a_blocked_command_that_failed_faults_when_it_may_end) {
  Cdb read = cdb10(0x28, 0, 1);
  read[9] = kNaca;
  Sent& bad = a->send(read);
  Sent& behind = a->send(cdb10(0x28, 1, 1));
  a->send(failing());
  disk().complete(0, EIO);
  disk().complete(0);
  BOOST_TEST(unit->clear_aca(a->nexus));
  BOOST_TEST(bad.failed(0x3, 0x1100));
  BOOST_TEST(!behind.done);
  BOOST_TEST(unit->clear_aca(a->nexus));
  BOOST_TEST(behind.good());
}

// Red when CLEAR ACA leaves the command with the ACA attribute.
BOOST_AUTO_TEST_CASE(clear_aca_aborts_the_aca_command) {
  a->send(failing());
  Sent& read = aca(cdb10(0x28, 0, 1));
  BOOST_TEST(unit->clear_aca(a->nexus));
  BOOST_TEST(!read.aborted);
  disk().complete_all();
  BOOST_TEST(read.aborted);
}

// Red when the end of the faulted nexus, or a reset, leaves the others held.
BOOST_AUTO_TEST_CASE(reset_and_nexus_loss_end_it) {
  a->send(failing());
  unit->reset();
  for (Initiator* it : {a.get(), b.get()}) BOOST_TEST(it->send(kTestUnitReady).failed(0x6, 0x2903));
  BOOST_TEST(a->send(kTestUnitReady).good());
  Sent& other = b->send(cdb10(0x28, 1, 1));
  a->send(failing());
  disk().complete_all();
  BOOST_TEST(!other.done);
  unit->detach(a->nexus);
  BOOST_TEST(other.good());
}

// Red when the other nexus has no way to take the unit over.
BOOST_AUTO_TEST_CASE(preempt_and_abort_passes_and_ends_it) {
  BOOST_TEST(reserve_out(*a, 0, 0, 0xa).good());
  BOOST_TEST(reserve_out(*b, 0, 0, 0xb).good());
  a->send(failing());
  BOOST_TEST(has_status(reserve_out(*b, 4, 0xb, 0xa), Status::busy));
  BOOST_TEST(reserve_out(*b, 5, 0xb, 0xa).good());
  BOOST_TEST(b->send(kTestUnitReady).good());
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2a05));
}

// SAM-5 5.6 with TAS 0. Red when the victim does not learn that its commands are gone, or the
// preemption ends before they are.
BOOST_AUTO_TEST_CASE(preempt_and_abort_tells_whose_commands_it_took) {
  BOOST_TEST(reserve_out(*a, 0, 0, 0xa).good());
  BOOST_TEST(reserve_out(*b, 0, 0, 0xb).good());
  Sent& write = a->send(cdb10(0x2a, 0, 1), filled(512, 1));
  Sent& preempt = reserve_out(*b, 5, 0xb, 0xa);
  BOOST_TEST((!write.aborted && !preempt.done));
  disk().complete(0);
  BOOST_TEST((write.aborted && preempt.good()));
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2f00));
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2a05));
  BOOST_TEST(a->send(kTestUnitReady).good());
}

// Red when an error that the transport found is none for the unit.
BOOST_AUTO_TEST_CASE(an_error_of_the_transport_counts) {
  control({.queue_error = 3});
  Sent& mine = a->send(cdb10(0x28, 0, 1));
  Command condemned;
  condemned.nexus = &a->nexus;
  condemned.status = Status::check_condition;
  condemned.cdb[5] = kNaca;
  unit->note_fault(condemned);
  disk().complete_all();
  BOOST_TEST(mine.aborted);
  BOOST_TEST(refused(a->send(kTestUnitReady)));
}

// QERR 01b and 11b (SPC-4 7.5.8). Red when more or fewer are aborted, or the others not told.
BOOST_AUTO_TEST_CASE(queue_error_management) {
  for (const bool everybody : {true, false}) {
    BOOST_TEST_CONTEXT("aborts all nexuses' commands: " << everybody) {
      control({.queue_error = static_cast<std::uint8_t>(everybody ? 1 : 3)});
      Sent& mine = a->send(cdb10(0x28, 0, 1));
      Sent& other = b->send(cdb10(0x28, 1, 1));
      BOOST_TEST(a->send(failing(0)).failed(0x5, 0x2100));
      disk().complete_all();
      BOOST_TEST(mine.aborted);
      BOOST_TEST(other.aborted == everybody);
      BOOST_TEST(a->send(kTestUnitReady).good());
      BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2f00) == everybody);
    }
  }
}

// Red when QERR 01b crosses task sets.
BOOST_AUTO_TEST_CASE(queue_error_management_with_a_task_set_for_each_nexus) {
  control({.task_sets = 1, .queue_error = 1});
  Sent& mine = a->send(cdb10(0x28, 0, 1));
  Sent& other = b->send(cdb10(0x28, 1, 1));
  a->send(failing());
  disk().complete_all();
  BOOST_TEST(mine.aborted);
  BOOST_TEST(other.good());
}

// TAS. Red when the others' commands vanish all the same, or get an attention besides.
BOOST_AUTO_TEST_CASE(task_aborted_status) {
  control({.task_aborted = true});
  Sent& mine = a->send(cdb10(0x2a, 0, 1), filled(512, 1));
  Sent& other = b->send(cdb10(0x2a, 1, 1), filled(512, 1));
  unit->clear_task_set(a->nexus);
  BOOST_TEST(!other.done);
  disk().complete_all();
  BOOST_TEST(mine.aborted);
  BOOST_TEST(has_status(other, Status::task_aborted));
  BOOST_TEST(b->send(kTestUnitReady).good());
  Sent& again = b->send(cdb10(0x28, 1, 1));
  unit->reset(&a->nexus);
  disk().complete_all();
  BOOST_TEST(has_status(again, Status::task_aborted));
}

// Red when CLEAR TASK SET crosses task sets.
BOOST_AUTO_TEST_CASE(clear_task_set_keeps_to_its_set) {
  control({.task_sets = 1});
  Sent& mine = a->send(cdb10(0x28, 0, 1));
  Sent& other = b->send(cdb10(0x28, 1, 1));
  unit->clear_task_set(a->nexus);
  disk().complete_all();
  BOOST_TEST(mine.aborted);
  BOOST_TEST(other.good());
}

// UA_INTLCK_CTRL 10b and 11b (SPC-4 7.5.8).
BOOST_AUTO_TEST_CASE(unit_attention_interlock) {
  control({.interlock = 2});
  a->send({0x15, 0x10, 0, 0, 0, 0});
  unit->note_commands_cleared(b->nexus);
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x477f));
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x477f));
  const Bytes sense = b->send({0x03, 0, 0, 0, 18, 0}).data();
  BOOST_TEST(get16(&sense.at(12)) == 0x477fu);
  BOOST_TEST(b->send(kTestUnitReady).good());

  BOOST_TEST(a->send({0x16, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(b->send(cdb10(0x28, 0, 1)).conflict());
  BOOST_TEST(b->send({0x17, 0, 0, 0, 0, 0}).good());  // no attention: 10b does not establish any
  BOOST_TEST(a->send({0x17, 0, 0, 0, 0, 0}).good());
}

BOOST_AUTO_TEST_CASE(a_conflict_establishes_an_attention) {
  control({.interlock = 3});
  BOOST_TEST(a->send({0x16, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(b->send(cdb10(0x28, 0, 1)).conflict());
  BOOST_TEST(b->send(cdb10(0x28, 0, 1)).failed(0x6, 0x2c09));
}

// QAM 0000b. Red when a read overtakes a write of its nexus, or waits for another's.
BOOST_AUTO_TEST_CASE(restricted_reordering) {
  control({.reordering = 0});
  Sent& write = a->send(cdb10(0x2a, 0, 1), filled(512, 1));
  Sent& read = a->send(cdb10(0x28, 0, 1));
  Sent& reads_too = a->send(cdb10(0x28, 1, 1));
  b->send(cdb10(0x28, 0, 1));
  BOOST_TEST(disk().held.size() == 2u);
  disk().complete(0);
  BOOST_TEST(write.good());
  BOOST_TEST(disk().held.size() == 3u);
  disk().complete_all();
  BOOST_TEST((read.data() == filled(512, 1)));
  BOOST_TEST(reads_too.good());
}

// TST 001b. Red when a barrier of one nexus stops another.
BOOST_AUTO_TEST_CASE(barriers_keep_to_their_task_set) {
  control({.task_sets = 1});
  a->send(cdb10(0x28, 0, 1));
  Sent& barrier = a->send(cdb10(0x28, 1, 1), {}, kPlenty, TaskAttribute::ordered);
  Sent& other = b->send(cdb10(0x28, 2, 1));
  BOOST_TEST(disk().held.size() == 2u);
  disk().complete(1);
  BOOST_TEST(other.good());
  disk().complete(0);
  disk().complete_all();
  BOOST_TEST(barrier.good());
}

BOOST_AUTO_TEST_SUITE_END()
