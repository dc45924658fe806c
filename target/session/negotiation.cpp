#include "target/session/negotiation.h"

#include <fmt/format.h>

#include <algorithm>

namespace tsihd::session {
namespace {

std::uint64_t bit(const KeyRule& rule) {
  return std::uint64_t{1} << static_cast<unsigned>(rule.key);
}
std::string yes_or_no(bool value) { return value ? "Yes" : "No"; }

// Calls `use` with each item of a comma-separated list until it returns true.
template <class Use>
bool any_item(std::string_view list, Use use) {
  for (;;) {
    const std::size_t comma = list.find(',');
    if (use(list.substr(0, comma))) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

// Where the negotiation of a further connection starts: the session's values for what is
// session-wide, the defaults for what is a connection's own (12.1, 12.12).
NegotiatedParameters joining(const NegotiatedParameters& session) {
  constexpr NegotiatedParameters kDefaults;
  NegotiatedParameters start = session;
  start.header_digest = kDefaults.header_digest;
  start.data_digest = kDefaults.data_digest;
  start.initiator_max_recv_data_segment_length_bytes =
      kDefaults.initiator_max_recv_data_segment_length_bytes;
  start.target_max_recv_data_segment_length_bytes =
      kDefaults.target_max_recv_data_segment_length_bytes;
  return start;
}

}  // namespace

Negotiation::Negotiation(const OfferedParameters& offered, SessionType type,
                         const NegotiatedParameters* session)
    : offered_(offered), type_(type), leading_(session == nullptr) {
  if (session != nullptr) parameters_ = joining(*session);
}

Result<void> Negotiation::take(std::vector<ReceivedKey> keys, std::string& answers) {
  std::stable_partition(keys.begin(), keys.end(), [](const ReceivedKey& key) {
    return key.rule == nullptr || !key.rule->dependent;
  });
  for (const ReceivedKey& key : keys)
    if (auto taken = take_one(key, answers); !taken) return taken;
  return {};
}

Result<void> Negotiation::take_one(const ReceivedKey& key, std::string& answers) {
  if (key.rule == nullptr) {  // 5.2-07
    wire::append_text(answers, key.name, "NotUnderstood");
    return {};
  }
  settled_ |= bit(*key.rule);
  if ((proposed_ & bit(*key.rule)) != 0) return take_answer(key);
  return take_proposal(key, answers);
}

Result<void> Negotiation::take_proposal(const ReceivedKey& key, std::string& answers) {
  const KeyRule& rule = *key.rule;
  if (is_answer_constant(key.value))  // 5.2-08
    return fail(fmt::format("{} may not be proposed as {}", rule.name, key.value));
  if (rule.use == KeyUse::leading_only && !leading_)  // 12-01
    return fail(fmt::format("{} belongs to a session's first connection only", rule.name));
  std::string answer;
  switch (rule.type) {
    case KeyType::declared_number: {
      const auto value = parse_number(key.value);
      if (!value || *value < rule.lowest || *value > rule.highest)
        return fail(fmt::format("{} is not within {}..{}", rule.name, rule.lowest, rule.highest));
      parameters_.*rule.number = static_cast<std::uint32_t>(*value);
      return {};
    }
    case KeyType::digest_list:
      answer = choose_digest(rule, key.value);
      break;
    case KeyType::boolean_or:
    case KeyType::boolean_and:
      answer = choose_flag(rule, key.value);
      break;
    case KeyType::minimum:
    case KeyType::maximum:
      answer = choose_number(rule, key.value);
      break;
    case KeyType::marker_interval:
      answer = "Irrelevant";
      break;
    case KeyType::declared_text:
    case KeyType::security:
    case KeyType::send_targets:
      return fail(fmt::format("{} is no operational key", rule.name));
  }
  wire::append_text(answers, rule.name, answer);
  return {};
}

std::string Negotiation::choose_digest(const KeyRule& rule, std::string_view list) {
  std::string chosen = "Reject";  // 5.2.1: nothing of the list is supported or allowed
  any_item(list, [&](std::string_view item) {
    const bool crc32c = item == "CRC32C" && offered_.*rule.offered_flag;
    const bool none = item == "None" && offered_.*rule.offered_none;
    if (!crc32c && !none) return false;
    parameters_.*rule.flag = crc32c;
    chosen = item;
    return true;
  });
  return chosen;
}

std::string Negotiation::choose_flag(const KeyRule& rule, std::string_view value) {
  if (value != "Yes" && value != "No") return "Reject";
  if (type_ == SessionType::discovery && rule.irrelevant_in_discovery) return "Irrelevant";
  const bool theirs = value == "Yes";
  const bool ours = rule.offered_flag != nullptr && offered_.*rule.offered_flag;
  const bool result = rule.type == KeyType::boolean_or ? theirs || ours : theirs && ours;
  if (rule.flag != nullptr) parameters_.*rule.flag = result;
  return yes_or_no(result);
}

// What this side can live with, given what is settled already.
std::uint32_t Negotiation::limit(const KeyRule& rule) const {
  std::uint32_t ours = offered_.*rule.offered_number;
  if (rule.key == Key::first_burst_length)  // 12.14-01
    ours = std::min(ours, parameters_.max_burst_length_bytes);
  if (rule.key == Key::max_outstanding_r2t && parameters_.error_recovery_level > 0 &&
      parameters_.data_sequence_in_order)  // 12.19-02
    ours = 1;
  return std::clamp(ours, rule.lowest, rule.highest);
}

std::string Negotiation::choose_number(const KeyRule& rule, std::string_view value) {
  const auto theirs = parse_number(value);
  if (!theirs || *theirs < rule.lowest || *theirs > rule.highest) return "Reject";  // 5.2.2-02
  if (type_ == SessionType::discovery && rule.irrelevant_in_discovery) return "Irrelevant";
  const auto number = static_cast<std::uint32_t>(*theirs);
  const std::uint32_t result =
      rule.type == KeyType::minimum ? std::min(number, limit(rule)) : std::max(number, limit(rule));
  parameters_.*rule.number = result;
  return fmt::format("{}", result);
}

void Negotiation::declare(std::string& answers) {
  if (std::exchange(declared_, true)) return;
  const KeyRule& rule = *find_key("MaxRecvDataSegmentLength");
  parameters_.target_max_recv_data_segment_length_bytes = limit(rule);
  wire::append_text(answers, rule.name, fmt::format("{}", limit(rule)));
}

// What we would have to propose for this key, or nothing when its default suits us or it is
// settled. Only restrictions are worth an exchange: what the default allows and we allow is no
// matter, and what we would grant beyond the default an initiator that wants it asks for.
std::string Negotiation::proposal(const KeyRule& rule) const {
  const bool closed = (settled_ & bit(rule)) != 0 || (proposed_ & bit(rule)) != 0 ||
                      type_ == SessionType::discovery ||
                      (rule.use == KeyUse::leading_only && !leading_);
  if (closed) return {};
  switch (rule.type) {
    case KeyType::digest_list:
      return offered_.*rule.offered_none ? "" : "CRC32C";
    case KeyType::boolean_and:
      return rule.flag != nullptr && !(offered_.*rule.offered_flag) ? "No" : "";
    case KeyType::minimum:
      // FirstBurstLength follows MaxBurstLength without words where it was left at its default.
      if (rule.key == Key::first_burst_length &&
          offered_.first_burst_length_bytes >= parameters_.first_burst_length_bytes)
        return {};
      return limit(rule) < parameters_.*rule.number ? fmt::format("{}", limit(rule)) : "";
    case KeyType::maximum:
      return limit(rule) > parameters_.*rule.number ? fmt::format("{}", limit(rule)) : "";
    default:
      return {};
  }
}

bool Negotiation::has_proposals() const {
  const auto& rules = key_rules();
  return std::any_of(rules.begin(), rules.end(),
                     [&](const KeyRule& rule) { return !proposal(rule).empty(); });
}

void Negotiation::propose(std::string& answers) {
  for (const KeyRule& rule : key_rules()) {
    const std::string value = proposal(rule);
    if (value.empty()) continue;
    wire::append_text(answers, rule.name, value);
    proposed_ |= bit(rule);
  }
}

// The proposals are our limits, so only a value on our side of them will do.
Result<void> Negotiation::take_answer(const ReceivedKey& key) {
  const KeyRule& rule = *key.rule;
  proposed_ &= ~bit(rule);
  const auto number = parse_number(key.value);
  const bool in_range = number && *number >= rule.lowest && *number <= rule.highest;
  bool good = false;
  switch (rule.type) {
    case KeyType::digest_list:
      good = key.value == "CRC32C";
      break;
    case KeyType::boolean_and:
      good = key.value == "No";
      break;
    case KeyType::minimum:
      good = in_range && *number <= limit(rule);
      break;
    case KeyType::maximum:
      good = in_range && *number >= limit(rule);
      break;
    default:
      break;
  }
  if (!good)
    return fail(
        fmt::format("{} was proposed by the target and cannot be {}", rule.name, key.value));
  if (rule.type == KeyType::digest_list) {
    parameters_.*rule.flag = true;
  } else if (rule.type == KeyType::boolean_and) {
    parameters_.*rule.flag = false;
  } else {
    parameters_.*rule.number = static_cast<std::uint32_t>(*number);
  }
  return {};
}

Result<void> Negotiation::finish() {
  if ((!offered_.header_digest_none && !parameters_.header_digest) ||
      (!offered_.data_digest_none && !parameters_.data_digest)) {
    if (type_ == SessionType::normal) return fail("this portal group demands CRC32C digests");
  }
  if (parameters_.first_burst_length_bytes > parameters_.max_burst_length_bytes) {
    if ((settled_ & bit(*find_key("FirstBurstLength"))) != 0)  // 12.14-01
      return fail("FirstBurstLength was agreed on above the later MaxBurstLength");
    parameters_.first_burst_length_bytes = parameters_.max_burst_length_bytes;
  }
  if (parameters_.error_recovery_level > 0 && parameters_.data_sequence_in_order &&
      parameters_.max_outstanding_r2t > 1)  // 12.19-02
    return fail("MaxOutstandingR2T must be 1 with ErrorRecoveryLevel above 0 in order");
  if (type_ == SessionType::discovery) parameters_.max_connections = 1;  // 12.21
  return {};
}

}  // namespace tsihd::session
