// The session guard: two machines, one place.
#include "target/session/tests/world.h"

namespace tsihd::session::test {

using wire::Opcode;
using namespace std::string_literals;

namespace {

struct Guarded : World {
  explicit Guarded(GuardMode mode, std::uint32_t max_sessions = 1) {
    group().attributes.session_guard = mode;
    group().attributes.max_sessions = max_sessions;
    group().attributes.guard_probe_ms = 1000;
    group().attributes.fence_hold_s = 60;
  }
  const Counters& counters() { return service->counters(); }
  std::string only_peer() {
    BOOST_REQUIRE(service->sessions().size() == 1u);
    return service->sessions().front().peer;
  }
};

constexpr char kHere[] = "192.0.2.1", kThere[] = "192.0.2.2", kElsewhere[] = "192.0.2.3";

LoginWish named(const char* suffix) {
  LoginWish wish;
  wish.name += suffix;
  return wish;
}

/// Takes the ping that the guard sends from among what has come.
bool was_pinged(Peer& peer) {
  while (auto received = peer.next())
    if (received->opcode() == Opcode::nop_in) return true;
  return false;
}

bool was_told_of_the_drop(Peer& peer) {
  while (auto received = peer.next())
    if (received->opcode() == Opcode::async_message)
      return received->as<wire::AsyncMessageBhs>().async_event == 3;
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(guard_off)

// Red when max_sessions is no limit, or counts discovery.
BOOST_AUTO_TEST_CASE(a_limit_alone) {
  Guarded world(GuardMode::off);
  Peer one(world, kHere), two(world, kThere), looker(world, kElsewhere);
  one.login(named(":a"));
  two.ask_login(named(":b"));
  BOOST_TEST(two.status() == 0x0302);
  BOOST_TEST(two.closed);
  looker.login({.discovery = true});
  Peer again(world, kThere);
  again.login(named(":a"));  // the same port is reinstated: no further place is taken
  BOOST_TEST(one.closed);
  again.log_out();
  Peer three(world, kThere);
  three.login(named(":b"));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE(guard_reject)

// Red when a living machine loses its session, or the newcomer gets in.
BOOST_AUTO_TEST_CASE(the_living_keeps_its_place) {
  Guarded world(GuardMode::reject);
  Peer incumbent(world, kHere), newcomer(world, kThere);
  incumbent.answers_pings = true;
  incumbent.login();
  newcomer.ask_login();  // the same name, the same ISID
  world.settle();
  BOOST_TEST(newcomer.status() == 0x0302);
  BOOST_TEST(newcomer.closed);
  BOOST_TEST(!incumbent.closed);
  incumbent.test_ready();
  BOOST_TEST(world.counters().guard_probes == 1u);
  BOOST_TEST(world.counters().guard_refused == 1u);
  BOOST_TEST(world.lines_with("guard decision=refuse initiator="s + kInitiator) == 1u);
  BOOST_TEST(world.lines_with("newcomer=192.0.2.2:40000 incumbent=192.0.2.1:40000") >= 1u);
}

// Red when any other sign of life is not believed: a busy initiator may answer late.
BOOST_AUTO_TEST_CASE(any_pdu_is_a_sign_of_life) {
  Guarded world(GuardMode::reject);
  Peer incumbent(world, kHere), newcomer(world, kThere);
  incumbent.login();
  newcomer.ask_login();
  BOOST_TEST(was_pinged(incumbent));
  world.pass(milliseconds(900));
  BOOST_TEST(newcomer.status() == 0xffff);
  incumbent.test_ready();
  BOOST_TEST(newcomer.status() == 0x0302);
}

// Red when a dead machine keeps the place, or loses it before guard_probe_ms; or when an answer to
// it may still arrive after that.
BOOST_AUTO_TEST_CASE(the_silent_loses_it) {
  Guarded world(GuardMode::reject);
  Peer incumbent(world, kHere), newcomer(world, kThere);
  incumbent.login();
  newcomer.ask_login();
  BOOST_TEST(was_pinged(incumbent));
  world.pass(milliseconds(999));
  BOOST_TEST(!newcomer.logged_in());
  BOOST_TEST(!incumbent.closed);
  world.pass(milliseconds(1));
  BOOST_TEST(newcomer.logged_in());
  BOOST_TEST(incumbent.closed);
  BOOST_TEST(incumbent.was_reset);
  BOOST_TEST(world.only_peer() == "192.0.2.2:40000");
  BOOST_TEST(world.counters().guard_takeovers == 1u);
  // The loser wakes up and comes back: the winner lives.
  newcomer.answers_pings = true;
  Peer continued(world, kHere, 40001);
  continued.ask_login();
  BOOST_TEST(continued.status() == 0x0302);
  BOOST_TEST(!newcomer.closed);
}

// Red when the newcomer gets its last Login Response while a write of the loser can still land.
BOOST_AUTO_TEST_CASE(writes_come_back_before_the_newcomer_is_in) {
  Guarded world(GuardMode::reject);
  Peer incumbent(world, kHere), newcomer(world, kThere);
  incumbent.login();
  incumbent.test_ready();
  world.disk->holding = true;
  const auto data = pattern(512);
  incumbent.write(1, data);
  newcomer.ask_login();
  world.pass(seconds(2));
  BOOST_TEST(incumbent.closed);
  BOOST_TEST(newcomer.status() == 0xffff);
  world.disk->holding = false;
  world.disk->complete_all();
  world.settle();
  BOOST_TEST(newcomer.logged_in());
}

// Red when a disk that never comes back lets the newcomer in, or keeps it waiting for ever.
BOOST_AUTO_TEST_CASE(a_write_that_does_not_come_back) {
  Guarded world(GuardMode::reject);
  Peer incumbent(world, kHere), newcomer(world, kThere);
  incumbent.login();
  incumbent.test_ready();
  world.disk->holding = true;
  const auto data = pattern(512);
  incumbent.write(1, data);
  newcomer.ask_login();
  world.pass(seconds(20));
  BOOST_TEST(newcomer.closed);
  BOOST_TEST(!newcomer.logged_in());
  Peer third(world, kElsewhere);
  third.ask_login();
  BOOST_TEST(!third.logged_in());
  world.disk->holding = false;
  world.disk->complete_all();
  world.settle();
  BOOST_TEST(third.logged_in());
}

// Red when two newcomers share a place: the second is judged against the first.
BOOST_AUTO_TEST_CASE(two_newcomers_race) {
  Guarded world(GuardMode::reject);
  Peer incumbent(world, kHere), first(world, kThere), second(world, kElsewhere);
  incumbent.login();
  first.answers_pings = true;
  first.ask_login();
  second.ask_login();
  BOOST_TEST(world.counters().guard_waited == 1u);
  world.pass(milliseconds(1000));
  BOOST_TEST(first.logged_in());
  BOOST_TEST(second.status() == 0x0302);
  BOOST_TEST(world.only_peer() == "192.0.2.2:40000");
}

// Red when a newcomer that gave up holds others back, or its probe still costs the place.
BOOST_AUTO_TEST_CASE(a_newcomer_that_gives_up) {
  Guarded world(GuardMode::reject);
  Peer incumbent(world, kHere), first(world, kThere), second(world, kElsewhere);
  incumbent.login();
  first.ask_login();
  second.ask_login();
  incumbent.answers_pings = true;
  first.vanish();
  BOOST_TEST(second.status() == 0x0302);
  BOOST_TEST(!incumbent.closed);
}

// Red when a machine that crashed is locked out by its own old session.
BOOST_AUTO_TEST_CASE(back_after_a_crash) {
  Guarded world(GuardMode::reject);
  Peer before(world, kHere, 40000), after(world, kHere, 40001);
  before.login();
  LoginWish rebooted;
  rebooted.isid[5] = 9;  // another ISID after the boot, say
  after.ask_login(rebooted);
  before.vanish("Connection reset by peer");  // what the ping meets
  BOOST_TEST(after.logged_in());
  BOOST_TEST(world.service->sessions().size() == 1u);
}

// Red when sessions of several machines below the limit disturb each other, or when one dead among
// living ones is not found.
BOOST_AUTO_TEST_CASE(several_places) {
  Guarded world(GuardMode::reject, 2);
  Peer one(world, kHere), two(world, kThere), three(world, kElsewhere);
  one.answers_pings = true;
  one.login(named(":a"));
  two.login(named(":b"));
  BOOST_TEST(world.counters().guard_probes == 0u);
  three.ask_login(named(":c"));
  BOOST_TEST(!three.logged_in());
  world.pass(milliseconds(1000));
  BOOST_TEST(three.logged_in());
  BOOST_TEST(two.closed);
  BOOST_TEST(!one.closed);
}

// Red when the guard without a limit does not cover the same port.
BOOST_AUTO_TEST_CASE(the_same_port_without_a_limit) {
  Guarded world(GuardMode::reject, 0);
  Peer incumbent(world, kHere), other(world, kThere), copy(world, kThere, 40001);
  incumbent.answers_pings = true;
  incumbent.login();
  other.login(named(":other"));
  copy.ask_login();
  BOOST_TEST(copy.status() == 0x0302);
  BOOST_TEST(!incumbent.closed);
  BOOST_TEST(world.counters().session_reinstatements == 0u);
  Peer memory(world, kThere, 40002);  // a copy with the memory of its original: it knows the TSIH
  memory.ask_login({.tsih = incumbent.tsih()});
  BOOST_TEST(memory.status() == 0x0302);
  BOOST_TEST(!incumbent.closed);
}

// Red when the status that the configuration names is not the one that is sent.
BOOST_AUTO_TEST_CASE(the_status_is_configured) {
  Guarded world(GuardMode::reject);
  world.group().attributes.guard_refusal_status = 0x0202;
  Peer incumbent(world, kHere), newcomer(world, kThere);
  incumbent.answers_pings = true;
  incumbent.login();
  newcomer.ask_login();
  BOOST_TEST(newcomer.status() == 0x0202);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE(guard_fence)

// Red when the newcomer does not win, the loser is not told, or it gets back in.
BOOST_AUTO_TEST_CASE(the_newcomer_wins_and_the_loser_is_kept_out) {
  Guarded world(GuardMode::fence);
  Peer loser(world, kHere), winner(world, kThere);
  loser.answers_pings = true;
  winner.answers_pings = true;
  loser.login();
  winner.login();
  BOOST_TEST(was_told_of_the_drop(loser));
  BOOST_TEST(loser.closed);
  BOOST_TEST(world.counters().guard_fenced == 1u);
  BOOST_TEST(world.service->fences().size() == 1u);
  Peer back(world, kHere, 40001);
  back.ask_login();
  BOOST_TEST(back.status() == 0x0302);
  BOOST_TEST(!winner.closed);
  BOOST_TEST(world.counters().guard_fence_refused == 1u);
  BOOST_TEST(world.lines_with("guard decision=fence initiator=") == 1u);
}

// Red when writes of the fenced machine can land after the winner is in.
BOOST_AUTO_TEST_CASE(the_losers_writes_come_back_first) {
  Guarded world(GuardMode::fence);
  Peer loser(world, kHere), winner(world, kThere);
  loser.login();
  loser.test_ready();
  world.disk->holding = true;
  const auto data = pattern(512);
  loser.write(1, data);
  winner.ask_login();
  BOOST_TEST(loser.closed);
  BOOST_TEST(!winner.logged_in());
  world.disk->holding = false;
  world.disk->complete_all();
  world.settle();
  BOOST_TEST(winner.logged_in());
}

// Red when the hold does not end, or its end lets two living copies bounce.
BOOST_AUTO_TEST_CASE(after_the_hold) {
  Guarded world(GuardMode::fence);
  Peer loser(world, kHere), winner(world, kThere);
  winner.answers_pings = true;
  loser.login();
  winner.login();
  world.pass(seconds(61));
  Peer living(world, kHere, 40001);
  living.ask_login();  // its winner lives
  BOOST_TEST(living.status() == 0x0302);
  BOOST_TEST(!winner.closed);
  winner.answers_pings = false;
  Peer silent(world, kHere, 40002);
  silent.ask_login();
  world.pass(milliseconds(1000));
  BOOST_TEST(silent.logged_in());
  BOOST_TEST(winner.closed);
}

// Red when a place that is free is kept from a machine whose hold is over.
BOOST_AUTO_TEST_CASE(after_the_hold_with_the_place_free) {
  Guarded world(GuardMode::fence);
  Peer loser(world, kHere), winner(world, kThere);
  loser.login();
  winner.login();
  winner.log_out();
  Peer early(world, kHere, 40001);
  early.ask_login();
  BOOST_TEST(early.status() == 0x0302);
  world.pass(seconds(60));
  Peer late(world, kHere, 40002);
  late.login();
  BOOST_TEST(world.service->fences().empty());
}

// Red when an operator cannot lift a fence.
BOOST_AUTO_TEST_CASE(unfence) {
  Guarded world(GuardMode::fence);
  Peer loser(world, kHere), winner(world, kThere);
  loser.login();
  winner.login();
  BOOST_TEST(world.service->unfence("iqn.2026-11.org.example:nobody") == 0u);
  BOOST_TEST(world.service->unfence(kInitiator) == 1u);
  Peer back(world, kHere, 40001);
  back.login();  // a newcomer like any other: it wins
  BOOST_TEST(winner.closed);
}

// Red when a machine that comes back from its own address is fenced, fences itself, or evicts a
// living session of its own.
BOOST_AUTO_TEST_CASE(back_from_its_own_address) {
  Guarded world(GuardMode::fence);
  Peer before(world, kHere, 40000), after(world, kHere, 40001);
  before.answers_pings = true;
  before.login();
  after.ask_login();
  BOOST_TEST(after.status() == 0x0302);  // something lives there
  BOOST_TEST(!before.closed);
  before.answers_pings = false;  // the crash
  Peer rebooted(world, kHere, 40002);
  rebooted.ask_login();
  BOOST_TEST(!before.closed);
  world.pass(milliseconds(1000));
  BOOST_TEST(rebooted.logged_in());
  BOOST_TEST(world.service->fences().empty());
  BOOST_TEST(world.counters().guard_fenced == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace tsihd::session::test
