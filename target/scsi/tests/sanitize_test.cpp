// SANITIZE: it wipes, it refuses everybody else meanwhile, and nothing but its end ends it.
#include <algorithm>
#include <cerrno>

#include "target/scsi/limits.h"
#include "target/scsi/tests/bench.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;
namespace backstore = tsihd::backstore;

namespace {

constexpr std::uint8_t kImmediate = 0x80;
constexpr std::uint8_t kAllowUnrestrictedExit = 0x20;
const Cdb kExitFailureMode{0x48, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0};
const Cdb kRequestSense{0x03, 0, 0, 0, 255, 0};

Cdb block_erase(std::uint8_t flags = 0) {
  return {0x48, static_cast<std::uint8_t>(0x02 | flags), 0, 0, 0, 0, 0, 0, 0, 0};
}
Cdb overwrite(std::size_t list_bytes, std::uint8_t flags = 0) {
  Cdb cdb{0x48, static_cast<std::uint8_t>(0x01 | flags), 0, 0, 0, 0, 0, 0, 0, 0};
  put16(&cdb[7], list_bytes);
  return cdb;
}
Bytes overwrite_list(std::uint8_t passes, const Bytes& pattern) {
  Bytes list(4 + pattern.size());
  list[0] = std::byte{passes};
  put16(&list[2], pattern.size());
  std::ranges::copy(pattern, list.begin() + 4);
  return list;
}
const Bytes kThree{std::byte{0x11}, std::byte{0x22}, std::byte{0x33}};

/// A block full of kThree, begun anew.
Bytes wiped_block() {
  Bytes block(512);
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = kThree[i % 3];
  return block;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sanitize, Bench)

BOOST_AUTO_TEST_CASE(overwrite_fills_every_block) {
  a->send(cdb10(0x2a, 0, 8), filled(4096, 1));
  const Bytes list = overwrite_list(1, kThree);
  BOOST_TEST(a->send(overwrite(list.size()), list).good());
  for (std::uint64_t lba : {std::uint64_t{0}, std::uint64_t{1}, kBlocks - 1})
    BOOST_TEST((a->send(cdb10(0x28, lba, 1)).data() == wiped_block()));
  const Bytes inverted = overwrite_list(0x82, {std::byte{0x0f}});  // INVERT, two passes
  BOOST_TEST(a->send(overwrite(inverted.size()), inverted).good());
  BOOST_TEST((b->send(cdb10(0x28, 5, 1)).data() == Bytes(512, std::byte{0xf0})));
}

BOOST_AUTO_TEST_CASE(block_erase_leaves_zeroes_that_are_not_mapped) {
  a->send(cdb10(0x2a, 0, 8), filled(4096, 1));
  BOOST_TEST(a->send(block_erase()).good());
  BOOST_TEST((a->send(cdb10(0x28, 0, 8)).data() == Bytes(4096)));
  const Bytes status = a->send(cdb16(0x9e, 0, 64, 0x12)).data();
  BOOST_TEST(get32(&status[16]) == kBlocks);
  BOOST_TEST((status[20] == std::byte{1}));
  BOOST_TEST((a->send({0x12, 1, 0xb1, 0, 64, 0}).data().at(7) == std::byte{0x40}));  // WABEREQ
}

// Red when a CDB of a later standard, or a list that says less than it seems to, destroys data.
BOOST_AUTO_TEST_CASE(what_is_not_understood_destroys_nothing) {
  const Bytes data = filled(512, 5);
  a->send(cdb10(0x2a, 0, 1), data);
  const Bytes list = overwrite_list(1, kThree);
  for (std::size_t i = 2; i <= 6; ++i) {
    Cdb cdb = overwrite(list.size());
    cdb[i] = 1;
    BOOST_TEST(a->send(cdb, list).failed(0x5, 0x2400));
  }
  BOOST_TEST(a->send(overwrite(list.size(), 0x40), list).failed(0x5, 0x2400));
  for (std::size_t bytes : {0, 1, 4, 512 + 5})
    BOOST_TEST(a->send(overwrite(bytes), Bytes(bytes)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(overwrite(list.size()), Bytes(5)).failed(0x5, 0x1a00));
  BOOST_TEST(a->send(overwrite(list.size())).failed(0x5, 0x1a00));
  const Bytes no_passes = overwrite_list(0, kThree);
  BOOST_TEST(a->send(overwrite(no_passes.size()), no_passes).failed(0x5, 0x2600));
  Bytes longer = list;
  put16(&longer[2], 4);
  BOOST_TEST(a->send(overwrite(longer.size()), longer).failed(0x5, 0x2600));
  BOOST_TEST(a->send({0x48, 0x02, 0, 0, 0, 0, 0, 0, 8, 0}, Bytes(8)).failed(0x5, 0x2400));
  BOOST_TEST(a->send({0x48, 0x03, 0, 0, 0, 0, 0, 0, 0, 0}).failed(0x5, 0x2400));  // CRYPTO ERASE
  luns.entries[0].write_protected = true;
  BOOST_TEST(a->send(block_erase()).failed(0x7, 0x2700));
  BOOST_TEST((a->send(cdb10(0x28, 0, 1)).data() == data));
}

// Red when one tick carries on without end: the loop would serve nobody else.
BOOST_AUTO_TEST_CASE(a_tick_is_bounded) {
  const std::uint64_t size_bytes = std::uint64_t{kSanitizeChunksPerTick} * kChunkBytes;
  BOOST_TEST(unit->resize(size_bytes).has_value());
  a->send(kTestUnitReady);
  b->send(kTestUnitReady);
  const Bytes list = overwrite_list(1, kThree);
  const Sent& wipe = a->send(overwrite(list.size()), list);
  BOOST_TEST(!wipe.done);  // all chunks, not yet the flush
  BOOST_TEST(b->send(kTestUnitReady).failed(0x2, 0x041b));
  BOOST_TEST(unit->refresh_capacity().has_value());
  BOOST_TEST(wipe.good());
  BOOST_TEST(b->send(kTestUnitReady).good());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(sanitize_meanwhile, ScriptedBench)

BOOST_AUTO_TEST_CASE(others_are_refused_and_told_the_progress) {
  const Sent& waits = b->send_without_data(cdb10(0x2a, 0, 1), filled(512, 7));
  const Bytes list = overwrite_list(2, kThree);
  BOOST_TEST(a->send(overwrite(list.size(), kImmediate), list).good());
  BOOST_TEST(disk().held.size() == 1u);
  BOOST_TEST(b->send(cdb10(0x28, 0, 1)).failed(0x2, 0x041b));
  BOOST_TEST(b->send(block_erase()).failed(0x2, 0x041b));
  BOOST_TEST(b->send({0x12, 0, 0, 0, 96, 0}).good());
  b->give_data(const_cast<Sent&>(waits));  // would undo the wiping
  BOOST_TEST(waits.failed(0x2, 0x041b));
  disk().complete(0);  // the first pass of two is written
  const Bytes sense = b->send(kRequestSense).data();
  BOOST_TEST((sense.at(2) == std::byte{2}));
  BOOST_TEST((sense.at(15) == std::byte{0x80}));
  BOOST_TEST(get16(&sense.at(16)) == 0x8000u);
  disk().complete_all();
  BOOST_TEST(b->send(kTestUnitReady).good());
}

// Red when ABORT TASK or a reset leaves a disk half wiped that looks whole.
BOOST_AUTO_TEST_CASE(only_its_end_ends_it) {
  Sent& wipe = a->send(block_erase());
  BOOST_TEST(!wipe.done);
  unit->abort(wipe.command);
  BOOST_TEST(wipe.aborted);
  unit->reset();
  unit->detach(a->nexus);
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2903));
  BOOST_TEST(b->send(kTestUnitReady).failed(0x2, 0x041b));
  disk().complete_all();
  BOOST_TEST(b->send(kTestUnitReady).good());
}

BOOST_AUTO_TEST_CASE(it_waits_for_what_runs) {
  a->send(cdb10(0x2a, 0, 1), filled(512, 7));
  const Sent& wipe = b->send(block_erase());
  BOOST_TEST(disk().held.size() == 1u);
  disk().complete(0);
  BOOST_TEST((disk().held.at(0)->op == backstore::Op::discard));
  disk().complete_all();
  BOOST_TEST(wipe.good());
}

BOOST_AUTO_TEST_CASE(a_failure_stays_until_it_is_left) {
  const Sent& wipe = a->send(block_erase(kAllowUnrestrictedExit));
  disk().complete(0, EIO);
  BOOST_TEST(wipe.failed(0x3, 0x3103));
  BOOST_TEST(b->send(cdb10(0x28, 0, 1)).failed(0x3, 0x3103));
  BOOST_TEST(b->send(kExitFailureMode).good());
  BOOST_TEST(b->send(kTestUnitReady).good());
  const Sent& restricted = a->send(block_erase());
  disk().complete(0, EIO);
  BOOST_TEST(restricted.failed(0x3, 0x3103));
  BOOST_TEST(b->send(kExitFailureMode).failed(0x5, 0x2400));
  const Sent& again = b->send(block_erase());
  disk().complete_all();
  BOOST_TEST(again.good());
  BOOST_TEST(a->send(kTestUnitReady).good());
}

BOOST_AUTO_TEST_SUITE_END()
