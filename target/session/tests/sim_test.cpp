// The session layer against a simulated initiator on a virtual clock: seeded loads, seeded faults.
//
//     simulator_test                            all seeds of the default range
//     simulator_test -- --seeds 5000            more of them
//     simulator_test -- --seed 77 --trace       one of them, with the ladder of all PDUs
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string>
#include <string_view>

#include "target/session/tests/sim_initiator.h"
#include "target/session/tests/sim_settings.h"
#include "target/session/tests/sim_target.h"

namespace tsihd::session::sim {
namespace {

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t seeds = 40;  // what the sanitizers' time allows
  bool trace = false;
};

Arguments read_arguments() {
  const auto& suite = boost::unit_test::framework::master_test_suite();
  Arguments arguments;
  for (int i = 1; i < suite.argc; ++i) {
    const std::string_view word = suite.argv[i];
    const char* const value = i + 1 < suite.argc ? suite.argv[i + 1] : "";
    if (word == "--trace") arguments.trace = true;
    if (word == "--first") arguments.first = std::strtoull(value, nullptr, 10);
    if (word == "--seeds") arguments.seeds = std::strtoull(value, nullptr, 10);
    if (word != "--seed") continue;
    arguments.first = std::strtoull(value, nullptr, 10);
    arguments.seeds = 1;
  }
  return arguments;
}

/// What many seeds together must have seen, so that a simulator that lost its faults is noticed.
struct Totals {
  std::uint64_t pdus = 0;
  std::uint64_t session_recoveries = 0;
  std::uint64_t snacks = 0;
  std::uint64_t retries = 0;
  std::uint64_t reassignments = 0;
};

/// One seed from its first login to the burial of its last session. Throws Failure.
void simulate(const Settings& settings, bool traced, Totals& totals) {
  constexpr auto kMostTime = std::chrono::hours(2);
  Events events;
  const Trace trace(events, traced);
  trace.line("{}", settings.summary());
  const Instant begin = events.now();
  TargetSide target(events, settings, trace);
  Initiator initiator({events, target, settings, trace});
  initiator.start();
  while (!events.empty()) {
    if (target.next_deadline() < events.next())
      target.tick();
    else
      events.run_next();
    if (events.now() - begin > kMostTime)
      fail("no end after two hours; waiting: {}", initiator.what_it_waits_for());
    if (!initiator.finished() && events.empty() && target.next_deadline() == Instant::max())
      fail("a standstill; waiting: {}", initiator.what_it_waits_for());
  }
  while (target.next_deadline() != Instant::max()) target.tick();
  target.expect_nothing_left();
  totals.pdus += initiator.pdus_received();
  totals.session_recoveries += initiator.session_recoveries();
  totals.snacks += initiator.snacks();
  totals.retries += initiator.retries();
  totals.reassignments += initiator.reassignments();
}

BOOST_AUTO_TEST_CASE(seeds) {
  const Arguments arguments = read_arguments();
  Totals totals;
  for (std::uint64_t i = 0; i < arguments.seeds; ++i) {
    const Settings settings(arguments.first + i);
    try {
      simulate(settings, arguments.trace, totals);
    } catch (const Failure& failure) {
      BOOST_ERROR("seed " << settings.seed << ": " << failure.what() << "; replay: "
                          << boost::unit_test::framework::master_test_suite().argv[0]
                          << " -- --seed " << settings.seed << " --trace");
    }
  }
  BOOST_TEST_MESSAGE(arguments.seeds << " seeds, " << totals.pdus << " PDUs received, "
                                     << totals.snacks << " SNACKs, " << totals.retries
                                     << " retries, " << totals.reassignments << " reassignments, "
                                     << totals.session_recoveries << " session recoveries");
  constexpr std::uint64_t kEnoughToTell = 100;
  if (arguments.seeds < kEnoughToTell) return;
  BOOST_TEST(totals.pdus > arguments.seeds * 100);
  BOOST_TEST(totals.session_recoveries > arguments.seeds / 10);
  BOOST_TEST(totals.snacks > arguments.seeds / 10);
  BOOST_TEST(totals.retries > arguments.seeds / 10);
  BOOST_TEST(totals.reassignments > arguments.seeds / 10);
}

}  // namespace
}  // namespace tsihd::session::sim
