// Memory that a direct transfer (O_DIRECT) can use as it is.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace tsihd::backstore {

/// O_DIRECT wants memory aligned to the device's logical block, 4096 at most.
inline constexpr std::size_t kDirectAlignment = 4096;

struct FreeAligned {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using AlignedBytes = std::unique_ptr<std::byte, FreeAligned>;

/// At least `bytes`; null when there is no memory.
inline AlignedBytes aligned_bytes(std::size_t bytes) {
  const std::size_t whole = (bytes + kDirectAlignment - 1) / kDirectAlignment * kDirectAlignment;
  return AlignedBytes(static_cast<std::byte*>(std::aligned_alloc(kDirectAlignment, whole)));
}

}  // namespace tsihd::backstore
