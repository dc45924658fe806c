// The commands of a unit behind which stands a real SCSI device (pscsi): they are passed to it as
// they came, and so is its answer. What the target keeps for itself, for it is the target's and not
// the device's to know:
// - REPORT LUNS: the LUNs are those of this target.
// - Reservations and registrations, unless the backstore takes them as well: to the device all
//   initiators are one, its own host.
// - What a new or reset I_T nexus is told, write protection of a LUN map, task attributes and task
//   management: aborts wait for the device's answer. So is ACA: the device never sees NACA.
// - The longest transfer (block limits VPD page): blocks pass in pieces that the adapter can carry.
// - Ranges that wrap and protection information that the device has not: refused here, for there
//   are devices that take them for something else (passed_transfer.h).
// INQUIRY and its pages, designators with them, are the device's own.
#pragma once

#include "target/backstore/backstore.h"
#include "target/scsi/operations.h"

namespace tsihd::scsi {

/// How a unit finds the operation that a command calls for; null: it has none.
using FindOperation = const Operation* (*)(const Command&);

/// The table of operations, or for a disk that takes SCSI commands those that pass them.
FindOperation commands_of(const backstore::Geometry& geometry);

}  // namespace tsihd::scsi
