// Every command of the device server, declared once: dispatch, reservation checks, REPORT SUPPORTED
// OPERATION CODES and docs/scsi-commands.md (command_page.h) all read this table.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "target/scsi/task.h"

namespace tsihd::scsi {

/// What a command does to the medium and the unit: decides whether another nexus's reservation and
/// write protection let it through.
enum class Access : std::uint8_t {
  always,      ///< allowed whatever is reserved
  status,      ///< refused by a RESERVE(6/10) of another nexus only (TEST UNIT READY)
  read,        ///< refused by exclusive access
  write,       ///< refused by write exclusive as well; refused on a write-protected unit
  control,     ///< like write for reservations, but changes no data: write protection allows it
  reservation  ///< looks after reservations itself (PERSISTENT RESERVE OUT, RESERVE, RELEASE)
};

inline constexpr std::int32_t kNoServiceAction = -1;

/// What a unit must be able to do to offer a command.
enum class Needs : std::uint8_t {
  nothing,
  discard_to_zeroes,  ///< DeviceServer::discard_zeroes()
  unmap,              ///< backstore::Geometry::can_discard and Attributes::unmap
  thin,               ///< DeviceServer::thin()
  atomic_write,       ///< backstore::Geometry::max_atomic_write_bytes, or an AtomicJournal
  compare_and_write,  ///< Attributes, this and the next two
  reservations,
  operation_codes,
  copies,                ///< a copy manager, Identity::third_party_copy
  port_groups,           ///< Attributes::port_groups
  explicit_port_groups,  ///< a group whose state SET TARGET PORT GROUPS may change
};

struct Operation {
  std::uint8_t opcode;
  std::int32_t service_action;  ///< kNoServiceAction, or the value in byte 1 bits 0-4
  std::string_view name;
  Access access;
  bool reports_unit_attention;  ///< false: INQUIRY, REPORT LUNS, REQUEST SENSE, see SPC
  Needs needs;                  ///< present only where the unit can do it
  void (*run)(Task&);
  /// CDB usage map, byte 1 on: which bits the command looks at. The length of the CDB follows from
  /// the opcode's group.
  std::array<std::uint8_t, 15> usage;
};

/// 6, 10, 12 or 16 by the opcode's group code; 0 for groups whose commands have no fixed length.
constexpr std::uint8_t cdb_bytes_of(std::uint8_t opcode) {
  constexpr std::array<std::uint8_t, 8> kByGroup{6, 10, 10, 0, 16, 12, 0, 0};
  return kByGroup[opcode >> 5];
}

/// All, sorted by opcode and service action.
std::span<const Operation> operations();
/// Those of one opcode; empty when it is not known.
std::span<const Operation> operations_of(std::uint8_t opcode);
/// The one that a CDB calls for. Null when the opcode, or its service action, is not known.
const Operation* find_operation(const std::uint8_t* cdb);
/// Whether it needs a unit that is ready: TEST UNIT READY and all that reads or writes blocks.
bool accesses_medium(const Operation& operation);
/// What it does to the unit where its CDB decides that.
Access access_by_cdb(const Operation& operation, const std::uint8_t* cdb);
/// Whether this unit offers it.
bool offers(DeviceServer& server, const Operation& operation);

}  // namespace tsihd::scsi
