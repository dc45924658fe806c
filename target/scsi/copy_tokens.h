// ROD tokens (SPC-4 5.16.6): 512 bytes that stand for blocks of a unit. Whoever shows them may copy
// those blocks, so they cannot be guessed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "target/base/time.h"
#include "target/scsi/handlers.h"
#include "target/scsi/sense.h"

namespace tsihd::scsi {

class DeviceServer;
class LogicalUnit;
struct Nexus;

inline constexpr std::size_t kTokenBytes = 512;
using TokenBytes = std::array<std::byte, kTokenBytes>;

enum class RodType : std::uint32_t {
  /// The data is what the blocks hold when the token is used.
  access_upon_reference = 0x00010000,
  /// The data is that of the token's making; the token is void once any of it has changed.
  point_in_time_change_vulnerable = 0x00800001,
  /// In a request: any kind of point in time.
  point_in_time_any = 0x0080ffff,
  /// Made by nobody, known to everybody: stands for zeroes (SBC-3 4.27.3).
  zeroes = 0xffff0001,
};

class RodTokens {
 public:
  struct Token {
    std::uint64_t id = 0;  ///< never 0
    TokenBytes bytes{};
    RodType type = RodType::access_upon_reference;
    std::weak_ptr<LogicalUnit> unit;
    std::string initiator_name;
    std::vector<BlockRange> ranges;
    std::uint32_t block_bytes = 512;
    std::uint32_t timeout_s = 0;
    Instant used_at{};

    std::uint64_t blocks() const;
  };

  explicit RodTokens(void (*random)(std::span<std::byte>)) : random_(random) {}
  ~RodTokens();
  RodTokens(const RodTokens&) = delete;
  RodTokens& operator=(const RodTokens&) = delete;

  /// Makes a token; type, unit, ranges, block_bytes and timeout_s of `token` say for what. Fails
  /// with INSUFFICIENT RESOURCES TO CREATE ROD TOKEN at the limits.
  std::expected<TokenBytes, Sense> create(Token token, const Nexus& nexus);
  /// The token with these bytes, or null. To ask for it is to use it.
  const Token* use(std::span<const std::byte> bytes);
  /// Whether there still is a token with this id.
  bool holds(std::uint64_t id) const;
  void remove(std::uint64_t id);

  /// Tokens that have not been used for their timeout go. Between two calls the clock stands still.
  void tick(Instant now);
  /// Change vulnerable tokens for any of these bytes are void.
  void note_change(const DeviceServer& unit, std::uint64_t offset_bytes,
                   std::uint64_t length_bytes);
  /// All tokens of the unit are void.
  void forget(const DeviceServer& unit);
  std::size_t size() const { return tokens_.size(); }

 private:
  template <class Predicate>
  void remove_where(Predicate predicate);

  void (*random_)(std::span<std::byte>);
  std::vector<Token> tokens_;
  std::uint64_t last_id_ = 0;
  Instant now_{};
};

}  // namespace tsihd::scsi
