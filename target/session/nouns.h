// The nouns that a session needs to know, with LIO's names: a target node, its portal groups, what
// they offer and to whom. Plain data: config/ fills it from LIO's JSON, login and full feature
// phase read it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "target/base/time.h"
#include "target/scsi/logical_unit.h"

namespace tsihd::session {

/// CHAP names and secrets, LIO's auth group. Empty userid: this direction is not asked for.
struct ChapCredentials {
  std::string userid;  ///< what the initiator must present
  std::string password;
  std::string mutual_userid;  ///< what we present when the initiator asks back
  std::string mutual_password;
};

/// What a portal group offers in negotiation, under RFC 3720 section 12's own names and defaults.
struct OfferedParameters {
  bool header_digest_crc32c = true;  ///< HeaderDigest contains CRC32C
  bool header_digest_none = true;
  bool data_digest_crc32c = true;
  bool data_digest_none = true;
  std::uint32_t max_connections = 1;
  bool initial_r2t = true;
  bool immediate_data = true;
  std::uint32_t max_recv_data_segment_length_bytes = 262144;
  std::uint32_t max_burst_length_bytes = 262144;
  std::uint32_t first_burst_length_bytes = 65536;
  std::uint32_t default_time2wait_s = 2;
  std::uint32_t default_time2retain_s = 20;
  std::uint32_t max_outstanding_r2t = 1;
  bool data_pdu_in_order = true;
  bool data_sequence_in_order = true;
  std::uint32_t error_recovery_level = 0;
  std::string target_alias;
};

/// What TPG attribute session_guard says; see guard.h.
enum class GuardMode : std::uint8_t { off, reject, fence };

/// LIO's TPG attributes, and ours for the session guard and for redirection. LIO's defaults, but
/// for demo_mode_discovery, which would show targets to those who may not log in (RFC 3720 appendix
/// D).
struct PortalGroupAttributes {
  bool authentication = false;      ///< CHAP demanded of normal sessions
  bool generate_node_acls = false;  ///< demo mode: an initiator without an ACL gets all LUNs
  bool demo_mode_write_protect = true;
  bool prod_mode_write_protect = false;
  bool demo_mode_discovery = false;        ///< SendTargets shows this target to strangers
  std::uint32_t default_cmdsn_depth = 64;  ///< queue depth: MaxCmdSN - ExpCmdSN + 1
  std::uint32_t login_timeout_s = 15;
  std::uint32_t nop_in_interval_s = 15;  ///< LIO's nopin_timeout; 0 = no keepalive
  std::uint32_t nop_in_response_timeout_s = 30;
  bool scsi_events =
      false;  ///< a changed capacity is told by Async Message 0 too (RFC 3720 10.9.1)

  std::uint32_t max_sessions = 0;  ///< normal sessions in this group; 0 = no limit
  GuardMode session_guard = GuardMode::off;
  std::uint32_t guard_probe_ms = 1000;          ///< an incumbent silent for this long is dead
  std::uint32_t fence_hold_s = 60;              ///< how long a fenced initiator is refused
  std::uint16_t guard_refusal_status = 0x0302;  ///< Out of resources: stock initiators retry

  /// Where logins to this group are sent instead, `host[:port]` as TargetAddress has it in a
  /// redirection (RFC 3720 12.8); empty: nowhere, they are served here.
  std::string redirect_address;
  bool redirect_permanent = false;  ///< "target moved permanently" instead of "temporarily"
};

/// An initiator that the portal group knows by name.
struct NodeAcl {
  std::string initiator_name;
  ChapCredentials chap;
  scsi::LunMap luns;
  std::optional<std::uint32_t> cmdsn_depth;
  std::optional<bool> authentication;  ///< overrides the group's, LIO's -1 = inherit
  /// Override the group's nop_in_interval_s and nop_in_response_timeout_s (LIO has them here).
  std::optional<std::uint32_t> nop_in_interval_s;
  std::optional<std::uint32_t> nop_in_response_timeout_s;
};

struct Portal {
  std::string address;  ///< IPv4, or IPv6 without brackets
  std::uint16_t port = 3260;
};

/// A target portal group of one target node.
struct PortalGroup {
  std::uint16_t tag = 1;
  bool enabled = true;
  PortalGroupAttributes attributes;
  OfferedParameters offered;
  ChapCredentials chap;  ///< for initiators without an ACL of their own
  std::vector<Portal> portals;
  scsi::LunMap luns;
  std::map<std::string, NodeAcl> acls;  ///< by prepared initiator name (name.h)
};

/// An iSCSI target node.
struct TargetNode {
  std::string name;  ///< iqn., eui. or naa., prepared (name.h)
  std::vector<std::unique_ptr<PortalGroup>> portal_groups;
};

/// Every target that this process serves, and LIO's discovery_auth.
struct Inventory {
  std::vector<std::unique_ptr<TargetNode>> targets;
  bool discovery_authentication = false;
  ChapCredentials discovery_chap;

  TargetNode* find(std::string_view name) const {
    for (const auto& target : targets)
      if (target->name == name) return target.get();
    return nullptr;
  }
};

}  // namespace tsihd::session
