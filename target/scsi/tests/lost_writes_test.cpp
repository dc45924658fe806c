// A flush that fails may have lost anybody's writes: everybody is told, whoever flushed.
#include "target/scsi/lost_writes.h"

#include <cerrno>

#include "target/scsi/tests/bench.h"

using namespace tsihd;
using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

const Cdb kSynchronizeCache = cdb10(0x35, 0, 0);
const Cdb kVerify = cdb10(0x2f, 0, 1);
const Cdb kStop{0x1b, 0, 0, 0, 0, 0};

struct LossBench : ScriptedBench {
  /// Sends a command whose first disk request, a flush, ends with `error`.
  Sent& flush_by(Initiator& initiator, const Cdb& cdb = kSynchronizeCache, int error = 0) {
    Sent& sent = initiator.send(cdb);
    BOOST_TEST_REQUIRE(disk().held.size() == 1u);
    BOOST_TEST((disk().held[0]->op == backstore::Op::flush));
    disk().complete(0, error);
    disk().complete_all();
    return sent;
  }
  static bool tells_loss(const Sent& sent) { return sent.failed(0x3, 0x0c00); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(lost_writes, LossBench)

// Red when only the one whose flush failed knows that the writes of all are gone.
BOOST_AUTO_TEST_CASE(every_initiator_is_told_once) {
  BOOST_TEST(tells_loss(flush_by(*a, kSynchronizeCache, EIO)));
  BOOST_TEST(tells_loss(flush_by(*b)));
  BOOST_TEST(flush_by(*a).good());
  BOOST_TEST(flush_by(*b).good());
}

// Red when the word goes to a command that makes no promise for earlier writes.
BOOST_AUTO_TEST_CASE(only_who_settles_the_cache_is_told) {
  flush_by(*a, kSynchronizeCache, EIO);
  BOOST_TEST(flush_by(*b, kVerify).good());
  BOOST_TEST(tells_loss(flush_by(*b, kStop)));
}

// Red when a failed flush of VERIFY takes the word from the next SYNCHRONIZE CACHE.
BOOST_AUTO_TEST_CASE(a_flush_that_settles_nothing_may_find_the_loss) {
  BOOST_TEST(tells_loss(flush_by(*a, kVerify, EIO)));
  BOOST_TEST(tells_loss(flush_by(*a)));
  BOOST_TEST(tells_loss(flush_by(*b)));
}

// Red when an initiator that gave a slow flush up, and asks again, hears GOOD.
BOOST_AUTO_TEST_CASE(an_aborted_flush_still_counts) {
  Sent& slow = a->send(kSynchronizeCache);
  unit->abort(slow.command);
  disk().complete(0, EIO);
  BOOST_TEST(slow.aborted);
  BOOST_TEST(tells_loss(flush_by(*a)));
  BOOST_TEST(flush_by(*a).good());
}

// Red when a new session of the same initiator starts as if nothing had happened.
BOOST_AUTO_TEST_CASE(an_initiator_that_comes_back_is_told) {
  flush_by(*b, kSynchronizeCache, EIO);
  a.reset();
  a = std::make_unique<Initiator>(luns, 1);
  a->settle();
  BOOST_TEST(tells_loss(flush_by(*a)));
  a.reset();
  a = std::make_unique<Initiator>(luns, 1);
  a->settle();
  BOOST_TEST(flush_by(*a).good());
}

// The same when its session had gone before the flush came back from the disk.
BOOST_AUTO_TEST_CASE(a_flush_that_outlives_its_session_counts) {
  a->send(kSynchronizeCache);
  unit->detach(a->nexus);
  disk().complete(0, EIO);
  a = std::make_unique<Initiator>(luns, 1);
  a->settle();
  BOOST_TEST(tells_loss(flush_by(*a)));
}

// Red when somebody who had nothing to lose is told.
BOOST_AUTO_TEST_CASE(a_stranger_is_told_nothing) {
  flush_by(*a, kSynchronizeCache, EIO);
  Initiator stranger(luns, 3);
  stranger.settle();
  BOOST_TEST(flush_by(stranger).good());
}

// Red when a dead disk fills the log.
BOOST_AUTO_TEST_CASE(the_log_tells_it_once_until_a_flush_is_good) {
  const auto told = [&] {
    return std::ranges::count_if(
        log, [](const std::string& line) { return line.starts_with("scsi.writes_lost"); });
  };
  for (int i = 0; i < 3; ++i) flush_by(*a, kSynchronizeCache, EIO);
  BOOST_TEST(told() == 1);
  flush_by(*a);
  flush_by(*a, kSynchronizeCache, EIO);
  BOOST_TEST(told() == 2);
}

BOOST_AUTO_TEST_SUITE_END()

// Red when initiators that come, lose and go make us grow.
BOOST_AUTO_TEST_CASE(the_names_that_are_kept_are_bounded) {
  LostWrites losses;
  const auto name = [](std::size_t i) { return "iqn.2024-01.example:" + std::to_string(i); };
  for (std::size_t i = 0; i <= LostWrites::kMaxNames; ++i) {
    const std::string gone = name(i);
    losses.note(&gone);
  }
  LostWrites::Mark first = losses.mark_for(name(0));
  LostWrites::Mark last = losses.mark_for(name(LostWrites::kMaxNames));
  BOOST_TEST(!losses.take(first, name(0)));
  BOOST_TEST(losses.take(last, name(LostWrites::kMaxNames)));
}
