// The medium's state and its special writes: what is mapped, what is defect, what is atomic.
#include "target/scsi/limits.h"
#include "target/scsi/tests/bench.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

constexpr std::uint32_t kPageBlocks = 4096 / 512;

Cdb lba_status(std::uint64_t lba, std::uint32_t allocation_length) {
  return cdb16(0x9e, lba, allocation_length, 0x12);
}
Cdb write_atomic(std::uint64_t lba, std::uint16_t blocks, std::uint16_t boundary = 0,
                 std::uint8_t flags = 0) {
  return cdb16(0x9c, lba, std::uint32_t{boundary} << 16 | blocks, flags);
}

struct Extent {
  std::uint64_t lba;
  std::uint32_t blocks;
  int status;
  bool operator==(const Extent&) const = default;
};
std::vector<Extent> extents(const Bytes& data) {
  std::vector<Extent> found;
  BOOST_TEST(get32(data.data()) == data.size() - 4);
  for (std::size_t at = 8; at + 16 <= data.size(); at += 16)
    found.push_back({get64(&data[at]), get32(&data[at + 8]), static_cast<int>(data[at + 12])});
  return found;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(medium, Bench)

// Red when what was written is called a hole, or a hole that was read is called mapped.
BOOST_AUTO_TEST_CASE(lba_status_tells_holes) {
  BOOST_TEST(
      (extents(a->send(lba_status(7, 64)).data()) == std::vector<Extent>{{7, kBlocks - 7, 1}}));
  a->send(cdb10(0x2a, 3 * kPageBlocks + 1, 1), filled(512, 1));  // maps its page
  a->send(cdb10(0x28, 0, 64));
  const std::vector<Extent> expected{{0, 3 * kPageBlocks, 1},
                                     {3 * kPageBlocks, kPageBlocks, 0},
                                     {4 * kPageBlocks, kBlocks - 4 * kPageBlocks, 1}};
  BOOST_TEST((extents(a->send(lba_status(0, 4096)).data()) == expected));
  a->send(cdb16(0x93, 3 * kPageBlocks, kPageBlocks, 0x09));  // WRITE SAME: UNMAP, NDOB
  BOOST_TEST(
      (extents(a->send(lba_status(0, 4096)).data()) == std::vector<Extent>{{0, kBlocks, 1}}));
}

BOOST_AUTO_TEST_CASE(lba_status_is_cut_to_what_was_asked) {
  a->send(cdb10(0x2a, 0, 8), filled(4096, 1));
  BOOST_TEST((extents(a->send(lba_status(0, 39)).data()) == std::vector<Extent>{{0, 8, 0}}));
  const Sent& header = a->send(lba_status(0, 8));
  BOOST_TEST(header.data().size() == 8u);
  BOOST_TEST(get32(&header.data()[0]) == 20u);
  BOOST_TEST(a->send(lba_status(0, 0)).good());
  BOOST_TEST(a->send(lba_status(kBlocks, 64)).failed(0x5, 0x2100));
  BOOST_TEST(a->send(lba_status(UINT64_MAX, 64)).failed(0x5, 0x2100));
}

// Red when an initiator that offers a large buffer gets more descriptors than the limit says.
BOOST_AUTO_TEST_CASE(lba_status_descriptors_are_bounded) {
  BOOST_TEST(unit->resize(4 * kSizeBytes).has_value());
  a->send(kTestUnitReady);
  for (std::uint32_t page = 0; page < 1024; page += 2)
    a->send(cdb10(0x2a, page * kPageBlocks, 1), Bytes(512));
  BOOST_TEST(extents(a->send(lba_status(0, kPlenty)).data()).size() == kMaxLbaStatusDescriptors);
}

BOOST_AUTO_TEST_CASE(defect_lists_are_empty) {
  const Bytes ten = a->send({0x37, 0, 0x1d, 0, 0, 0, 0, 0, 255, 0}).data();
  BOOST_TEST((ten == Bytes{std::byte{0}, std::byte{0x1d}, std::byte{0}, std::byte{0}}));
  const Bytes twelve = a->send({0xb7, 0x08, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0}).data();
  BOOST_TEST(twelve.size() == 8u);
  BOOST_TEST((twelve[1] == std::byte{0x08}));
  BOOST_TEST(get32(&twelve[4]) == 0u);
  BOOST_TEST(a->send({0x37, 0, 0x1d, 0, 0, 0, 0, 0, 2, 0}).data().size() == 2u);
  BOOST_TEST(a->send({0x37, 0, 0x1f, 0, 0, 0, 0, 0, 255, 0}).failed(0x5, 0x2400));
  BOOST_TEST(a->send({0xb7, 0x1f, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0}).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(write_atomic_is_whole_or_refused) {
  const Bytes data = filled(1024, 3);
  BOOST_TEST(a->send(write_atomic(8, 2), data).good());
  BOOST_TEST((a->send(cdb10(0x28, 8, 2)).data() == data));
  BOOST_TEST(a->send(write_atomic(8, 2, 0, 0x18), data).good());                // DPO, FUA
  BOOST_TEST(a->send(write_atomic(8, 2), filled(512, 9)).failed(0x5, 0x2400));  // half came
  BOOST_TEST((a->send(cdb10(0x28, 8, 2)).data() == data));
  BOOST_TEST(a->send(write_atomic(8, 2, 1), data).failed(0x5, 0x2400));  // a boundary
  BOOST_TEST(a->send(write_atomic(8, 2, 0, 0x20), data).failed(0x5, 0x2400));
  BOOST_TEST(a->send(write_atomic(kBlocks - 1, 2), data).failed(0x5, 0x2100));
  BOOST_TEST(a->send(write_atomic(kBlocks, 0)).good());
  BOOST_TEST(a->send(write_atomic(kBlocks + 1, 0)).failed(0x5, 0x2100));
  luns.entries[0].write_protected = true;
  BOOST_TEST(a->send(write_atomic(8, 2), data).failed(0x7, 0x2700));
}

BOOST_AUTO_TEST_CASE(write_atomic_keeps_its_stated_limit) {
  BOOST_TEST(unit->resize(64u << 20).has_value());
  a->send(kTestUnitReady);
  const std::uint32_t limit = get32(&a->send({0x12, 1, 0xb0, 0, 255, 0}).data().at(44));
  BOOST_TEST(limit == kMaxTransferBytes / 512);
  BOOST_TEST(
      a->send(write_atomic(0, static_cast<std::uint16_t>(limit)), Bytes(limit * 512)).good());
  BOOST_TEST(
      a->send(write_atomic(0, static_cast<std::uint16_t>(limit + 1)), Bytes((limit + 1) * 512))
          .failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_SUITE_END()
