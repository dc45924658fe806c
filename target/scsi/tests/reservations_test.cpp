// Reservations between two initiators: who may do what, who is told, what PREEMPT AND ABORT waits
// for.
#include "target/scsi/reservations.h"

#include "target/scsi/tests/reserve_commands.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

BOOST_FIXTURE_TEST_SUITE(reservation, Bench)

BOOST_AUTO_TEST_CASE(legacy_reserve_shuts_the_other_out_until_released_or_gone) {
  BOOST_TEST(a->send({0x16, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(a->send({0x16, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(b->send({0x16, 0, 0, 0, 0, 0}).conflict());
  BOOST_TEST(b->send(kTestUnitReady).conflict());
  BOOST_TEST(read(*b).conflict());
  BOOST_TEST(b->send({0x12, 0, 0, 0, 36, 0}).good());
  BOOST_TEST(b->send({0x17, 0, 0, 0, 0, 0}).good());  // releases nothing
  BOOST_TEST(read(*b).conflict());
  BOOST_TEST(read(*a).good());
  BOOST_TEST(a->send({0x17, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(read(*b).good());
  BOOST_TEST(a->send({0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0}).good());
  unit->detach(a->nexus);
  BOOST_TEST(write(*b).good());
  BOOST_TEST(b->send({0x16, 0x10, 0, 0, 0, 0}).failed(0x5, 0x2400));
  BOOST_TEST(b->send({0x16, 0, 0, 0, 0, 0}).good());
  unit->reset();
  a->send(kTestUnitReady);
  BOOST_TEST(a->send(kTestUnitReady).good());
}

BOOST_AUTO_TEST_CASE(registration_needs_the_right_key) {
  BOOST_TEST(reserve_out(*a, 0, 1, kKeyA).conflict());
  BOOST_TEST(enrol(*a, kKeyA).good());
  BOOST_TEST(enrol(*a, kKeyA).conflict());
  BOOST_TEST(reserve_out(*a, 0, kKeyA, kKeyA + 1).good());
  BOOST_TEST(reserve_out(*a, 6, 0, kKeyA).good());
  BOOST_TEST(enrol(*b, kKeyB).good());
  const Bytes keys = reserve_in(*a, 0);
  BOOST_TEST(get32(&keys[0]) == 4u);  // the generation
  BOOST_TEST(get32(&keys[4]) == 16u);
  BOOST_TEST(get64(&keys[8]) == kKeyA);
  BOOST_TEST(get64(&keys[16]) == kKeyB);
  BOOST_TEST(reserve_out(*a, 0, kKeyA, 0).good());
  BOOST_TEST(get32(&reserve_in(*a, 0)[4]) == 8u);
  BOOST_TEST(reserve_out(*a, 0, 0, kKeyA, 0, 0x01).failed(0x5, 0x2600));  // APTPL
  BOOST_TEST(a->send({0x5f, 0, 0, 0, 0, 0, 0, 0, 20, 0}, Bytes(20)).failed(0x5, 0x1a00));
  BOOST_TEST(a->send({0x16, 0, 0, 0, 0, 0}).conflict());  // RESERVE beside registrations
}

// CRH (SPC-4 5.12.3). Red when RESERVE fails for one who may use the unit, or reserves it beside.
BOOST_AUTO_TEST_CASE(reserve_beside_a_persistent_reservation) {
  const Cdb reserve_6{0x16, 0, 0, 0, 0, 0}, release_6{0x17, 0, 0, 0, 0, 0};
  BOOST_TEST(enrol(*a, kKeyA).good());
  BOOST_TEST(enrol(*b, kKeyB).good());
  BOOST_TEST(a->send(release_6).conflict());  // registered, but nothing is reserved
  BOOST_TEST(reserve(*a, kKeyA, WE).good());
  BOOST_TEST(a->send(reserve_6).good());
  BOOST_TEST(a->send(release_6).good());
  BOOST_TEST(b->send(reserve_6).conflict());
  BOOST_TEST(b->send(cdb10(0x2a, 0, 1), Bytes(512)).conflict());  // still A's
  BOOST_TEST(b->send(cdb10(0x28, 0, 1)).good());                  // and by the persistent one only
  BOOST_TEST(reserve_out(*a, 2, kKeyA, 0, WE).good());
  BOOST_TEST(reserve(*a, kKeyA, WERO).good());
  BOOST_TEST(b->send(reserve_6).good());
  BOOST_TEST(a->send(cdb10(0x2a, 0, 1), Bytes(512)).good());
}

BOOST_AUTO_TEST_CASE(who_may_read_and_write_under_each_type) {
  struct Row {
    std::uint8_t type;
    bool stranger_reads, stranger_writes, registrant_reads, registrant_writes;
  };
  for (const Row& row : {Row{WE, true, false, true, false}, Row{EA, false, false, false, false},
                         Row{WERO, true, false, true, true}, Row{EARO, false, false, true, true},
                         Row{WEAR, true, false, true, true}, Row{EAAR, false, false, true, true}}) {
    BOOST_TEST_CONTEXT("type " << int{row.type}) {
      BOOST_TEST(enrol(*a, kKeyA).good());
      BOOST_TEST(reserve(*a, kKeyA, row.type).good());
      BOOST_TEST((read(*a).good() && write(*a).good()));
      BOOST_TEST(read(*b).good() == row.stranger_reads);
      BOOST_TEST(write(*b).good() == row.stranger_writes);
      BOOST_TEST(b->send(kTestUnitReady).good());
      BOOST_TEST(enrol(*b, kKeyB).good());
      BOOST_TEST(read(*b).good() == row.registrant_reads);
      BOOST_TEST(write(*b).good() == row.registrant_writes);
      const Bytes held = reserve_in(*b, 1);
      BOOST_TEST(get64(&held.at(8)) == (row.type >= WEAR ? 0 : kKeyA));
      BOOST_TEST((held.at(21) == std::byte{row.type}));
      BOOST_TEST(reserve_out(*a, 3, kKeyA, 0).good());  // CLEAR
      BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2a03));
      BOOST_TEST(write(*b).good());
    }
  }
}

BOOST_AUTO_TEST_CASE(release_is_the_holders_and_of_the_right_type) {
  enrol(*a, kKeyA);
  enrol(*b, kKeyB);
  BOOST_TEST(reserve(*a, kKeyA, WERO).good());
  BOOST_TEST(reserve(*a, kKeyA, WERO).good());
  BOOST_TEST(reserve(*a, kKeyA, WE).conflict());
  BOOST_TEST(reserve(*b, kKeyB, WERO).conflict());
  BOOST_TEST(release(*b, kKeyB, WERO).good());  // not the holder: nothing happens
  BOOST_TEST(release(*a, kKeyA, WE).failed(0x5, 0x2604));
  BOOST_TEST(release(*a, kKeyB, WERO).conflict());
  BOOST_TEST(release(*a, kKeyA, WERO).good());
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2a04));
  BOOST_TEST(reserve_in(*a, 1).size() == 8u);
  BOOST_TEST(reserve(*a, kKeyA, 2).failed(0x5, 0x2400));
  BOOST_TEST(reserve(*a, kKeyA, 0x11).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(a_holder_that_unregisters_releases) {
  enrol(*a, kKeyA);
  enrol(*b, kKeyB);
  reserve(*a, kKeyA, EARO);
  BOOST_TEST(reserve_out(*a, 0, kKeyA, 0).good());
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2a04));
  BOOST_TEST(read(*a).good());
  // All registrants: the reservation stays until the last of them goes.
  enrol(*a, kKeyA);
  reserve(*a, kKeyA, EAAR);
  BOOST_TEST(reserve_out(*a, 0, kKeyA, 0).good());
  BOOST_TEST(read(*a).conflict());
  BOOST_TEST(reserve_out(*b, 0, kKeyB, 0).good());
  BOOST_TEST(read(*a).good());
}

BOOST_AUTO_TEST_CASE(registrations_outlive_the_session) {
  enrol(*a, kKeyA);
  reserve(*a, kKeyA, EA);
  unit->detach(a->nexus);
  BOOST_TEST(read(*b).conflict());
  unit->attach(a->nexus);
  a->settle();
  BOOST_TEST(read(*a).good());
}

BOOST_AUTO_TEST_CASE(preempt_takes_over) {
  enrol(*a, kKeyA);
  enrol(*b, kKeyB);
  reserve(*a, kKeyA, EA);
  BOOST_TEST(reserve_out(*b, 4, kKeyB, 0x1234, EA).conflict());  // nobody's key
  BOOST_TEST(reserve_out(*b, 4, kKeyB, 0, EA).failed(0x5, 0x2600));
  BOOST_TEST(reserve_out(*b, 4, kKeyB, kKeyA, WE).good());
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2a05));
  BOOST_TEST(write(*a).conflict());
  BOOST_TEST(read(*a).good());
  const Bytes full = reserve_in(*b, 3);
  BOOST_TEST(get64(&full.at(8)) == kKeyB);
  BOOST_TEST((full.at(20) == std::byte{1} && full.at(21) == std::byte{WE}));
  BOOST_TEST((full.at(32) == std::byte{0x45}));
  const std::string text(reinterpret_cast<const char*>(&full[36]), full.size() - 36);
  BOOST_TEST(text.c_str() == b->nexus.initiator_port_name);
}

// Red when PRGENERATION does not count what changes registrations, or counts what does not
// (SPC-4 5.12.4.1).
BOOST_AUTO_TEST_CASE(the_generation_counts_changes_of_registrations) {
  std::uint32_t expected = 0;
  const auto expect = [&](const Sent& it, bool counts) {
    BOOST_TEST(it.good());
    expected += counts ? 1 : 0;
    BOOST_TEST(get32(&reserve_in(*a, 0).at(0)) == expected);
    b->send({0x03, 0, 0, 0, 96, 0});  // what B is told of it
  };
  expect(enrol(*a, kKeyA), true);
  expect(enrol(*b, kKeyB), true);
  expect(reserve_out(*a, 6, 0, kKeyA), true);  // the same key again
  expect(reserve(*a, kKeyA, WE), false);
  expect(reserve_out(*a, 4, kKeyA, kKeyA, EA), true);  // PREEMPT of itself
  expect(release(*a, kKeyA, EA), false);
  expect(reserve_out(*a, 4, kKeyA, kKeyB, WE), true);
  expect(reserve_out(*b, 6, 0, 0), false);  // there is nothing to unregister
  expect(reserve_out(*a, 3, kKeyA, 0), true);
}

// Red when a registrant who stays is not told that a preemption changed the type, or is told of one
// that did not.
BOOST_AUTO_TEST_CASE(a_preemption_that_changes_the_type) {
  Initiator c(luns, 3);
  c.settle();
  for (auto& [who, key] : {std::pair{a.get(), kKeyA}, {b.get(), kKeyB}, {&c, std::uint64_t{0xcc}}})
    BOOST_TEST(enrol(*who, key).good());
  BOOST_TEST(reserve(*a, kKeyA, WE).good());
  BOOST_TEST(reserve_out(*b, 4, kKeyB, kKeyA, EARO).good());
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2a05));
  BOOST_TEST(c.send(kTestUnitReady).failed(0x6, 0x2a04));
  BOOST_TEST(b->send(kTestUnitReady).good());
  BOOST_TEST(reserve_out(c, 4, 0xcc, kKeyB, EARO).good());
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2a05));
  BOOST_TEST(c.send(kTestUnitReady).good());
  BOOST_TEST((read(c).good() && read(*a).conflict()));
}

BOOST_AUTO_TEST_CASE(registrations_are_bounded) {
  Reservations reservations;
  Nexus nexus;
  for (std::size_t i = 0; i <= Reservations::kMaxRegistrations; ++i) {
    nexus.initiator_port_name = std::to_string(i);
    const auto port = PortIdentity::of(nexus);
    const auto outcome = reservations.register_keys(std::span(&port, 1), 0, kKeyA, false);
    BOOST_TEST(outcome.sense.has_value() == (i == Reservations::kMaxRegistrations));
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_CASE(preempt_and_abort_answers_when_the_disk_is_quiet, ScriptedBench) {
  enrol(*a, kKeyA);
  enrol(*b, kKeyB);
  reserve(*a, kKeyA, WE);
  Sent& late = write(*a);
  BOOST_TEST(disk().held.size() == 1u);
  Sent& preempt = reserve_out(*b, 5, kKeyB, kKeyA, WE);
  BOOST_TEST((!preempt.done && !late.aborted));
  disk().complete(0);
  BOOST_TEST(late.aborted);
  BOOST_TEST(preempt.good());
}

BOOST_FIXTURE_TEST_CASE(a_waiting_preempt_can_be_aborted_itself, ScriptedBench) {
  enrol(*a, kKeyA);
  enrol(*b, kKeyB);
  Sent& late = write(*a);
  Sent& preempt = reserve_out(*b, 5, kKeyB, kKeyA, WE);
  BOOST_TEST(!preempt.done);
  unit->abort(preempt.command);
  BOOST_TEST(preempt.aborted);
  disk().complete(0);
  BOOST_TEST(late.aborted);
}

// Red when who lets the medium go, or starts the unit, is kept from it by another's reservation, or
// who does the contrary is not (SBC-3 table 13).
BOOST_FIXTURE_TEST_CASE(motor_and_door_of_a_reserved_unit, Bench) {
  const Cdb allow{0x1e, 0, 0, 0, 0, 0}, prevent{0x1e, 0, 0, 0, 1, 0};
  const Cdb start{0x1b, 0, 0, 0, 1, 0}, stop{0x1b, 0, 0, 0, 0, 0}, idle{0x1b, 0, 0, 0, 0x21, 0};
  const auto expect_rules = [&] {
    for (const Cdb& cdb : {allow, start}) BOOST_TEST(b->send(cdb).good());
    for (const Cdb& cdb : {prevent, stop, idle}) BOOST_TEST(b->send(cdb).conflict());
    BOOST_TEST(b->send(kTestUnitReady).done);
  };
  enrol(*a, kKeyA);
  for (const Type type : {WE, EA, WERO, EAAR}) {
    BOOST_TEST(reserve(*a, kKeyA, type).good());
    expect_rules();
    BOOST_TEST(release(*a, kKeyA, type).good());
  }
  BOOST_TEST(reserve_out(*a, 6, 0, 0).good());  // unregisters
  BOOST_TEST(a->send({0x16, 0, 0, 0, 0, 0}).good());
  expect_rules();
  BOOST_TEST(a->send(stop).good());
}
