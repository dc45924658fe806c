// The contract of every backstore, on real files and by both engines: what is written is read,
// discards read as zeroes, sizes follow the file, and errors are errors and one clear line.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include "target/backstore/file_disk.h"
#include "target/backstore/open.h"

using namespace tsihd::backstore;

namespace {

constexpr std::uint64_t kMiB = 1u << 20;

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tsih-disk-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const char* name) const { return (path / name).string(); }
};

FileDiskFiles opened(const char* path) {
  return open_for_each_lane(Fd(::open(path, O_RDWR | O_CLOEXEC)), false, path).value();
}

/// Past the page cache, as `block` has its device; no block device is needed to see it. Where the
/// filesystem of the tests' folder has no O_DIRECT it is one more file.
std::unique_ptr<Backstore> open_direct(IoPool& pool, const std::string& path) {
  int raw = ::open(path.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
  const bool direct = raw >= 0;
  if (!direct) raw = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  Fd fd(raw);
  BOOST_TEST_REQUIRE(::ftruncate(fd.get(), kMiB) == 0);
  FileDiskOptions options{.type = "fileio", .path = path, .direct = direct, .geometry = {}};
  options.geometry.size_bytes = kMiB;
  options.geometry.can_discard = true;
  auto files = open_for_each_lane(std::move(fd), direct, path).value();
  return std::make_unique<FileDisk>(pool, std::move(files), std::move(options));
}

struct Fixture {
  Folder folder;
  std::unique_ptr<IoPool> pool = IoPool::create(4, IoEngine::threads).value();

  std::unique_ptr<Backstore> open(const std::string& kind) {
    if (kind == "ramdisk") return open_ramdisk({.size_bytes = kMiB}).value();
    if (kind == "direct") return open_direct(*pool, folder.file("disk"));
    return open_fileio(*pool, {.path = folder.file("disk"),
                               .write_back = kind == "write_back",
                               .read_only = false,
                               .block_size_bytes = 512,
                               .create_size_bytes = kMiB})
        .value();
  }

  /// Null, and a line in the log, where io_uring is not to be had.
  std::unique_ptr<Backstore> open(const std::string& kind, IoEngine engine) {
    auto other = IoPool::create(4, engine);
    if (!other) {
      BOOST_TEST_MESSAGE("not tested: " << other.error().message);
      return nullptr;
    }
    pool = std::move(*other);
    return open(kind);
  }

  int run(Backstore& disk, Op op, std::uint64_t offset, std::span<std::byte> data,
          std::uint64_t length = 0, bool fua = false) {
    int calls = 0;
    Io io;
    io.op = op;
    io.force_unit_access = fua;
    io.offset_bytes = offset;
    io.data = data;
    io.length_bytes = length;
    io.owner = &calls;
    io.done = [](Io& done) { ++*static_cast<int*>(done.owner); };
    disk.submit(io);
    pool->wait_idle();
    BOOST_TEST(calls == 1);
    return io.error;
  }
  std::vector<std::byte> read(Backstore& disk, std::uint64_t offset, std::size_t bytes) {
    std::vector<std::byte> data(bytes, std::byte{0xee});
    BOOST_TEST(run(disk, Op::read, offset, data) == 0);
    return data;
  }
};

std::vector<std::byte> filled(std::size_t bytes, unsigned seed) {
  std::vector<std::byte> data(bytes);
  for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>(seed + i * 7 + i / 251);
  return data;
}

/// What there is of each, as Boost.Test prints it: the kind of disk, and the engine behind it.
const char* const kKinds[] = {"ramdisk", "write_back", "write_through", "direct"};
const char* const kEngines[] = {"threads", "uring"};
const auto kDisks = boost::unit_test::data::make(kKinds) * boost::unit_test::data::make(kEngines);
IoEngine engine_of(std::string_view name) {
  return name == "uring" ? IoEngine::uring : IoEngine::threads;
}

std::string error_of(const tsihd::Result<std::unique_ptr<Backstore>>& result) {
  return result ? "no error" : result.error().message;
}
bool says(const std::string& line, const char* words) {
  const bool good = line.find(words) != std::string::npos && line.find('\n') == std::string::npos;
  if (!good) BOOST_TEST_MESSAGE("expected \"" << words << "\" in: " << line);
  return good;
}

}  // namespace

BOOST_DATA_TEST_CASE_F(Fixture, what_is_written_is_read, kDisks, kind, engine) {
  auto disk = open(kind, engine_of(engine));
  if (disk == nullptr) return;
  auto data = filled(70000 / 512 * 512, 3);
  for (bool fua : {false, true}) {
    BOOST_TEST(run(*disk, Op::write, 1024, data, 0, fua) == 0);
    BOOST_TEST((read(*disk, 1024, data.size()) == data));
    data = filled(data.size(), 9);
  }
  BOOST_TEST(run(*disk, Op::flush, 0, {}) == 0);
  BOOST_TEST((read(*disk, 0, 1024) == std::vector<std::byte>(1024)));
}

BOOST_DATA_TEST_CASE_F(Fixture, discarded_and_zeroed_ranges_read_as_zeroes, kDisks, kind, engine) {
  auto disk = open(kind, engine_of(engine));
  if (disk == nullptr) return;
  BOOST_TEST(disk->geometry().can_discard);
  auto data = filled(65536, 1);
  for (Op op : {Op::discard, Op::write_zeroes}) {
    BOOST_TEST(run(*disk, Op::write, 0, data) == 0);
    BOOST_TEST(run(*disk, op, 512, {}, 16384) == 0);
    auto expected = data;
    std::fill_n(expected.begin() + 512, 16384, std::byte{0});
    BOOST_TEST((read(*disk, 0, data.size()) == expected));
  }
}

// Red when data is called a hole: an initiator that copies only what is mapped would lose it.
BOOST_DATA_TEST_CASE_F(Fixture, extents_tell_holes_from_data, kDisks, kind, engine) {
  auto disk = open(kind, engine_of(engine));
  if (disk == nullptr) return;
  const auto extent = [&](std::uint64_t offset_bytes, std::uint64_t length_bytes) {
    Io io;
    io.op = Op::extent;
    io.offset_bytes = offset_bytes;
    io.length_bytes = length_bytes;
    io.done = [](Io&) {};
    disk->submit(io);
    pool->wait_idle();
    BOOST_TEST(io.error == 0);
    return std::pair(io.length_bytes, io.deallocated);
  };
  using Answer = std::pair<std::uint64_t, bool>;
  constexpr std::uint64_t kData = 512 * 1024;  // whole pages of any filesystem
  constexpr std::uint64_t kDataBytes = 128 * 1024;
  BOOST_TEST((extent(0, kMiB) == Answer{kMiB, true}));
  auto data = filled(kDataBytes, 1);
  BOOST_TEST(run(*disk, Op::write, kData, data) == 0);
  BOOST_TEST((extent(0, kMiB) == Answer{kData, true}));
  BOOST_TEST((extent(512, 1024) == Answer{1024, true}));
  BOOST_TEST((extent(kData, kMiB - kData) == Answer{kDataBytes, false}));
  BOOST_TEST((extent(kData + kDataBytes - 512, 4096) == Answer{512, false}));
  BOOST_TEST((extent(kMiB - 512, 512) == Answer{512, true}));
  BOOST_TEST(run(*disk, Op::discard, kData, {}, kDataBytes) == 0);
  BOOST_TEST((extent(0, kMiB) == Answer{kMiB, true}));
  BOOST_TEST(disk->resize(kMiB / 2).has_value());
  BOOST_TEST(disk->resize(kMiB).has_value());
  BOOST_TEST((extent(0, kMiB) == Answer{kMiB, true}));
}

BOOST_DATA_TEST_CASE_F(Fixture, beyond_the_end_is_an_error_and_the_disk_stays_up, kDisks, kind,
                       engine) {
  auto disk = open(kind, engine_of(engine));
  if (disk == nullptr) return;
  std::vector<std::byte> data(8192);
  for (std::uint64_t inside : {data.size() - 4096, data.size() - 512, std::size_t{0}}) {
    BOOST_TEST(run(*disk, Op::read, kMiB - inside, data) == EIO);
    BOOST_TEST(run(*disk, Op::write, kMiB - inside, data) == EIO);
    for (Op op : {Op::write_zeroes, Op::discard})
      BOOST_TEST(run(*disk, op, kMiB - inside, {}, data.size()) == EIO);
    BOOST_TEST(!disk->refresh_size().value());
  }
  BOOST_TEST(run(*disk, Op::write, kMiB - data.size(), data) == 0);
  BOOST_TEST(run(*disk, Op::read, kMiB - data.size(), data) == 0);
}

BOOST_DATA_TEST_CASE_F(Fixture, resize_both_ways, kDisks, kind, engine) {
  auto disk = open(kind, engine_of(engine));
  if (disk == nullptr) return;
  auto data = filled(4096, 5);
  BOOST_TEST(run(*disk, Op::write, kMiB - 4096, data) == 0);
  BOOST_TEST(disk->resize(2 * kMiB).has_value());
  BOOST_TEST(disk->geometry().size_bytes == 2 * kMiB);
  BOOST_TEST((read(*disk, kMiB - 4096, 4096) == data));
  BOOST_TEST((read(*disk, 2 * kMiB - 4096, 4096) == std::vector<std::byte>(4096)));
  BOOST_TEST(disk->resize(kMiB - 512).has_value());
  BOOST_TEST(disk->resize(kMiB).has_value());
  auto cut = data;
  std::fill(cut.end() - 512, cut.end(), std::byte{0});
  BOOST_TEST((read(*disk, kMiB - 4096, 4096) == cut));
  BOOST_TEST(!disk->resize(1000).has_value());
  BOOST_TEST(!disk->resize(0).has_value());
  BOOST_TEST(disk->geometry().size_bytes == kMiB);
}

// Red when memory is worked through in one go: the other connections of the loop would wait for it.
BOOST_FIXTURE_TEST_CASE(a_long_command_on_a_ramdisk_leaves_a_turn_to_the_others, Fixture) {
  auto disk = open_ramdisk({.size_bytes = 16 * kMiB, .pool = pool.get()}).value();
  bool done = false;
  Io io;
  io.op = Op::write_zeroes;
  io.owner = &done;
  io.done = [](Io& it) { *static_cast<bool*>(it.owner) = true; };
  io.length_bytes = 4096;
  disk->submit(io);
  BOOST_TEST(done);
  done = false;
  io.length_bytes = 16 * kMiB;
  disk->submit(io);
  BOOST_TEST(!done);
  pool->wait_idle();
  BOOST_TEST(done);
}

BOOST_FIXTURE_TEST_CASE(a_file_that_changes_outside_is_noticed, Fixture) {
  auto disk = open("write_back");
  BOOST_TEST(!disk->refresh_size().value());
  std::filesystem::resize_file(folder.file("disk"), 3 * kMiB + 100);
  BOOST_TEST(disk->refresh_size().value());
  BOOST_TEST(disk->geometry().size_bytes == 3 * kMiB);  // whole blocks only
  std::filesystem::resize_file(folder.file("disk"), kMiB / 2);
  BOOST_TEST(disk->refresh_size().value());
  BOOST_TEST(disk->geometry().size_bytes == kMiB / 2);
}

BOOST_FIXTURE_TEST_CASE(a_write_that_was_queued_when_the_file_shrank_does_not_grow_it, Fixture) {
  auto disk = open("write_back");
  auto data = filled(4096, 1);
  Io io;
  io.op = Op::write;
  io.offset_bytes = kMiB - 4096;
  io.data = data;
  int calls = 0;
  io.owner = &calls;
  io.done = [](Io& done) { ++*static_cast<int*>(done.owner); };
  disk->submit(io);                        // waits for the flush
  const bool copied_at_once = calls == 1;  // where the tests' folder is on tmpfs, XFS or btrfs
  BOOST_TEST(disk->resize(kMiB / 2).has_value());
  pool->wait_idle();
  BOOST_TEST(io.error == (copied_at_once ? 0 : EIO));
  BOOST_TEST(!disk->refresh_size().value());
  BOOST_TEST(disk->geometry().size_bytes == kMiB / 2);
}

// Red when zeroes or holes are made beyond the end: a file keeps room there that nobody can use.
BOOST_FIXTURE_TEST_CASE(what_was_queued_when_the_file_shrank_changes_nothing_beyond_its_end,
                        Fixture) {
  auto disk = open("write_back");
  for (Op op : {Op::write_zeroes, Op::discard}) {
    Io io;
    io.op = op;
    io.offset_bytes = kMiB / 2;
    io.length_bytes = kMiB / 2;
    io.done = [](Io&) {};
    BOOST_TEST(disk->resize(kMiB).has_value());
    disk->submit(io);
    BOOST_TEST(disk->resize(kMiB / 2).has_value());
    pool->wait_idle();
    BOOST_TEST(io.error == EIO);
    struct stat info {};
    ::stat(folder.file("disk").c_str(), &info);
    BOOST_TEST(info.st_blocks == 0);
  }
}

// Red when zeroes take room beyond the end of a file that somebody else has cut short.
BOOST_FIXTURE_TEST_CASE(zeroes_do_not_grow_a_file_that_shrank_outside, Fixture) {
  auto disk = open("write_back");
  std::filesystem::resize_file(folder.file("disk"), kMiB / 2);
  run(*disk, Op::write_zeroes, kMiB / 2, {}, kMiB / 2);
  BOOST_TEST(std::filesystem::file_size(folder.file("disk")) == kMiB / 2);
}

// /dev/full takes nothing and never runs dry: a disk on a filesystem that is full.
BOOST_FIXTURE_TEST_CASE(a_full_filesystem_is_an_error_and_the_disk_stays_up, Fixture) {
  FileDiskOptions options{.type = "fileio", .path = "/dev/full", .geometry = {}};
  options.geometry.size_bytes = kMiB;
  FileDisk disk(*pool, opened("/dev/full"), std::move(options));
  std::vector<std::byte> data(4096, std::byte{1});
  BOOST_TEST(run(disk, Op::write, 0, data) == ENOSPC);
  BOOST_TEST(run(disk, Op::read, 0, data) == 0);
  BOOST_TEST(run(disk, Op::write, 0, data) == ENOSPC);
}

// Red when an initiator hears of a bad block, or of a full disk, where there is no disk any more. A
// file that is taken for a device has no device's size, like one that has been pulled out.
BOOST_FIXTURE_TEST_CASE(a_device_that_is_gone_is_no_bad_block, Fixture) {
  FileDiskOptions options{
      .type = "block", .path = "/dev/full", .block_device = true, .geometry = {}};
  options.geometry.size_bytes = kMiB;
  FileDisk full(*pool, opened("/dev/full"), options);
  std::vector<std::byte> data(4096);
  BOOST_TEST(run(full, Op::write, 0, data) == ENODEV);
  FileDisk empty(*pool, opened("/dev/null"), options);
  BOOST_TEST(run(empty, Op::read, 0, data) == ENODEV);
  BOOST_TEST(!empty.refresh_size().has_value());
  BOOST_TEST(empty.geometry().size_bytes == kMiB);
}

BOOST_FIXTURE_TEST_CASE(a_new_file_is_sparse_and_a_discard_gives_space_back, Fixture) {
  auto disk = open("write_back");
  struct stat info {};
  ::stat(folder.file("disk").c_str(), &info);
  BOOST_TEST(info.st_blocks * 512 < 65536);
  auto data = filled(kMiB, 1);
  BOOST_TEST(run(*disk, Op::write, 0, data) == 0);
  BOOST_TEST(run(*disk, Op::flush, 0, {}) == 0);
  ::stat(folder.file("disk").c_str(), &info);
  const auto full = info.st_blocks;
  BOOST_TEST(run(*disk, Op::discard, 0, {}, kMiB) == 0);
  ::stat(folder.file("disk").c_str(), &info);
  BOOST_TEST(info.st_blocks < full / 2);
}

BOOST_FIXTURE_TEST_CASE(an_existing_file_keeps_its_content_and_grows, Fixture) {
  std::ofstream(folder.file("disk")) << std::string(1024, 'x');
  auto disk = open_fileio(*pool, {.path = folder.file("disk"), .create_size_bytes = kMiB}).value();
  BOOST_TEST(disk->geometry().size_bytes == kMiB);
  BOOST_TEST((read(*disk, 0, 1)[0] == std::byte{'x'}));
  BOOST_TEST(!disk->geometry().write_cache);
}

BOOST_FIXTURE_TEST_CASE(a_read_only_disk_refuses_writes, Fixture) {
  open("write_back");
  auto disk = open_fileio(*pool, {.path = folder.file("disk"), .read_only = true}).value();
  std::vector<std::byte> data(512);
  BOOST_TEST(disk->geometry().read_only);
  BOOST_TEST(run(*disk, Op::read, 0, data) == 0);
  BOOST_TEST(run(*disk, Op::write, 0, data) == EROFS);
  BOOST_TEST(!disk->resize(2 * kMiB).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_file_that_cannot_be_made_large_enough_is_not_left_behind, Fixture) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1u << 30, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const std::string path = folder.file("large");
  const auto opened = open_fileio(*pool, {.path = path, .create_size_bytes = 2ull << 30});
  ::setrlimit(RLIMIT_FSIZE, &before);
  BOOST_TEST(says(error_of(opened), "File too large"));
  BOOST_TEST(!std::filesystem::exists(path));
}

// Red when a device that cannot write zeroes is asked for a hole, which it would refuse.
BOOST_FIXTURE_TEST_CASE(a_disk_whose_discards_leave_anything_goes_by_blkdiscard, Fixture) {
  Fd fd(::open(folder.file("disk").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  BOOST_TEST_REQUIRE(::ftruncate(fd.get(), kMiB) == 0);
  FileDiskOptions options{.type = "block", .path = folder.file("disk"), .geometry = {}};
  options.geometry.size_bytes = kMiB;
  options.geometry.can_discard = true;
  options.geometry.discard_zeroes = false;
  FileDisk disk(*pool, open_for_each_lane(std::move(fd), false, options.path).value(),
                std::move(options));
  BOOST_TEST(run(disk, Op::discard, 0, {}, 4096) == ENOTTY);  // a file has no such ioctl
  BOOST_TEST(run(disk, Op::discard, kMiB, {}, 4096) == EIO);
}

BOOST_FIXTURE_TEST_CASE(bad_input_gets_one_clear_line, Fixture) {
  const std::string missing = folder.file("none");
  BOOST_TEST(says(error_of(open_fileio(*pool, {.path = missing})), "no such file"));
  BOOST_TEST(says(error_of(open_fileio(*pool, {.path = missing})), missing.c_str()));
  BOOST_TEST(!std::filesystem::exists(missing));
  BOOST_TEST(says(error_of(open_fileio(*pool, {.path = folder.path.string()})), "directory"));
  BOOST_TEST(says(error_of(open_fileio(*pool, {.path = "/dev/null"})), "character device"));
  BOOST_TEST(says(error_of(open_block(*pool, {.path = missing})), "no such file or device"));
  std::ofstream(folder.file("empty")).flush();
  BOOST_TEST(says(error_of(open_fileio(*pool, {.path = folder.file("empty")})), "less than one"));
  BOOST_TEST(says(error_of(open_block(*pool, {.path = folder.file("empty")})), "fileio"));
  BOOST_TEST(says(error_of(open_fileio(*pool, {.path = missing, .block_size_bytes = 520})), "520"));
  BOOST_TEST(
      says(error_of(open_fileio(*pool, {.path = missing, .create_size_bytes = 513})), "multiple"));
  const std::string deep = folder.file("a") + "/b";
  BOOST_TEST(says(error_of(open_fileio(*pool, {.path = deep, .create_size_bytes = kMiB})),
                  "folder does not exist"));
  BOOST_TEST(!open_fileio(*pool, {.path = missing, .create_size_bytes = 1ull << 63}).has_value());
  BOOST_TEST(says(error_of(open_ramdisk({.size_bytes = 100})), "multiple"));
}
