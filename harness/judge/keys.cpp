#include "harness/judge/keys.h"

#include <algorithm>
#include <iterator>

namespace tsih::judge {
namespace {

constexpr std::uint32_t kMostBytes = (1u << 24) - 1;

constexpr Key kKeys[] = {
    // What may be said in any stage.
    {"AuthMethod", KeyType::list, KeyUse::in_login, Senders::both, 0, 0, true},
    {"InitiatorName", KeyType::declaration, KeyUse::in_login, Senders::initiator, 0, 0, true},
    {"TargetName", KeyType::declaration, KeyUse::always, Senders::both, 0, 0, true},
    {"SessionType", KeyType::declaration, KeyUse::in_leading_login, Senders::initiator, 0, 0, true},
    {"InitiatorAlias", KeyType::declaration, KeyUse::always, Senders::initiator, 0, 0, true},
    {"TargetAlias", KeyType::declaration, KeyUse::always, Senders::target, 0, 0, true},
    {"TargetAddress", KeyType::declaration, KeyUse::always, Senders::target, 0, 0, true},
    {"TargetPortalGroupTag", KeyType::declaration, KeyUse::in_login, Senders::target, 0, 65535,
     true},
    // Operational keys.
    {"HeaderDigest", KeyType::list, KeyUse::in_login},
    {"DataDigest", KeyType::list, KeyUse::in_login},
    {"MaxConnections", KeyType::minimum, KeyUse::in_leading_login, Senders::both, 1, 65535},
    {"SendTargets", KeyType::declaration, KeyUse::in_full_feature, Senders::initiator},
    {"InitialR2T", KeyType::boolean_or},
    {"ImmediateData", KeyType::boolean_and},
    {"MaxRecvDataSegmentLength", KeyType::declaration, KeyUse::always, Senders::both, 512,
     kMostBytes},
    {"MaxBurstLength", KeyType::minimum, KeyUse::in_leading_login, Senders::both, 512, kMostBytes},
    {"FirstBurstLength", KeyType::minimum, KeyUse::in_leading_login, Senders::both, 512,
     kMostBytes},
    {"DefaultTime2Wait", KeyType::maximum, KeyUse::in_leading_login, Senders::both, 0, 3600},
    {"DefaultTime2Retain", KeyType::minimum, KeyUse::in_leading_login, Senders::both, 0, 3600},
    {"MaxOutstandingR2T", KeyType::minimum, KeyUse::in_leading_login, Senders::both, 1, 65535},
    {"DataPDUInOrder", KeyType::boolean_or},
    {"DataSequenceInOrder", KeyType::boolean_or},
    {"ErrorRecoveryLevel", KeyType::minimum, KeyUse::in_leading_login, Senders::both, 0, 2},
    {"IFMarker", KeyType::boolean_and, KeyUse::in_login},
    {"OFMarker", KeyType::boolean_and, KeyUse::in_login},
    {"IFMarkInt", KeyType::range, KeyUse::in_login, Senders::both, 1, 65535},
    {"OFMarkInt", KeyType::range, KeyUse::in_login, Senders::both, 1, 65535},
    // Of authentication methods (11.1).
    {"CHAP_A", KeyType::authentication, KeyUse::in_login, Senders::both, 0, 0, true},
    {"CHAP_I", KeyType::authentication, KeyUse::in_login, Senders::both, 0, 0, true},
    {"CHAP_C", KeyType::authentication, KeyUse::in_login, Senders::both, 0, 0, true},
    {"CHAP_N", KeyType::authentication, KeyUse::in_login, Senders::both, 0, 0, true},
    {"CHAP_R", KeyType::authentication, KeyUse::in_login, Senders::both, 0, 0, true},
    {"KRB_AP_REQ", KeyType::authentication, KeyUse::in_login, Senders::initiator, 0, 0, true},
    {"KRB_AP_REP", KeyType::authentication, KeyUse::in_login, Senders::target, 0, 0, true},
    {"SPKM_REQ", KeyType::authentication, KeyUse::in_login, Senders::initiator, 0, 0, true},
    {"SPKM_ERROR", KeyType::authentication, KeyUse::in_login, Senders::both, 0, 0, true},
    {"SPKM_REP_TI", KeyType::authentication, KeyUse::in_login, Senders::target, 0, 0, true},
    {"SPKM_REP_IT", KeyType::authentication, KeyUse::in_login, Senders::initiator, 0, 0, true},
    {"SRP_U", KeyType::authentication, KeyUse::in_login, Senders::initiator, 0, 0, true},
    {"TargetAuth", KeyType::authentication, KeyUse::in_login, Senders::initiator, 0, 0, true},
    {"SRP_GROUP", KeyType::authentication, KeyUse::in_login, Senders::both, 0, 0, true},
    {"SRP_s", KeyType::authentication, KeyUse::in_login, Senders::target, 0, 0, true},
    {"SRP_A", KeyType::authentication, KeyUse::in_login, Senders::initiator, 0, 0, true},
    {"SRP_B", KeyType::authentication, KeyUse::in_login, Senders::target, 0, 0, true},
    {"SRP_M", KeyType::authentication, KeyUse::in_login, Senders::initiator, 0, 0, true},
    {"SRP_HM", KeyType::authentication, KeyUse::in_login, Senders::target, 0, 0, true},
};

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

const Key* find_key(std::string_view name) {
  const auto found = std::ranges::find(kKeys, name, &Key::name);
  return found == std::end(kKeys) ? nullptr : found;
}

bool may_repeat(std::string_view key) { return key == "TargetAddress" || is_extension(key); }

bool has_label_characters(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_letter_or_digit(c) || std::string_view(".-+@_").find(c) != std::string_view::npos;
  });
}

bool is_standard_label(std::string_view text) {
  return has_label_characters(text) && text.size() <= kLimitLabelBytes && text.front() >= 'A' &&
         text.front() <= 'Z';
}

bool is_reserved_word(std::string_view value) {
  return value == "Reject" || value == "Irrelevant" || value == "NotUnderstood";
}

bool lists(std::string_view list, std::string_view value) {
  bool found = false;
  for_each_listed(list, [&](std::string_view one) { found |= one == value; });
  return found;
}

}  // namespace tsih::judge
