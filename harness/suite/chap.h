// The one computation of CHAP (RFC 1994 with algorithm 5, MD5; RFC 3720 section 11.1.4).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "harness/wire/bytes.h"

namespace tsih::suite {

wire::Bytes chap_response(std::uint8_t identifier, std::string_view secret,
                          std::span<const std::uint8_t> challenge);

}  // namespace tsih::suite
