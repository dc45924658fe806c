#include "target/session/keys.h"

#include <algorithm>

namespace tsihd::session {
namespace {

using N = NegotiatedParameters;
using O = OfferedParameters;
using enum KeyType;
using enum KeyUse;

constexpr std::uint32_t kMaxLength = 0xffffff;  // 2**24-1

// Rows are built by these few shapes, so that the table below reads like section 12.
KeyRule digest(Key key, std::string_view name, bool N::*result, bool O::*crc32c, bool O::*none) {
  KeyRule rule{.key = key, .name = name, .type = digest_list, .use = initialize_only};
  rule.flag = result;
  rule.offered_flag = crc32c;
  rule.offered_none = none;
  return rule;
}
KeyRule boolean(Key key, std::string_view name, KeyType type, bool N::*result, bool O::*offered) {
  KeyRule rule{.key = key, .name = name, .type = type, .use = leading_only};
  rule.irrelevant_in_discovery = true;
  rule.flag = result;
  rule.offered_flag = offered;
  return rule;
}
KeyRule number(Key key, std::string_view name, KeyType type, std::uint32_t lowest,
               std::uint32_t highest, std::uint32_t N::*result, std::uint32_t O::*offered) {
  KeyRule rule{.key = key, .name = name, .type = type, .use = leading_only};
  rule.lowest = lowest;
  rule.highest = highest;
  rule.number = result;
  rule.offered_number = offered;
  return rule;
}
KeyRule irrelevant_in_discovery(KeyRule rule) {
  rule.irrelevant_in_discovery = true;
  return rule;
}
KeyRule dependent(KeyRule rule) {
  rule.dependent = true;
  return rule;
}
KeyRule any_stage(Key key, std::string_view name, KeyUse use, bool sent_by_initiator) {
  KeyRule rule{.key = key, .name = name, .type = declared_text, .use = use};
  rule.any_stage = true;
  rule.sent_by_initiator = sent_by_initiator;
  return rule;
}
KeyRule once_begun(KeyRule rule) {
  rule.once_begun = true;
  return rule;
}
KeyRule plain(Key key, std::string_view name, KeyType type, KeyUse use) {
  return {.key = key, .name = name, .type = type, .use = use};
}
KeyRule security_key(Key key, std::string_view name) {
  return plain(key, name, security, initialize_only);
}

std::vector<KeyRule> make_rules() {
  const bool by_initiator = true, by_target = false;
  KeyRule max_recv =
      number(Key::max_recv_data_segment_length, "MaxRecvDataSegmentLength", declared_number, 512,
             kMaxLength, &N::initiator_max_recv_data_segment_length_bytes,
             &O::max_recv_data_segment_length_bytes);
  max_recv.use = all;
  return {
      digest(Key::header_digest, "HeaderDigest", &N::header_digest, &O::header_digest_crc32c,
             &O::header_digest_none),
      digest(Key::data_digest, "DataDigest", &N::data_digest, &O::data_digest_crc32c,
             &O::data_digest_none),
      irrelevant_in_discovery(number(Key::max_connections, "MaxConnections", minimum, 1, 65535,
                                     &N::max_connections, &O::max_connections)),
      plain(Key::send_targets, "SendTargets", KeyType::send_targets, full_feature_only),
      any_stage(Key::target_name, "TargetName", initialize_only, by_initiator),
      any_stage(Key::initiator_name, "InitiatorName", initialize_only, by_initiator),
      any_stage(Key::target_alias, "TargetAlias", all, by_target),
      once_begun(any_stage(Key::initiator_alias, "InitiatorAlias", all, by_initiator)),
      any_stage(Key::target_address, "TargetAddress", all, by_target),
      any_stage(Key::target_portal_group_tag, "TargetPortalGroupTag", initialize_only, by_target),
      boolean(Key::initial_r2t, "InitialR2T", boolean_or, &N::initial_r2t, &O::initial_r2t),
      boolean(Key::immediate_data, "ImmediateData", boolean_and, &N::immediate_data,
              &O::immediate_data),
      max_recv,
      irrelevant_in_discovery(number(Key::max_burst_length, "MaxBurstLength", minimum, 512,
                                     kMaxLength, &N::max_burst_length_bytes,
                                     &O::max_burst_length_bytes)),
      dependent(irrelevant_in_discovery(number(Key::first_burst_length, "FirstBurstLength", minimum,
                                               512, kMaxLength, &N::first_burst_length_bytes,
                                               &O::first_burst_length_bytes))),
      number(Key::default_time2wait, "DefaultTime2Wait", maximum, 0, 3600, &N::default_time2wait_s,
             &O::default_time2wait_s),
      number(Key::default_time2retain, "DefaultTime2Retain", minimum, 0, 3600,
             &N::default_time2retain_s, &O::default_time2retain_s),
      dependent(
          irrelevant_in_discovery(number(Key::max_outstanding_r2t, "MaxOutstandingR2T", minimum, 1,
                                         65535, &N::max_outstanding_r2t, &O::max_outstanding_r2t))),
      boolean(Key::data_pdu_in_order, "DataPDUInOrder", boolean_or, &N::data_pdu_in_order,
              &O::data_pdu_in_order),
      boolean(Key::data_sequence_in_order, "DataSequenceInOrder", boolean_or,
              &N::data_sequence_in_order, &O::data_sequence_in_order),
      number(Key::error_recovery_level, "ErrorRecoveryLevel", minimum, 0, 2,
             &N::error_recovery_level, &O::error_recovery_level),
      any_stage(Key::session_type, "SessionType", leading_only, by_initiator),
      plain(Key::of_marker, "OFMarker", boolean_and, initialize_only),
      plain(Key::if_marker, "IFMarker", boolean_and, initialize_only),
      plain(Key::of_mark_int, "OFMarkInt", marker_interval, initialize_only),
      plain(Key::if_mark_int, "IFMarkInt", marker_interval, initialize_only),
      security_key(Key::auth_method, "AuthMethod"),
      security_key(Key::chap_a, "CHAP_A"),
      security_key(Key::chap_i, "CHAP_I"),
      security_key(Key::chap_c, "CHAP_C"),
      security_key(Key::chap_n, "CHAP_N"),
      security_key(Key::chap_r, "CHAP_R"),
      // RFC 4850: declared, in the operational stage. What it says is logged and changes nothing.
      once_begun(plain(Key::node_architecture, "X#NodeArchitecture", declared_text, leading_only)),
  };
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

const std::vector<KeyRule>& key_rules() {
  static const std::vector<KeyRule> rules = make_rules();
  return rules;
}

const KeyRule* find_key(std::string_view name) {
  const auto& rules = key_rules();
  const auto found = std::find_if(rules.begin(), rules.end(),
                                  [&](const KeyRule& rule) { return rule.name == name; });
  return found == rules.end() ? nullptr : &*found;
}

KeyLedger::Verdict KeyLedger::note(const KeyRule* rule, std::string_view name) {
  if (rule == nullptr) {
    if (std::find(unknown_.begin(), unknown_.end(), name) != unknown_.end())
      return Verdict::repeated;
    if (unknown_.size() == kUnknownKeys) return Verdict::too_many_unknown;
    unknown_.emplace_back(name);
    return Verdict::first;
  }
  const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(rule->key);
  const bool first = (known_ & bit) == 0;
  known_ |= bit;
  return first ? Verdict::first : Verdict::repeated;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex) text.remove_prefix(2);
  if (text.empty() || (!hex && text.size() > 1 && text[0] == '0')) return std::nullopt;
  const std::uint64_t base = hex ? 16 : 10;
  std::uint64_t value = 0;
  for (char c : text) {
    const int digit = hex_digit(c);
    if (digit < 0 || static_cast<std::uint64_t>(digit) >= base) return std::nullopt;
    if (value > (UINT64_MAX - static_cast<std::uint64_t>(digit)) / base) return std::nullopt;
    value = value * base + static_cast<std::uint64_t>(digit);
  }
  return value;
}

bool is_answer_constant(std::string_view value) {
  return value == "Reject" || value == "Irrelevant" || value == "NotUnderstood";
}

}  // namespace tsihd::session
