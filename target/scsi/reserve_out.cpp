// PERSISTENT RESERVE OUT: its parameter lists, and what becomes of them.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"
#include "target/scsi/transport_id.h"

namespace tsihd::scsi {
namespace {

using Outcome = Reservations::Outcome;

enum OutAction : std::uint8_t {
  kRegister = 0,
  kReserve = 1,
  kRelease = 2,
  kClear = 3,
  kPreempt = 4,
  kPreemptAndAbort = 5,
  kRegisterAndIgnore = 6,
  kRegisterAndMove = 7
};

/// The basic list, and the header of REGISTER AND MOVE's.
constexpr std::uint32_t kParameterBytes = 24;
constexpr std::size_t kFlagsOffset = 20;
constexpr std::byte kSpecifyInitiatorPorts{0x08};
constexpr std::byte kAllTargetPorts{0x04};
constexpr std::byte kPersistThroughPowerLoss{0x01};
/// SPEC_I_PT: the length of the TransportIDs, then they.
constexpr std::size_t kTransportIdsOffset = 28;

constexpr std::size_t kMoveFlagsOffset = 17;
constexpr std::byte kUnregister{0x02};
constexpr std::size_t kMovePortOffset = 18;
constexpr std::size_t kMoveTransportIdOffset = 24;

std::uint8_t action_of(const Task& task) { return task.cdb()[1] & 0x1f; }

Outcome refused(const Sense& sense) { return {.status = Status::check_condition, .sense = sense}; }

/// The command's parameter list, its length checked: 24 bytes, or more where the action allows it.
struct List {
  std::span<const std::byte> bytes;
  std::uint64_t key() const { return get64(&bytes[0]); }
  std::uint64_t action_key() const { return get64(&bytes[8]); }
  bool flag(std::byte bit) const { return (bytes[kFlagsOffset] & bit) != std::byte{0}; }
};

/// The I_T nexuses that SPEC_I_PT's TransportIDs name, at these target ports. Null: the list is not
/// as it has to be.
std::optional<std::vector<PortIdentity>> specified_ports(Task& task, const List& list,
                                                         std::span<const std::uint16_t> tags) {
  if (list.bytes.size() < kTransportIdsOffset) return std::nullopt;
  auto rest = list.bytes.subspan(kTransportIdsOffset);
  const std::uint32_t length = get32(&list.bytes[kParameterBytes]);
  if (length != rest.size()) return std::nullopt;
  const Nexus& nexus = *task.command->nexus;
  std::vector<PortIdentity> ports;
  while (!rest.empty()) {
    const auto id = take_transport_id(rest);
    if (!id) return std::nullopt;
    std::vector<PortIdentity> named{PortIdentity::of(nexus)};
    named[0].initiator_name = id->initiator_name;
    named[0].initiator_port_name = id->initiator_port_name;
    // Format 00b: every port of the node that we know of.
    if (id->initiator_port_name.empty())
      named = task.server->ports_of_initiator(id->initiator_name, nexus);
    if (named.empty()) return std::nullopt;
    // One above the limit is enough for the refusal.
    for (const PortIdentity& port : named)
      for (std::uint16_t tag : tags)
        if (ports.size() <= Reservations::kMaxRegistrations) ports.push_back(port.at(tag));
  }
  return ports;
}

Outcome register_ports(Task& task, Reservations& reservations, const List& list) {
  const PortIdentity self = PortIdentity::of(*task.command->nexus);
  const bool specified = list.flag(kSpecifyInitiatorPorts);
  // Others can be named with a first registration only.
  if (specified && reservations.registered(self)) {
    const bool key_fits = reservations.has_key(self, list.key());
    return key_fits ? refused(sense::invalid_parameter(kFlagsOffset))
                    : Outcome{.status = Status::reservation_conflict};
  }
  std::vector<std::uint16_t> tags{self.target_portal_group_tag};
  if (list.flag(kAllTargetPorts)) tags = task.server->port_groups().tags(*task.command->nexus);
  std::vector<PortIdentity> ports;
  for (std::uint16_t tag : tags) ports.push_back(self.at(tag));
  Outcome outcome = reservations.register_keys(ports, list.key(), list.action_key(),
                                               action_of(task) == kRegisterAndIgnore);
  if (!specified || outcome.status != Status::good || list.action_key() == 0) return outcome;
  const auto others = specified_ports(task, list, tags);
  if (!others) return refused(sense::invalid_parameter(kParameterBytes));
  const Outcome added = reservations.register_others(*others, list.action_key());
  return added.status == Status::good ? outcome : added;
}

Outcome register_and_move(Task& task, Reservations& reservations, const List& list) {
  const Nexus& nexus = *task.command->nexus;
  const PortIdentity self = PortIdentity::of(nexus);
  const std::uint16_t tag = get16(&list.bytes[kMovePortOffset]);
  auto rest = list.bytes.subspan(kMoveTransportIdOffset);
  if (get32(&list.bytes[kMoveTransportIdOffset - 4]) != rest.size())
    return refused(sense::kParameterListLength);
  if (!reservations.has_key(self, list.key())) return {.status = Status::reservation_conflict};
  if (std::ranges::count(task.server->port_groups().tags(nexus), tag) == 0)
    return refused(sense::invalid_parameter(kMovePortOffset));
  const auto id = take_transport_id(rest);
  if (!id || id->initiator_port_name.empty() || !rest.empty())
    return refused(sense::invalid_parameter(kMoveTransportIdOffset));
  PortIdentity to = self.at(tag);
  to.initiator_name = id->initiator_name;
  to.initiator_port_name = id->initiator_port_name;
  const bool unregister = (list.bytes[kMoveFlagsOffset] & kUnregister) != std::byte{0};
  return reservations.move(self, {list.key(), list.action_key(), unregister, std::move(to)});
}

Outcome carry_out(Task& task, Reservations& reservations, const List& list) {
  const PortIdentity self = PortIdentity::of(*task.command->nexus);
  // Checked on arrival where the action looks at it.
  const auto type = reservation_type(task.cdb()[2] & 0x0f).value_or(ReservationType::none);
  switch (action_of(task)) {
    case kRegister:
    case kRegisterAndIgnore:
      return register_ports(task, reservations, list);
    case kReserve:
      return reservations.reserve(self, list.key(), type);
    case kRelease:
      return reservations.release(self, list.key(), type);
    case kClear:
      return reservations.clear(self, list.key());
    case kRegisterAndMove:
      return register_and_move(task, reservations, list);
    default:
      return reservations.preempt(self, list.key(), list.action_key(), type);
  }
}

// -- APTPL

bool sets_persistence(const Task& task) {
  const std::uint8_t action = action_of(task);
  return action == kRegister || action == kRegisterAndIgnore || action == kRegisterAndMove;
}
std::size_t flags_offset(const Task& task) {
  return action_of(task) == kRegisterAndMove ? kMoveFlagsOffset : kFlagsOffset;
}
bool persistence_asked(const Task& task, const List& list) {
  return (list.bytes[flags_offset(task)] & kPersistThroughPowerLoss) != std::byte{0};
}

/// What the flags rule out, whatever is registered.
std::optional<Sense> check_flags(const Task& task, const List& list) {
  const std::uint8_t action = action_of(task);
  const bool can_keep = task.server->reservation_changes().can_keep();
  if (!can_keep && sets_persistence(task) && persistence_asked(task, list))
    return sense::invalid_parameter(static_cast<std::uint16_t>(flags_offset(task)));
  if (action == kRegisterAndMove) return std::nullopt;
  const bool specified = list.flag(kSpecifyInitiatorPorts);
  if (specified && action != kRegister) return sense::invalid_parameter(kFlagsOffset);
  if (!specified && list.bytes.size() != kParameterBytes) return sense::kParameterListLength;
  return std::nullopt;
}

void changed(Task& task) {
  if (action_of(task) != kPreemptAndAbort) return task.good();
  task.server->abort_and_wait(task, task.server->reservation_changes().take_preempted());
}

/// Its turn has come: nobody else changes the reservations now.
void change_reservations(Task& task) {
  const List list{task.data_out()};
  // RESERVE(6/10) may have come while the parameters did.
  if (task.server->reservations().legacy_held()) return task.finish(Status::reservation_conflict);
  Reservations next = task.server->reservations();
  Outcome outcome = carry_out(task, next, list);
  if (outcome.sense) return task.fail(*outcome.sense);
  if (outcome.status != Status::good) return task.finish(outcome.status);
  const bool forced =
      task.server->attributes().force_persistence && task.server->reservation_changes().can_keep();
  if (sets_persistence(task)) next.set_persists(forced || persistence_asked(task, list));
  task.server->reservation_changes().commit(task, std::move(next), std::move(outcome), changed);
}

void reserve_out_now(Task& task) {
  const List list{task.data_out()};
  if (list.bytes.size() != task.command->wanted_data_out_bytes)
    return task.fail(sense::kParameterListLength);
  if (const auto wrong = check_flags(task, list)) return task.fail(*wrong);
  task.server->reservation_changes().take_turn(task, change_reservations);
}

}  // namespace

void persistent_reserve_out(Task& task) {
  const std::uint8_t* cdb = task.cdb();
  const std::uint8_t action = action_of(task);
  if (task.server->reservations().legacy_held()) return task.finish(Status::reservation_conflict);
  const bool looks_at_type =
      action == kReserve || action == kRelease || action == kPreempt || action == kPreemptAndAbort;
  // Scope: the logical unit, the only one that SPC-4 leaves.
  if (looks_at_type && (cdb[2] >> 4 != 0 || !reservation_type(cdb[2] & 0x0f)))
    return task.fail(sense::invalid_cdb_field(2));
  const std::uint32_t list_bytes = get32(cdb + 5);
  const bool may_be_longer = action == kRegister || action == kRegisterAndMove;
  const std::uint32_t most_bytes = may_be_longer ? kMaxReserveOutBytes : kParameterBytes;
  if (list_bytes < kParameterBytes || list_bytes > most_bytes ||
      task.command->expected_data_out_bytes < list_bytes)
    return task.fail(sense::kParameterListLength);
  task.want_data_out(list_bytes, reserve_out_now);
}

}  // namespace tsihd::scsi
