#include "target/session/byte_ranges.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <vector>

namespace tsihd::session {

BOOST_AUTO_TEST_SUITE(byte_ranges)

// Red when any order of pieces gives another picture than a map with a flag for each byte.
BOOST_AUTO_TEST_CASE(against_a_map_of_bytes) {
  constexpr std::uint32_t kBytes = 64;
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::minstd_rand generator(seed);
    const auto random = [&] { return static_cast<std::uint32_t>(generator()); };
    ByteRanges ranges;
    std::vector<bool> there(kBytes);
    for (int i = 0; i < 40; ++i) {
      const std::uint32_t begin = random() % kBytes;
      const std::uint32_t end = begin + random() % (kBytes - begin + 1) / 4;
      bool overlaps = false;
      for (std::uint32_t at = begin; at < end; ++at) overlaps = overlaps || there[at];
      const auto added = ranges.add(begin, end);
      BOOST_TEST((added == ByteRanges::Added::overlap) == overlaps);
      if (added == ByteRanges::Added::fresh)
        for (std::uint32_t at = begin; at < end; ++at) there[at] = true;
      BOOST_TEST(ranges.bytes() ==
                 static_cast<std::uint32_t>(std::count(there.begin(), there.end(), true)));
      std::uint32_t first = 0, last = kBytes;
      while (first < kBytes && there[first]) ++first;
      while (last > first && there[last - 1]) --last;
      const auto hole = ranges.hole(0, kBytes);
      BOOST_TEST(hole.empty() == (first == kBytes));
      if (!hole.empty()) {
        BOOST_TEST(hole.begin == first);
        BOOST_TEST(hole.end == last);
      }
      const auto within = ranges.bytes_within({begin, kBytes});
      BOOST_TEST(within ==
                 static_cast<std::uint32_t>(std::count(there.begin() + begin, there.end(), true)));
    }
  }
}

// Red when scattered pieces are lost without a word, or make it grow.
BOOST_AUTO_TEST_CASE(scattered) {
  ByteRanges ranges;
  for (std::uint32_t i = 0; i < ByteRanges::kRuns; ++i)
    BOOST_TEST((ranges.add(4 * i, 4 * i + 2) == ByteRanges::Added::fresh));
  BOOST_TEST((ranges.add(9000, 9001) == ByteRanges::Added::too_scattered));
  BOOST_TEST((ranges.add(2, 4) == ByteRanges::Added::fresh));  // joins two runs
  BOOST_TEST((ranges.add(9000, 9001) == ByteRanges::Added::fresh));
  BOOST_TEST(ranges.end_or(0) == 9001u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsihd::session
