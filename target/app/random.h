// Unpredictable bytes, from the kernel.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace tsihd::app {

/// For CHAP challenges and secrets. Ends the process when the kernel has no random numbers at all.
void fill_random(std::span<std::byte> bytes);

/// A CHAP secret of 128 random bits in 32 hexadecimal digits, which every initiator's configuration
/// takes (RFC 3720 8.2.1-02).
std::string make_secret();

}  // namespace tsihd::app
