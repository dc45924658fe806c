// iSCSI TransportIDs (SPC-4 7.6.4.6): how parameter data of persistent reservations names initiator
// ports.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tsihd::scsi {

/// What one TransportID names.
struct TransportId {
  std::string initiator_name;
  /// "<initiator name>,i,0x<12 hex digits>"; empty for format 00b, which names no port but all of
  /// its node.
  std::string initiator_port_name;
};

/// Format 01b for the name of a port, format 00b for a name without an ISID. Ended by a null,
/// padded to a multiple of four, 24 bytes at least.
void append_transport_id(std::vector<std::byte>& data, const std::string& initiator_port_name);

/// The TransportID at the start of `data`, which is cut off there. Null, with `data` as it was,
/// when it is not one of iSCSI, does not end inside `data`, or holds a name that no initiator can
/// have (control characters or spaces, more than 223 bytes, an ISID that is not 48 bits of hex).
/// Names come out as sessions have them: in lower case.
std::optional<TransportId> take_transport_id(std::span<const std::byte>& data);

/// The iSCSI name in the name of a port.
std::string initiator_name_of(const std::string& initiator_port_name);

}  // namespace tsihd::scsi
