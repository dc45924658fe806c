// What the disk may hold: each block's possible values, given what was written and what is known of
// its outcome.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace tsihd::session::sim {

inline constexpr std::uint32_t kBlockBytes = 512;

/// The content of a block of write number `stamp`: it tells which write it is of, and where it
/// belongs. Stamp 0 is the empty disk: zeroes.
void fill_block(std::span<std::byte> block, std::uint64_t stamp, std::uint64_t lba);

/// Every write has a stamp of its own. A write takes effect at some moment between its issue and
/// its end, once or, when its end tells nothing of its success, perhaps not at all. Moments are
/// counted, not timed.
class DiskModel {
 public:
  explicit DiskModel(std::uint32_t blocks);

  std::uint64_t moment() const { return moment_; }
  std::uint32_t blocks() const { return static_cast<std::uint32_t>(history_.size()); }

  void write_issued(std::uint64_t stamp, std::uint32_t lba, std::uint32_t blocks);
  /// It took effect. What had ended before its issue is gone from here on.
  void write_succeeded(std::uint64_t stamp, std::uint32_t lba, std::uint32_t blocks);
  /// It may have taken effect, block by block, but will not any more.
  void write_uncertain(std::uint64_t stamp, std::uint32_t lba, std::uint32_t blocks);
  /// It never reached the disk.
  void write_refused(std::uint64_t stamp, std::uint32_t lba, std::uint32_t blocks);

  std::uint64_t read_issued() { return ++moment_; }
  /// Throws Failure when a block holds what it could not hold at any moment since `issued`. The
  /// last block may be cut short.
  void check_read(std::uint64_t issued, std::uint32_t lba, std::span<const std::byte> data) const;
  /// Forgets values that no read issued at `oldest` or later may see.
  void forget_before(std::uint64_t oldest);

 private:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  struct Value {
    std::uint64_t stamp = 0;
    std::uint64_t issued = 0;
    std::uint64_t ended = 0;       ///< kNever while the write is under way
    std::uint64_t until = kNever;  ///< from then on another value has taken its place
  };
  Value& find(std::uint64_t stamp, std::uint32_t lba);

  std::uint64_t moment_ = 0;
  std::vector<std::vector<Value>> history_;  ///< by LBA
};

}  // namespace tsihd::session::sim
