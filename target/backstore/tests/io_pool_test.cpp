// The pool alone: batches, the limit of a lane, completions on the caller's thread. Run under tsan
// it is the proof that the hand-over between the threads is sound.
#include "target/backstore/io_pool.h"

#include <poll.h>

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

using namespace tsihd::backstore;

namespace {

struct Counter {
  std::atomic<unsigned> ios{0};
  std::atomic<unsigned> batches{0};
  std::atomic<unsigned> at_once{0};
  std::atomic<unsigned> most_at_once{0};

  static void run(void* self, Io* batch) {
    auto& counter = *static_cast<Counter*>(self);
    const unsigned now = ++counter.at_once;
    unsigned most = counter.most_at_once;
    while (now > most && !counter.most_at_once.compare_exchange_weak(most, now)) {
    }
    ++counter.batches;
    for (Io* io = batch; io != nullptr; io = io->next) {
      io->error = static_cast<int>(io->offset_bytes);
      ++counter.ios;
    }
    --counter.at_once;
  }
};

/// Holds every batch at a gate until the test opens it.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  unsigned waiting = 0;

  static void run(void* self, Io*) {
    auto& gate = *static_cast<Gate*>(self);
    std::unique_lock lock(gate.mutex);
    ++gate.waiting;
    gate.changed.notify_all();
    gate.changed.wait(lock, [&] { return gate.open; });
  }
  void await_waiting(unsigned count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting >= count; });
  }
  void release() {
    std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
};

struct Completions {
  std::vector<Io*> done;
  std::thread::id thread;
};

void note(Io& io) {
  auto& completions = *static_cast<Completions*>(io.owner);
  completions.done.push_back(&io);
  completions.thread = std::this_thread::get_id();
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_request_completes_once_on_the_callers_thread) {
  auto pool = IoPool::create(4).value();
  Counter counter;
  IoLane lane(Counter::run, &counter, 4, 8);
  Completions completions;
  std::array<Io, 1000> ios;
  for (std::size_t i = 0; i < ios.size(); ++i) {
    ios[i].done = note;
    ios[i].owner = &completions;
    ios[i].offset_bytes = i;
    pool->submit(lane, ios[i]);
    if (i % 37 == 0) pool->flush_submissions();
    if (i % 101 == 0) pool->drain();
  }
  pool->wait_idle();
  BOOST_TEST(pool->outstanding() == 0u);
  BOOST_TEST(completions.done.size() == ios.size());
  BOOST_TEST((completions.thread == std::this_thread::get_id()));
  BOOST_TEST(counter.ios == ios.size());
  for (std::size_t i = 0; i < ios.size(); ++i) BOOST_TEST(ios[i].error == static_cast<int>(i));
}

BOOST_AUTO_TEST_CASE(nothing_starts_before_the_flush) {
  auto pool = IoPool::create(2).value();
  Counter counter;
  IoLane lane(Counter::run, &counter, 1, 32);
  Completions completions;
  std::array<Io, 32> ios;
  for (Io& io : ios) {
    io.done = note;
    io.owner = &completions;
    pool->submit(lane, io);
  }
  BOOST_TEST(counter.ios == 0u);
  pool->wait_idle();
  BOOST_TEST(counter.batches == 1u);  // 32 requests, one hand-over
  BOOST_TEST((completions.done.front() == &ios.front()));
  BOOST_TEST((completions.done.back() == &ios.back()));
}

BOOST_AUTO_TEST_CASE(a_lane_of_one_never_runs_two_batches) {
  auto pool = IoPool::create(8).value();
  Counter counter;
  IoLane lane(Counter::run, &counter, 1, 1);
  Completions completions;
  std::array<Io, 500> ios;
  for (Io& io : ios) {
    io.done = note;
    io.owner = &completions;
    pool->submit(lane, io);
    pool->flush_submissions();
  }
  pool->wait_idle();
  BOOST_TEST(counter.most_at_once == 1u);
  BOOST_TEST(counter.batches == 500u);
  for (std::size_t i = 0; i < ios.size(); ++i) BOOST_TEST((completions.done[i] == &ios[i]));
}

BOOST_AUTO_TEST_CASE(a_blocked_lane_does_not_hold_up_another) {
  auto pool = IoPool::create(4).value();
  Gate gate;
  Counter counter;
  IoLane blocked(Gate::run, &gate, 2, 1);
  IoLane free_lane(Counter::run, &counter, 2, 4);
  Completions completions;
  std::array<Io, 3> slow;
  std::array<Io, 4> fast;
  for (Io& io : slow) {
    io.done = note;
    io.owner = &completions;
    pool->submit(blocked, io);
  }
  pool->flush_submissions();
  gate.await_waiting(2);  // its limit: the third stays queued
  for (Io& io : fast) {
    io.done = note;
    io.owner = &completions;
    pool->submit(free_lane, io);
  }
  pool->flush_submissions();
  while (completions.done.size() < fast.size()) {
    pollfd wake{pool->wake_fd(), POLLIN, 0};
    ::poll(&wake, 1, -1);
    pool->drain();
  }
  BOOST_TEST(gate.waiting == 2u);
  gate.release();
  pool->wait_idle();
  BOOST_TEST(completions.done.size() == slow.size() + fast.size());
}

// Red when work on the loop's own thread never gives the other sources a turn, or always does.
BOOST_AUTO_TEST_CASE(work_on_the_loop_s_thread_is_cut_into_slices) {
  auto pool = IoPool::create(1).value();
  Completions completions;
  std::array<Io, 4> ios;
  for (Io& io : ios) {
    io.done = note;
    io.owner = &completions;
  }
  pool->complete_inline(ios[2], 1u << 20);
  pool->complete_inline(ios[3], 2u << 20);
  BOOST_TEST(completions.done.size() == 2u);
  pool->complete_inline(ios[0], 1u << 20);
  pool->complete_inline(ios[1], 5u << 20);
  BOOST_TEST(completions.done.size() == 2u);
  completions.done.clear();
  BOOST_TEST(pool->outstanding() == 2u);
  pollfd wake{pool->wake_fd(), POLLIN, 0};
  BOOST_TEST(::poll(&wake, 1, 0) == 1);
  BOOST_TEST(pool->drain() == 2u);
  BOOST_TEST((completions.done.front() == &ios.front()));
}

BOOST_AUTO_TEST_CASE(drain_without_completions_is_harmless) {
  auto pool = IoPool::create(1, IoEngine::threads).value();
  BOOST_TEST(pool->drain() == 0u);
  pool->flush_submissions();
  pool->wait_idle();
  BOOST_TEST(pool->description() == "threads(1)");
}
