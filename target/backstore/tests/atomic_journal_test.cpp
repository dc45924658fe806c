// Atomic writes over a disk that loses what it has not flushed: cut short at every step, with every
// part of the data in place, they are whole or not there after the next start.
#include "target/backstore/atomic_journal.h"

#include <stdlib.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <random>

#include "target/backstore/tests/volatile_disk.h"

using namespace tsihd;
using namespace tsihd::backstore;
using namespace tsihd::backstore::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kSectors = 5;
constexpr std::size_t kOffset = 3 * kSector;
constexpr std::size_t kBytes = kSectors * kSector;
constexpr std::size_t kDiskBytes = 16 * kSector;
/// What an atomic write asks of its disk, in order.
enum : std::size_t { kNever, kFlush, kRead, kInPlace, kReadAgain, kPutBack };

Bytes filled(std::size_t bytes, std::uint64_t seed) {
  std::mt19937 dice(seed);
  Bytes data(bytes);
  for (std::byte& b : data) b = static_cast<std::byte>(dice());
  return data;
}
const auto kAll = [](std::size_t) { return true; };
const auto kNone = [](std::size_t) { return false; };

struct Fixture {
  Fixture() {
    std::string pattern = (fs::temp_directory_path() / "tsih-atomic-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    start(first);
  }
  ~Fixture() {
    journal.reset();
    fs::remove_all(folder);
  }

  Result<std::unique_ptr<AtomicJournal>> open(const std::string& serial = "unit") {
    log.clear();
    return open_atomic_journal(*pool, *disk, folder, serial, "disk0", collect);
  }
  /// The target starts over this content, with the journal as it is.
  void start(Bytes content) {
    journal.reset();
    disk = std::make_unique<VolatileDisk>(std::move(content));
    journal = open().value();
  }
  /// An atomic write that gets no further than to request number `stop_at` of the disk.
  void write(const Bytes& bytes, std::size_t stop_at = kNever, std::size_t offset = kOffset) {
    sent = bytes;
    done = false;
    io = Io{.op = Op::write, .offset_bytes = offset, .data = sent, .error = -1, .owner = this};
    io.done = [](Io& it) { static_cast<Fixture*>(it.owner)->done = true; };
    disk->asked.clear();
    disk->stop_at = stop_at;
    journal->write(io);
    pool->wait_idle();
  }
  void go_on(int error = 0, std::size_t part_sectors = 0) {
    disk->go_on(error, part_sectors);
    pool->wait_idle();
  }
  Bytes file() const { return read(folder / "atomic_unit"); }
  Bytes header() const {
    Bytes content = file();
    content.resize(kAtomicHeaderBytes);
    return content;
  }
  void set_file(const Bytes& content) const {
    std::ofstream(folder / "atomic_unit", std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()),
               static_cast<std::streamsize>(content.size()));
  }
  static Bytes read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
  }
  Bytes with(const Bytes& base, const Bytes& bytes, std::size_t offset = kOffset) const {
    Bytes content = base;
    std::ranges::copy(bytes, content.begin() + static_cast<std::ptrdiff_t>(offset));
    return content;
  }
  bool says(const char* what) const { return log.find(what) != log.npos; }

  const Bytes first = filled(kDiskBytes, 1);
  const Bytes data = filled(kBytes, 2);
  const Bytes second = with(first, data);
  fs::path folder;
  std::string log;
  Log collect{[this](Severity, std::string_view line) { (log += line) += '\n'; }};
  std::unique_ptr<IoPool> pool = IoPool::create(1, IoEngine::threads).value();
  std::unique_ptr<VolatileDisk> disk;
  std::unique_ptr<AtomicJournal> journal;
  Io io;
  Bytes sent;
  bool done = false;
};

std::function<bool(std::size_t)> by(std::uint64_t seed) {
  return [dice = std::mt19937(seed)](std::size_t) mutable { return (dice() & 1) != 0; };
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(atomic_journal, Fixture)

BOOST_AUTO_TEST_CASE(a_write_that_ended_is_on_the_medium_and_the_journal_is_clear) {
  const Bytes cleared = header();
  write(data);
  BOOST_TEST((done && io.error == 0));
  BOOST_TEST((disk->durable == second));
  BOOST_TEST((disk->asked == std::vector{Op::flush, Op::read, Op::write}));
  BOOST_TEST((header() == cleared));
  start(disk->after_power_cut(kNone));
  BOOST_TEST((disk->now == second));
  BOOST_TEST(log == "");
}

// Red when the disk is touched before the journal is whole, when a torn write is left torn, or when
// one that had not begun is begun.
BOOST_AUTO_TEST_CASE(in_place_every_part_of_it_becomes_whole) {
  for (unsigned parts = 0; parts < 1u << kSectors; ++parts) {
    start(first);
    write(data, kInPlace);
    BOOST_TEST(!done);
    const auto keeps = [&](std::size_t sector) {
      const std::size_t i = sector - kOffset / kSector;
      return i < kSectors && (parts >> i & 1) != 0;
    };
    start(disk->after_power_cut(keeps));
    BOOST_TEST((disk->now == (parts == 0 ? first : second)));
    BOOST_TEST((disk->durable == disk->now));
    start(disk->after_power_cut(kNone));  // and the journal is clear
    BOOST_TEST(log == "");
    BOOST_TEST((disk->now == (parts == 0 ? first : second)));
  }
}

BOOST_AUTO_TEST_CASE(before_the_journal_is_whole_nothing_has_happened) {
  for (std::size_t step : {kFlush, kRead}) {
    write(data, step);
    start(disk->after_power_cut(kAll));
    BOOST_TEST(log == "");
    BOOST_TEST((disk->now == first));
  }
}

// Red when an entry of which a part is missing is believed.
BOOST_AUTO_TEST_CASE(a_torn_journal_is_dropped) {
  const Bytes cleared = file();
  write(data, kInPlace);
  const Bytes whole = file();
  journal.reset();
  for (unsigned seed = 0; seed < 50; ++seed) {
    const auto reached = by(seed);
    Bytes torn = cleared;
    bool all = true;
    for (std::size_t at = 0; at < whole.size(); at += kSector) {
      const bool differs =
          !std::equal(whole.begin() + at, whole.begin() + at + kSector, cleared.begin() + at);
      const bool there = !differs || reached(at);
      if (there) std::copy_n(whole.begin() + at, kSector, torn.begin() + at);
      all = all && there;
    }
    if (all) continue;
    // Some sectors in place, which cannot be: with them a belief in the entry would show.
    Bytes mixed = with(first, Bytes(data.begin(), data.begin() + kSector));
    set_file(torn);
    start(mixed);
    BOOST_TEST((disk->now == mixed));
    BOOST_TEST(!says("cut_short"));
  }
}

BOOST_AUTO_TEST_CASE(a_write_whose_journal_was_not_cleared_stays_done) {
  write(data, kInPlace);
  const Bytes whole = file();
  go_on();
  BOOST_TEST((done && io.error == 0));
  journal.reset();
  set_file(whole);
  start(disk->after_power_cut(kNone));
  BOOST_TEST(says("it was done"));
  BOOST_TEST((disk->now == second));
}

// Red when the old content is read from a cache that may be lost: then what the journal calls old
// is not what a power cut leaves, and a torn write is taken for somebody else's.
BOOST_AUTO_TEST_CASE(what_was_not_flushed_before_does_not_make_it_foreign) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    start(first);
    disk->now = with(first, filled(kBytes, 100 + seed));  // in the cache only
    const Bytes cached = disk->now;
    write(data, kInPlace);
    start(disk->after_power_cut(by(seed)));
    BOOST_TEST((disk->now == cached || disk->now == with(cached, data)));
  }
}

// Red when what was settled from a cache is not flushed before the journal goes: a kill, then a
// power cut.
BOOST_AUTO_TEST_CASE(after_a_kill_what_is_settled_is_on_the_medium) {
  for (unsigned parts : {0u, 1u, (1u << kSectors) - 1}) {
    start(first);
    write(data, kInPlace);
    Bytes cached = first;
    for (std::size_t i = 0; i < kSectors; ++i)
      if ((parts >> i & 1) != 0)
        std::copy_n(data.begin() + i * kSector, kSector, cached.begin() + kOffset + i * kSector);
    journal.reset();
    disk = std::make_unique<VolatileDisk>(first);
    disk->now = cached;
    journal = open().value();
    const Bytes& expected = parts == 0 ? first : second;
    BOOST_TEST((disk->now == expected));
    BOOST_TEST((disk->durable == expected));
  }
}

BOOST_AUTO_TEST_CASE(a_disk_that_was_written_elsewhere_is_left_alone) {
  for (std::size_t i = 0; i < kSectors; ++i) {
    start(first);
    write(data, kInPlace);
    Bytes elsewhere = disk->after_power_cut(by(i));
    elsewhere[kOffset + i * kSector + 17] ^= std::byte{0x10};
    start(elsewhere);
    BOOST_TEST((disk->now == elsewhere));
    BOOST_TEST(says("written elsewhere"));
    BOOST_TEST(std::ranges::count(log, '\n') == 1);
    start(disk->now);
    BOOST_TEST(log == "");
  }
}

BOOST_AUTO_TEST_CASE(a_journal_of_another_disk_stops_the_start_and_stays) {
  write(data, kInPlace);
  journal.reset();
  fs::copy(folder / "atomic_unit", folder / "atomic_other");
  const Bytes whole = read(folder / "atomic_other");
  const auto opened = open("other");
  BOOST_TEST_REQUIRE(!opened.has_value());
  BOOST_TEST(opened.error().message.find("another disk; move the file away") != std::string::npos);
  BOOST_TEST((read(folder / "atomic_other") == whole));
}

BOOST_AUTO_TEST_CASE(garbage_is_dropped_and_nothing_touched) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    journal.reset();
    set_file(filled(seed * 5000 + 1, seed));
    start(first);
    BOOST_TEST(says("torn_journal"));
    BOOST_TEST((disk->durable == first));
    write(data);
    BOOST_TEST((done && io.error == 0));
  }
}

BOOST_AUTO_TEST_CASE(a_journal_has_one_user) {
  const auto again = open();
  BOOST_TEST_REQUIRE(!again.has_value());
  BOOST_TEST(again.error().message.find("in use by another process") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_range_that_a_shrink_cut_off_is_settled_as_far_as_it_goes) {
  for (std::size_t left : {std::size_t{0}, std::size_t{2}}) {
    start(first);
    write(data, kInPlace);
    Bytes content = disk->after_power_cut([](std::size_t s) { return s == kOffset / kSector; });
    content.resize(kOffset + left * kSector);
    start(content);
    Bytes expected = second;
    expected.resize(content.size());
    BOOST_TEST((disk->now == (left == 0 ? content : expected)));
  }
}

// Red when a start goes on though it could not settle a write, or drops the journal of it.
BOOST_AUTO_TEST_CASE(a_disk_that_fails_at_the_start_keeps_its_journal) {
  write(data, kInPlace);
  const Bytes torn = disk->after_power_cut(by(1));
  const Bytes whole = file();
  for (std::size_t bad : {1, 2, 3}) {  // read, write, flush
    journal.reset();
    disk = std::make_unique<VolatileDisk>(torn);
    disk->stop_at = bad;
    struct Failing : Backstore {
      VolatileDisk& disk;
      explicit Failing(VolatileDisk& it) : disk(it) {}
      std::string_view type() const override { return disk.type(); }
      const Geometry& geometry() const override { return disk.geometry(); }
      void submit(Io& it) override {
        disk.submit(it);
        if (disk.stopped != nullptr) disk.go_on(EIO);
      }
      Result<bool> refresh_size() override { return false; }
      Result<void> resize(std::uint64_t) override { return {}; }
    } failing(*disk);
    const auto opened = open_atomic_journal(*pool, failing, folder, "unit", "disk0", collect);
    BOOST_TEST_REQUIRE(!opened.has_value());
    BOOST_TEST(opened.error().message.find("move the file away") != std::string::npos);
    BOOST_TEST((file() == whole));
  }
  start(torn);
  BOOST_TEST((disk->durable == second));
}

// -- errors while it runs

BOOST_AUTO_TEST_CASE(an_error_before_the_journal_changes_nothing) {
  for (std::size_t step : {kFlush, kRead}) {
    write(data, step);
    go_on(EIO);
    BOOST_TEST((done && io.error == EIO));
    BOOST_TEST((disk->now == first));
    BOOST_TEST(!disk->geometry().read_only);
    write(data);
    BOOST_TEST((done && io.error == 0));
    start(first);
  }
}

// Red when a write that failed in the middle leaves its beginning, or writes what it need not: a
// hole of a full filesystem.
BOOST_AUTO_TEST_CASE(an_error_in_place_is_undone) {
  for (std::size_t part = 0; part < kSectors; ++part) {
    start(first);
    write(data, kInPlace);
    go_on(ENOSPC, part);
    BOOST_TEST((done && io.error == ENOSPC));
    BOOST_TEST((disk->now == first));
    BOOST_TEST((disk->durable == first));
    BOOST_TEST(disk->asked.size() == (part == 0 ? kReadAgain : kPutBack));
    BOOST_TEST(!disk->geometry().read_only);
    start(disk->after_power_cut(kNone));
    BOOST_TEST(log == "");
  }
}

BOOST_AUTO_TEST_CASE(a_shrink_in_the_middle_needs_no_undoing_beyond_the_end) {
  for (std::size_t left : {std::size_t{0}, std::size_t{2}}) {
    start(first);
    write(data, kInPlace);
    BOOST_TEST(disk->resize(kOffset + left * kSector).has_value());
    go_on();
    BOOST_TEST((done && io.error == EIO));
    BOOST_TEST(!disk->geometry().read_only);
    BOOST_TEST((disk->now == first));
  }
}

// Red when a disk that failed the undoing goes on to be written: the journal would take that for
// old or for foreign at the next start.
BOOST_AUTO_TEST_CASE(what_cannot_be_undone_stops_changes_until_the_next_start) {
  write(data, kInPlace);
  disk->error_from_now = EIO;
  go_on(EIO, 2);
  BOOST_TEST((done && io.error == EIO));
  BOOST_TEST(disk->geometry().read_only);
  BOOST_TEST(says("atomic.unsettled disk=disk0"));
  disk->error_from_now = 0;
  write(filled(kBytes, 3));  // nor may another use the journal
  BOOST_TEST((done && io.error == EROFS));
  start(disk->after_power_cut(kNone));
  BOOST_TEST((disk->durable == second));
}

// Plain writes, some of them flushed, and atomic ones that end anywhere, in any order and places:
// what was flushed or atomic and ended is there, and what is atomic and did not end is whole.
BOOST_AUTO_TEST_CASE(whole_lives_by_seeds) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 dice(seed);
    Bytes content = filled(kDiskBytes, seed);
    start(content);
    for (unsigned round = 0; round < 4; ++round) {
      const std::size_t offset = dice() % 8 * kSector;
      const Bytes fresh = filled((1 + dice() % 8) * kSector, dice());
      disk->now = with(disk->now, filled(2 * kSector, dice()), dice() % 14 * kSector);
      const Bytes before = disk->now;
      write(fresh, dice() % 5, offset);
      const Bytes after = with(before, fresh, offset);
      if (done) {
        BOOST_TEST((disk->durable == after));
        continue;
      }
      const bool flushed = disk->asked.size() > kFlush;
      start(disk->after_power_cut(by(dice())));
      BOOST_TEST((!flushed || disk->durable == before || disk->durable == after));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
