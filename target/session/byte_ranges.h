// Which bytes of a stretch have come: a few runs, in order and apart from each other.
#pragma once

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace tsihd::session {

/// Holds at most kRuns runs, so that no order of arrival makes it grow without end; data that comes
/// in order is one run, however much it is, and takes no memory of its own.
class ByteRanges {
 public:
  static constexpr std::size_t kRuns = 1024;
  struct Run {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;  ///< one past the last byte
    bool empty() const { return begin >= end; }
  };
  enum class Added : std::uint8_t {
    fresh,
    overlap,        ///< some of it was there already: nothing was added
    too_scattered,  ///< it would be a run too many: nothing was added
  };

  Added add(std::uint32_t begin, std::uint32_t end) {
    if (begin >= end) return Added::fresh;
    auto behind = runs_.end();
    while (behind != runs_.begin() && std::prev(behind)->begin >= end) --behind;
    const bool any_before = behind != runs_.begin();
    if (any_before && std::prev(behind)->end > begin) return Added::overlap;
    const bool joins_left = any_before && std::prev(behind)->end == begin;
    const bool joins_right = behind != runs_.end() && behind->begin == end;
    if (joins_left && joins_right) {
      std::prev(behind)->end = behind->end;
      runs_.erase(behind);
    } else if (joins_left) {
      std::prev(behind)->end = end;
    } else if (joins_right) {
      behind->begin = begin;
    } else if (runs_.size() == kRuns) {
      return Added::too_scattered;
    } else {
      runs_.insert(behind, {begin, end});
    }
    bytes_ += end - begin;
    return Added::fresh;
  }

  /// How many bytes there are.
  std::uint32_t bytes() const { return bytes_; }
  /// One past the last of them; `otherwise` when there is none.
  std::uint32_t end_or(std::uint32_t otherwise) const {
    return runs_.empty() ? otherwise : runs_.back().end;
  }
  /// From the first byte that is missing in [begin, end) to one past the last.
  Run hole(std::uint32_t begin, std::uint32_t end) const {
    for (const Run& run : runs_)
      if (run.begin <= begin) begin = std::max(begin, run.end);
    for (auto run = runs_.rbegin(); run != runs_.rend() && run->end >= end; ++run)
      end = std::min(end, run->begin);
    return begin < end ? Run{begin, end} : Run{};
  }
  /// How many of the bytes in `stretch` there are.
  std::uint32_t bytes_within(Run stretch) const {
    std::uint32_t bytes = 0;
    for (const Run& run : runs_) {
      const Run both{std::max(stretch.begin, run.begin), std::min(stretch.end, run.end)};
      if (!both.empty()) bytes += both.end - both.begin;
    }
    return bytes;
  }

 private:
  std::uint32_t bytes_ = 0;
  boost::container::small_vector<Run, 4> runs_;
};

}  // namespace tsihd::session
