// SBC's small print: what a command does at the edges of its fields, when data is missing or of no
// whole block, and when the disk shrinks while it waits.
#include "target/scsi/limits.h"
#include "target/scsi/tests/bench.h"

using namespace tsihd;
using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

struct LargeBench : Bench {
  static constexpr std::uint64_t kLargeBytes = 2ull << 30;
  LargeBench() : Bench(backstore::open_ramdisk({.size_bytes = kLargeBytes}).value()) {}
};

Bytes unmap_list(std::initializer_list<std::pair<std::uint64_t, std::uint32_t>> ranges) {
  Bytes data(8 + 16 * ranges.size());
  put16(&data[0], data.size() - 2);
  put16(&data[2], data.size() - 8);
  std::size_t at = 8;
  for (const auto& [lba, blocks] : ranges) {
    put64(&data[at], lba);
    put32(&data[at + 8], blocks);
    at += 16;
  }
  return data;
}

}  // namespace

// Red when an LBA of 21 bits loses some of them.
BOOST_FIXTURE_TEST_CASE(the_short_forms_reach_two_million_blocks, LargeBench) {
  const Bytes data = filled(512, 3);
  BOOST_TEST(a->send({0x0a, 0x1f, 0xff, 0xff, 1, 0}, data).good());
  BOOST_TEST((a->send(cdb10(0x28, 0x1fffff, 1)).data() == data));
  BOOST_TEST((a->send({0x08, 0xff, 0xff, 0xff, 1, 0}).data() == data));  // bits 5-7 are reserved
}

BOOST_FIXTURE_TEST_SUITE(block_edges, Bench)

// Red when a part of a block is written, or what is left of it is made up.
BOOST_AUTO_TEST_CASE(only_whole_blocks_are_written) {
  const Bytes before = filled(1024, 1), sent = filled(700, 9);
  Bytes after = before;
  std::copy_n(sent.begin(), 512, after.begin());
  for (const Cdb& cdb : {cdb10(0x2a, 0, 2), cdb16(0x8a, 0, 2), cdb10(0x2e, 0, 2, 0x02)}) {
    BOOST_TEST(a->send(cdb10(0x2a, 0, 2), before).good());
    const Sent& it = a->send(cdb, sent);
    BOOST_TEST(it.good());
    BOOST_TEST(it.command.required_data_out_bytes == 1024u);
    BOOST_TEST((a->send(cdb10(0x28, 0, 2)).data() == after));
  }
  BOOST_TEST(a->send(cdb10(0x2a, 0, 2), before).good());
  BOOST_TEST(a->send(cdb16(0x8b, 0, 2), Bytes(700, std::byte{0xff})).good());  // ORWRITE
  std::fill_n(after.begin(), 512, std::byte{0xff});
  BOOST_TEST((a->send(cdb10(0x28, 0, 2)).data() == after));
}

// Red when a reserved BYTCHK is taken for one that is not.
BOOST_AUTO_TEST_CASE(byte_check_of_write_and_verify) {
  for (const std::uint8_t flags : std::to_array<std::uint8_t>({0x04, 0x06})) {
    BOOST_TEST(a->send(cdb10(0x2e, 0, 1, flags), Bytes(512)).failed(0x5, 0x2400));
    BOOST_TEST(a->send(cdb16(0x8e, 0, 1, flags), Bytes(512)).failed(0x5, 0x2400));
  }
}

// Red when the second chunk is compared with the first one's data, or its miscompare is counted
// from its own beginning.
BOOST_AUTO_TEST_CASE(a_comparison_over_several_chunks) {
  BOOST_TEST(unit->resize(4 * kSizeBytes).has_value());
  a->send(kTestUnitReady);
  constexpr std::uint32_t kBytes = kChunkBytes + 1024;
  Bytes data = filled(kBytes, 5);
  BOOST_TEST(a->send(cdb16(0x8a, 3, kBytes / 512), data).good());
  BOOST_TEST(a->send(cdb16(0x8f, 3, kBytes / 512, 0x02), data).good());
  data[kChunkBytes + 600] ^= std::byte{1};
  const Sent& miss = a->send(cdb16(0x8f, 3, kBytes / 512, 0x02), data);
  BOOST_TEST(miss.failed(0xe, 0x1d00));
  BOOST_TEST(miss.information() == kChunkBytes + 600);
}

// Red when more than MAXIMUM TRANSFER LENGTH is asked of the initiator.
BOOST_AUTO_TEST_CASE(or_write_and_verify_keep_the_transfer_limit) {
  BOOST_TEST(unit->resize(2ull * kMaxTransferBytes).has_value());
  a->send(kTestUnitReady);
  constexpr std::uint32_t kMost = kMaxTransferBytes / 512;
  BOOST_TEST(a->send(cdb16(0x8b, 0, kMost + 1), Bytes(512)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(cdb16(0x8e, 0, kMost + 1), Bytes(512)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(cdb16(0x8f, 0, kMost + 1, 0x02), Bytes(512)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(cdb16(0x8b, 0, kMost), Bytes(512)).good());
}

// Red when the lengths of UNMAP's list are believed where they do not fit each other.
BOOST_AUTO_TEST_CASE(lists_of_unmap_that_do_not_fit) {
  const Bytes before = filled(4 * 512, 2);
  a->send(cdb10(0x2a, 0, 4), before);
  const Bytes list = unmap_list({{0, 1}, {1, 1}});
  // Less came than PARAMETER LIST LENGTH says.
  BOOST_TEST(
      a->send(cdb10(0x42, 0, 40), Bytes(list.begin(), list.begin() + 24)).failed(0x5, 0x1a00));
  BOOST_TEST((a->send(cdb10(0x28, 0, 4)).data() == before));
  // BLOCK DESCRIPTOR DATA LENGTH ends inside the second descriptor, which therefore does not count.
  Bytes odd = list;
  put16(&odd[2], 31);
  BOOST_TEST(a->send(cdb10(0x42, 0, 40), odd).good());
  // It says more than there is: what is there counts.
  Bytes long_one = unmap_list({{3, 1}});
  put16(&long_one[2], 160);
  BOOST_TEST(a->send(cdb10(0x42, 0, 24), long_one).good());
  Bytes after = before;
  std::fill_n(after.begin(), 512, std::byte{0});
  std::fill_n(after.begin() + 3 * 512, 512, std::byte{0});
  BOOST_TEST((a->send(cdb10(0x28, 0, 4)).data() == after));
}

// Red when bits that WRITE SAME(10) or SBC-3 do not have are taken for others.
BOOST_AUTO_TEST_CASE(bits_of_write_same) {
  const Bytes one = filled(512, 4);
  BOOST_TEST(a->send(cdb10(0x41, 0, 1, 0x01), one).good());  // no NDOB here: the data counts
  BOOST_TEST((a->send(cdb10(0x28, 0, 1)).data() == one));
  for (const std::uint8_t flags : std::to_array<std::uint8_t>({0x02, 0x04, 0x10, 0x18, 0x20}))
    BOOST_TEST(a->send(cdb10(0x41, 0, 1, flags), one).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

struct WaitingBench : ScriptedBench {
  /// The disk shrinks to half while commands wait for an ORDERED one.
  void shrink_meanwhile() {
    BOOST_TEST(disk().resize(kSizeBytes / 2).has_value());
    disk().complete(0);
  }
};

}  // namespace

// Red when a command that waited its turn reaches for blocks that are gone.
BOOST_FIXTURE_TEST_CASE(the_disk_shrinks_while_commands_wait, WaitingBench) {
  const std::uint64_t lba = kBlocks - 8;
  const Bytes one = filled(512, 1);
  const Bytes unmap = unmap_list({{lba, 1}});
  a->send(cdb10(0x2a, 0, 1), one, 0, TaskAttribute::ordered);
  const std::vector<Sent*> waiting{
      &a->send(cdb10(0x28, lba, 1)),       &a->send(cdb10(0x2a, lba, 1), one),
      &a->send(cdb10(0x2f, lba, 1)),       &a->send(cdb10(0x2e, lba, 1), one),
      &a->send(cdb16(0x93, lba, 1), one),  &a->send(cdb16(0x8b, lba, 1), one),
      &a->send(cdb10(0x42, 0, 24), unmap),
  };
  BOOST_TEST(disk().held.size() == 1u);
  shrink_meanwhile();
  while (!disk().held.empty()) {
    BOOST_TEST((disk().held[0]->op == backstore::Op::flush));  // VERIFY's, before it looks
    disk().complete(0);
  }
  for (Sent* it : waiting) BOOST_TEST(it->failed(0x5, 0x2100));
}

// Red when FUA of the commands that read before they write does not reach the disk, or when
// something else runs between their read and their write.
BOOST_FIXTURE_TEST_CASE(read_and_write_in_one, ScriptedBench) {
  Cdb exchange = cdb16(0x89, 0, 0, 0x08);
  exchange[13] = 1;
  struct Row {
    Cdb cdb;
    std::size_t data_bytes;
  };
  for (Row row : {Row{exchange, 1024}, Row{cdb16(0x8b, 0, 1, 0x08), 512}}) {
    for (const bool forced : {true, false}) {
      row.cdb[1] = forced ? 0x08 : 0x00;
      const Sent& it = a->send(row.cdb, Bytes(row.data_bytes));
      const Sent& other = b->send(cdb10(0x2a, 0, 1), Bytes(512));
      BOOST_TEST_REQUIRE(disk().held.size() == 1u);
      BOOST_TEST((disk().held[0]->op == backstore::Op::read));
      disk().complete(0);
      BOOST_TEST_REQUIRE(disk().held.size() == 1u);
      BOOST_TEST((disk().held[0]->op == backstore::Op::write));
      BOOST_TEST(disk().held[0]->force_unit_access == forced);
      disk().complete_all();
      BOOST_TEST((it.good() && other.good()));
    }
  }
}

// Red when STOP takes the power before the cache is on the medium, or flushes although NO_FLUSH
// says not to.
BOOST_FIXTURE_TEST_CASE(stop_flushes_unless_told_not_to, ScriptedBench) {
  const Sent& stop = a->send({0x1b, 0, 0, 0, 0, 0});
  BOOST_TEST_REQUIRE(disk().held.size() == 1u);
  BOOST_TEST((disk().held[0]->op == backstore::Op::flush));
  BOOST_TEST(b->send(kTestUnitReady).good());
  disk().complete(0);
  BOOST_TEST(stop.good());
  BOOST_TEST(b->send(kTestUnitReady).failed(0x2, 0x0402));
  BOOST_TEST(a->send({0x1b, 0, 0, 0, 1, 0}).good());
  BOOST_TEST(a->send({0x1b, 0, 0, 0, 0x04, 0}).good());
  BOOST_TEST(disk().held.empty());
  BOOST_TEST(b->send(kTestUnitReady).failed(0x2, 0x0402));
}

// Red when a block of which only the beginning is a hole is called deallocated.
BOOST_AUTO_TEST_CASE(a_hole_smaller_than_a_block) {
  auto scripted = std::make_unique<ScriptedDisk>(Bench::kSizeBytes);
  ScriptedDisk& disk = *scripted;
  disk.described().block_size_bytes = 4096;
  Bench bench(std::move(scripted));
  const Sent& it = bench.a->send(cdb16(0x9e, 0, 24, 0x12));
  BOOST_TEST_REQUIRE(disk.held.size() == 1u);
  backstore::Io& io = *disk.held[0];
  disk.held.clear();
  io.deallocated = true;
  io.length_bytes = 512;
  io.done(io);
  disk.complete_all();
  BOOST_TEST_REQUIRE(it.good());
  BOOST_TEST((it.data().at(8 + 12) == std::byte{0}));
}

namespace {

/// All size and no content.
class HugeDisk final : public backstore::Backstore {
 public:
  std::string_view type() const override { return "huge"; }
  const backstore::Geometry& geometry() const override { return geometry_; }
  void submit(backstore::Io& io) override { io.done(io); }
  tsihd::Result<bool> refresh_size() override { return false; }
  tsihd::Result<void> resize(std::uint64_t) override { return {}; }

 private:
  backstore::Geometry geometry_{.size_bytes = 3ull << 40};
};

}  // namespace

// Red when the short form wraps a capacity that only the long one can say.
BOOST_AUTO_TEST_CASE(a_disk_of_three_tebibytes) {
  Bench bench(std::make_unique<HugeDisk>());
  BOOST_TEST(get32(&bench.a->send(cdb10(0x25, 0, 0)).data().at(0)) == UINT32_MAX);
  BOOST_TEST(get64(&bench.a->send(cdb16(0x9e, 0, 32, 0x10)).data().at(0)) == (3ull << 31) - 1);
  BOOST_TEST(bench.a->send(cdb16(0x88, (3ull << 31) - 1, 1)).good());
  BOOST_TEST(bench.a->send(cdb16(0x88, 3ull << 31, 1)).failed(0x5, 0x2100));
}

// Red when the obsolete PMI, or an LBA without it, is taken for nothing.
BOOST_FIXTURE_TEST_CASE(obsolete_fields_of_read_capacity, Bench) {
  Cdb cdb = cdb10(0x25, 0, 0);
  cdb[8] = 0x01;
  BOOST_TEST(a->send(cdb).failed(0x5, 0x2400));
  BOOST_TEST(a->send(cdb10(0x25, 1, 0)).failed(0x5, 0x2400));
}
