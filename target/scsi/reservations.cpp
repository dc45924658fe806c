#include "target/scsi/reservations.h"

#include <algorithm>

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

}  // namespace

PortIdentity PortIdentity::of(const Nexus& nexus) {
  return {nexus.initiator_port_name, nexus.initiator_name, nexus.target_name,
          nexus.target_portal_group_tag};
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

const Reservations::Registration* Reservations::find(const Nexus& nexus) const {
  for (const Registration& it : registrations_)
    if (it.port.is(nexus)) return &it;
  return nullptr;
}
Reservations::Registration* Reservations::find(const Nexus& nexus) {
  return const_cast<Registration*>(std::as_const(*this).find(nexus));
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

bool Reservations::reserve_legacy(const Nexus& nexus) {
  if (!registrations_.empty() || legacy_conflict(nexus)) return false;
  legacy_holder_ = nexus.id;
  return true;
}

bool Reservations::release_legacy(const Nexus& nexus) {
  if (!registrations_.empty()) return false;
  if (legacy_holder_ == nexus.id) legacy_holder_ = 0;
  return true;
}

void Reservations::nexus_lost(const Nexus& nexus) {
  if (legacy_holder_ == nexus.id) legacy_holder_ = 0;
}

void Reservations::notify_others(Outcome& outcome, const Nexus& nexus,
                                 UnitAttention condition) const {
  for (const Registration& it : registrations_)
    if (!it.port.is(nexus)) outcome.notices.push_back({it.port, condition});
}

Reservations::Outcome Reservations::register_key(const Nexus& nexus, std::uint64_t key,
                                                 std::uint64_t new_key, bool ignore_existing) {
  Registration* mine = find(nexus);
  if (!ignore_existing && key != (mine == nullptr ? 0 : mine->key)) return conflict();
  Outcome outcome;
  if (mine == nullptr) {
    if (new_key == 0) return outcome;  // was not registered and shall not be: nothing happens
    if (registrations_.size() >= kMaxRegistrations)
      return failure(sense::kInsufficientRegistrations);
    registrations_.push_back({PortIdentity::of(nexus), new_key});
  } else if (new_key != 0) {
    mine->key = new_key;
  } else {
    unregister(outcome, nexus);
  }
  ++generation_;
  return outcome;
}

void Reservations::unregister(Outcome& outcome, const Nexus& nexus) {
  const Registration* mine = find(nexus);
  const bool held = holds(*mine);
  std::erase_if(registrations_, [&](const Registration& it) { return it.port.is(nexus); });
  if (!held || (all_registrants() && !registrations_.empty())) return;
  release_reservation(outcome, nexus);
}

void Reservations::release_reservation(Outcome& outcome, const Nexus& nexus) {
  if (opens_to_registrants(type_))
    notify_others(outcome, nexus, UnitAttention::reservations_released);
  type_ = Type::none;
}

Reservations::Outcome Reservations::reserve(const Nexus& nexus, std::uint64_t key,
                                            ReservationType type) {
  const Registration* mine = find(nexus);
  if (mine == nullptr || mine->key != key) return conflict();
  if (type_ == Type::none) {
    type_ = type;
    holder_ = mine->port;
    return {};
  }
  return holds(*mine) && type_ == type ? Outcome{} : conflict();
}

Reservations::Outcome Reservations::release(const Nexus& nexus, std::uint64_t key,
                                            ReservationType type) {
  const Registration* mine = find(nexus);
  if (mine == nullptr || mine->key != key) return conflict();
  Outcome outcome;
  if (type_ == Type::none || !holds(*mine)) return outcome;
  if (type_ != type) return failure(sense::kInvalidRelease);
  release_reservation(outcome, nexus);
  return outcome;
}

Reservations::Outcome Reservations::clear(const Nexus& nexus, std::uint64_t key) {
  const Registration* mine = find(nexus);
  if (mine == nullptr || mine->key != key) return conflict();
  Outcome outcome;
  notify_others(outcome, nexus, UnitAttention::reservations_preempted);
  registrations_.clear();
  type_ = Type::none;
  ++generation_;
  return outcome;
}

/// Removes the registrations with this key, or all when there is none, but never one's own.
std::size_t Reservations::remove_victims(Outcome& outcome, const Nexus& nexus,
                                         std::optional<std::uint64_t> key) {
  const auto is_victim = [&](const Registration& it) {
    return !it.port.is(nexus) && (!key || it.key == *key);
  };
  for (const Registration& it : registrations_) {
    if (!is_victim(it)) continue;
    outcome.notices.push_back({it.port, UnitAttention::registrations_preempted});
    outcome.preempted.push_back(it.port);
  }
  return std::erase_if(registrations_, is_victim);
}

Reservations::Outcome Reservations::preempt(const Nexus& nexus, std::uint64_t key,
                                            std::uint64_t victim_key, ReservationType type) {
  const Registration* mine = find(nexus);
  if (mine == nullptr || mine->key != key) return conflict();
  const bool takes_all = all_registrants() && victim_key == 0;
  if (victim_key == 0 && !takes_all)
    return failure(sense::invalid_parameter(kServiceActionKeyOffset));
  const bool takes_reservation =
      takes_all || (type_ != Type::none && !all_registrants() && victim_key == holder_key());
  Outcome outcome;
  const bool own_key = mine->key == victim_key;
  const std::size_t removed = remove_victims(
      outcome, nexus, takes_all ? std::nullopt : std::optional<std::uint64_t>(victim_key));
  if (removed == 0 && !takes_reservation && !own_key) return conflict();
  if (takes_reservation) {
    if (type_ != type) {
      for (const Registration& it : registrations_)
        if (!it.port.is(nexus))
          outcome.notices.push_back({it.port, UnitAttention::reservations_released});
    }
    type_ = type;
    holder_ = PortIdentity::of(nexus);
  }
  ++generation_;
  return outcome;
}

}  // namespace tsihd::scsi
