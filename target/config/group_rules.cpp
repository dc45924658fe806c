// Attributes of target portal groups and of ACLs: LIO's, and ours for the session guard and for
// redirection.
#include <array>

#include "target/config/names.h"
#include "target/config/rules.h"

namespace tsihd::config {
namespace {

using Group = session::PortalGroupAttributes;
using session::NodeAcl;

template <auto Member, class Noun>
void boolean(const Value& value, Noun& noun) {
  if (auto on = value.boolean()) noun.*Member = *on;
}

template <auto Member, std::int64_t Minimum, std::int64_t Maximum, class Noun>
void number(const Value& value, Noun& noun) {
  if (auto read = value.number(Minimum, Maximum)) {
    noun.*Member = static_cast<std::uint32_t>(*read);
  }
}

void session_guard(const Value& value, Group& group) {
  auto mode = value.text();
  if (!mode) return;
  if (*mode == "off") {
    group.session_guard = session::GuardMode::off;
  } else if (*mode == "reject") {
    group.session_guard = session::GuardMode::reject;
  } else if (*mode == "fence") {
    group.session_guard = session::GuardMode::fence;
  } else {
    value.refuse("expected \"off\", \"reject\" or \"fence\", got " + value.shown());
  }
}

/// Login status of RFC 3720 10.13.5, class in the high byte: initiator error or target error.
void guard_refusal_status(const Value& value, Group& group) {
  auto text = value.number(0x0200, 0x0302);
  if (!text) return;
  bool initiator_error = *text >= 0x0200 && *text <= 0x020b;
  bool target_error = *text >= 0x0300 && *text <= 0x0302;
  if (!initiator_error && !target_error) {
    value.refuse(
        "expected a login status of RFC 3720 10.13.5 as a decimal number: 512..523 (initiator "
        "error) or 768..770 (target error; 770, 0302h, makes stock initiators retry), got " +
        value.shown());
    return;
  }
  group.guard_refusal_status = static_cast<std::uint16_t>(*text);
}

void redirect_address(const Value& value, Group& group) {
  auto text = value.text();
  if (!text || text->empty()) return;
  auto address = parse_target_address(*text);
  if (address) group.redirect_address = *address;
  if (!address) value.refuse(address.error().message);
}

constexpr std::array<Honoured<Group>, 17> kGroup{{
    {"authentication", "CHAP is demanded of normal sessions",
     boolean<&Group::authentication, Group>},
    {"generate_node_acls", "an initiator without an ACL gets every LUN",
     boolean<&Group::generate_node_acls, Group>},
    {"demo_mode_write_protect", "LUNs of an initiator without an ACL are read-only",
     boolean<&Group::demo_mode_write_protect, Group>},
    {"prod_mode_write_protect", "LUNs of an initiator with an ACL are read-only",
     boolean<&Group::prod_mode_write_protect, Group>},
    {"demo_mode_discovery", "SendTargets shows the target to initiators without an ACL",
     boolean<&Group::demo_mode_discovery, Group>},
    {"default_cmdsn_depth", "how many commands a session may have under way",
     number<&Group::default_cmdsn_depth, 1, 512, Group>},
    {"login_timeout", "seconds for a whole login", number<&Group::login_timeout_s, 1, 300, Group>},
    {"nopin_timeout", "seconds between keepalive NOP-Ins; 0 sends none",
     number<&Group::nop_in_interval_s, 0, 3600, Group>},
    {"nopin_response_timeout", "seconds until an unanswered NOP-In ends the connection",
     number<&Group::nop_in_response_timeout_s, 1, 3600, Group>},
    {"scsi_events", "1 tells a changed capacity by an Asynchronous Message as well",
     boolean<&Group::scsi_events, Group>},
    {"max_sessions", "normal sessions in this group; 0 is no limit",
     number<&Group::max_sessions, 0, 65535, Group>},
    {"session_guard", "what happens to a second machine: off, reject or fence", session_guard},
    {"guard_probe_ms", "an incumbent silent for so many milliseconds is dead",
     number<&Group::guard_probe_ms, 10, 60000, Group>},
    {"fence_hold_s", "seconds for which a fenced initiator is refused",
     number<&Group::fence_hold_s, 1, 86400, Group>},
    {"guard_refusal_status", "the login status that the guard refuses with, in decimal",
     guard_refusal_status},
    {"redirect_address", "HOST[:PORT] that logins are sent to (RFC 3720 10.13.5); empty: none are",
     redirect_address},
    {"redirect_permanent", "the target has moved for good, not for a while (0102h, not 0101h)",
     boolean<&Group::redirect_permanent, Group>},
}};

constexpr std::array<Inert, 1> kInertTarget{{
    {"cmd_completion_affinity", "*", "it binds the kernel's completions to processors"},
}};

constexpr std::array<Inert, 7> kInertGroup{{
    {"cache_dynamic_acls", "0|1",
     "whether the kernel keeps an ACL that it made for a session is not seen by initiators"},
    {"default_erl", "0", "error recovery level 0 is the only one served"},
    {"fabric_prot_type", "0", "T10 protection information is not offered"},
    {"login_keys_workaround", "1", "keys are answered as LIO's workaround has it"},
    {"netif_timeout", "2", "a network interface that goes away is noticed by its connections"},
    {"t10_pi", "0", "T10 protection information is not offered"},
    {"tpg_enabled_sendtargets", "1", "disabled portal groups are never shown by SendTargets"},
}};

void acl_authentication(const Value& value, NodeAcl& acl) {
  auto number = value.number(-1, 1);
  if (number && *number >= 0) acl.authentication = *number == 1;
}

template <auto Member, std::int64_t Minimum, std::int64_t Maximum>
void acl_number(const Value& value, NodeAcl& acl) {
  if (auto read = value.number(Minimum, Maximum)) {
    acl.*Member = static_cast<std::uint32_t>(*read);
  }
}

constexpr std::array<Honoured<NodeAcl>, 3> kAcl{{
    {"authentication", "CHAP for this initiator: 1, 0, or -1 as the group has it",
     acl_authentication},
    {"nopin_timeout", "seconds between keepalive NOP-Ins; 0 sends none",
     acl_number<&NodeAcl::nop_in_interval_s, 0, 3600>},
    {"nopin_response_timeout", "seconds until an unanswered NOP-In ends the connection",
     acl_number<&NodeAcl::nop_in_response_timeout_s, 1, 3600>},
}};

constexpr std::string_view kInOrder = "data is always asked for and sent in order";
constexpr std::array<Inert, 6> kInertAcl{{
    {"dataout_timeout", "3", "a write whose data stops coming is ended by the keepalive"},
    {"dataout_timeout_retries", "5", "a write whose data stops coming is ended by the keepalive"},
    {"default_erl", "0", "error recovery level 0 is the only one served"},
    {"random_datain_pdu_offsets", "0", kInOrder},
    {"random_datain_seq_offsets", "0", kInOrder},
    {"random_r2t_offsets", "0", kInOrder},
}};

}  // namespace

std::span<const Inert> inert_target_parameters() { return kInertTarget; }
std::span<const Honoured<Group>> group_attributes() { return kGroup; }
std::span<const Inert> inert_group_attributes() { return kInertGroup; }
std::span<const Honoured<NodeAcl>> acl_attributes() { return kAcl; }
std::span<const Inert> inert_acl_attributes() { return kInertAcl; }

}  // namespace tsihd::config
