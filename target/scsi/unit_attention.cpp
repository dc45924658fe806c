#include "target/scsi/unit_attention.h"

#include <array>
#include <bit>

namespace tsihd::scsi {

std::optional<Sense> UnitAttentions::take() {
  static constexpr std::array<std::uint16_t, static_cast<std::size_t>(UnitAttention::kCount)>
      kCodes{0x2900, 0x2903, 0x2f00, 0x477f, 0x2a03, 0x2a04, 0x2a05, 0x2a01, 0x2a09, 0x3f0e};
  if (pending_ == 0) return std::nullopt;
  const auto first = static_cast<std::size_t>(std::countr_zero(pending_));
  pending_ &= pending_ - 1;
  return Sense{SenseKey::unit_attention, kCodes[first]};
}

}  // namespace tsihd::scsi
