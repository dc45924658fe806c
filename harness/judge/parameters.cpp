#include "harness/judge/parameters.h"

#include <algorithm>
#include <set>

#include "harness/judge/keys.h"

namespace tsih::judge {
namespace {

void set_number(const Negotiation& negotiation, std::string_view key, std::uint32_t& value) {
  const auto text = outcome(negotiation, key);
  const auto number = text ? wire::parse_number(*text) : std::nullopt;
  if (number && *number <= UINT32_MAX) value = static_cast<std::uint32_t>(*number);
}

void set_boolean(const Negotiation& negotiation, std::string_view key, bool& value) {
  if (const auto text = outcome(negotiation, key))
    if (*text == "Yes" || *text == "No") value = *text == "Yes";
}

// Both have to say Yes; an interval that is refused switches the markers off (A.3.2).
std::uint32_t marker_interval_bytes(const Negotiation& negotiation, std::string_view marker,
                                    std::string_view interval) {
  constexpr std::uint64_t kDefaultWords = 2048, kMostWords = 65535, kWordBytes = 4;
  const auto found = negotiation.proposals.find(marker);
  if (found == negotiation.proposals.end() || found->second.value != "Yes" ||
      found->second.answer != "Yes")
    return 0;
  const auto text = outcome(negotiation, interval);
  if (text == "Reject") return 0;
  const auto words = text ? wire::parse_number(*text) : std::nullopt;
  if (words && (*words == 0 || *words > kMostWords)) return 0;
  return static_cast<std::uint32_t>(words.value_or(kDefaultWords) * kWordBytes);
}

// In full feature phase PDUs by the old value may still be on their way.
void note_receive_limit(Connection& connection, From from, const std::string& value) {
  auto& limit = connection.max_receive_bytes[side(from)];
  const auto number = wire::parse_number(value);
  if (!number || *number >= (1u << 24)) return;
  const auto bytes = static_cast<std::uint32_t>(*number);
  const bool later = connection.phase == Phase::full_feature && limit;
  if (later && from == From::initiator && *limit != bytes) ++connection.receive_changes;
  if (later && bytes > *limit) {
    auto& change = connection.receive_change[side(from)];
    change = {.before = change ? change->before : *limit, .declared = bytes, .failed = false};
  }
  limit = later ? std::max(*limit, bytes) : bytes;
}

}  // namespace

std::optional<std::string> outcome(const Negotiation& negotiation, std::string_view key) {
  const auto found = negotiation.proposals.find(key);
  if (found == negotiation.proposals.end()) return std::nullopt;
  const Proposal& proposal = found->second;
  return proposal.answered ? proposal.answer : proposal.value;
}

std::string_view repeated_key(const Negotiation& negotiation, From from,
                              const wire::TextKeys& keys) {
  std::set<std::string_view> here;
  for (const auto& [name, value] : keys.pairs()) {
    const Key* key = find_key(name);
    if (!key || may_repeat(name) || key->use == KeyUse::in_full_feature) continue;
    if (from == From::target && name == "TargetName") continue;  // of a list of targets
    if (!here.insert(name).second || negotiation.declared[side(from)].contains(name)) return name;
  }
  return {};
}

void note_keys(Connection& connection, From from, const wire::TextKeys& keys) {
  Negotiation& negotiation = connection.negotiation;
  negotiation.repeated[side(from)] = repeated_key(negotiation, from, keys);
  for (const auto& [key, value] : keys.pairs()) {
    if (key == "MaxRecvDataSegmentLength") note_receive_limit(connection, from, value);
    auto& said = negotiation.declared[side(from)];
    if (said.size() < limits::kKeys) said.insert(key);
    const Key* known = find_key(key);
    if (known && known->type == KeyType::declaration) continue;
    const auto found = negotiation.proposals.find(key);
    if (found == negotiation.proposals.end()) {
      if (negotiation.proposals.size() < limits::kKeys)
        negotiation.proposals[key] = {.by = from, .value = value, .answered = false, .answer = {}};
    } else if (found->second.by != from && !found->second.answered) {
      found->second.answered = true;
      found->second.answer = value;
    }
  }
}

void end_negotiation(Connection& connection, bool agreed) {
  for (auto& change : connection.receive_change) {
    if (!change || change->failed) continue;
    if (agreed)
      change.reset();
    else
      change->failed = true;
  }
}

void agree(Connection& connection) {
  const Negotiation& negotiation = connection.negotiation;
  connection.header_digest = outcome(negotiation, "HeaderDigest") == "CRC32C";
  connection.data_digest = outcome(negotiation, "DataDigest") == "CRC32C";
  connection.marker_interval_bytes = {marker_interval_bytes(negotiation, "OFMarker", "OFMarkInt"),
                                      marker_interval_bytes(negotiation, "IFMarker", "IFMarkInt")};
  for (auto& limit : connection.max_receive_bytes)
    if (!limit && connection.login.requests > 0) limit = 8192;  // 12.13
  if (!connection.login.leading || connection.session->discovery) return;
  SessionParameters& agreed = connection.session->parameters;
  set_boolean(negotiation, "InitialR2T", agreed.initial_r2t);
  set_boolean(negotiation, "ImmediateData", agreed.immediate_data);
  set_boolean(negotiation, "DataPDUInOrder", agreed.data_pdu_in_order);
  set_boolean(negotiation, "DataSequenceInOrder", agreed.data_sequence_in_order);
  set_number(negotiation, "MaxBurstLength", agreed.max_burst_bytes);
  set_number(negotiation, "FirstBurstLength", agreed.first_burst_bytes);
  set_number(negotiation, "MaxOutstandingR2T", agreed.max_outstanding_r2t);
  set_number(negotiation, "ErrorRecoveryLevel", agreed.error_recovery_level);
  set_number(negotiation, "MaxConnections", agreed.max_connections);
  set_number(negotiation, "DefaultTime2Wait", agreed.time2wait_s);
  set_number(negotiation, "DefaultTime2Retain", agreed.time2retain_s);
}

}  // namespace tsih::judge
