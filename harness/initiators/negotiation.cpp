#include "harness/initiators/negotiation.h"

#include <algorithm>
#include <array>

namespace tsih::initiators {
namespace {

using wire::TextKeys;

enum class Rule : std::uint8_t { declared, list, both_yes, either_yes, least, greatest };

struct KeyRule {
  std::string_view key;
  Rule rule;
};

// Sections 11.1 and 12.1 to 12.20.
constexpr KeyRule kRules[] = {
    {"AuthMethod", Rule::list},
    {"HeaderDigest", Rule::list},
    {"DataDigest", Rule::list},
    {"MaxConnections", Rule::least},
    {"SendTargets", Rule::declared},
    {"TargetName", Rule::declared},
    {"InitiatorName", Rule::declared},
    {"TargetAlias", Rule::declared},
    {"InitiatorAlias", Rule::declared},
    {"TargetAddress", Rule::declared},
    {"TargetPortalGroupTag", Rule::declared},
    {"InitialR2T", Rule::either_yes},
    {"ImmediateData", Rule::both_yes},
    {"MaxRecvDataSegmentLength", Rule::declared},
    {"MaxBurstLength", Rule::least},
    {"FirstBurstLength", Rule::least},
    {"DefaultTime2Wait", Rule::greatest},
    {"DefaultTime2Retain", Rule::least},
    {"MaxOutstandingR2T", Rule::least},
    {"DataPDUInOrder", Rule::either_yes},
    {"DataSequenceInOrder", Rule::either_yes},
    {"ErrorRecoveryLevel", Rule::least},
    {"SessionType", Rule::declared},
    {"OFMarker", Rule::both_yes},
    {"IFMarker", Rule::both_yes},
};

const KeyRule* rule_of(std::string_view key) {
  const auto found = std::ranges::find(kRules, key, &KeyRule::key);
  return found == std::end(kRules) ? nullptr : found;
}

// The first of the offered values when it is one that we go for; wishes are a list as well.
std::string from_list(std::string_view offered, std::string_view wishes) {
  for (std::size_t at = 0; at <= wishes.size();) {
    const auto comma = std::min(wishes.find(',', at), wishes.size());
    const std::string wish(wishes.substr(at, comma - at));
    if (("," + std::string(offered) + ",").find("," + wish + ",") != std::string::npos) return wish;
    at = comma + 1;
  }
  return "Reject";
}

std::string settle(Rule rule, const std::string& offered, const std::string& wish) {
  if (rule == Rule::list) return from_list(offered, wish);
  if (rule == Rule::both_yes) return offered == "Yes" && wish == "Yes" ? "Yes" : "No";
  if (rule == Rule::either_yes) return offered == "Yes" || wish == "Yes" ? "Yes" : "No";
  const auto theirs = wire::parse_number(offered), ours = wire::parse_number(wish);
  if (!theirs) return "Reject";
  const bool take_theirs = rule == Rule::least ? *theirs <= *ours : *theirs >= *ours;
  return std::to_string(take_theirs ? *theirs : *ours);
}

}  // namespace

TextKeys default_wishes() {
  return {{"AuthMethod", "None"},
          {"HeaderDigest", "None"},
          {"DataDigest", "None"},
          {"MaxConnections", "1"},
          {"InitialR2T", "Yes"},
          {"ImmediateData", "Yes"},
          {"MaxBurstLength", "262144"},
          {"FirstBurstLength", "65536"},
          {"DefaultTime2Wait", "0"},
          {"DefaultTime2Retain", "0"},
          {"MaxOutstandingR2T", "1"},
          {"DataPDUInOrder", "Yes"},
          {"ErrorRecoveryLevel", "0"},
          {"DataSequenceInOrder", "Yes"},
          {"OFMarker", "No"},
          {"IFMarker", "No"},
          {"TargetPortalGroupTag", "1"},
          {"MaxRecvDataSegmentLength", "262144"}};
}

bool is_declaration(std::string_view key) {
  const KeyRule* rule = rule_of(key);
  return rule && rule->rule == Rule::declared;
}

TextKeys answer_keys(const TextKeys& offered, const TextKeys& wishes) {
  TextKeys answers;
  for (const auto& [key, value] : offered.pairs()) {
    const KeyRule* rule = rule_of(key);
    if (rule && rule->rule == Rule::declared) continue;
    // Marker intervals mean nothing without markers (A.3.2).
    if (key == "OFMarkInt" || key == "IFMarkInt")
      answers.add(key, "Irrelevant");
    else if (!rule)
      answers.add(key, "NotUnderstood");
    else
      answers.add(key, settle(rule->rule, value, wishes.value(key).value_or("")));
  }
  return answers;
}

std::uint64_t agreed_number(const TextKeys& offered, const TextKeys& answered, std::string_view key,
                            std::uint64_t otherwise) {
  auto text = answered.value(key);
  if (!text) text = offered.value(key);
  return text ? wire::parse_number(*text).value_or(otherwise) : otherwise;
}

}  // namespace tsih::initiators
