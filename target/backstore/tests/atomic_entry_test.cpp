// The journal's entry: what is taken for one, and what a disk is said to hold.
#include "target/backstore/atomic_entry.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <string>

using namespace tsihd::backstore;

namespace {

using Bytes = std::vector<std::byte>;
const std::string kSerial = "0123-4567";

Bytes filled(std::size_t bytes, unsigned seed) {
  std::mt19937 dice(seed);
  Bytes data(bytes);
  for (std::byte& b : data) b = static_cast<std::byte>(dice());
  return data;
}

/// A file with the entry of a write to 4 sectors.
struct File {
  explicit File(std::size_t bytes = 4 * kAtomicSectorBytes)
      : before(filled(bytes, 1)), after(filled(bytes, 2)), content(kAtomicEntryBytes) {
    const Bytes index = encode_index(kSerial, 4096, before, after);
    used = index.size();
    std::ranges::copy(index, content.begin());
    std::ranges::copy(after, content.begin() + kAtomicDataAt);
  }
  Bytes before, after, content;
  std::size_t used = 0;  ///< of the index
};

bool is(const std::expected<AtomicEntry, NoEntry>& entry, NoEntry why) {
  return !entry && entry.error() == why;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(atomic_entry)

BOOST_AUTO_TEST_CASE(an_entry_comes_back) {
  for (std::size_t bytes :
       {kAtomicSectorBytes, 4 * kAtomicSectorBytes, std::size_t{kMaxAtomicWriteBytes}}) {
    const File file(bytes);
    const auto entry = decode_entry(file.content, kSerial);
    BOOST_TEST_REQUIRE(entry.has_value());
    BOOST_TEST(entry->offset_bytes == 4096u);
    BOOST_TEST(std::ranges::equal(entry->data, file.after));
    BOOST_TEST((compare(*entry, file.before) == InPlace::before));
    BOOST_TEST((compare(*entry, file.after) == InPlace::after));
  }
}

BOOST_AUTO_TEST_CASE(a_cleared_file_has_none) {
  Bytes content(kAtomicEntryBytes);
  BOOST_TEST(is(decode_entry(content, kSerial), NoEntry::cleared));
  BOOST_TEST(is(decode_entry({}, kSerial), NoEntry::cleared));
  std::ranges::fill(content.begin() + kAtomicHeaderBytes, content.end(), std::byte{7});
  BOOST_TEST(is(decode_entry(content, kSerial), NoEntry::cleared));
}

BOOST_AUTO_TEST_CASE(another_disks_is_known_for_it) {
  const File file;
  BOOST_TEST(is(decode_entry(file.content, "0123-4568"), NoEntry::another_disk));
  BOOST_TEST(is(decode_entry(file.content, ""), NoEntry::another_disk));
}

// Red when a byte of the header, of a digest or of the data is not covered. Bytes that mean nothing
// (the rest of the header) may be anything.
BOOST_AUTO_TEST_CASE(any_byte_that_differs_makes_it_torn) {
  File file;
  const auto flipped_is_torn = [&](std::size_t at, std::byte by) {
    file.content[at] ^= by;
    const bool torn = is(decode_entry(file.content, kSerial), NoEntry::torn);
    file.content[at] ^= by;
    return torn;
  };
  constexpr std::size_t kHeaderUsed = 96;
  std::vector<std::size_t> missed;
  for (std::byte by : {std::byte{0x01}, std::byte{0x80}, std::byte{0xff}}) {
    for (std::size_t at = 0; at < kHeaderUsed; ++at)
      if (!flipped_is_torn(at, by)) missed.push_back(at);
    for (std::size_t at = kAtomicHeaderBytes; at < file.used; ++at)
      if (!flipped_is_torn(at, by)) missed.push_back(at);
    for (std::size_t at = 0; at < file.after.size(); at += 7)
      if (!flipped_is_torn(kAtomicDataAt + at, by)) missed.push_back(kAtomicDataAt + at);
  }
  BOOST_TEST(missed.empty());
  BOOST_TEST(decode_entry(file.content, kSerial).has_value());
}

BOOST_AUTO_TEST_CASE(a_file_that_was_cut_is_torn) {
  const File file;
  const std::span<const std::byte> all(file.content);
  for (std::size_t bytes : {std::size_t{1}, std::size_t{40}, kAtomicHeaderBytes, file.used,
                            kAtomicDataAt, kAtomicDataAt + file.after.size() - 1})
    BOOST_TEST(is(decode_entry(all.first(bytes), kSerial), NoEntry::torn));
  BOOST_TEST(decode_entry(all.first(kAtomicDataAt + file.after.size()), kSerial).has_value());
}

// Red when a length is believed before it is checked.
BOOST_AUTO_TEST_CASE(garbage_is_never_an_entry) {
  const File file;
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937_64 dice(seed);
    Bytes content = filled(seed % 50 == 0 ? kAtomicEntryBytes : dice() % kAtomicDataAt, seed);
    // A good beginning, then lengths and offsets of all sizes.
    const std::size_t good = std::min<std::size_t>(seed % 2 == 0 ? 16 : 0, content.size());
    std::copy_n(file.content.begin(), good, content.begin());
    if (content.size() > 32) {
      const std::uint64_t length = dice() >> dice() % 64;
      std::memcpy(&content[24], &length, sizeof length);
    }
    BOOST_TEST(!decode_entry(content, kSerial).has_value());
  }
}

BOOST_AUTO_TEST_CASE(sectors_are_told_apart) {
  const File file;
  const auto entry = decode_entry(file.content, kSerial).value();
  for (unsigned mask = 1; mask < 15; ++mask) {
    Bytes found = file.before;
    for (unsigned i = 0; i < 4; ++i)
      if ((mask >> i & 1) != 0)
        std::copy_n(file.after.begin() + i * kAtomicSectorBytes, kAtomicSectorBytes,
                    found.begin() + i * kAtomicSectorBytes);
    BOOST_TEST((compare(entry, found) == InPlace::torn));
    found[mask * 100] ^= std::byte{1};
    BOOST_TEST((compare(entry, found) == InPlace::foreign));
  }
  // A sector of the right content in the wrong place is somebody else's.
  Bytes found = file.before;
  std::swap_ranges(found.begin(), found.begin() + kAtomicSectorBytes,
                   found.begin() + kAtomicSectorBytes);
  BOOST_TEST((compare(entry, found) == InPlace::foreign));
}

BOOST_AUTO_TEST_CASE(a_disk_that_shrank_is_looked_at_as_far_as_it_goes) {
  const File file;
  const auto entry = decode_entry(file.content, kSerial).value();
  Bytes found(file.after.begin(), file.after.begin() + 2 * kAtomicSectorBytes);
  BOOST_TEST((compare(entry, found) == InPlace::after));
  std::copy_n(file.before.begin(), kAtomicSectorBytes, found.begin());
  BOOST_TEST((compare(entry, found) == InPlace::torn));
  BOOST_TEST((compare(entry, {}) == InPlace::before));
}

BOOST_AUTO_TEST_SUITE_END()
