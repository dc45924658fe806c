#include "target/scsi/reservations.h"

#include <algorithm>
#include <iterator>

namespace tsihd::scsi {
namespace {

using Type = ReservationType;

bool write_exclusive(Type type) {
  return type == Type::write_exclusive || type == Type::write_exclusive_registrants_only ||
         type == Type::write_exclusive_all_registrants;
}
bool opens_to_registrants(Type type) {
  return type != Type::none && type != Type::write_exclusive && type != Type::exclusive_access;
}

Reservations::Outcome conflict() { return {.status = Status::reservation_conflict}; }
Reservations::Outcome failure(const Sense& sense) {
  return {.status = Status::check_condition, .sense = sense};
}

constexpr std::uint16_t kServiceActionKeyOffset = 8;
constexpr std::uint16_t kMoveTransportIdOffset = 24;

}  // namespace

PortIdentity PortIdentity::of(const Nexus& nexus) {
  return {nexus.initiator_port_name, nexus.initiator_name, nexus.target_name,
          nexus.target_portal_group_tag};
}

PortIdentity PortIdentity::at(std::uint16_t other_portal_group_tag) const {
  PortIdentity other = *this;
  other.target_portal_group_tag = other_portal_group_tag;
  return other;
}

bool PortIdentity::is(const Nexus& nexus) const {
  return target_portal_group_tag == nexus.target_portal_group_tag &&
         initiator_port_name == nexus.initiator_port_name && target_name == nexus.target_name;
}

std::optional<ReservationType> reservation_type(std::uint8_t number) {
  switch (number) {
    case 1:
    case 3:
    case 5:
    case 6:
    case 7:
    case 8:
      return static_cast<Type>(number);
    default:
      return std::nullopt;
  }
}

bool Reservations::all_registrants() const {
  return type_ == Type::write_exclusive_all_registrants ||
         type_ == Type::exclusive_access_all_registrants;
}

Reservations::Reservations(Kept kept)
    : registrations_(std::move(kept.registrations)), type_(kept.type), persists_(true) {
  if (type_ != Type::none) holder_ = registrations_.at(kept.holder).port;
}

Reservations::Kept Reservations::kept() const {
  Kept kept{registrations_, type_};
  if (type_ == Type::none || all_registrants()) return kept;
  const auto holder = std::ranges::find(registrations_, holder_, &Registration::port);
  kept.holder = static_cast<std::size_t>(holder - registrations_.begin());
  return kept;
}

const Reservations::Registration* Reservations::find(const Nexus& nexus) const {
  for (const Registration& it : registrations_)
    if (it.port.is(nexus)) return &it;
  return nullptr;
}
const Reservations::Registration* Reservations::find(const PortIdentity& port) const {
  const auto it = std::ranges::find(registrations_, port, &Registration::port);
  return it == registrations_.end() ? nullptr : &*it;
}
Reservations::Registration* Reservations::find(const PortIdentity& port) {
  return const_cast<Registration*>(std::as_const(*this).find(port));
}

bool Reservations::has_key(const PortIdentity& port, std::uint64_t key) const {
  const Registration* registration = find(port);
  return registration != nullptr && registration->key == key;
}

/// False when there is no room.
bool Reservations::add(const PortIdentity& port, std::uint64_t key) {
  if (registrations_.size() >= kMaxRegistrations) return false;
  registrations_.push_back({port, key});
  return true;
}

bool Reservations::holds(const Registration& registration) const {
  return type_ != Type::none && (all_registrants() || registration.port == holder_);
}

std::uint64_t Reservations::holder_key() const {
  if (type_ == Type::none || all_registrants()) return 0;
  for (const Registration& it : registrations_)
    if (it.port == holder_) return it.key;
  return 0;
}

bool Reservations::conflicts(const Nexus& nexus, Access access) const {
  if (access == Access::always || access == Access::reservation) return false;
  if (legacy_conflict(nexus)) return true;
  if (type_ == Type::none || access == Access::status) return false;
  if (access == Access::read && write_exclusive(type_)) return false;
  const Registration* registration = find(nexus);
  if (registration == nullptr) return true;
  return !opens_to_registrants(type_) && !holds(*registration);
}

/// SPC-4 5.12.3, compatible reservation handling: who may use a persistent reservation keeps it.
bool Reservations::covers_legacy(const Nexus& nexus) const {
  const Registration* mine = find(nexus);
  return mine != nullptr && type_ != Type::none && (holds(*mine) || opens_to_registrants(type_));
}

bool Reservations::reserve_legacy(const Nexus& nexus) {
  if (covers_legacy(nexus)) return true;
  if (!registrations_.empty() || legacy_conflict(nexus)) return false;
  legacy_holder_ = nexus.id;
  return true;
}

bool Reservations::release_legacy(const Nexus& nexus) {
  if (covers_legacy(nexus)) return true;
  if (!registrations_.empty()) return false;
  if (legacy_holder_ == nexus.id) legacy_holder_ = 0;
  return true;
}

void Reservations::nexus_lost(const Nexus& nexus) {
  if (legacy_holder_ == nexus.id) legacy_holder_ = 0;
}

void Reservations::notify_others(Outcome& outcome, const PortIdentity& port,
                                 UnitAttention condition) const {
  for (const Registration& it : registrations_)
    if (it.port != port) outcome.notices.push_back({it.port, condition});
}

Reservations::Outcome Reservations::register_key(const PortIdentity& port, std::uint64_t key,
                                                 std::uint64_t new_key, bool ignore_existing) {
  Registration* mine = find(port);
  if (!ignore_existing && key != (mine == nullptr ? 0 : mine->key)) return conflict();
  Outcome outcome;
  if (mine == nullptr) {
    // With a new key of zero it was not registered and shall not be: nothing happens.
    if (new_key != 0 && !add(port, new_key)) return failure(sense::kInsufficientRegistrations);
  } else if (new_key != 0) {
    mine->key = new_key;
  } else {
    unregister(outcome, port);
  }
  return outcome;
}

Reservations::Outcome Reservations::register_keys(std::span<const PortIdentity> ports,
                                                  std::uint64_t key, std::uint64_t new_key,
                                                  bool ignore_existing) {
  Outcome all;
  const bool changes = new_key != 0 || std::ranges::any_of(ports, [&](const PortIdentity& port) {
                         return registered(port);
                       });
  for (const PortIdentity& port : ports) {
    Outcome one = register_key(port, key, new_key, ignore_existing);
    if (one.status != Status::good) return one;
    std::ranges::move(one.notices, std::back_inserter(all.notices));
  }
  if (changes) ++generation_;
  return all;
}

Reservations::Outcome Reservations::register_others(std::span<const PortIdentity> ports,
                                                    std::uint64_t new_key) {
  for (const PortIdentity& port : ports)
    if (!registered(port) && !add(port, new_key)) return failure(sense::kInsufficientRegistrations);
  return {};
}

/// SPC-4 5.13.8: only the holder of a reservation that one I_T nexus holds alone can move it.
Reservations::Outcome Reservations::move(const PortIdentity& from, const Move& move) {
  if (!has_key(from, move.key)) return conflict();
  if (type_ == Type::none) return failure(sense::kInvalidFieldInCdb);
  if (all_registrants()) return conflict();
  if (holder_ != from) return failure(sense::kInvalidFieldInCdb);
  if (move.new_key == 0) return failure(sense::invalid_parameter(kServiceActionKeyOffset));
  if (move.to == from) return failure(sense::invalid_parameter(kMoveTransportIdOffset));
  if (move.unregister_source)
    std::erase_if(registrations_, [&](const Registration& it) { return it.port == from; });
  if (Registration* there = find(move.to))
    there->key = move.new_key;
  else if (!add(move.to, move.new_key))
    return failure(sense::kInsufficientRegistrations);
  holder_ = move.to;
  ++generation_;
  return {};
}

void Reservations::unregister(Outcome& outcome, const PortIdentity& port) {
  const Registration* mine = find(port);
  const bool held = holds(*mine);
  std::erase_if(registrations_, [&](const Registration& it) { return it.port == port; });
  if (!held || (all_registrants() && !registrations_.empty())) return;
  release_reservation(outcome, port);
}

void Reservations::release_reservation(Outcome& outcome, const PortIdentity& port) {
  if (opens_to_registrants(type_))
    notify_others(outcome, port, UnitAttention::reservations_released);
  type_ = Type::none;
}

Reservations::Outcome Reservations::reserve(const PortIdentity& port, std::uint64_t key,
                                            ReservationType type) {
  const Registration* mine = find(port);
  if (mine == nullptr || mine->key != key) return conflict();
  if (type_ == Type::none) {
    type_ = type;
    holder_ = mine->port;
    return {};
  }
  return holds(*mine) && type_ == type ? Outcome{} : conflict();
}

Reservations::Outcome Reservations::release(const PortIdentity& port, std::uint64_t key,
                                            ReservationType type) {
  const Registration* mine = find(port);
  if (mine == nullptr || mine->key != key) return conflict();
  Outcome outcome;
  if (type_ == Type::none || !holds(*mine)) return outcome;
  if (type_ != type) return failure(sense::kInvalidRelease);
  release_reservation(outcome, port);
  return outcome;
}

Reservations::Outcome Reservations::clear(const PortIdentity& port, std::uint64_t key) {
  if (!has_key(port, key)) return conflict();
  Outcome outcome;
  notify_others(outcome, port, UnitAttention::reservations_preempted);
  registrations_.clear();
  type_ = Type::none;
  ++generation_;
  return outcome;
}

/// Removes the registrations with this key, or all when there is none, but never one's own.
std::size_t Reservations::remove_victims(Outcome& outcome, const PortIdentity& port,
                                         std::optional<std::uint64_t> key) {
  const auto is_victim = [&](const Registration& it) {
    return it.port != port && (!key || it.key == *key);
  };
  for (const Registration& it : registrations_) {
    if (!is_victim(it)) continue;
    outcome.notices.push_back({it.port, UnitAttention::registrations_preempted});
    outcome.preempted.push_back(it.port);
  }
  return std::erase_if(registrations_, is_victim);
}

Reservations::Outcome Reservations::preempt(const PortIdentity& port, std::uint64_t key,
                                            std::uint64_t victim_key, ReservationType type) {
  const Registration* mine = find(port);
  if (mine == nullptr || mine->key != key) return conflict();
  const bool takes_all = all_registrants() && victim_key == 0;
  if (victim_key == 0 && !takes_all)
    return failure(sense::invalid_parameter(kServiceActionKeyOffset));
  const bool takes_reservation =
      takes_all || (type_ != Type::none && !all_registrants() && victim_key == holder_key());
  Outcome outcome;
  const bool own_key = mine->key == victim_key;
  const std::size_t removed = remove_victims(
      outcome, port, takes_all ? std::nullopt : std::optional<std::uint64_t>(victim_key));
  if (removed == 0 && !takes_reservation && !own_key) return conflict();
  if (takes_reservation) {
    if (type_ != type) {
      for (const Registration& it : registrations_)
        if (it.port != port)
          outcome.notices.push_back({it.port, UnitAttention::reservations_released});
    }
    type_ = type;
    holder_ = port;
  }
  ++generation_;
  return outcome;
}

}  // namespace tsihd::scsi
