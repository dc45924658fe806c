// Bytes as everything in the harness passes them.
#pragma once

#include <cstdint>
#include <vector>

namespace tsih::wire {

using Bytes = std::vector<std::uint8_t>;

}  // namespace tsih::wire
