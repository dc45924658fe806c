// Registrations and the reservation of one unit as text: what APTPL keeps. Lines, framed as
// state_image.h says:
//
//   registration 0x<key> <portal group tag> <initiator port name> <target name>     each
//   reservation <type> <index of the holder's registration, 0 for all registrants>  when reserved
#pragma once

#include <string>
#include <string_view>

#include "target/base/result.h"
#include "target/scsi/reservations.h"

namespace tsihd::scsi {

/// Empty when nothing has to survive a power loss.
std::string encode_reservations(const Reservations& reservations, const std::string& serial);

/// What encode_reservations() wrote for the unit of this serial number; anything else, by one byte,
/// is refused with the reason. PRGENERATION starts at zero (SPC-4 5.13.5).
Result<Reservations> decode_reservations(std::string_view text, const std::string& serial);

}  // namespace tsihd::scsi
