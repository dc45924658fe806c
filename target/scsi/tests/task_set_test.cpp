// The task set: ordering by task attribute, and above all aborts: an owner hears of an abort only
// when the disk has given the request back, for until then the write could still land.
#include <cerrno>

#include "target/scsi/device_server.h"
#include "target/scsi/tests/bench.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

BOOST_FIXTURE_TEST_SUITE(task_set, ScriptedBench)

BOOST_AUTO_TEST_CASE(an_aborted_write_ends_when_the_disk_gives_it_back) {
  Sent& write = a->send(cdb10(0x2a, 0, 1), filled(512, 1));
  BOOST_TEST(disk().held.size() == 1u);
  unit->abort(write.command);
  BOOST_TEST(!write.aborted);
  disk().complete(0);
  BOOST_TEST(write.aborted);
  BOOST_TEST(!write.done);
}

BOOST_AUTO_TEST_CASE(an_aborted_write_without_a_disk_request_ends_at_once_and_never_lands) {
  Sent& write = a->send_without_data(cdb10(0x2a, 0, 1), filled(512, 1));
  BOOST_TEST(write.command.wanted_data_out_bytes == 512u);
  unit->abort(write.command);
  BOOST_TEST(write.aborted);
  BOOST_TEST(disk().held.empty());
}

BOOST_AUTO_TEST_CASE(abort_task_set_takes_one_nexus_only) {
  Sent& mine = a->send(cdb10(0x2a, 0, 1), filled(512, 1));
  Sent& waiting = a->send_without_data(cdb10(0x2a, 1, 1), filled(512, 1));
  Sent& other = b->send(cdb10(0x28, 0, 1));
  unit->abort_task_set(a->nexus);
  BOOST_TEST(waiting.aborted);
  BOOST_TEST(!mine.aborted);
  disk().complete_all();
  BOOST_TEST(mine.aborted);
  BOOST_TEST(other.good());
  BOOST_TEST(b->send(kTestUnitReady).good());
}

BOOST_AUTO_TEST_CASE(clear_task_set_takes_all_and_tells_the_others) {
  Sent& mine = a->send(cdb10(0x2a, 0, 1), filled(512, 1));
  Sent& other = b->send(cdb10(0x2a, 1, 1), filled(512, 1));
  unit->clear_task_set(a->nexus);
  disk().complete_all();
  BOOST_TEST(mine.aborted);
  BOOST_TEST(other.aborted);
  BOOST_TEST(a->send(kTestUnitReady).good());
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2f00));
}

BOOST_AUTO_TEST_CASE(reset_aborts_all_and_leaves_one_attention) {
  Sent& mine = a->send(cdb10(0x2a, 0, 1), filled(512, 1));
  Sent& other = b->send(cdb10(0x28, 1, 1));
  unit->reset();
  BOOST_TEST((!mine.aborted && !other.aborted));
  disk().complete_all();
  BOOST_TEST((mine.aborted && other.aborted));
  for (Initiator* it : {a.get(), b.get()}) {
    BOOST_TEST(it->send(kTestUnitReady).failed(0x6, 0x2903));
    BOOST_TEST(it->send(kTestUnitReady).good());
  }
}

BOOST_AUTO_TEST_CASE(a_lost_nexus_waits_for_its_writes) {
  Sent& write = a->send(cdb10(0x2a, 0, 1), filled(512, 1));
  Sent& collecting = a->send_without_data(cdb10(0x2a, 1, 1), filled(512, 1));
  unit->detach(a->nexus);
  BOOST_TEST(collecting.aborted);
  BOOST_TEST(!write.aborted);
  disk().complete(0);
  BOOST_TEST(write.aborted);
}

BOOST_AUTO_TEST_CASE(an_aborted_command_of_many_requests_stops_after_the_one_that_is_out) {
  BOOST_TEST(unit->resize(8 * kSizeBytes).has_value());
  a->send(kTestUnitReady);
  Sent& same = a->send(cdb16(0x93, 0, 8 * kBlocks), filled(512, 1));
  disk().complete(0);
  BOOST_TEST(disk().held.size() == 1u);  // the second chunk
  unit->abort(same.command);
  disk().complete(0);
  BOOST_TEST(same.aborted);
  BOOST_TEST(disk().held.empty());
}

BOOST_AUTO_TEST_CASE(ordered_is_a_barrier) {
  Sent& first = a->send(cdb10(0x2a, 0, 1), filled(512, 1));
  Sent& ordered = a->send(cdb10(0x2a, 1, 1), filled(512, 2), 0, TaskAttribute::ordered);
  Sent& after = b->send(cdb10(0x28, 1, 1));
  BOOST_TEST(disk().held.size() == 1u);
  disk().complete(0);
  BOOST_TEST(first.good());
  BOOST_TEST(disk().held.size() == 1u);
  disk().complete(0);
  BOOST_TEST(ordered.good());
  BOOST_TEST(disk().held.size() == 1u);
  disk().complete(0);
  BOOST_TEST((after.data() == filled(512, 2)));
}

BOOST_AUTO_TEST_CASE(head_of_queue_passes_a_barrier) {
  a->send(cdb10(0x28, 0, 1));
  Sent& ordered = a->send(cdb10(0x28, 1, 1), {}, kPlenty, TaskAttribute::ordered);
  Sent& head = a->send(cdb10(0x28, 2, 1), {}, kPlenty, TaskAttribute::head);
  BOOST_TEST(disk().held.size() == 2u);
  disk().complete(1);
  BOOST_TEST(head.good());
  BOOST_TEST(!ordered.done);
  disk().complete(0);
  disk().complete(0);
  BOOST_TEST(ordered.good());
}

// SAM-5 8.6.1: SIMPLE waits for HEAD OF QUEUE. Red when it starts beside it.
BOOST_AUTO_TEST_CASE(simple_waits_for_head_of_queue) {
  Sent& head = a->send(cdb10(0x28, 0, 1), {}, kPlenty, TaskAttribute::head);
  Sent& second_head = b->send(cdb10(0x28, 1, 1), {}, kPlenty, TaskAttribute::head);
  Sent& simple = b->send(cdb10(0x28, 2, 1));
  BOOST_TEST(disk().held.size() == 2u);
  disk().complete(0);
  BOOST_TEST((head.good() && disk().held.size() == 1u));
  disk().complete(0);
  BOOST_TEST((second_head.good() && !simple.done && disk().held.size() == 1u));
  disk().complete(0);
  BOOST_TEST(simple.good());
}

// SAM-5 8.6.3: ORDERED waits for all before it, of every nexus and in whatever order the disk gives
// them back. Red when the last in the list, or the first to come back, is taken for all.
BOOST_AUTO_TEST_CASE(ordered_waits_for_all_that_come_back_out_of_order) {
  for (std::uint8_t lba = 0; lba < 4; ++lba) (lba % 2 == 0 ? a : b)->send(cdb10(0x28, lba, 1));
  Sent& ordered = a->send(cdb10(0x28, 4, 1), {}, kPlenty, TaskAttribute::ordered);
  Sent& next_ordered = b->send(cdb10(0x28, 5, 1), {}, kPlenty, TaskAttribute::ordered);
  for (const std::size_t index : {2u, 0u, 1u, 0u}) {
    BOOST_TEST(std::ranges::none_of(
        disk().held, [](const tsihd::backstore::Io* io) { return io->offset_bytes >= 4 * 512; }));
    disk().complete(index);
  }
  BOOST_TEST((disk().held.size() == 1u && disk().held[0]->offset_bytes == 4u * 512));
  disk().complete(0);
  BOOST_TEST((ordered.good() && !next_ordered.done));
  disk().complete(0);
  BOOST_TEST(next_ordered.good());
}

// Red when a dormant ORDERED command lets what came after it pass once its own turn has not come.
BOOST_AUTO_TEST_CASE(what_follows_a_dormant_barrier_waits_for_it) {
  Sent& collecting = a->send_without_data(cdb10(0x2a, 0, 1), filled(512, 1));
  Sent& ordered = b->send(cdb10(0x28, 1, 1), {}, kPlenty, TaskAttribute::ordered);
  Sent& after = b->send(cdb10(0x28, 2, 1));
  BOOST_TEST(disk().held.empty());
  a->give_data(collecting);
  disk().complete(0);
  BOOST_TEST((collecting.good() && disk().held.size() == 1u));
  disk().complete(0);
  BOOST_TEST((ordered.good() && !after.done));
  disk().complete(0);
  BOOST_TEST(after.good());
}

BOOST_AUTO_TEST_CASE(an_aborted_barrier_lets_the_others_go) {
  a->send(cdb10(0x28, 0, 1));
  Sent& ordered = a->send(cdb10(0x28, 1, 1), {}, kPlenty, TaskAttribute::ordered);
  Sent& after = a->send(cdb10(0x28, 2, 1));
  unit->abort(ordered.command);
  BOOST_TEST(ordered.aborted);
  BOOST_TEST(disk().held.size() == 2u);
  disk().complete_all();
  BOOST_TEST(after.good());
}

BOOST_AUTO_TEST_CASE(compare_and_write_runs_alone) {
  Cdb cdb(16);
  cdb[0] = 0x89;
  cdb[13] = 1;
  Bytes exchange(512);
  const Bytes fresh = filled(512, 5);
  exchange.insert(exchange.end(), fresh.begin(), fresh.end());
  Sent& before = b->send(cdb10(0x28, 0, 1));
  Sent& first = a->send(cdb, exchange);
  Sent& second = b->send(cdb, exchange);
  Sent& write = b->send(cdb10(0x2a, 0, 1), filled(512, 9));
  BOOST_TEST(disk().held.size() == 1u);
  disk().complete(0);
  BOOST_TEST(before.good());
  disk().complete(0);                    // the first one's read
  BOOST_TEST(disk().held.size() == 1u);  // its write; nobody in between
  disk().complete(0);
  BOOST_TEST(first.good());
  disk().complete(0);
  BOOST_TEST(second.failed(0xe, 0x1d00));
  disk().complete(0);
  BOOST_TEST(write.good());
}

BOOST_AUTO_TEST_CASE(one_who_does_not_send_his_data_does_not_hold_up_an_exchange) {
  Sent& lazy = b->send_without_data(cdb10(0x2a, 0, 1), filled(512, 9));
  disk().holding = false;
  Cdb cdb(16);
  cdb[0] = 0x89;
  cdb[13] = 1;
  BOOST_TEST(a->send(cdb, Bytes(1024)).good());
  b->give_data(lazy);
  BOOST_TEST(lazy.good());
}

BOOST_AUTO_TEST_CASE(disk_errors_become_sense_and_the_unit_goes_on) {
  Sent& read = a->send(cdb10(0x28, 7, 1));
  disk().complete(0, EIO);
  BOOST_TEST(read.failed(0x3, 0x1100));
  BOOST_TEST(read.information() == 7u);
  Sent& write = a->send(cdb10(0x2a, 7, 1), Bytes(512));
  disk().complete(0, EIO);
  BOOST_TEST(write.failed(0x3, 0x0c00));
  Sent& full = a->send(cdb10(0x2a, 7, 1), Bytes(512));
  disk().complete(0, ENOSPC);
  BOOST_TEST(full.failed(0x7, 0x2707));
  Sent& flush = a->send(cdb10(0x35, 0, 0));
  disk().complete(0, EIO);
  BOOST_TEST(flush.failed(0x3, 0x0c00));
  BOOST_TEST(log.size() == 5u);  // the four, and that a flush may have lost writes
  disk().holding = false;
  BOOST_TEST(a->send(cdb10(0x2a, 7, 1), Bytes(512)).good());
}

BOOST_AUTO_TEST_CASE(force_unit_access_reaches_the_disk) {
  a->send(cdb10(0x2a, 0, 1), Bytes(512));
  a->send(cdb10(0x2a, 0, 1, 0x08), Bytes(512));
  BOOST_TEST(!disk().held[0]->force_unit_access);
  BOOST_TEST(disk().held[1]->force_unit_access);
  disk().complete_all();
  // Without the cache every write is made durable, and what was cached is flushed first.
  Bytes list = a->send({0x1a, 0x08, 0x08, 0, 255, 0}).data();
  BOOST_TEST((list[6] == std::byte{0x04}));
  list[6] = std::byte{0};
  Sent& select = a->send({0x15, 0x10, 0, 0, 24, 0}, list);
  BOOST_TEST(!select.done);
  BOOST_TEST((disk().held[0]->op == tsihd::backstore::Op::flush));
  disk().complete_all();
  BOOST_TEST(select.good());
  Sent& write = a->send(cdb10(0x2a, 0, 1), Bytes(512));
  BOOST_TEST(disk().held[0]->force_unit_access);
  disk().complete_all();
  BOOST_TEST(write.good());
}

BOOST_AUTO_TEST_CASE(a_disk_that_shrinks_while_data_is_on_its_way) {
  Sent& write = a->send_without_data(cdb10(0x2a, kBlocks - 1, 1), Bytes(512));
  disk().resize_outside(kSizeBytes / 2);
  BOOST_TEST(unit->refresh_capacity().value());
  a->give_data(write);
  BOOST_TEST(write.failed(0x5, 0x2100));
  BOOST_TEST(disk().held.empty());
}

BOOST_AUTO_TEST_CASE(the_task_set_is_bounded) {
  std::vector<Sent*> sent;
  for (std::size_t i = 0; i < kMaxTasks; ++i) sent.push_back(&a->send(cdb10(0x28, 0, 1)));
  Sent& over = b->send(kTestUnitReady);
  BOOST_TEST(over.done);
  BOOST_TEST((over.command.status == Status::task_set_full));
  unit->abort_task_set(a->nexus);
  disk().complete_all();
  BOOST_TEST(sent.back()->aborted);
  BOOST_TEST(b->send(kTestUnitReady).good());
}

BOOST_AUTO_TEST_SUITE_END()
