// Time is an argument. session/ and scsi/ never read a clock: whoever drives them says what time
// it is, so that tests and the simulator run on a virtual one.
#pragma once

#include <chrono>

namespace tsihd {

using Clock = std::chrono::steady_clock;
using Instant = Clock::time_point;
using Milliseconds = std::chrono::milliseconds;

}  // namespace tsihd
