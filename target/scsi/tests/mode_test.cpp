// MODE SENSE and MODE SELECT: every page in every page control, refusals with their field pointers,
// and what is saved.
#include <cerrno>
#include <map>

#include "target/scsi/saved_mode.h"
#include "target/scsi/tests/bench.h"
#include "target/scsi/tests/held_store.h"

using namespace tsihd;
using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

constexpr std::uint8_t kAll = 0x3f;
const std::string kSerial = "0123-4567-89ab";

enum Control : std::uint8_t { kCurrent = 0, kChangeable = 0x40, kDefaults = 0x80, kSaved = 0xc0 };

/// MODE SENSE(10) without a block descriptor.
Cdb sense10(std::uint8_t page, std::uint8_t subpage = 0, std::uint8_t control = kCurrent) {
  return {0x5a, 0x08, static_cast<std::uint8_t>(page | control), subpage, 0, 0, 0, 1, 0, 0};
}
/// MODE SELECT(10), PF.
Cdb select10(std::size_t bytes, bool save = false) {
  return {0x55,
          static_cast<std::uint8_t>(save ? 0x11 : 0x10),
          0,
          0,
          0,
          0,
          0,
          0,
          static_cast<std::uint8_t>(bytes),
          0};
}
unsigned field_pointer(const Sent& it) {
  BOOST_TEST(((it.command.sense[15] & std::byte{0x80}) != std::byte{0}));
  return get16(&it.command.sense[16]);
}

struct ModeBench : Bench {
  /// What MODE SENSE shows, ready to be sent back.
  Bytes list(std::uint8_t page, std::uint8_t subpage = 0, std::uint8_t control = kCurrent) {
    Bytes data = a->send(sense10(page, subpage, control)).data();
    if (data.size() > 8) data[0] = data[1] = data[3] = std::byte{0};
    return data;
  }
  Sent& select(const Bytes& data, bool save = false) {
    return a->send(select10(data.size(), save), data);
  }
};

struct Saving : ModeBench {
  Saving() { BOOST_TEST(unit->keep_mode(store_with("")).has_value()); }
  backstore::OpenedState store_with(std::string content) {
    return {std::make_unique<HeldStore>(&store), std::move(content)};
  }
  Bytes with_descriptor_sense() {
    Bytes data = list(0x0a);
    data[10] |= std::byte{0x04};
    return data;
  }
  HeldStore* store = nullptr;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(mode, ModeBench)

// Red when a page is missing, twice there, or its length is not what follows.
BOOST_AUTO_TEST_CASE(all_pages_and_all_subpages) {
  for (const auto& [subpage, count] : std::map<std::uint8_t, int>{{0x00, 4}, {0xff, 5}}) {
    const Bytes data = a->send(sense10(kAll, subpage)).data();
    BOOST_TEST(get16(&data.at(0)) == data.size() - 2);
    int pages = 0;
    for (std::size_t at = 8; at < data.size(); ++pages) {
      const bool long_header = (data[at] & std::byte{0x40}) != std::byte{0};
      at += long_header ? 4 + get16(&data[at + 2]) : 2 + static_cast<std::size_t>(data[at + 1]);
      BOOST_TEST(at <= data.size());
    }
    BOOST_TEST(pages == count);
  }
  const Bytes both = list(0x0a, 0xff);
  BOOST_TEST(both.size() == 8u + 12 + 32);
  BOOST_TEST((both[20] == std::byte{0x4a} && both[21] == std::byte{1}));
  BOOST_TEST(field_pointer(a->send(sense10(0x05))) == 2u);
  BOOST_TEST(field_pointer(a->send(sense10(0x0a, 0x7))) == 3u);
  BOOST_TEST(field_pointer(a->send(sense10(0x08, 0x1))) == 3u);
  BOOST_TEST(field_pointer(a->send(sense10(kAll, 0x1))) == 3u);
}

// Red when what is said to be changeable is not, or the other way round.
BOOST_AUTO_TEST_CASE(each_bit_is_changeable_or_refused_at_its_byte) {
  for (const std::uint8_t page : std::initializer_list<std::uint8_t>{0x01, 0x08, 0x0a, 0x1c}) {
    const Bytes mask = list(page, 0, kChangeable);
    for (std::size_t at = 10; at < mask.size(); ++at)
      for (unsigned bit = 1; bit < 0x100; bit <<= 1) {
        Bytes data = list(page);
        data[at] ^= std::byte(bit);
        const Sent& it = select(data);
        const bool may = (mask[at] & std::byte(bit)) != std::byte{0};
        BOOST_TEST_CONTEXT("page " << int{page} << " byte " << at - 8 << " bit " << bit) {
          if (!may) BOOST_TEST(it.failed(0x5, 0x2600));
          if (it.done && it.command.status != Status::good &&
              it.command.sense[0] == std::byte{0x70})
            BOOST_TEST(field_pointer(it) == at);
        }
        b->send(kTestUnitReady);
        unit->reset();
        a->send(kTestUnitReady);
        b->send(kTestUnitReady);
      }
  }
}

// Red when a reserved value of a changeable field is taken.
BOOST_AUTO_TEST_CASE(values_without_a_meaning) {
  struct Bad {
    std::size_t byte;
    std::byte clear, set;
  };
  for (const Bad& bad : {Bad{2, std::byte{0xe0}, std::byte{0x40}},     // TST 010b
                         Bad{3, std::byte{0xf0}, std::byte{0x20}},     // QAM 0010b
                         Bad{3, std::byte{0x06}, std::byte{0x04}},     // QERR 10b
                         Bad{4, std::byte{0x30}, std::byte{0x10}}}) {  // UA_INTLCK_CTRL 01b
    Bytes data = list(0x0a);
    data[8 + bad.byte] = (data[8 + bad.byte] & ~bad.clear) | bad.set;
    const Sent& it = select(data);
    BOOST_TEST(it.failed(0x5, 0x2600));
    BOOST_TEST(field_pointer(it) == 8 + bad.byte);
  }
  BOOST_TEST(b->send(kTestUnitReady).good());  // nothing changed
}

// Red when half a list is applied, or a wrong length is not pointed at.
BOOST_AUTO_TEST_CASE(lists_are_checked_whole) {
  Bytes data = list(0x0a);
  data[10] |= std::byte{0x04};
  const Bytes second = list(0x08);
  data.insert(data.end(), second.begin() + 8, second.end());
  data.pop_back();
  BOOST_TEST(select(data).failed(0x5, 0x1a00));
  data.push_back(std::byte{1});
  BOOST_TEST(field_pointer(select(data)) == data.size() - 1);
  BOOST_TEST((a->send({0xff}).command.sense[0] == std::byte{0x70}));
  Bytes wrong = list(0x0a);
  wrong[9] = std::byte{9};
  BOOST_TEST(field_pointer(select(wrong)) == 9u);
  Bytes unknown = list(0x0a);
  unknown[8] = std::byte{0x05};
  BOOST_TEST(field_pointer(select(unknown)) == 8u);
  BOOST_TEST(select(Bytes(7)).failed(0x5, 0x1a00));
  BOOST_TEST(a->send(select10(0)).good());
  BOOST_TEST(a->send({0x55, 0, 0, 0, 0, 0, 0, 0, 8, 0}, Bytes(8)).failed(0x5, 0x2400));  // no PF
}

// Red when a block descriptor can change what it may not, or a fitting one is refused.
BOOST_AUTO_TEST_CASE(block_descriptors) {
  const auto with = [&](std::uint64_t blocks, std::uint32_t block, bool long_lba) -> Sent& {
    Bytes data(long_lba ? 24 : 16);
    data[4] = std::byte(long_lba ? 1 : 0);
    data[7] = std::byte(long_lba ? 16 : 8);
    if (long_lba) {
      put64(&data[8], blocks);
      put32(&data[20], block);
    } else {
      put32(&data[8], blocks);
      put32(&data[12], block);
    }
    return select(data);
  };
  for (const bool long_lba : {false, true}) {
    const std::uint64_t most = long_lba ? UINT64_MAX : UINT32_MAX;
    for (const std::uint64_t blocks : {std::uint64_t{0}, std::uint64_t{kBlocks}, most})
      BOOST_TEST(with(blocks, 512, long_lba).good());
    BOOST_TEST(field_pointer(with(kBlocks - 1, 512, long_lba)) == 8u);
    BOOST_TEST(field_pointer(with(kBlocks, 4096, long_lba)) == (long_lba ? 20u : 13u));
  }
  Bytes bad(12);
  bad[7] = std::byte{4};
  BOOST_TEST(field_pointer(select(bad)) == 7u);
}

BOOST_AUTO_TEST_CASE(without_a_store_nothing_is_savable) {
  BOOST_TEST(a->send(sense10(kAll, 0, kSaved)).failed(0x5, 0x3900));
  BOOST_TEST((list(0x0a).at(8) == std::byte{0x0a}));  // PS
  const Sent& it = select(list(0x0a), true);
  BOOST_TEST(it.failed(0x5, 0x2400));
  BOOST_TEST(field_pointer(it) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(saved_mode, Saving)

// Red when the status goes out before the medium has it, or a reset forgets it.
BOOST_AUTO_TEST_CASE(saved_values_are_stored_first_and_survive_a_reset) {
  BOOST_TEST((list(0x0a).at(8) == std::byte{0x8a}));  // PS
  Sent& it = select(with_descriptor_sense(), true);
  BOOST_TEST(!it.done);
  BOOST_TEST((a->send({0xff}).command.sense[0] == std::byte{0x70}));
  BOOST_TEST(b->send(kTestUnitReady).good());
  store->complete();
  BOOST_TEST(it.good());
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2a01));
  BOOST_TEST(((list(0x0a, 0, kSaved).at(10) & std::byte{0x04}) != std::byte{0}));
  BOOST_TEST(((list(0x0a, 0, kDefaults).at(10) & std::byte{0x04}) == std::byte{0}));
  unit->reset();
  a->send(kTestUnitReady);
  BOOST_TEST((a->send({0xff}).command.sense[0] == std::byte{0x72}));
}

// Red when what could not be stored counts, or a second save mixes with the first.
BOOST_AUTO_TEST_CASE(a_save_that_fails_changes_nothing) {
  Sent& it = select(with_descriptor_sense(), true);
  Sent& second = select(list(0x0a), true);
  BOOST_TEST((second.done && second.command.status == Status::busy));
  store->complete(EIO);
  BOOST_TEST(it.failed(0x4, 0x4400));
  BOOST_TEST((a->send({0xff}).command.sense[0] == std::byte{0x70}));
  BOOST_TEST(b->send(kTestUnitReady).good());
  BOOST_TEST(!select(with_descriptor_sense(), true).done);
  store->complete();
}

BOOST_AUTO_TEST_CASE(an_aborted_save_ends_when_the_medium_is_done) {
  Sent& it = select(with_descriptor_sense(), true);
  unit->abort(it.command);
  BOOST_TEST(!it.aborted);
  store->complete();
  BOOST_TEST(it.aborted);
}

// Red when the next start does not have it, or takes another unit's or a damaged file.
BOOST_AUTO_TEST_CASE(saved_values_come_back_and_damage_is_refused) {
  select(with_descriptor_sense(), true);
  store->complete();
  const std::string image = store->content;
  Bench next;
  HeldStore* other = nullptr;
  BOOST_TEST(next.unit->keep_mode({std::make_unique<HeldStore>(&other), image}).has_value());
  BOOST_TEST((next.a->send({0xff}).command.sense[0] == std::byte{0x72}));
  const ModeState defaults;
  const ModeCapabilities can;
  BOOST_TEST(decode_mode(image, defaults, can, kSerial).has_value());
  BOOST_TEST(!decode_mode(image, defaults, can, "another").has_value());
  for (std::size_t at = 0; at < image.size(); ++at) {
    std::string damaged = image;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    BOOST_TEST(!decode_mode(damaged, defaults, can, kSerial).has_value(), "byte " << at);
  }
}

BOOST_AUTO_TEST_SUITE_END()
