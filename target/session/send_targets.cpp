#include "target/session/send_targets.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "target/session/login_identity.h"
#include "target/session/name.h"
#include "target/wire/text.h"

namespace tsihd::session {
namespace {

bool is_shown(const PortalGroup& group, const TextContext& context) {
  if (!group.enabled) return false;
  return &group == context.identity.portal_group || group.attributes.generate_node_acls ||
         group.attributes.demo_mode_discovery ||
         group.acls.contains(context.identity.initiator_name);
}

// What an initiator is to connect to, or nothing when the portal has no address of its own that
// this connection could tell.
std::string shown_address(const Portal& portal, const TextContext& context) {
  const std::uint16_t port = portal.port != 0 ? portal.port : context.local_port;
  std::string_view address = portal.address;
  if (is_wildcard_address(address)) {
    address = without_zone(context.local_address);
    if (!portal_takes({.address = portal.address, .port = 0}, address, port)) return {};
    constexpr std::string_view kMapped = "::ffff:";
    if (address.starts_with(kMapped) && address.find('.') != std::string_view::npos)
      address.remove_prefix(kMapped.size());  // an IPv4 initiator at ::
  }
  return is_ipv6_address(address) ? fmt::format("[{}]:{}", address, port)
                                  : fmt::format("{}:{}", address, port);
}

void append_target(std::string& out, const TargetNode& target, const TextContext& context) {
  const bool shown = std::any_of(target.portal_groups.begin(), target.portal_groups.end(),
                                 [&](const auto& group) { return is_shown(*group, context); });
  if (!shown) return;
  wire::append_text(out, "TargetName", target.name);
  std::vector<std::string> addresses;
  for (const auto& group : target.portal_groups) {
    if (!is_shown(*group, context)) continue;
    for (const Portal& portal : group->portals) {
      const std::string address = shown_address(portal, context);
      if (address.empty()) continue;
      std::string with_tag = fmt::format("{},{}", address, group->tag);  // 12.8-02
      if (std::find(addresses.begin(), addresses.end(), with_tag) != addresses.end()) continue;
      wire::append_text(out, "TargetAddress", with_tag);
      addresses.push_back(std::move(with_tag));
    }
  }
}

}  // namespace

std::optional<std::string> send_targets(const TextContext& context, std::string_view value) {
  const bool discovery = context.identity.type == SessionType::discovery;
  const TargetNode* own = context.identity.target;
  std::string records;
  if (value == "All") {
    if (!discovery) return std::nullopt;
    for (const auto& target : context.inventory.targets) append_target(records, *target, context);
    return records;
  }
  if (value.empty()) {
    if (discovery) return std::nullopt;
    append_target(records, *own, context);
    return records;
  }
  const auto name = prepare_name(value);
  const TargetNode* target = name ? context.inventory.find(*name) : nullptr;
  if (target != nullptr && (discovery || target == own)) append_target(records, *target, context);
  return records;
}

}  // namespace tsihd::session
