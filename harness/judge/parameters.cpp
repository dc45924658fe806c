#include "harness/judge/parameters.h"

#include <algorithm>

namespace tsih::judge {
namespace {

constexpr std::size_t kLimitKeys = 256;

// Each side says for itself, nobody answers.
bool is_declaration(std::string_view key) {
  static constexpr std::string_view kDeclared[] = {
      "InitiatorName", "TargetName",           "InitiatorAlias",
      "TargetAlias",   "TargetAddress",        "SessionType",
      "SendTargets",   "TargetPortalGroupTag", "MaxRecvDataSegmentLength"};
  return std::ranges::find(kDeclared, key) != std::end(kDeclared);
}

// The outcome of a key, if it was negotiated: the answer, and for booleans that settle it the
// proposal.
std::optional<std::string> outcome(const Negotiation& negotiation, std::string_view key) {
  const auto found = negotiation.proposals.find(key);
  if (found == negotiation.proposals.end()) return std::nullopt;
  const Proposal& proposal = found->second;
  return proposal.answered ? proposal.answer : proposal.value;
}

void set_number(const Negotiation& negotiation, std::string_view key, std::uint32_t& value) {
  const auto text = outcome(negotiation, key);
  const auto number = text ? wire::parse_number(*text) : std::nullopt;
  if (number && *number <= UINT32_MAX) value = static_cast<std::uint32_t>(*number);
}

void set_boolean(const Negotiation& negotiation, std::string_view key, bool& value) {
  if (const auto text = outcome(negotiation, key))
    if (*text == "Yes" || *text == "No") value = *text == "Yes";
}

}  // namespace

void note_keys(Connection& connection, From from, const wire::TextKeys& keys) {
  Negotiation& negotiation = connection.negotiation;
  for (const auto& [key, value] : keys.pairs()) {
    if (key == "MaxRecvDataSegmentLength") {
      auto& limit = connection.max_receive_bytes[side(from)];
      const auto number = wire::parse_number(value);
      if (!number || *number >= (1u << 24)) continue;
      const auto bytes = static_cast<std::uint32_t>(*number);
      // In full feature phase PDUs by the old value may still be on their way.
      const bool later = connection.phase == Phase::full_feature && limit;
      limit = later ? std::max(*limit, bytes) : bytes;
    }
    if (is_declaration(key)) continue;
    const auto found = negotiation.proposals.find(key);
    if (found == negotiation.proposals.end()) {
      if (negotiation.proposals.size() < kLimitKeys)
        negotiation.proposals[key] = {.by = from, .value = value, .answered = false, .answer = {}};
    } else if (found->second.by != from && !found->second.answered) {
      found->second.answered = true;
      found->second.answer = value;
    }
  }
}

void agree(Connection& connection) {
  const Negotiation& negotiation = connection.negotiation;
  connection.header_digest = outcome(negotiation, "HeaderDigest") == "CRC32C";
  connection.data_digest = outcome(negotiation, "DataDigest") == "CRC32C";
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
}

}  // namespace tsih::judge
