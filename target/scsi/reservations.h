// Reservations of one logical unit: SPC-2's RESERVE/RELEASE and SPC-4's persistent reservations.
// Pure state: a service action goes in, a status and the unit attentions that others must get come
// out. What of it survives a restart (APTPL) is reservation_changes.h's and reservation_image.h's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "target/scsi/command.h"
#include "target/scsi/operations.h"
#include "target/scsi/sense.h"
#include "target/scsi/unit_attention.h"

namespace tsihd::scsi {

/// An I_T nexus by name: what a registration belongs to. It outlives the session.
struct PortIdentity {
  std::string initiator_port_name;
  std::string initiator_name;
  std::string target_name;
  std::uint16_t target_portal_group_tag = 0;

  static PortIdentity of(const Nexus& nexus);
  bool is(const Nexus& nexus) const;
  /// The same initiator port at another target port of the same target.
  PortIdentity at(std::uint16_t other_portal_group_tag) const;
  bool operator==(const PortIdentity&) const = default;
};

enum class ReservationType : std::uint8_t {
  none = 0,
  write_exclusive = 1,
  exclusive_access = 3,
  write_exclusive_registrants_only = 5,
  exclusive_access_registrants_only = 6,
  write_exclusive_all_registrants = 7,
  exclusive_access_all_registrants = 8,
};
/// Null for a number that SPC does not define.
std::optional<ReservationType> reservation_type(std::uint8_t number);

class Reservations {
 public:
  /// More registrations are answered INSUFFICIENT REGISTRATION RESOURCES.
  static constexpr std::size_t kMaxRegistrations = 1024;

  struct Registration {
    PortIdentity port;
    std::uint64_t key = 0;
  };
  struct Notice {
    PortIdentity port;
    UnitAttention condition;
  };
  /// How a PERSISTENT RESERVE OUT ended.
  struct Outcome {
    Status status = Status::good;
    std::optional<Sense> sense = std::nullopt;  ///< CHECK CONDITION when set
    std::vector<Notice> notices = {};
    std::vector<PortIdentity> preempted = {};  ///< whose commands PREEMPT AND ABORT aborts
  };

  /// What APTPL keeps through a power loss.
  struct Kept {
    std::vector<Registration> registrations;
    ReservationType type = ReservationType::none;
    std::size_t holder = 0;  ///< index; 0 when nobody holds it, or all registrants do
  };
  Reservations() = default;
  /// As they were before the power loss, and kept through the next one too.
  explicit Reservations(Kept kept);
  Kept kept() const;
  /// APTPL of the last registration that went well.
  bool persists() const { return persists_; }
  void set_persists(bool persists) { persists_ = persists; }

  /// True when nothing is reserved: the hot path asks no further.
  bool idle() const { return legacy_holder_ == 0 && type_ == ReservationType::none; }
  /// Whether a command of this kind from this nexus gets RESERVATION CONFLICT.
  bool conflicts(const Nexus& nexus, Access access) const;

  // -- RESERVE(6/10), RELEASE(6/10); false: RESERVATION CONFLICT. Beside registrations they change
  //    nothing, and go well for a nexus that the persistent reservation lets use the unit.
  bool reserve_legacy(const Nexus& nexus);
  bool release_legacy(const Nexus& nexus);
  /// RESERVE's reservation ends with its nexus; a reset ends it too.
  void nexus_lost(const Nexus& nexus);
  void reset() { legacy_holder_ = 0; }

  // -- PERSISTENT RESERVE OUT. One that does not end GOOD may have changed some of what it asked
  //    for: the caller works on a copy and keeps it only then.
  /// REGISTER through each of these I_T nexuses: the one it came by, then those that ALL_TG_PT
  /// adds.
  Outcome register_keys(std::span<const PortIdentity> ports, std::uint64_t key,
                        std::uint64_t new_key, bool ignore_existing);
  /// What SPEC_I_PT adds to a REGISTER that went well: those not registered yet get the key.
  Outcome register_others(std::span<const PortIdentity> ports, std::uint64_t new_key);
  Outcome reserve(const PortIdentity& port, std::uint64_t key, ReservationType type);
  Outcome release(const PortIdentity& port, std::uint64_t key, ReservationType type);
  Outcome clear(const PortIdentity& port, std::uint64_t key);
  Outcome preempt(const PortIdentity& port, std::uint64_t key, std::uint64_t victim_key,
                  ReservationType type);
  struct Move {
    std::uint64_t key = 0;
    std::uint64_t new_key = 0;
    bool unregister_source = false;  ///< UNREG
    PortIdentity to;
  };
  /// REGISTER AND MOVE.
  Outcome move(const PortIdentity& from, const Move& move);

  // -- PERSISTENT RESERVE IN
  std::uint32_t generation() const { return generation_; }
  const std::vector<Registration>& registrations() const { return registrations_; }
  ReservationType type() const { return type_; }
  bool registered(const PortIdentity& port) const { return find(port) != nullptr; }
  bool has_key(const PortIdentity& port, std::uint64_t key) const;  ///< registered with this one
  bool holds(const Registration& registration) const;
  /// The holder's key; 0 for the all registrants types.
  std::uint64_t holder_key() const;
  bool legacy_conflict(const Nexus& nexus) const {
    return legacy_holder_ != 0 && legacy_holder_ != nexus.id;
  }
  bool legacy_held() const { return legacy_holder_ != 0; }

 private:
  bool all_registrants() const;
  bool covers_legacy(const Nexus& nexus) const;
  const Registration* find(const Nexus& nexus) const;
  const Registration* find(const PortIdentity& port) const;
  Registration* find(const PortIdentity& port);
  bool add(const PortIdentity& port, std::uint64_t key);
  Outcome register_key(const PortIdentity& port, std::uint64_t key, std::uint64_t new_key,
                       bool ignore_existing);
  void notify_others(Outcome& outcome, const PortIdentity& port, UnitAttention condition) const;
  void unregister(Outcome& outcome, const PortIdentity& port);
  void release_reservation(Outcome& outcome, const PortIdentity& port);
  std::size_t remove_victims(Outcome& outcome, const PortIdentity& port,
                             std::optional<std::uint64_t> key);

  std::uint64_t legacy_holder_ = 0;  ///< Nexus::id
  std::vector<Registration> registrations_;
  std::uint32_t generation_ = 0;
  ReservationType type_ = ReservationType::none;
  bool persists_ = false;
  PortIdentity holder_;  ///< meaningless for the all registrants types
};

}  // namespace tsihd::scsi
