#include "target/scsi/port_groups.h"

#include <algorithm>

#include "target/scsi/operations.h"

namespace tsihd::scsi {

void PortGroups::set_groups(std::vector<PortGroup> groups) {
  groups_ = std::move(groups);
  all_serve_ = std::ranges::all_of(groups_, &PortGroup::serves);
}

void PortGroups::add_port(std::string target_name, std::uint16_t tag, std::string_view group_name) {
  const auto known = [&](const Port& it) {
    return it.target_name == target_name && it.portal_group_tag == tag;
  };
  if (std::ranges::any_of(ports_, known)) return;
  const auto group = std::ranges::find(groups_, group_name, &PortGroup::name);
  const auto index = group == groups_.end() ? 0 : group - groups_.begin();
  ports_.push_back({std::move(target_name), tag, static_cast<std::size_t>(index)});
}

std::vector<std::uint16_t> PortGroups::tags(const Nexus& nexus) const {
  std::vector<std::uint16_t> tags{nexus.target_portal_group_tag};
  for (const Port& port : ports_)
    if (port.target_name == nexus.target_name && port.portal_group_tag != tags.front())
      tags.push_back(port.portal_group_tag);
  return tags;
}

std::vector<std::uint16_t> PortGroups::tags_of_group(std::size_t index, const Nexus& nexus) const {
  std::vector<std::uint16_t> tags;
  const std::uint16_t own = nexus.target_portal_group_tag;
  if (index_of(nexus) == index) tags.push_back(own);
  for (const Port& port : ports_)
    if (port.group == index && port.portal_group_tag != own &&
        port.target_name == nexus.target_name)
      tags.push_back(port.portal_group_tag);
  return tags;
}

std::size_t PortGroups::index_of(const Nexus& nexus) const {
  for (const Port& it : ports_)
    if (it.portal_group_tag == nexus.target_portal_group_tag && it.target_name == nexus.target_name)
      return it.group;
  return 0;
}

const PortGroup& PortGroups::group_of(const Nexus& nexus) const {
  return groups_.at(index_of(nexus));
}

// -- what each state lets through

namespace {

bool is_answered_unavailable(const Operation& operation) {
  switch (operation.opcode) {
    case 0x03:  // REQUEST SENSE
    case 0x12:  // INQUIRY
    case 0xa0:  // REPORT LUNS
      return true;
    case 0xa3:                                  // MAINTENANCE IN
    case 0xa4:                                  // MAINTENANCE OUT
      return operation.service_action == 0x0a;  // REPORT and SET TARGET PORT GROUPS
    default:
      return false;
  }
}

/// In standby a unit still says what it is and what is reserved, and its parameters can be seen and
/// set. That its capacity can be asked for is our addition, which initiators expect.
bool is_answered_in_standby(const Operation& operation) {
  switch (operation.opcode) {
    case 0x15:  // MODE SELECT(6)
    case 0x1a:  // MODE SENSE(6)
    case 0x25:  // READ CAPACITY(10)
    case 0x4d:  // LOG SENSE
    case 0x55:  // MODE SELECT(10)
    case 0x5a:  // MODE SENSE(10)
    case 0x5e:  // PERSISTENT RESERVE IN
    case 0x5f:  // PERSISTENT RESERVE OUT
      return true;
    case 0x9e:                                  // SERVICE ACTION IN(16)
      return operation.service_action == 0x10;  // READ CAPACITY(16)
    default:
      return is_answered_unavailable(operation);
  }
}

}  // namespace

/// SPC-4 5.15.2.4.4 (standby), 5.15.2.4.5 (unavailable).
std::optional<Sense> PortGroups::refuses(const Operation& operation, const Nexus& nexus) const {
  if (all_serve_) return std::nullopt;
  const AccessState state = group_of(nexus).state;
  if (state == AccessState::standby && !is_answered_in_standby(operation))
    return sense::kPortInStandby;
  if (state == AccessState::unavailable && !is_answered_unavailable(operation))
    return sense::kPortUnavailable;
  return std::nullopt;
}

}  // namespace tsihd::scsi
