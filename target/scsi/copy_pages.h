// What a unit says of its third-party copies: the operating parameters and the third-party copy
// page.
#pragma once

#include <cstddef>
#include <vector>

namespace tsihd::scsi {

class DeviceServer;

/// The parameter data of RECEIVE COPY OPERATING PARAMETERS, but for AVAILABLE DATA.
std::vector<std::byte> copy_operating_parameters();
/// Appends the descriptors of VPD page 8Fh (SPC-4 7.8.17).
void append_copy_descriptors(const DeviceServer& server, std::vector<std::byte>& page);

}  // namespace tsihd::scsi
