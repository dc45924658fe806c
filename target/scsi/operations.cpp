#include "target/scsi/operations.h"

#include <algorithm>

#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"

namespace tsihd::scsi {
namespace {

constexpr bool kReportsAttention = true;
constexpr bool kHidesAttention = false;
constexpr Needs kNothing = Needs::nothing;
constexpr Needs kDiscard = Needs::discard_to_zeroes;
constexpr Needs kUnmap = Needs::unmap;
constexpr Needs kThin = Needs::thin;
constexpr Needs kAtomic = Needs::atomic_write;
constexpr Needs kCopies = Needs::copies;
constexpr Needs kCaw = Needs::compare_and_write;
constexpr Needs kReserve = Needs::reservations;
constexpr Needs kCodes = Needs::operation_codes;
constexpr Needs kGroups = Needs::port_groups;
constexpr Needs kExplicit = Needs::explicit_port_groups;
constexpr std::int32_t kNone = kNoServiceAction;
constexpr std::uint8_t kFf = 0xff;
/// The CONTROL byte: only NACA is looked at.
constexpr std::uint8_t kCtl = 0x04;

// opcode, service action, name, access, unit attention, needs, handler, usage from byte 1.
// clang-format off
constexpr Operation kOperations[] = {
    {0x00, kNone, "TEST UNIT READY", Access::status, kReportsAttention, kNothing, test_unit_ready,
     {0, 0, 0, 0, kCtl}},
    {0x03, kNone, "REQUEST SENSE", Access::always, kHidesAttention, kNothing, request_sense,
     {0x01, 0, 0, kFf, kCtl}},
    {0x08, kNone, "READ(6)", Access::read, kReportsAttention, kNothing, read_blocks,
     {0x1f, kFf, kFf, kFf, kCtl}},
    {0x0a, kNone, "WRITE(6)", Access::write, kReportsAttention, kNothing, write_blocks,
     {0x1f, kFf, kFf, kFf, kCtl}},
    {0x12, kNone, "INQUIRY", Access::always, kHidesAttention, kNothing, inquiry,
     {0x03, kFf, kFf, kFf, kCtl}},
    {0x15, kNone, "MODE SELECT(6)", Access::control, kReportsAttention, kNothing, mode_select,
     {0x11, 0, 0, kFf, kCtl}},
    {0x16, kNone, "RESERVE(6)", Access::reservation, kReportsAttention, kReserve, reserve_unit,
     {0x11, 0, 0, 0, kCtl}},
    {0x17, kNone, "RELEASE(6)", Access::reservation, kReportsAttention, kReserve, release_unit,
     {0x11, 0, 0, 0, kCtl}},
    {0x1a, kNone, "MODE SENSE(6)", Access::read, kReportsAttention, kNothing, mode_sense,
     {0x08, kFf, kFf, kFf, kCtl}},
    {0x1b, kNone, "START STOP UNIT", Access::control, kReportsAttention, kNothing, start_stop_unit,
     {0x01, 0, 0x0f, 0xf7, kCtl}},
    {0x1e, kNone, "PREVENT ALLOW MEDIUM REMOVAL", Access::control, kReportsAttention, kNothing,
     prevent_allow_medium_removal, {0, 0, 0, 0x03, kCtl}},
    {0x25, kNone, "READ CAPACITY(10)", Access::always, kReportsAttention, kNothing,
     read_capacity_10, {0, kFf, kFf, kFf, kFf, 0, 0, 0x01, kCtl}},
    {0x28, kNone, "READ(10)", Access::read, kReportsAttention, kNothing, read_blocks,
     {0xf8, kFf, kFf, kFf, kFf, 0, kFf, kFf, kCtl}},
    {0x2a, kNone, "WRITE(10)", Access::write, kReportsAttention, kNothing, write_blocks,
     {0xf8, kFf, kFf, kFf, kFf, 0, kFf, kFf, kCtl}},
    {0x2e, kNone, "WRITE AND VERIFY(10)", Access::write, kReportsAttention, kNothing,
     write_and_verify, {0xf6, kFf, kFf, kFf, kFf, 0, kFf, kFf, kCtl}},
    {0x2f, kNone, "VERIFY(10)", Access::read, kReportsAttention, kNothing, verify,
     {0xf6, kFf, kFf, kFf, kFf, 0, kFf, kFf, kCtl}},
    {0x34, kNone, "PRE-FETCH(10)", Access::read, kReportsAttention, kNothing, prefetch,
     {0x02, kFf, kFf, kFf, kFf, 0, kFf, kFf, kCtl}},
    {0x35, kNone, "SYNCHRONIZE CACHE(10)", Access::control, kReportsAttention, kNothing,
     synchronize_cache, {0x02, kFf, kFf, kFf, kFf, 0, kFf, kFf, kCtl}},
    {0x37, kNone, "READ DEFECT DATA(10)", Access::read, kReportsAttention, kNothing,
     read_defect_data, {0, 0x1f, 0, 0, 0, 0, kFf, kFf, kCtl}},
    {0x41, kNone, "WRITE SAME(10)", Access::write, kReportsAttention, kNothing, write_same,
     {0xfe, kFf, kFf, kFf, kFf, 0, kFf, kFf, kCtl}},
    {0x42, kNone, "UNMAP", Access::write, kReportsAttention, kUnmap, unmap,
     {0x01, 0, 0, 0, 0, 0, kFf, kFf, kCtl}},
    {0x48, 0x01, "SANITIZE OVERWRITE", Access::write, kReportsAttention, kNothing,
     sanitize_overwrite, {0xbf, 0, 0, 0, 0, 0, kFf, kFf, kCtl}},
    {0x48, 0x02, "SANITIZE BLOCK ERASE", Access::write, kReportsAttention, kDiscard,
     sanitize_block_erase, {0xbf, 0, 0, 0, 0, 0, kFf, kFf, kCtl}},
    {0x48, 0x1f, "SANITIZE EXIT FAILURE MODE", Access::write, kReportsAttention, kNothing,
     sanitize_exit_failure_mode, {0xbf, 0, 0, 0, 0, 0, kFf, kFf, kCtl}},
    {0x4d, kNone, "LOG SENSE", Access::status, kReportsAttention, kNothing, log_sense,
     {0x01, 0x3f, kFf, 0, kFf, kFf, kFf, kFf, kCtl}},
    {0x55, kNone, "MODE SELECT(10)", Access::control, kReportsAttention, kNothing, mode_select,
     {0x11, 0, 0, 0, 0, 0, kFf, kFf, kCtl}},
    {0x56, kNone, "RESERVE(10)", Access::reservation, kReportsAttention, kReserve, reserve_unit,
     {0x11, 0, 0, 0, 0, 0, 0, 0, kCtl}},
    {0x57, kNone, "RELEASE(10)", Access::reservation, kReportsAttention, kReserve, release_unit,
     {0x11, 0, 0, 0, 0, 0, 0, 0, kCtl}},
    {0x5a, kNone, "MODE SENSE(10)", Access::read, kReportsAttention, kNothing, mode_sense,
     {0x18, kFf, kFf, 0, 0, 0, kFf, kFf, kCtl}},
    {0x5e, 0x00, "READ KEYS", Access::status, kReportsAttention, kReserve, persistent_reserve_in,
     {0x1f, 0, 0, 0, 0, 0, kFf, kFf, kCtl}},
    {0x5e, 0x01, "READ RESERVATION", Access::status, kReportsAttention, kReserve,
     persistent_reserve_in, {0x1f, 0, 0, 0, 0, 0, kFf, kFf, kCtl}},
    {0x5e, 0x02, "REPORT CAPABILITIES", Access::status, kReportsAttention, kReserve,
     persistent_reserve_in, {0x1f, 0, 0, 0, 0, 0, kFf, kFf, kCtl}},
    {0x5e, 0x03, "READ FULL STATUS", Access::status, kReportsAttention, kReserve,
     persistent_reserve_in, {0x1f, 0, 0, 0, 0, 0, kFf, kFf, kCtl}},
    {0x5f, 0x00, "REGISTER", Access::reservation, kReportsAttention, kReserve,
     persistent_reserve_out, {0x1f, kFf, 0, 0, kFf, kFf, kFf, kFf, kCtl}},
    {0x5f, 0x01, "RESERVE", Access::reservation, kReportsAttention, kReserve,
     persistent_reserve_out, {0x1f, kFf, 0, 0, kFf, kFf, kFf, kFf, kCtl}},
    {0x5f, 0x02, "RELEASE", Access::reservation, kReportsAttention, kReserve,
     persistent_reserve_out, {0x1f, kFf, 0, 0, kFf, kFf, kFf, kFf, kCtl}},
    {0x5f, 0x03, "CLEAR", Access::reservation, kReportsAttention, kReserve, persistent_reserve_out,
     {0x1f, kFf, 0, 0, kFf, kFf, kFf, kFf, kCtl}},
    {0x5f, 0x04, "PREEMPT", Access::reservation, kReportsAttention, kReserve,
     persistent_reserve_out, {0x1f, kFf, 0, 0, kFf, kFf, kFf, kFf, kCtl}},
    {0x5f, 0x05, "PREEMPT AND ABORT", Access::reservation, kReportsAttention, kReserve,
     persistent_reserve_out, {0x1f, kFf, 0, 0, kFf, kFf, kFf, kFf, kCtl}},
    {0x5f, 0x06, "REGISTER AND IGNORE EXISTING KEY", Access::reservation, kReportsAttention,
     kReserve, persistent_reserve_out, {0x1f, kFf, 0, 0, kFf, kFf, kFf, kFf, kCtl}},
    {0x5f, 0x07, "REGISTER AND MOVE", Access::reservation, kReportsAttention, kReserve,
     persistent_reserve_out, {0x1f, 0, 0, 0, kFf, kFf, kFf, kFf, kCtl}},
    {0x83, 0x00, "EXTENDED COPY(LID1)", Access::control, kReportsAttention, kCopies, extended_copy,
     {0x1f, 0, 0, 0, 0, 0, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x83, 0x01, "EXTENDED COPY(LID4)", Access::control, kReportsAttention, kCopies, extended_copy,
     {0x1f, 0, 0, 0, 0, 0, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x83, 0x10, "POPULATE TOKEN", Access::read, kReportsAttention, kCopies, populate_token,
     {0x1f, 0, 0, 0, 0, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x83, 0x11, "WRITE USING TOKEN", Access::write, kReportsAttention, kCopies, write_using_token,
     {0x1f, 0, 0, 0, 0, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x83, 0x1c, "COPY OPERATION ABORT", Access::control, kReportsAttention, kCopies,
     copy_operation_abort, {0x1f, kFf, kFf, kFf, kFf, 0, 0, 0, 0, 0, 0, 0, 0, 0, kCtl}},
    {0x84, 0x00, "RECEIVE COPY STATUS(LID1)", Access::control, kReportsAttention, kCopies,
     receive_copy_status_lid1, {0x1f, kFf, 0, 0, 0, 0, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x84, 0x03, "RECEIVE COPY OPERATING PARAMETERS", Access::control, kReportsAttention, kCopies,
     receive_copy_parameters, {0x1f, 0, 0, 0, 0, 0, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x84, 0x04, "RECEIVE COPY FAILURE DETAILS(LID1)", Access::control, kReportsAttention, kCopies,
     receive_copy_failure_details, {0x1f, kFf, 0, 0, 0, 0, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x84, 0x05, "RECEIVE COPY STATUS(LID4)", Access::control, kReportsAttention, kCopies,
     receive_copy_status_lid4,
     {0x1f, kFf, kFf, kFf, kFf, 0, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x84, 0x07, "RECEIVE ROD TOKEN INFORMATION", Access::control, kReportsAttention, kCopies,
     receive_rod_token_information,
     {0x1f, kFf, kFf, kFf, kFf, 0, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x88, kNone, "READ(16)", Access::read, kReportsAttention, kNothing, read_blocks,
     {0xf8, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x89, kNone, "COMPARE AND WRITE", Access::write, kReportsAttention, kCaw,
     compare_and_write, {0xf8, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, 0, 0, kFf, 0, kCtl}},
    {0x8a, kNone, "WRITE(16)", Access::write, kReportsAttention, kNothing, write_blocks,
     {0xf8, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x8b, kNone, "ORWRITE(16)", Access::write, kReportsAttention, kNothing, or_write,
     {0xf8, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x8e, kNone, "WRITE AND VERIFY(16)", Access::write, kReportsAttention, kNothing,
     write_and_verify, {0xf6, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x8f, kNone, "VERIFY(16)", Access::read, kReportsAttention, kNothing, verify,
     {0xf6, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x90, kNone, "PRE-FETCH(16)", Access::read, kReportsAttention, kNothing, prefetch,
     {0x02, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x91, kNone, "SYNCHRONIZE CACHE(16)", Access::control, kReportsAttention, kNothing,
     synchronize_cache,
     {0x02, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x93, kNone, "WRITE SAME(16)", Access::write, kReportsAttention, kNothing, write_same,
     {0xff, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x9c, kNone, "WRITE ATOMIC(16)", Access::write, kReportsAttention, kAtomic, write_atomic,
     {0xf8, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x9e, 0x10, "READ CAPACITY(16)", Access::always, kReportsAttention, kNothing, read_capacity_16,
     {0x1f, 0, 0, 0, 0, 0, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0x9e, 0x12, "GET LBA STATUS", Access::read, kReportsAttention, kThin, get_lba_status,
     {0x1f, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0xa0, kNone, "REPORT LUNS", Access::always, kHidesAttention, kNothing, report_luns,
     {0, kFf, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0xa3, 0x0a, "REPORT TARGET PORT GROUPS", Access::always, kReportsAttention, kGroups,
     report_target_port_groups, {0xff, 0, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0xa3, 0x0c, "REPORT SUPPORTED OPERATION CODES", Access::read, kReportsAttention, kCodes,
     report_supported_operation_codes,
     {0x1f, 0x87, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0xa3, 0x0d, "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", Access::read, kReportsAttention,
     kNothing, report_supported_task_management,
     {0x1f, 0x80, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0xa4, 0x0a, "SET TARGET PORT GROUPS", Access::control, kReportsAttention, kExplicit,
     set_target_port_groups, {0x1f, 0, 0, 0, 0, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0xa8, kNone, "READ(12)", Access::read, kReportsAttention, kNothing, read_blocks,
     {0xf8, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0xaa, kNone, "WRITE(12)", Access::write, kReportsAttention, kNothing, write_blocks,
     {0xf8, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0xae, kNone, "WRITE AND VERIFY(12)", Access::write, kReportsAttention, kNothing,
     write_and_verify, {0xf6, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0xaf, kNone, "VERIFY(12)", Access::read, kReportsAttention, kNothing, verify,
     {0xf6, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
    {0xb7, kNone, "READ DEFECT DATA(12)", Access::read, kReportsAttention, kNothing,
     read_defect_data, {0x1f, kFf, kFf, kFf, kFf, kFf, kFf, kFf, kFf, 0, kCtl}},
};
// clang-format on

constexpr bool sorted_and_unique() {
  for (std::size_t i = 1; i < std::size(kOperations); ++i) {
    const Operation& a = kOperations[i - 1];
    const Operation& b = kOperations[i];
    if (a.opcode > b.opcode || (a.opcode == b.opcode && a.service_action >= b.service_action))
      return false;
    // All of one opcode have service actions, or it is declared once.
    if (a.opcode == b.opcode && a.service_action == kNone) return false;
  }
  return true;
}
static_assert(sorted_and_unique());

struct Slot {
  std::uint8_t first = 0;
  std::uint8_t count = 0;
};
constexpr std::array<Slot, 256> kByOpcode = [] {
  std::array<Slot, 256> slots{};
  for (std::size_t i = std::size(kOperations); i-- > 0;) {
    Slot& slot = slots[kOperations[i].opcode];
    slot = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(slot.count + 1)};
  }
  return slots;
}();

}  // namespace

std::span<const Operation> operations() { return kOperations; }

std::span<const Operation> operations_of(std::uint8_t opcode) {
  const Slot slot = kByOpcode[opcode];
  return std::span(kOperations).subspan(slot.first, slot.count);
}

const Operation* find_operation(const std::uint8_t* cdb) {
  const Slot slot = kByOpcode[cdb[0]];
  if (slot.count == 0) return nullptr;
  const Operation* first = &kOperations[slot.first];
  if (first->service_action == kNoServiceAction) return first;
  for (std::size_t i = 0; i < slot.count; ++i)
    if (first[i].service_action == (cdb[1] & 0x1f)) return first + i;
  return nullptr;
}

bool accesses_medium(const Operation& operation) {
  constexpr std::uint8_t kTestUnitReady = 0x00, kModeSense6 = 0x1a, kModeSense10 = 0x5a;
  constexpr std::uint8_t kMaintenanceIn = 0xa3, kSynchronize10 = 0x35, kSynchronize16 = 0x91;
  const std::uint8_t opcode = operation.opcode;
  switch (operation.access) {
    case Access::write:
      return true;
    case Access::read:
      return opcode != kModeSense6 && opcode != kModeSense10 && opcode != kMaintenanceIn;
    case Access::control:
      return opcode == kSynchronize10 || opcode == kSynchronize16;
    case Access::status:
      return opcode == kTestUnitReady;
    case Access::always:
    case Access::reservation:
      return false;
  }
  return false;
}

/// SBC-3 table 13: who lets the medium go or starts the unit takes nothing from the holder of a
/// reservation.
Access access_by_cdb(const Operation& operation, const std::uint8_t* cdb) {
  constexpr std::uint8_t kStartStop = 0x1b, kPreventAllow = 0x1e;
  constexpr std::uint8_t kStart = 0x01, kPowerCondition = 0xf0, kPrevent = 0x03;
  const bool starts = cdb[0] == kStartStop && (cdb[4] & (kStart | kPowerCondition)) == kStart;
  const bool allows = cdb[0] == kPreventAllow && (cdb[4] & kPrevent) == 0;
  return starts || allows ? Access::always : operation.access;
}

bool offers(DeviceServer& server, const Operation& operation) {
  switch (operation.needs) {
    case Needs::nothing:
      return true;
    case Needs::discard_to_zeroes:
      return server.discard_zeroes();
    case Needs::unmap:
      return server.geometry().can_discard && server.attributes().unmap;
    case Needs::thin:
      return server.thin();
    case Needs::atomic_write:
      return max_atomic_blocks(server) > 0;
    case Needs::copies:
      return server.copies() != nullptr;
    case Needs::compare_and_write:
      return server.attributes().compare_and_write;
    case Needs::reservations:
      return server.attributes().reservations;
    case Needs::operation_codes:
      return server.attributes().operation_codes;
    case Needs::port_groups:
      return server.attributes().port_groups;
    case Needs::explicit_port_groups:
      return server.attributes().port_groups &&
             std::ranges::any_of(server.port_groups().groups(), &PortGroup::explicit_access);
  }
  return false;
}

}  // namespace tsihd::scsi
