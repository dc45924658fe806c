#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "target/config/names.h"
#include "target/config/readers.h"
#include "target/config/rules.h"

namespace tsihd::config {
namespace {

std::optional<std::string> read_iscsi_name(Object& object, std::string_view field) {
  auto value = object.require(field);
  auto text = value ? value->text(4096) : std::nullopt;
  if (!text) return std::nullopt;
  auto name = normal_iscsi_name(*text);
  if (name) return *name;
  value->refuse(name.error().message);
  return std::nullopt;
}

/// "/backstores/fileio/disk0" to its place in the plan.
std::optional<std::size_t> find_storage(const Value& value, const Plan& plan) {
  auto path = value.text(512);
  if (!path) return std::nullopt;
  for (std::size_t i = 0; i < plan.storage.size(); ++i) {
    const StoragePlan& storage = plan.storage[i];
    if (*path == fmt::format("/backstores/{}/{}", plugin_name(storage.plugin), storage.name)) {
      return i;
    }
  }
  value.refuse(fmt::format("expected /backstores/PLUGIN/NAME of one of storage_objects, got {}",
                           value.shown()));
  return std::nullopt;
}

std::optional<std::uint16_t> read_lun_number(Object& object, std::string_view field) {
  auto value = object.require(field);
  auto number = value ? value->number(0, kMaxLun) : std::nullopt;
  if (!number) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

/// A name that only LIO's tools show; anything that is text will do.
void read_alias(Object& object) {
  auto value = object.take("alias");
  if (value && !value->is_null()) value->text();
}

/// The target port group that the LUN's port is in.
std::string read_port_group(const std::optional<Value>& value, const StoragePlan& storage) {
  std::string name{scsi::kDefaultPortGroup};
  if (!value || value->is_null()) return name;
  const auto given = value->text();
  if (!given || *given == name) return name;
  if (std::ranges::find(storage.port_groups, *given, &scsi::PortGroup::name) ==
      storage.port_groups.end())
    value->refuse(fmt::format("expected {} or one of the alua_tpgs of {}, got {}", name,
                              storage.name, value->shown()));
  return *given;
}

void read_lun(const Value& entry, const Plan& plan, PortalGroupPlan& group) {
  Object object(entry);
  auto index = read_lun_number(object, "index");
  auto reference = object.require("storage_object");
  auto storage = reference ? find_storage(*reference, plan) : std::nullopt;
  read_alias(object);
  auto port_group = object.take("alua_tg_pt_gp_name");
  object.finish("LUN field");
  if (!index || !storage) return;
  bool taken = std::any_of(group.luns.begin(), group.luns.end(),
                           [&](const LunPlan& lun) { return lun.index == *index; });
  if (taken) return object.refuse(fmt::format("LUN {} is already mapped; renumber one", *index));
  const std::size_t which = storage.value();
  group.luns.push_back({*index, which, read_port_group(port_group, plan.storage.at(which))});
}

void read_portal(const Value& entry, PortalGroupPlan& group) {
  constexpr Inert kIser{"iser", "0", "iSER needs RDMA, which is not supported"};
  constexpr Inert kOffload{"offload", "0", "offload cards are not supported"};
  Object object(entry);
  session::Portal portal;
  bool good = false;
  if (auto value = object.require("ip_address")) {
    if (auto text = value->text()) {
      auto address = parse_address(*text);
      if (address) portal.address = *address;
      if (!address) value->refuse(address.error().message);
      good = address.has_value();
    }
  }
  if (auto value = object.require("port")) {
    auto port = value->number(0, 65535);
    good = good && port;
    if (port) portal.port = static_cast<std::uint16_t>(*port);
  }
  for (const Inert& rule : {kIser, kOffload}) {
    if (auto value = object.take(rule.name)) check_inert(*value, rule);
  }
  object.finish("portal field");
  if (good) group.portals.push_back(portal);
}

void read_mapped_lun(const Value& entry, const PortalGroupPlan& group, AclPlan& acl) {
  Object object(entry);
  auto index = read_lun_number(object, "index");
  auto tpg_lun = read_lun_number(object, "tpg_lun");
  bool write_protect = false;
  if (auto value = object.take("write_protect"); value && !value->is_null()) {
    if (auto on = value->boolean()) write_protect = *on;
  }
  read_alias(object);
  if (auto value = object.take("tag"); value && !value->is_null()) value->text();
  object.finish("mapped LUN field");
  if (!index || !tpg_lun) return;
  bool exists = std::any_of(group.luns.begin(), group.luns.end(),
                            [&](const LunPlan& lun) { return lun.index == *tpg_lun; });
  if (!exists) {
    return object.refuse(
        fmt::format("tpg_lun {} is none of the portal group's luns; add it there", *tpg_lun));
  }
  for (const MappedLunPlan& other : acl.mapped_luns) {
    if (other.index == *index) {
      return object.refuse(fmt::format("LUN {} is already mapped; renumber one", *index));
    }
  }
  acl.mapped_luns.push_back({*index, *tpg_lun, write_protect});
}

void read_acl(const Value& entry, PortalGroupPlan& group) {
  Object object(entry);
  AclPlan plan;
  auto name = read_iscsi_name(object, "node_wwn");
  if (auto value = object.take("attributes")) {
    apply_rules(*value, acl_attributes(), inert_acl_attributes(), "ACL attribute", plan.acl);
  }
  read_chap(object, "chap_", plan.acl.chap);
  if (auto list = object.take("mapped_luns")) {
    for (const Value& lun : list->elements(kMaxLuns)) read_mapped_lun(lun, group, plan);
  }
  if (auto value = object.take("tag"); value && !value->is_null()) value->text();
  object.finish("ACL field");
  if (!name) return;
  plan.acl.initiator_name = *name;
  for (const AclPlan& other : group.acls) {
    if (other.acl.initiator_name == *name) {
      return object.refuse(fmt::format("{} already has an ACL here; merge the two", *name));
    }
  }
  group.acls.push_back(std::move(plan));
}

void check_portals(const Object& object, const TargetPlan& target, const PortalGroupPlan& group) {
  // RFC 3720 3.4.1: a portal of a node belongs to one of its groups.
  std::set<std::pair<std::string, std::uint16_t>> seen;
  for (const PortalGroupPlan& other : target.groups) {
    for (const auto& portal : other.portals) seen.insert({portal.address, portal.port});
  }
  for (const auto& portal : group.portals) {
    if (portal.port != 0 && !seen.insert({portal.address, portal.port}).second) {
      object.refuse(fmt::format("portal {} stands twice in this target; remove one",
                                show_portal(portal.address, portal.port)));
    }
  }
}

void check_credentials(const Object& object, const PortalGroupPlan& group) {
  bool any = !group.chap.userid.empty();
  for (const AclPlan& acl : group.acls) any = any || !acl.acl.chap.userid.empty();
  if (any && !group.chap_offered) {
    object.refuse(
        "AuthMethod is None and there are CHAP credentials that nobody could use; set it to "
        "CHAP,None or remove them");
  }
  if (!group.attributes.authentication || !group.chap.userid.empty()) return;
  for (const AclPlan& acl : group.acls) {
    if (!acl.acl.chap.userid.empty() || acl.acl.authentication == false) return;
  }
  object.refuse(
      "authentication is 1 and there is no chap_userid in the group or in an ACL: nobody could log "
      "in; set one, or authentication to 0");
}

void read_group(const Value& entry, const Plan& plan, TargetPlan& target) {
  Object object(entry);
  PortalGroupPlan group;
  if (auto value = object.require("tag")) {
    if (auto tag = value->number(0, 65535)) group.tag = static_cast<std::uint16_t>(*tag);
  }
  if (auto value = object.take("enable")) {
    if (auto on = value->boolean()) group.enabled = *on;
  }
  if (auto value = object.take("attributes")) read_group_attributes(*value, group);
  if (auto value = object.take("parameters")) read_group_parameters(*value, group);
  read_chap(object, "chap_", group.chap);
  if (auto list = object.take("luns")) {
    for (const Value& lun : list->elements(kMaxLuns)) read_lun(lun, plan, group);
  }
  if (auto list = object.take("portals")) {
    for (const Value& portal : list->elements(kMaxPortals)) read_portal(portal, group);
  }
  if (auto list = object.take("node_acls")) {
    for (const Value& acl : list->elements(kMaxAcls)) read_acl(acl, group);
  }
  object.finish("portal group field");
  check_portals(object, target, group);
  check_credentials(object, group);
  for (const PortalGroupPlan& other : target.groups) {
    if (other.tag == group.tag) {
      object.refuse(fmt::format("tag {} is already taken in this target; renumber", group.tag));
    }
  }
  target.groups.push_back(std::move(group));
}

void read_target(const Value& entry, Plan& plan) {
  Object object(entry);
  TargetPlan target;
  auto name = read_iscsi_name(object, "wwn");
  if (auto value = object.require("fabric")) {
    auto fabric = value->text();
    if (fabric && *fabric != "iscsi") {
      value->refuse("only iscsi targets can be served, got " + value->shown());
    }
  }
  if (auto list = object.take("tpgs")) {
    for (const Value& group : list->elements(kMaxGroupsOfTarget)) read_group(group, plan, target);
  }
  if (auto value = object.take("parameters")) {
    apply_rules<TargetPlan>(*value, {}, inert_target_parameters(), "target parameter", target);
  }
  object.finish("target field");
  if (!name) return;
  target.name = *name;
  for (const TargetPlan& other : plan.targets) {
    if (other.name == *name) {
      return object.refuse(fmt::format("{} is configured twice; merge the two", *name));
    }
  }
  plan.targets.push_back(std::move(target));
}

}  // namespace

void read_targets(const Value& list, Plan& plan) {
  for (const Value& entry : list.elements(kMaxTargets)) read_target(entry, plan);
}

void read_group_attributes(const Value& object, PortalGroupPlan& group) {
  apply_rules(object, group_attributes(), inert_group_attributes(), "portal group attribute",
              group.attributes);
  if (group.attributes.redirect_permanent && group.attributes.redirect_address.empty()) {
    object.refuse("redirect_permanent is 1 without a redirect_address; set both or neither");
  }
}

void read_group_parameters(const Value& object, PortalGroupPlan& group) {
  ParameterPlan plan{group.offered};
  apply_rules(object, parameters(), inert_parameters(), "parameter", plan);
  group.offered = plan.offered;
  group.chap_offered = plan.chap_offered;
  if (group.offered.first_burst_length_bytes > group.offered.max_burst_length_bytes) {
    object.refuse(fmt::format("FirstBurstLength {} exceeds MaxBurstLength {} (RFC 3720 12.14)",
                              group.offered.first_burst_length_bytes,
                              group.offered.max_burst_length_bytes));
  }
  if (!plan.none_offered) group.attributes.authentication = true;
  if (!plan.chap_offered && group.attributes.authentication) {
    object.refuse("AuthMethod None contradicts attribute authentication 1; change one of them");
  }
}

}  // namespace tsihd::config
