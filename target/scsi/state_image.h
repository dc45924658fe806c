// The frame of what a unit keeps through a power loss: who wrote it, of which unit, and a CRC32C of
// all that.
//
//   <magic>                     one line: what it is, and the number of its format
//   unit <serial number>
//   <body>                      lines
//   crc32c 0x<8 hex digits>
#pragma once

#include <string>
#include <string_view>

#include "target/base/result.h"

namespace tsihd::scsi {

std::string seal_image(std::string_view magic, std::string_view serial, std::string_view body);
/// The body of an image with this magic, of the unit with this serial number; anything else, by one
/// byte, is refused with the reason. `what` is its plural noun for that: "registrations".
Result<std::string_view> open_image(std::string_view image, std::string_view magic,
                                    std::string_view serial, std::string_view what);

}  // namespace tsihd::scsi
