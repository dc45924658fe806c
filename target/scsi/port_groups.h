// Target port groups of one unit (asymmetric logical unit access, SPC-4 5.15): through which ports
// it serves, and through which it only answers questions. Of the states of SPC-4 there are the four
// primary ones; nobody is told to go offline, and a change takes no time in which to be in
// transition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "target/scsi/command.h"
#include "target/scsi/sense.h"

namespace tsihd::scsi {

struct Operation;

/// ASYMMETRIC ACCESS STATE.
enum class AccessState : std::uint8_t {
  active_optimized = 0,
  active_non_optimized = 1,
  standby = 2,
  unavailable = 3,
};
inline constexpr std::size_t kAccessStates = 4;

/// STATUS CODE of a group's descriptor: what changed its state last.
enum class StateChange : std::uint8_t { none = 0, by_command = 1 };

/// The group of the ports that name none.
inline constexpr std::string_view kDefaultPortGroup = "default_tg_pt_gp";

struct PortGroup {
  std::string name{kDefaultPortGroup};
  std::uint16_t id = 0;
  AccessState state = AccessState::active_optimized;
  StateChange last_change = StateChange::none;
  bool preferred = false;
  bool implicit_access = true;  ///< LIO's alua_access_type, bit 0: its state may change by itself
  bool explicit_access = true;  ///< bit 1: SET TARGET PORT GROUPS may change it
  /// The states that it can be in, bit n for the state of number n: as in its descriptor.
  std::uint8_t supported = 0x0f;
  std::uint8_t implicit_transition_s = 0;  ///< the longest one, 0: nothing is said

  bool supports(std::uint8_t number) const {
    return number < kAccessStates && (supported >> number & 1) != 0;
  }
  bool serves() const {
    return state == AccessState::active_optimized || state == AccessState::active_non_optimized;
  }
};

/// The target ports through which the unit is reached, and their groups.
///
/// A relative target port identifier is the tag of a portal group. SPC-4 wants it unique within a
/// SCSI target device, and that is one iSCSI target node (RFC 3720 3.4.1): ports of two nodes may
/// share a number, and a nexus is shown those of its own node only.
class PortGroups {
 public:
  const std::vector<PortGroup>& groups() const { return groups_; }
  /// At least one, with names and ids of their own. Ports stay in the group of the same index.
  void set_groups(std::vector<PortGroup> groups);
  /// A port that is known already stays where it is; without a group of that name it is in the
  /// first.
  void add_port(std::string target_name, std::uint16_t portal_group_tag,
                std::string_view group_name);

  /// The tags of the ports of the nexus's target, its own first; those of them in one group.
  std::vector<std::uint16_t> tags(const Nexus& nexus) const;
  std::vector<std::uint16_t> tags_of_group(std::size_t index, const Nexus& nexus) const;
  /// The group through which this nexus comes.
  const PortGroup& group_of(const Nexus& nexus) const;
  /// Why `operation` is not carried out for this nexus now; null: it is.
  std::optional<Sense> refuses(const Operation& operation, const Nexus& nexus) const;

 private:
  struct Port {
    std::string target_name;
    std::uint16_t portal_group_tag = 0;
    std::size_t group = 0;
  };
  std::size_t index_of(const Nexus& nexus) const;

  std::vector<PortGroup> groups_{PortGroup{}};
  std::vector<Port> ports_;
  bool all_serve_ = true;
};

}  // namespace tsihd::scsi
