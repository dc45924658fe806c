// Which bytes of a stretch have come: a few runs, in order and apart from each other.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace tsihd::session {

/// Holds at most kRuns runs, so that no order of arrival makes it grow; data that comes in order is
/// one run, however much it is.
class ByteRanges {
 public:
  static constexpr std::size_t kRuns = 8;
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
    std::size_t at = count_;
    while (at > 0 && runs_[at - 1].begin >= end) --at;  // the first run behind it
    if (at > 0 && runs_[at - 1].end > begin) return Added::overlap;
    const bool joins_left = at > 0 && runs_[at - 1].end == begin;
    const bool joins_right = at < count_ && runs_[at].begin == end;
    if (!joins_left && !joins_right) {
      if (count_ == kRuns) return Added::too_scattered;
      std::copy_backward(runs_.begin() + at, runs_.begin() + count_, runs_.begin() + count_ + 1);
      runs_[at] = {begin, end};
      ++count_;
    } else if (joins_left && joins_right) {
      runs_[at - 1].end = runs_[at].end;
      std::copy(runs_.begin() + at + 1, runs_.begin() + count_, runs_.begin() + at);
      --count_;
    } else if (joins_left) {
      runs_[at - 1].end = end;
    } else {
      runs_[at].begin = begin;
    }
    bytes_ += end - begin;
    return Added::fresh;
  }

  /// How many bytes there are.
  std::uint32_t bytes() const { return bytes_; }
  /// One past the last of them; `otherwise` when there is none.
  std::uint32_t end_or(std::uint32_t otherwise) const {
    return count_ == 0 ? otherwise : runs_[count_ - 1].end;
  }
  /// From the first byte that is missing in [begin, end) to one past the last.
  Run hole(std::uint32_t begin, std::uint32_t end) const {
    for (std::size_t i = 0; i < count_ && runs_[i].begin <= begin; ++i)
      begin = std::max(begin, runs_[i].end);
    for (std::size_t i = count_; i > 0 && runs_[i - 1].end >= end; --i)
      end = std::min(end, runs_[i - 1].begin);
    return begin < end ? Run{begin, end} : Run{};
  }
  /// How many of the bytes in `run` there are.
  std::uint32_t bytes_within(Run run) const {
    std::uint32_t bytes = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      const Run both{std::max(run.begin, runs_[i].begin), std::min(run.end, runs_[i].end)};
      if (!both.empty()) bytes += both.end - both.begin;
    }
    return bytes;
  }

 private:
  std::uint32_t bytes_ = 0;
  std::size_t count_ = 0;
  std::array<Run, kRuns> runs_;
};

}  // namespace tsihd::session
