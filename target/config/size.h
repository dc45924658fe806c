// Sizes as people write them: "512", "64k", "1G", "2GiB".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "target/base/result.h"

namespace tsihd::config {

/// Bytes. A number with an optional suffix k, M, G, T, P (or Ki, KiB, kB, ... of either case): all
/// are powers of 1024, as in lvresize, truncate and qemu-img. Refuses 0, signs, fractions, spaces
/// and what does not fit in 63 bits.
Result<std::uint64_t> parse_size_bytes(std::string_view text);

/// The shortest exact form: 1073741824 is "1 GiB", 1000 is "1000 B".
std::string show_size_bytes(std::uint64_t bytes);

}  // namespace tsihd::config
