// io_uring through the pool, where the kernel lets us: what completes, what a thread must do again,
// and that more than it holds is no fault.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <vector>

#include "target/backstore/fd.h"
#include "target/backstore/io_pool.h"

using namespace tsihd::backstore;

namespace {

struct Fixture {
  std::unique_ptr<IoPool> pool;
  unsigned by_threads = 0;
  IoLane lane{run, this, 1, 1};
  std::vector<Io*> done;

  /// False, and a line in the log, where io_uring is not to be had.
  bool has_ring() {
    auto made = IoPool::create(1, IoEngine::uring);
    if (!made) {
      BOOST_TEST_MESSAGE("not tested: " << made.error().message);
      return false;
    }
    pool = std::move(*made);
    return true;
  }
  static void run(void* self, Io* batch) {
    for (Io* io = batch; io != nullptr; io = io->next) ++static_cast<Fixture*>(self)->by_threads;
  }
  void prepare(Io& io, Op op, std::uint64_t offset_bytes, std::span<std::byte> data) {
    io.op = op;
    io.offset_bytes = offset_bytes;
    io.data = data;
    io.owner = this;
    io.done = [](Io& it) { static_cast<Fixture*>(it.owner)->done.push_back(&it); };
  }
};

/// A file of 1 MiB that nobody else sees.
Fd scratch_file() {
  Fd fd(::memfd_create("ring", MFD_CLOEXEC));
  BOOST_TEST_REQUIRE(::ftruncate(fd.get(), 1 << 20) == 0);
  return fd;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(what_is_written_is_read_and_nothing_starts_before_the_flush, Fixture) {
  if (!has_ring()) return;
  const Fd fd = scratch_file();
  std::vector<std::byte> out(8192, std::byte{0x5a});
  std::vector<std::byte> in(8192);
  Io write, read, sync;
  prepare(write, Op::write, 4096, out);
  BOOST_TEST(pool->submit_to_ring(lane, write, {RingRequest::Kind::write, fd.get(), 0}));
  pool->drain();
  BOOST_TEST(pool->outstanding() == 1u);
  pool->wait_idle();
  prepare(read, Op::read, 4096, in);
  prepare(sync, Op::flush, 0, {});
  BOOST_TEST(pool->submit_to_ring(lane, read, {RingRequest::Kind::read, fd.get(), 0}));
  BOOST_TEST(pool->submit_to_ring(lane, sync, {RingRequest::Kind::sync, fd.get(), 0}));
  pool->wait_idle();
  BOOST_TEST((in == out));
  BOOST_TEST(done.size() == 3u);
  BOOST_TEST(by_threads == 0u);
}

// Red when a part of a transfer passes for the whole.
BOOST_FIXTURE_TEST_CASE(a_part_is_done_again_by_a_thread, Fixture) {
  if (!has_ring()) return;
  const Fd fd = scratch_file();
  std::vector<std::byte> data(8192);
  Io io;
  prepare(io, Op::read, (1 << 20) - 4096, data);
  BOOST_TEST(pool->submit_to_ring(lane, io, {RingRequest::Kind::read, fd.get(), 0}));
  pool->wait_idle();
  BOOST_TEST(by_threads == 1u);
  BOOST_TEST(done.size() == 1u);
  BOOST_TEST(pool->outstanding() == 0u);
}

BOOST_FIXTURE_TEST_CASE(an_error_is_that_of_the_request, Fixture) {
  if (!has_ring()) return;
  const Fd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<std::byte> data(512);
  Io io;
  prepare(io, Op::write, 0, data);
  BOOST_TEST(pool->submit_to_ring(lane, io, {RingRequest::Kind::write, fd.get(), 0}));
  pool->wait_idle();
  BOOST_TEST(io.error == EBADF);
  BOOST_TEST(by_threads == 0u);
}

// Red when a device that has been pulled out is full, or has a bad block.
BOOST_FIXTURE_TEST_CASE(a_thread_looks_what_a_failed_transfer_means, Fixture) {
  if (!has_ring()) return;
  const Fd fd(::open("/dev/full", O_RDWR | O_CLOEXEC));
  std::vector<std::byte> data(512);
  Io io;
  prepare(io, Op::write, 0, data);
  BOOST_TEST(pool->submit_to_ring(lane, io, {RingRequest::Kind::write, fd.get(), 0}));
  pool->wait_idle();
  BOOST_TEST(by_threads == 1u);
}

// Red when RWF_DSYNC, which makes a write durable, stays behind: the kernel refuses flags that it
// does not know, so it has seen this one. A pipe cannot be synced, and says so when it is asked to.
BOOST_FIXTURE_TEST_CASE(flags_and_syncs_reach_the_kernel, Fixture) {
  if (!has_ring()) return;
  constexpr int kUnknownFlag = 1 << 30;
  const Fd fd = scratch_file();
  std::vector<std::byte> data(512);
  for (const auto& [op, kind] :
       {std::pair{Op::write, RingRequest::Kind::write}, {Op::read, RingRequest::Kind::read}}) {
    Io io;
    prepare(io, op, 0, data);
    BOOST_TEST(pool->submit_to_ring(lane, io, {kind, fd.get(), kUnknownFlag}));
    pool->wait_idle();
    BOOST_TEST(io.error == EOPNOTSUPP);
  }
  std::array<int, 2> ends{};
  BOOST_TEST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const Fd reader(ends[0]), writer(ends[1]);
  Io sync;
  prepare(sync, Op::flush, 0, {});
  BOOST_TEST(pool->submit_to_ring(lane, sync, {RingRequest::Kind::sync, writer.get(), 0}));
  pool->wait_idle();
  BOOST_TEST(sync.error == EINVAL);
}

// Red when the slots leak: the second round would find none.
BOOST_FIXTURE_TEST_CASE(a_full_ring_says_so_and_is_empty_again, Fixture) {
  if (!has_ring()) return;
  const Fd fd = scratch_file();
  std::vector<std::byte> data(512);
  std::vector<Io> ios(Ring::kDepth + 1);
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < ios.size(); ++i) {
      prepare(ios[i], Op::read, 0, data);
      const bool taken = pool->submit_to_ring(lane, ios[i], {RingRequest::Kind::read, fd.get(), 0});
      BOOST_TEST(taken == (i < Ring::kDepth));
    }
    pool->wait_idle();
    BOOST_TEST(done.size() == (round + 1u) * Ring::kDepth);
  }
}

BOOST_AUTO_TEST_CASE(the_pool_says_what_it_is) {
  const auto pool = IoPool::create(3, IoEngine::automatic).value();
  const std::string text = pool->description();
  BOOST_TEST((text == "io_uring(256)+threads(3)" || text.starts_with("threads(3) (io_uring")));
  BOOST_TEST(IoPool::create(3, IoEngine::threads).value()->description() == "threads(3)");
}
