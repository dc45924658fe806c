// Every key of RFC 3720 sections 11 and 12 and of appendix A, and RFC 4850's, as one row of a
// table: how it is negotiated, by whom, when, within which range.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "target/session/login.h"
#include "target/session/nouns.h"

namespace tsihd::session {

enum class Key : std::uint8_t {
  header_digest,
  data_digest,
  max_connections,
  send_targets,
  target_name,
  initiator_name,
  target_alias,
  initiator_alias,
  target_address,
  target_portal_group_tag,
  initial_r2t,
  immediate_data,
  max_recv_data_segment_length,
  max_burst_length,
  first_burst_length,
  default_time2wait,
  default_time2retain,
  max_outstanding_r2t,
  data_pdu_in_order,
  data_sequence_in_order,
  error_recovery_level,
  session_type,
  of_marker,
  if_marker,
  of_mark_int,
  if_mark_int,
  auth_method,
  chap_a,
  chap_i,
  chap_c,
  chap_n,
  chap_r,
  node_architecture,
};

/// How the acceptor finds its answer (5.2.1, 5.2.2, and each key's result function).
enum class KeyType : std::uint8_t {
  digest_list,      ///< the first of the proposer's list that we allow
  boolean_or,       ///< Yes when either says Yes
  boolean_and,      ///< Yes when both say Yes
  minimum,          ///< the lower of both numbers
  maximum,          ///< the higher
  marker_interval,  ///< we never use markers: always irrelevant
  declared_number,  ///< no answer
  declared_text,    ///< no answer
  security,         ///< the security stage's own exchange
  send_targets,
};

/// When a key may be used (section 12's abbreviations).
enum class KeyUse : std::uint8_t {
  leading_only,       ///< LO: in the login of a session's first connection
  initialize_only,    ///< IO: in any login
  all,                ///< in a login and in full feature phase
  full_feature_only,  ///< FFPO
};

struct KeyRule {
  Key key{};
  std::string_view name;
  KeyType type{};
  KeyUse use{};
  bool any_stage = false;  ///< allowed in the security stage too
  bool sent_by_initiator = true;
  bool once_begun = false;               ///< declared texts: allowed after the first request too
  bool irrelevant_in_discovery = false;  ///< section 12's "Irrelevant when SessionType=Discovery"
  /// Its result depends on other keys of the same text, so it is negotiated after them.
  bool dependent = false;
  std::uint32_t lowest = 0;  ///< numbers: the admissible range
  std::uint32_t highest = 0;
  bool NegotiatedParameters::*flag = nullptr;  ///< where the result goes; null: it is always No
  bool OfferedParameters::*offered_flag = nullptr;
  bool OfferedParameters::*offered_none = nullptr;  ///< digest lists: whether None is allowed
  std::uint32_t NegotiatedParameters::*number = nullptr;
  std::uint32_t OfferedParameters::*offered_number = nullptr;
};

/// All rows. Their defaults are the member initialisers of NegotiatedParameters.
const std::vector<KeyRule>& key_rules();
/// The row of a key, or null: then the answer is NotUnderstood (5.2-07).
const KeyRule* find_key(std::string_view name);

/// Which keys one party has sent within a span in which none may come twice (5.3-12: a login;
/// 5.4: a text negotiation).
class KeyLedger {
 public:
  /// Keys that we do not know, of which each is to be remembered by its name.
  static constexpr std::size_t kUnknownKeys = 128;

  enum class Verdict : std::uint8_t { first, repeated, too_many_unknown };
  Verdict note(const KeyRule* rule, std::string_view name);

 private:
  std::uint64_t known_ = 0;
  std::vector<std::string> unknown_;
};

/// A numerical-value of 5.1: decimal without leading zeros, or hexadecimal after 0x; below 2^64.
std::optional<std::uint64_t> parse_number(std::string_view text);

/// The constants of 5.2 that are answers only, never proposals (5.2-08).
bool is_answer_constant(std::string_view value);

}  // namespace tsihd::session
