// Unit attention conditions of one I_T nexus at one logical unit: a set, so that it stays small
// however often a condition repeats.
#pragma once

#include <cstdint>
#include <optional>

#include "target/scsi/sense.h"

namespace tsihd::scsi {

/// In the order in which they are reported: what tells of a reset comes first.
enum class UnitAttention : std::uint8_t {
  power_on,                       ///< 29/00 POWER ON, RESET, OR BUS DEVICE RESET OCCURRED
  unit_reset,                     ///< 29/03 BUS DEVICE RESET FUNCTION OCCURRED
  commands_cleared,               ///< 2F/00 COMMANDS CLEARED BY ANOTHER INITIATOR
  commands_cleared_by_transport,  ///< 47/7F SOME COMMANDS CLEARED BY ISCSI PROTOCOL EVENT
  reservations_preempted,         ///< 2A/03
  reservations_released,          ///< 2A/04
  registrations_preempted,        ///< 2A/05
  previous_busy,                  ///< 2C/07, this and the next two by UA_INTLCK_CTRL 11b
  previous_task_set_full,         ///< 2C/08
  previous_conflict,              ///< 2C/09
  mode_parameters_changed,        ///< 2A/01
  access_state_changed,           ///< 2A/06 ASYMMETRIC ACCESS STATE CHANGED
  capacity_changed,               ///< 2A/09 CAPACITY DATA HAS CHANGED
  thin_threshold_reached,         ///< 38/07 THIN PROVISIONING SOFT THRESHOLD REACHED
  reported_luns_changed,          ///< 3F/0E REPORTED LUNS DATA HAS CHANGED
  kCount,
};

class UnitAttentions {
 public:
  void establish(UnitAttention condition) {
    // A reset says everything that a condition from before it could say.
    if (condition == UnitAttention::power_on || condition == UnitAttention::unit_reset)
      pending_ = 0;
    pending_ |= bit(condition);
  }
  void clear(UnitAttention condition) { pending_ &= ~bit(condition); }
  /// The condition that a device behind the unit means by this code; nothing for one that we do not
  /// keep.
  static std::optional<UnitAttention> condition_of(unsigned code);
  bool any() const { return pending_ != 0; }
  /// The first condition, which stays.
  std::optional<Sense> first() const;
  /// The first condition, which is thereby reported and cleared.
  std::optional<Sense> take();

 private:
  static constexpr std::uint32_t bit(UnitAttention condition) {
    return 1u << static_cast<unsigned>(condition);
  }
  std::uint32_t pending_ = 0;
};

}  // namespace tsihd::scsi
