#include "target/session/login_identity.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "target/session/name.h"

namespace tsihd::session {
namespace {

// An address as 16 bytes, IPv4 in its mapped form; nothing when it is a host name. The zone of a
// link-local address (RFC 4007) is this machine's own affair.
std::optional<std::array<std::uint8_t, 16>> parse_address(std::string_view text) {
  const std::string terminated(without_zone(text));
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return bytes;
  bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data() + 12) == 1) return bytes;
  return std::nullopt;
}

bool same_address(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const auto parsed = parse_address(a);
  return parsed && parsed == parse_address(b);
}

// An address of its own before a wildcard, so that the more special portal group wins.
PortalGroup* find_portal_group(const TargetNode& target, const LoginContext& context) {
  for (const bool wildcard : {false, true})
    for (const auto& group : target.portal_groups)
      for (const Portal& portal : group->portals)
        if (is_wildcard_address(portal.address) == wildcard &&
            portal_takes(portal, context.local_address, context.local_port))
          return group.get();
  return nullptr;
}

LoginStep identify_initiator(const LoginNames& names, LoginIdentity& identity) {
  if (!names.initiator_name)
    return refusal(LoginStatus::missing_parameter, "the first request has no InitiatorName");
  auto name = prepare_name(*names.initiator_name);
  if (!name)
    return refusal(LoginStatus::initiator_error,
                   fmt::format("InitiatorName is not an iSCSI name: {}", name.error()));
  identity.initiator_name = std::move(*name);
  if (names.initiator_alias) identity.initiator_alias = *names.initiator_alias;
  const std::string_view type = names.session_type.value_or("Normal");
  if (type != "Normal" && type != "Discovery")
    return refusal(LoginStatus::session_type_not_supported, "SessionType is neither one of 12.21");
  identity.type = type == "Normal" ? SessionType::normal : SessionType::discovery;
  return {};
}

LoginStep find_target(std::string_view target_name, const LoginContext& context,
                      TargetNode*& target, PortalGroup*& group) {
  const auto name = prepare_name(target_name);
  target = name ? context.inventory.find(*name) : nullptr;
  if (target == nullptr)
    return refusal(LoginStatus::not_found, "no target of that name is configured");
  group = find_portal_group(*target, context);
  if (group == nullptr)
    return refusal(LoginStatus::not_found, "the target has no portal at this address");
  if (!group->enabled)
    return refusal(LoginStatus::service_unavailable, "the portal group is not enabled");
  return {};
}

// 5.3.1: a TSIH names a session of this initiator port, and sessions do not span portal groups.
LoginStep check_joined_session(const LoginContext& context, const LoginIdentity& identity) {
  const auto has_session = [&](const PortalGroup& group) {
    return context.sessions.find(group, identity.initiator_name, identity.isid, identity.tsih) !=
           nullptr;
  };
  if (has_session(*identity.portal_group)) return {};
  for (const auto& group : identity.target->portal_groups)
    if (has_session(*group))
      return refusal(LoginStatus::cannot_include_in_session,
                     fmt::format("the session with TSIH {} is one of portal group {}, this address "
                                 "is of {}",
                                 identity.tsih, group->tag, identity.portal_group->tag));
  return refusal(LoginStatus::session_does_not_exist,
                 fmt::format("no session of this initiator port has TSIH {}", identity.tsih));
}

}  // namespace

std::string_view without_zone(std::string_view address) {
  return address.substr(0, address.find('%'));
}

bool is_ipv6_address(std::string_view address) {
  return address.find(':') != std::string_view::npos;
}

bool is_wildcard_address(std::string_view address) {
  return same_address(address, "0.0.0.0") || same_address(address, "::");
}

bool portal_takes(const Portal& portal, std::string_view local_address, std::uint16_t local_port) {
  if (portal.port != 0 && portal.port != local_port) return false;
  if (!is_wildcard_address(portal.address)) return same_address(portal.address, local_address);
  // A socket on :: may take IPv4 as well; one on 0.0.0.0 never takes IPv6.
  return is_ipv6_address(portal.address) || !is_ipv6_address(local_address) ||
         local_address.starts_with("::ffff:");
}

LoginStep identify(const LoginNames& names, const LoginContext& context, LoginIdentity& identity,
                   std::optional<std::uint16_t>& tag) {
  if (auto known = identify_initiator(names, identity); !known) return known;
  const bool discovery = identity.type == SessionType::discovery;
  if (!names.target_name && !discovery)
    return refusal(LoginStatus::missing_parameter,
                   "the first request of a normal session has no TargetName");
  TargetNode* target = nullptr;
  PortalGroup* group = nullptr;
  if (names.target_name) {
    if (auto found = find_target(*names.target_name, context, target, group); !found) return found;
    tag = group->tag;
  }
  if (discovery) {  // it may name a target, but it is a session with none (12.21)
    if (identity.tsih != 0)
      return refusal(LoginStatus::session_does_not_exist, "no discovery session has that TSIH");
    return {};
  }
  identity.target = target;
  identity.portal_group = group;
  const auto acl = group->acls.find(identity.initiator_name);
  if (acl != group->acls.end()) {
    identity.acl = &acl->second;
  } else if (!group->attributes.generate_node_acls) {
    return refusal(LoginStatus::authorization_failure,
                   "the portal group has no ACL for this initiator and is not in demo mode");
  }
  return identity.tsih == 0 ? LoginStep{} : check_joined_session(context, identity);
}

}  // namespace tsihd::session
