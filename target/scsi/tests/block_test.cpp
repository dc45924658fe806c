// SBC: what is written is read, and nothing outside the disk or the rules is.
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "target/scsi/limits.h"
#include "target/scsi/tests/bench.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;
namespace backstore = tsihd::backstore;

BOOST_FIXTURE_TEST_SUITE(block, Bench)

BOOST_AUTO_TEST_CASE(read_what_was_written_in_every_length) {
  const Bytes data = filled(4096, 7);
  BOOST_TEST(a->send(cdb10(0x2a, 8, 8), data).good());
  BOOST_TEST((b->send(cdb10(0x28, 8, 8)).data() == data));
  BOOST_TEST((b->send(cdb16(0x88, 8, 8)).data() == data));
  BOOST_TEST((b->send({0xa8, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0}).data() == data));
  BOOST_TEST((b->send({0x08, 0, 0, 8, 8, 0}).data() == data));
  const Bytes other = filled(131072, 9);  // WRITE(6): a length of 0 is 256 blocks
  BOOST_TEST(a->send({0x0a, 0, 0, 16, 0, 0}, other).good());
  BOOST_TEST((b->send({0x08, 0, 0, 16, 0, 0}).data() == other));
  BOOST_TEST(a->send(cdb16(0x8a, 8, 8, 0x08), data).good());  // FUA
  BOOST_TEST(a->send({0xaa, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0}, data).good());
  BOOST_TEST(a->send(cdb10(0x35, 0, 0)).good());
  BOOST_TEST(a->send(cdb16(0x91, 0, 0)).good());
}

BOOST_AUTO_TEST_CASE(ranges_are_checked) {
  BOOST_TEST(a->send(cdb10(0x28, kBlocks - 1, 1)).good());
  const Sent& beyond = a->send(cdb10(0x28, kBlocks - 1, 2));
  BOOST_TEST(beyond.failed(0x5, 0x2100));
  BOOST_TEST(beyond.information() == kBlocks);
  BOOST_TEST(a->send(cdb16(0x88, UINT64_MAX, 2)).failed(0x5, 0x2100));
  BOOST_TEST(a->send(cdb16(0x8a, UINT64_MAX - 1, 2), Bytes(1024)).failed(0x5, 0x2100));
  BOOST_TEST(a->send(cdb10(0x28, 0, 0)).good());
  BOOST_TEST(a->send(cdb10(0x28, kBlocks, 0)).good());
  BOOST_TEST(a->send(cdb10(0x28, kBlocks + 1, 0)).failed(0x5, 0x2100));
  BOOST_TEST(a->send(cdb10(0x35, kBlocks + 1, 0)).failed(0x5, 0x2100));
  BOOST_TEST(a->send(cdb10(0x34, kBlocks, 1)).failed(0x5, 0x2100));
}

BOOST_AUTO_TEST_CASE(protection_bits_are_refused) {
  for (const std::uint8_t opcode :
       std::initializer_list<std::uint8_t>{0x28, 0x2a, 0x2e, 0x2f, 0x41})
    BOOST_TEST(a->send(cdb10(opcode, 0, 1, 0x20), Bytes(512)).failed(0x5, 0x2400));
  for (const std::uint8_t opcode :
       std::initializer_list<std::uint8_t>{0x88, 0x8a, 0x89, 0x8b, 0x8e, 0x8f, 0x93})
    BOOST_TEST(a->send(cdb16(opcode, 0, 1, 0x80), Bytes(512)).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(residuals_in_both_directions) {
  const Bytes data = filled(1024, 1);
  BOOST_TEST(a->send(cdb10(0x2a, 0, 2), data).good());
  const Sent& less = a->send(cdb10(0x28, 0, 2), {}, 700);
  BOOST_TEST(less.good());
  BOOST_TEST(less.command.required_data_in_bytes == 1024u);
  BOOST_TEST((less.data() == Bytes(data.begin(), data.begin() + 700)));
  const Sent& more = a->send(cdb10(0x28, 0, 1), {}, 4096);
  BOOST_TEST(more.data().size() == 512u);
  BOOST_TEST(more.command.required_data_in_bytes == 512u);
  // A write of two blocks of which one comes: the block that came is written.
  const Bytes other = filled(512, 99);
  const Sent& half = a->send(cdb10(0x2a, 0, 2), other);
  BOOST_TEST(half.good());
  BOOST_TEST(half.command.required_data_out_bytes == 1024u);
  Bytes expected = data;
  std::ranges::copy(other, expected.begin());
  BOOST_TEST((a->send(cdb10(0x28, 0, 2)).data() == expected));
  BOOST_TEST(a->send(cdb10(0x2a, 0, 1)).good());  // none comes
  BOOST_TEST((a->send(cdb10(0x28, 0, 2)).data() == expected));
}

BOOST_AUTO_TEST_CASE(more_than_the_stated_limit_is_refused) {
  BOOST_TEST(unit->resize(64u << 20).has_value());
  a->send(kTestUnitReady);
  const std::uint32_t limit = kMaxTransferBytes / 512;
  BOOST_TEST(a->send(cdb16(0x88, 0, limit)).data().size() == kMaxTransferBytes);
  BOOST_TEST(a->send(cdb16(0x88, 0, limit + 1)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(cdb16(0x8a, 0, limit + 1), Bytes(512)).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(capacity) {
  const Bytes ten = a->send({0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}).data();
  BOOST_TEST(get32(&ten[0]) == kBlocks - 1);
  BOOST_TEST(get32(&ten[4]) == 512u);
  Cdb cdb = cdb16(0x9e, 0, 32, 0x10);
  const Bytes sixteen = a->send(cdb).data();
  BOOST_TEST(sixteen.size() == 32u);
  BOOST_TEST(get64(&sixteen[0]) == kBlocks - 1);
  BOOST_TEST((sixteen[13] == std::byte{3}));
  BOOST_TEST((sixteen[14] == std::byte{0xc0}));
}

BOOST_AUTO_TEST_CASE(growth_and_shrinkage_are_told_to_everyone) {
  BOOST_TEST(unit->resize(2 * kSizeBytes).has_value());
  for (Initiator* it : {a.get(), b.get()}) {
    BOOST_TEST(it->send(kTestUnitReady).failed(0x6, 0x2a09));
    BOOST_TEST(it->send(cdb10(0x28, 2 * kBlocks - 1, 1)).good());
  }
  BOOST_TEST(unit->resize(kSizeBytes / 2).has_value());
  BOOST_TEST(a->send(cdb10(0x2a, kBlocks - 1, 1), Bytes(512)).failed(0x6, 0x2a09));
  BOOST_TEST(a->send(cdb10(0x2a, kBlocks - 1, 1), Bytes(512)).failed(0x5, 0x2100));
  BOOST_TEST(!unit->refresh_capacity().value());
  BOOST_TEST(log.size() == 2u);
}

BOOST_AUTO_TEST_CASE(verify_compares) {
  const Bytes data = filled(2048, 4);
  a->send(cdb10(0x2a, 0, 4), data);
  BOOST_TEST(a->send(cdb10(0x2f, 0, 4)).good());
  BOOST_TEST(a->send(cdb10(0x2f, 0, 4, 0x02), data).good());
  Bytes wrong = data;
  wrong[1500] ^= std::byte{1};
  const Sent& miss = a->send(cdb16(0x8f, 0, 4, 0x02), wrong);
  BOOST_TEST(miss.failed(0xe, 0x1d00));
  BOOST_TEST(miss.information() == 1500u);
  BOOST_TEST(a->send(cdb10(0x2f, 0, 4, 0x04), data).failed(0x5, 0x2400));  // BYTCHK 2
  const Bytes one = filled(512, 8);
  BOOST_TEST(a->send(cdb16(0x93, 0, 4), one).good());
  BOOST_TEST(a->send(cdb10(0x2f, 0, 4, 0x06), one).good());  // BYTCHK 3: one block, repeated
  BOOST_TEST(a->send(cdb10(0x2f, 0, 5, 0x06), one).failed(0xe, 0x1d00));
  BOOST_TEST(a->send(cdb10(0x2f, 0, kBlocks)).good());  // chunk after chunk
}

BOOST_AUTO_TEST_CASE(write_and_verify) {
  const Bytes data = filled(1024, 6);
  BOOST_TEST(a->send(cdb10(0x2e, 3, 2), data).good());
  BOOST_TEST(a->send(cdb16(0x8e, 5, 2, 0x02), data).good());
  BOOST_TEST((a->send(cdb10(0x28, 3, 2)).data() == data));
  BOOST_TEST((a->send(cdb10(0x28, 5, 2)).data() == data));
}

BOOST_AUTO_TEST_CASE(compare_and_write_is_all_or_nothing) {
  Bytes exchange = Bytes(512);
  const Bytes fresh = filled(512, 5);
  exchange.insert(exchange.end(), fresh.begin(), fresh.end());
  Cdb cdb(16);
  cdb[0] = 0x89;
  cdb[13] = 1;
  BOOST_TEST(a->send(cdb, exchange).good());
  BOOST_TEST((a->send(cdb10(0x28, 0, 1)).data() == fresh));
  const Sent& miss = a->send(cdb, exchange);
  BOOST_TEST(miss.failed(0xe, 0x1d00));
  BOOST_TEST(miss.information() == 0u);
  BOOST_TEST(a->send(cdb, Bytes(1000)).failed(0x5, 0x2400));
  cdb[13] = kMaxCompareAndWriteBlocks + 1;
  BOOST_TEST(a->send(cdb, Bytes(1024)).failed(0x5, 0x2400));
  cdb[13] = 0;
  BOOST_TEST(a->send(cdb).good());
  BOOST_TEST(a->send(cdb, exchange).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(or_write_merges) {
  a->send(cdb10(0x2a, 0, 1), Bytes(512, std::byte{0x0f}));
  BOOST_TEST(a->send(cdb16(0x8b, 0, 1), Bytes(512, std::byte{0x31})).good());
  BOOST_TEST((a->send(cdb10(0x28, 0, 1)).data() == Bytes(512, std::byte{0x3f})));
}

BOOST_AUTO_TEST_CASE(write_same_in_its_forms) {
  a->send(cdb10(0x2a, 0, 8), filled(4096, 2));
  const Bytes one = filled(512, 77);
  BOOST_TEST(a->send(cdb10(0x41, 1, 3), one).good());
  for (std::uint64_t lba : {1, 2, 3}) BOOST_TEST((a->send(cdb10(0x28, lba, 1)).data() == one));
  BOOST_TEST(a->send(cdb16(0x93, 2, 1, 0x01)).good());  // NDOB
  BOOST_TEST((a->send(cdb10(0x28, 2, 1)).data() == Bytes(512)));
  BOOST_TEST(a->send(cdb16(0x93, 1, 1, 0x08), Bytes(512)).good());  // UNMAP
  BOOST_TEST((a->send(cdb10(0x28, 1, 1)).data() == Bytes(512)));
  // UNMAP of what would not read as zeroes is written instead.
  BOOST_TEST(a->send(cdb16(0x93, 1, 1, 0x08), one).good());
  BOOST_TEST((a->send(cdb10(0x28, 1, 1)).data() == one));
  BOOST_TEST(a->send(cdb16(0x93, 0, 0), one).failed(0x5, 0x2400));        // WSNZ
  BOOST_TEST(a->send(cdb16(0x93, 0, 1, 0x10), one).failed(0x5, 0x2400));  // ANCHOR
  BOOST_TEST(a->send(cdb16(0x93, 0, 1), Bytes(100)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(cdb16(0x93, 0, 1), Bytes(1024)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(cdb16(0x93, kBlocks - 1, 2), one).failed(0x5, 0x2100));
  // A pattern longer than a chunk.
  BOOST_TEST(unit->resize(4 * kSizeBytes).has_value());
  a->send(kTestUnitReady);
  BOOST_TEST(a->send(cdb16(0x93, 1, 3 * kBlocks), one).good());
  BOOST_TEST((a->send(cdb16(0x88, 3 * kBlocks, 1)).data() == one));
  BOOST_TEST((a->send(cdb16(0x88, 3 * kBlocks + 1, 1)).data() == Bytes(512)));
}

BOOST_AUTO_TEST_CASE(unmap_checks_all_before_it_does_any) {
  a->send(cdb10(0x2a, 0, 8), filled(4096, 2));
  auto list = [](std::initializer_list<std::pair<std::uint64_t, std::uint32_t>> ranges) {
    Bytes data(8 + 16 * ranges.size());
    put16(&data[0], data.size() - 2);
    put16(&data[2], data.size() - 8);
    std::size_t at = 8;
    for (auto [lba, blocks] : ranges) {
      put64(&data[at], lba);
      put32(&data[at + 8], blocks);
      at += 16;
    }
    return data;
  };
  auto cdb = [](const Bytes& data) {
    return cdb10(0x42, 0, static_cast<std::uint32_t>(data.size()));
  };
  const Bytes bad = list({{0, 1}, {kBlocks, 1}});
  BOOST_TEST(a->send(cdb(bad), bad).failed(0x5, 0x2100));
  BOOST_TEST((a->send(cdb10(0x28, 0, 8)).data() == filled(4096, 2)));
  const Bytes good = list({{0, 1}, {4, 0}, {2, 2}});
  BOOST_TEST(a->send(cdb(good), good).good());
  Bytes expected = filled(4096, 2);
  std::fill_n(expected.begin(), 512, std::byte{0});
  std::fill_n(expected.begin() + 1024, 1024, std::byte{0});
  BOOST_TEST((a->send(cdb10(0x28, 0, 8)).data() == expected));
  BOOST_TEST(a->send(cdb10(0x42, 0, 0)).good());
  BOOST_TEST(a->send(cdb10(0x42, 0, 4), Bytes(4)).failed(0x5, 0x1a00));
  BOOST_TEST(a->send(cdb10(0x42, 0, 24, 0x01), Bytes(24)).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(unmap_limits) {
  BOOST_TEST(unit->resize(kMaxUnmapBytes + kSizeBytes).has_value());
  a->send(kTestUnitReady);
  Bytes list(8 + 16 * (kMaxUnmapDescriptors + 1));
  put16(&list[2], list.size() - 8);
  const auto size = static_cast<std::uint32_t>(list.size());
  BOOST_TEST(a->send(cdb10(0x42, 0, size), list).failed(0x5, 0x2600));
  put16(&list[2], list.size() - 8 - 16);
  put32(&list[16], kMaxUnmapBytes / 512);
  BOOST_TEST(a->send(cdb10(0x42, 0, size), list).good());
  put32(&list[32], 1);
  BOOST_TEST(a->send(cdb10(0x42, 0, size), list).failed(0x5, 0x2600));
}

BOOST_AUTO_TEST_CASE(write_same_limit) {
  BOOST_TEST(unit->resize((kMaxWriteSameBlocks + 1ull) * 512).has_value());
  a->send(kTestUnitReady);
  BOOST_TEST(a->send(cdb16(0x93, 0, kMaxWriteSameBlocks, 0x01)).good());
  BOOST_TEST(a->send(cdb16(0x93, 0, kMaxWriteSameBlocks + 1, 0x01)).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(a_write_protected_lun) {
  luns.entries[0].write_protected = true;
  BOOST_TEST(a->send(cdb10(0x2a, 0, 1), Bytes(512)).failed(0x7, 0x2700));
  BOOST_TEST(a->send(cdb10(0x42, 0, 8), Bytes(8)).failed(0x7, 0x2700));
  BOOST_TEST(a->send(cdb10(0x28, 0, 1)).good());
  BOOST_TEST(a->send(cdb10(0x35, 0, 0)).good());
}

BOOST_AUTO_TEST_CASE(motor_and_door) {
  BOOST_TEST(a->send({0x1b, 0, 0, 0, 1, 0}).good());
  BOOST_TEST(a->send({0x1b, 0, 0, 0, 0, 0}).good());
  // Stopped: blocks are out of reach, for every nexus, until somebody starts it (SBC-3 4.20).
  BOOST_TEST(b->send(kTestUnitReady).failed(0x2, 0x0402));
  BOOST_TEST(a->send(cdb10(0x28, 0, 1)).failed(0x2, 0x0402));
  BOOST_TEST(a->send(cdb10(0x35, 0, 0)).failed(0x2, 0x0402));
  BOOST_TEST(get16(&a->send({0x03, 0, 0, 0, 18, 0}).data().at(12)) == 0x0402u);
  BOOST_TEST(a->send({0x12, 0, 0, 0, 36, 0}).good());
  BOOST_TEST(a->send({0x1a, 0, 0x3f, 0, 255, 0}).good());
  BOOST_TEST(b->send({0x1b, 0, 0, 0, 1, 0}).good());
  BOOST_TEST(a->send(cdb10(0x28, 0, 1)).good());
  BOOST_TEST(a->send({0x1b, 0, 0, 0, 0, 0}).good());
  unit->reset();
  for (Initiator* it : {a.get(), b.get()}) BOOST_TEST(it->send(kTestUnitReady).failed(0x6, 0x2903));
  BOOST_TEST(a->send(kTestUnitReady).good());
  BOOST_TEST(a->send({0x1b, 0, 0, 0, 2, 0}).failed(0x5, 0x2400));
  BOOST_TEST(a->send({0x1b, 0, 0, 0, 0x90, 0}).failed(0x5, 0x2400));
  BOOST_TEST(a->send({0x1e, 0, 0, 0, 1, 0}).good());
  BOOST_TEST(a->send({0x1e, 0, 0, 0, 2, 0}).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_SUITE_END()

/// The same disk server over a real file, its requests on the pool's threads.
BOOST_AUTO_TEST_CASE(over_a_file) {
  std::string name = (std::filesystem::temp_directory_path() / "tsih-unit-XXXXXX").string();
  ::close(::mkstemp(name.data()));
  auto pool = backstore::IoPool::create().value();
  {
    Bench bench(
        backstore::open_fileio(
            *pool, {.path = name, .write_back = true, .create_size_bytes = Bench::kSizeBytes})
            .value());
    auto wait = [&](Sent& it) -> Sent& {
      pool->wait_idle();
      return it;
    };
    const Bytes data = filled(8192, 3);
    BOOST_TEST(wait(bench.a->send(cdb10(0x2a, 4, 16), data)).good());
    BOOST_TEST((wait(bench.a->send(cdb10(0x28, 4, 16))).data() == data));
    BOOST_TEST(wait(bench.a->send(cdb10(0x2f, 0, Bench::kBlocks))).good());
    BOOST_TEST(wait(bench.a->send(cdb10(0x2f, 4, 16, 0x02), data)).good());
    BOOST_TEST(wait(bench.a->send(cdb16(0x93, 4, 8, 0x09))).good());
    BOOST_TEST((wait(bench.a->send(cdb10(0x28, 4, 8))).data() == Bytes(4096)));
    BOOST_TEST(wait(bench.a->send(cdb10(0x35, 0, 0))).good());
    // Red when a file's holes are not told from its data, which ends in the page of LBA 16.
    const Bytes status = wait(bench.a->send(cdb16(0x9e, 16, 64, 0x12))).data();
    BOOST_TEST(status.size() == 8u + 2 * 16u);
    BOOST_TEST(get64(&status[8]) == 16u);
    BOOST_TEST(get32(&status[16]) == 8u);
    BOOST_TEST((status[20] == std::byte{0}));
    BOOST_TEST(get64(&status[24]) == 24u);
    BOOST_TEST(get32(&status[32]) == Bench::kBlocks - 24);
    BOOST_TEST((status[36] == std::byte{1}));
    // A file cannot promise all or nothing: the command is not there, nor is its limit.
    BOOST_TEST(wait(bench.a->send(cdb16(0x9c, 0, 1), Bytes(512))).failed(0x5, 0x2000));
    BOOST_TEST(get32(&bench.a->send({0x12, 1, 0xb0, 0, 255, 0}).data().at(44)) == 0u);
    // Red when an initiator that rescans right after the growth is told the old size.
    std::filesystem::resize_file(name, 2 * Bench::kSizeBytes);
    const Bytes grown = bench.a->send({0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}).data();
    BOOST_TEST(get32(&grown[0]) == 2 * Bench::kBlocks - 1);
    BOOST_TEST(!bench.unit->refresh_capacity().value());
    BOOST_TEST(bench.a->send(kTestUnitReady).failed(0x6, 0x2a09));
    std::filesystem::resize_file(name, Bench::kSizeBytes / 2);  // not yet noticed
    BOOST_TEST(wait(bench.a->send(cdb10(0x28, Bench::kBlocks, 1))).failed(0x5, 0x2100));
    BOOST_TEST(!bench.unit->refresh_capacity().value());  // the failure was looked into
    BOOST_TEST(bench.a->send(kTestUnitReady).failed(0x6, 0x2a09));
    BOOST_TEST(wait(bench.a->send(cdb10(0x28, Bench::kBlocks, 1))).failed(0x5, 0x2100));
  }
  ::unlink(name.c_str());
}

/// A disk that shares its event loop with others.
struct PooledBench {
  static constexpr std::uint64_t kSizeBytes = 64u << 20;
  std::unique_ptr<backstore::IoPool> pool = backstore::IoPool::create(1).value();
  Bench bench{backstore::open_ramdisk({.size_bytes = kSizeBytes, .pool = pool.get()}).value()};
};

// Red when a command that goes over the whole disk runs in one go: every other connection of the
// event loop would wait for it.
BOOST_FIXTURE_TEST_CASE(a_verify_of_a_whole_ramdisk_leaves_turns_to_others, PooledBench) {
  Sent& verify = bench.a->send(cdb16(0x8f, 0, kSizeBytes / 512), {}, 0);
  unsigned turns = 0;
  for (; !verify.done && turns < 1000; ++turns) {
    BOOST_TEST(bench.b->send(kTestUnitReady).good());
    pool->drain();
  }
  BOOST_TEST(verify.good());
  BOOST_TEST(turns == 64u / 4);
}
