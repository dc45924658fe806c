// What a file disk asks of the kernel so that data is safe, and what it makes of the kernel's
// answers: flushes and FUA are passed on, an error of them is the request's, a part of a transfer
// is not the whole.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "target/backstore/atomic_journal.h"
#include "target/backstore/file_disk.h"

using namespace tsihd::backstore;

namespace {

/// The kernel as these tests have it: it counts, fails and does half of what it is asked, when told
/// to.
struct Kernel {
  std::atomic<int> syncs{0};
  std::atomic<int> durable_writes{0};  ///< with RWF_DSYNC
  std::atomic<int> sync_error{0};      ///< of every sync
  std::atomic<int> failing_sync{0};    ///< the number of one that ends with EIO, from 1 on
  std::atomic<int> halves{0};          ///< so many transfers are cut in two
  std::atomic<int> interruptions{0};   ///< so many transfers end with EINTR
  /// So often could pages not be written back. Each open file is told once, by its next sync.
  std::atomic<int> losses{0};
  std::array<std::atomic<int>, 1024> told{};

  bool tells_loss(int fd) {
    return told.at(static_cast<std::size_t>(fd)).exchange(losses) != losses;
  }
} kernel;

bool takes_one(std::atomic<int>& count) {
  if (count == 0) return false;
  --count;
  return true;
}

ssize_t transfer(long call, int fd, const iovec* pieces, off_t at, int flags) {
  if (takes_one(kernel.interruptions)) return errno = EINTR, -1;
  iovec piece = pieces[0];
  if (takes_one(kernel.halves)) piece.iov_len /= 2;
  return ::syscall(call, fd, &piece, 1, at, 0, flags);
}

}  // namespace

// In place of the C library's, for the code under test.
extern "C" int fdatasync(int fd) {
  ++kernel.syncs;
  if (kernel.sync_error != 0) return errno = kernel.sync_error, -1;
  if (kernel.tells_loss(fd)) return errno = EIO, -1;
  if (kernel.syncs == kernel.failing_sync) return errno = EIO, -1;
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
extern "C" ssize_t pwritev2(int fd, const iovec* pieces, int, off_t at, int flags) {
  if ((flags & RWF_DSYNC) != 0) {
    ++kernel.durable_writes;
    if (kernel.tells_loss(fd)) return errno = EIO, -1;
  }
  return transfer(SYS_pwritev2, fd, pieces, at, flags);
}
extern "C" ssize_t preadv2(int fd, const iovec* pieces, int, off_t at, int flags) {
  return transfer(SYS_preadv2, fd, pieces, at, flags);
}

namespace {

struct Fixture {
  static constexpr std::uint64_t kMiB = 1u << 20;
  std::unique_ptr<IoPool> pool = IoPool::create(1, IoEngine::threads).value();

  Fixture() {
    kernel.syncs = kernel.durable_writes = kernel.sync_error = kernel.failing_sync = 0;
    kernel.halves = kernel.interruptions = kernel.losses = 0;
    for (auto& told : kernel.told) told = 0;
  }

  std::unique_ptr<Backstore> open(bool write_through) {
    std::string name = (std::filesystem::temp_directory_path() / "tsih-durable-XXXXXX").string();
    Fd fd(::mkostemp(name.data(), O_CLOEXEC));
    ::unlink(name.c_str());
    BOOST_TEST_REQUIRE(::ftruncate(fd.get(), kMiB) == 0);
    FileDiskOptions options{.type = "fileio", .path = name, .geometry = {}};
    options.write_through = write_through;
    options.geometry.size_bytes = kMiB;
    auto files = open_for_each_lane(std::move(fd), options.direct, name).value();
    return std::make_unique<FileDisk>(*pool, std::move(files), std::move(options));
  }
  int run(Backstore& disk, Op op, std::span<std::byte> moved, bool fua = false) {
    Io io;
    io.op = op;
    io.data = moved;
    io.length_bytes = 4096;
    io.force_unit_access = fua;
    io.done = [](Io&) {};
    disk.submit(io);
    pool->wait_idle();
    return io.error;
  }
  std::vector<std::byte> data = std::vector<std::byte>(8192, std::byte{0x5a});
};

}  // namespace

// Red when a flush is answered and not passed on.
BOOST_FIXTURE_TEST_CASE(with_write_back_only_flush_and_fua_wait_for_the_medium, Fixture) {
  auto disk = open(false);
  BOOST_TEST(run(*disk, Op::write, data) == 0);
  BOOST_TEST(run(*disk, Op::write_zeroes, {}) == 0);
  BOOST_TEST(run(*disk, Op::discard, {}) == 0);
  BOOST_TEST(kernel.syncs == 0);
  BOOST_TEST(kernel.durable_writes == 0);
  BOOST_TEST(run(*disk, Op::flush, {}) == 0);
  BOOST_TEST(kernel.syncs == 1);
  BOOST_TEST(run(*disk, Op::write, data, true) == 0);
  BOOST_TEST(kernel.durable_writes == 1);
  BOOST_TEST(run(*disk, Op::write_zeroes, {}, true) == 0);
  BOOST_TEST(kernel.syncs == 2);
}

BOOST_FIXTURE_TEST_CASE(with_write_through_every_change_waits_for_the_medium, Fixture) {
  auto disk = open(true);
  int changes = 0;
  for (Op op : {Op::write, Op::write_zeroes, Op::discard}) {
    BOOST_TEST(run(*disk, op, op == Op::write ? std::span(data) : std::span<std::byte>()) == 0);
    BOOST_TEST(kernel.syncs == ++changes);
  }
  BOOST_TEST(run(*disk, Op::read, data) == 0);
  BOOST_TEST(run(*disk, Op::extent, {}) == 0);
  BOOST_TEST(kernel.syncs == changes);
}

// Red when data that the kernel has dropped is said to be safe: it tells that once.
BOOST_FIXTURE_TEST_CASE(an_error_of_the_sync_is_the_requests, Fixture) {
  for (int error : {EIO, ENOSPC}) {
    auto disk = open(true);
    kernel.sync_error = error;
    for (Op op : {Op::flush, Op::write, Op::write_zeroes, Op::discard})
      BOOST_TEST(run(*disk, op, op == Op::write ? std::span(data) : std::span<std::byte>()) ==
                 error);
    kernel.sync_error = 0;
    BOOST_TEST(run(*disk, Op::flush, {}) == 0);
  }
}

// Red when a request that makes no promise for the others takes a flush's only word of a loss.
BOOST_FIXTURE_TEST_CASE(a_flush_learns_of_a_loss_whoever_synced_before, Fixture) {
  auto disk = open(false);
  BOOST_TEST(run(*disk, Op::write, data) == 0);
  kernel.losses = 1;
  BOOST_TEST(run(*disk, Op::write, data, true) == EIO);
  BOOST_TEST(run(*disk, Op::discard, {}, true) == EIO);
  BOOST_TEST(run(*disk, Op::flush, {}) == EIO);
  BOOST_TEST(run(*disk, Op::flush, {}) == 0);
}

// Red when a discard that syncs meanwhile takes a write's only word of its loss.
BOOST_FIXTURE_TEST_CASE(a_write_learns_of_its_loss_whoever_synced_before, Fixture) {
  auto disk = open(true);
  kernel.losses = 1;
  BOOST_TEST(run(*disk, Op::discard, {}) == EIO);
  BOOST_TEST(run(*disk, Op::write, data) == EIO);
  BOOST_TEST(run(*disk, Op::write, data) == 0);
}

// Red when a short transfer passes for the whole, or an interruption for an error.
BOOST_FIXTURE_TEST_CASE(a_transfer_is_whole_though_the_kernel_does_it_in_parts, Fixture) {
  auto disk = open(true);
  kernel.halves = 3;
  kernel.interruptions = 2;
  BOOST_TEST(run(*disk, Op::write, data) == 0);
  BOOST_TEST(kernel.halves == 0);
  std::vector<std::byte> read(data.size());
  kernel.halves = 3;
  kernel.interruptions = 2;
  BOOST_TEST(run(*disk, Op::read, read) == 0);
  BOOST_TEST(kernel.halves == 0);
  BOOST_TEST((read == data));
}

namespace {

/// What an atomic write has the kernel sync, in order; the data itself goes with RWF_DSYNC.
enum Sync : int { kDiskFlushed = 1, kJournalWritten, kJournalCleared };

struct AtomicFixture : Fixture {
  AtomicFixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tsih-atomic-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    journal = open_atomic_journal(*pool, *disk, folder, "unit", "disk0", tsihd::Log{}).value();
    kernel.syncs = 0;
  }
  ~AtomicFixture() {
    journal.reset();
    std::filesystem::remove_all(folder);
  }
  int write_atomically() {
    Io io;
    io.op = Op::write;
    io.data = data;
    io.done = [](Io&) {};
    journal->write(io);
    pool->wait_idle();
    return io.error;
  }
  bool disk_has(std::byte value) {
    std::vector<std::byte> read(data.size());
    BOOST_TEST(run(*disk, Op::read, read) == 0);
    return read == std::vector<std::byte>(data.size(), value);
  }

  std::unique_ptr<Backstore> disk = open(false);
  std::string folder;
  std::unique_ptr<AtomicJournal> journal;
};

}  // namespace

// Red when a step of an atomic write does not wait for the medium.
BOOST_FIXTURE_TEST_CASE(an_atomic_write_waits_for_the_medium_at_every_step, AtomicFixture) {
  BOOST_TEST(write_atomically() == 0);
  BOOST_TEST(kernel.syncs == kJournalCleared);
  BOOST_TEST(kernel.durable_writes == 1);
  BOOST_TEST(disk_has(std::byte{0x5a}));
}

BOOST_FIXTURE_TEST_CASE(without_a_flush_or_a_journal_nothing_is_put_in_place, AtomicFixture) {
  for (const auto& [sync, error] :
       {std::pair{kDiskFlushed, EIO}, {kJournalWritten, ENOTRECOVERABLE}}) {
    kernel.syncs = 0;
    kernel.failing_sync = sync;
    BOOST_TEST(write_atomically() == error);
    BOOST_TEST(kernel.durable_writes == 0);
    BOOST_TEST(disk_has(std::byte{0}));
  }
  kernel.failing_sync = 0;
  BOOST_TEST(write_atomically() == 0);
  BOOST_TEST(disk_has(std::byte{0x5a}));
}

// Red when a disk goes on to change while its journal says what should be on it.
BOOST_FIXTURE_TEST_CASE(a_journal_that_cannot_be_cleared_stops_every_change, AtomicFixture) {
  kernel.failing_sync = kJournalCleared;
  BOOST_TEST(write_atomically() == ENOTRECOVERABLE);
  BOOST_TEST(disk->geometry().read_only);
  kernel.failing_sync = 0;
  BOOST_TEST(disk_has(std::byte{0x5a}));
  for (Op op : {Op::write, Op::write_zeroes, Op::discard})
    BOOST_TEST(run(*disk, op, op == Op::write ? std::span(data) : std::span<std::byte>()) == EROFS);
  BOOST_TEST(run(*disk, Op::flush, {}) == 0);
  BOOST_TEST(write_atomically() == EROFS);
}
