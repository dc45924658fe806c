#include "target/scsi/unit_attention.h"

#include <algorithm>
#include <array>
#include <bit>

namespace tsihd::scsi {

namespace {

constexpr auto kCodes =
    std::to_array<std::uint16_t>({0x2900, 0x2903, 0x2f00, 0x477f, 0x2a03, 0x2a04, 0x2a05, 0x2c07,
                                  0x2c08, 0x2c09, 0x2a01, 0x2a06, 0x2a09, 0x3807, 0x3f0e});
static_assert(kCodes.size() == static_cast<std::size_t>(UnitAttention::kCount));

}  // namespace

std::optional<UnitAttention> UnitAttentions::condition_of(unsigned code) {
  const auto it = std::ranges::find(kCodes, code);
  if (it != kCodes.end()) return static_cast<UnitAttention>(it - kCodes.begin());
  // The others that tell of a reset.
  if (code >> 8 == 0x29) return UnitAttention::power_on;
  return std::nullopt;
}

std::optional<Sense> UnitAttentions::first() const {
  if (pending_ == 0) return std::nullopt;
  return Sense{SenseKey::unit_attention,
               kCodes[static_cast<std::size_t>(std::countr_zero(pending_))]};
}

std::optional<Sense> UnitAttentions::take() {
  const auto condition = first();
  pending_ &= pending_ - 1;  // also of 0
  return condition;
}

}  // namespace tsihd::scsi
