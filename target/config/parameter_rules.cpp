// What a portal group offers in negotiation: the operational keys of RFC 3720 section 12, as LIO
// keeps them under `parameters`.
#include <fmt/format.h>

#include <array>

#include "target/config/rules.h"

namespace tsihd::config {
namespace {

using session::OfferedParameters;

/// Splits "CRC32C,None" and refuses what is in no list of `first` and `second`, or nothing at all.
bool read_pair(const Value& value, std::string_view first, std::string_view second, bool& has_first,
               bool& has_second) {
  auto text = value.text();
  if (!text) return false;
  bool found_first = false, found_second = false;
  std::string_view rest = *text;
  while (true) {
    auto comma = rest.find(',');
    std::string_view part = rest.substr(0, comma);
    if (part == first && !found_first) {
      found_first = true;
    } else if (part == second && !found_second) {
      found_second = true;
    } else {
      value.refuse(
          fmt::format("expected a list of {} and {}, got {}", first, second, value.shown()));
      return false;
    }
    if (comma == std::string_view::npos) break;
    rest = rest.substr(comma + 1);
  }
  has_first = found_first;
  has_second = found_second;
  return true;
}

void auth_method(const Value& value, ParameterPlan& plan) {
  read_pair(value, "CHAP", "None", plan.chap_offered, plan.none_offered);
}
void header_digest(const Value& value, ParameterPlan& plan) {
  read_pair(value, "CRC32C", "None", plan.offered.header_digest_crc32c,
            plan.offered.header_digest_none);
}
void data_digest(const Value& value, ParameterPlan& plan) {
  read_pair(value, "CRC32C", "None", plan.offered.data_digest_crc32c,
            plan.offered.data_digest_none);
}

template <auto Member>
void yes_or_no(const Value& value, ParameterPlan& plan) {
  if (auto yes = value.yes_or_no()) plan.offered.*Member = *yes;
}

template <auto Member, std::int64_t Minimum, std::int64_t Maximum>
void number(const Value& value, ParameterPlan& plan) {
  if (auto read = value.number(Minimum, Maximum)) {
    plan.offered.*Member = static_cast<std::uint32_t>(*read);
  }
}

void target_alias(const Value& value, ParameterPlan& plan) {
  if (auto alias = value.text()) plan.offered.target_alias = *alias;
}

constexpr std::int64_t kMaxLength = 0xffffff;  // RFC 3720 12.12 to 12.14: 2**24-1

constexpr std::array<Honoured<ParameterPlan>, 16> kHonoured{{
    {"AuthMethod", "CHAP, None or both", auth_method},
    {"HeaderDigest", "CRC32C, None or both", header_digest},
    {"DataDigest", "CRC32C, None or both", data_digest},
    {"InitialR2T", "No lets the initiator send unsolicited Data-Out, if it wants to",
     yes_or_no<&OfferedParameters::initial_r2t>},
    {"ImmediateData", "Yes lets commands carry data",
     yes_or_no<&OfferedParameters::immediate_data>},
    {"MaxXmitDataSegmentLength",
     "bytes; what we declare as our MaxRecvDataSegmentLength, as LIO does",
     number<&OfferedParameters::max_recv_data_segment_length_bytes, 512, kMaxLength>},
    {"MaxBurstLength", "bytes",
     number<&OfferedParameters::max_burst_length_bytes, 512, kMaxLength>},
    {"FirstBurstLength", "bytes, at most MaxBurstLength",
     number<&OfferedParameters::first_burst_length_bytes, 512, kMaxLength>},
    {"DefaultTime2Wait", "seconds", number<&OfferedParameters::default_time2wait_s, 0, 3600>},
    {"DefaultTime2Retain", "seconds", number<&OfferedParameters::default_time2retain_s, 0, 3600>},
    {"MaxOutstandingR2T", "R2Ts of one command under way at once",
     number<&OfferedParameters::max_outstanding_r2t, 1, 65535>},
    {"MaxConnections", "connections of one session",
     number<&OfferedParameters::max_connections, 1, 65535>},
    {"ErrorRecoveryLevel", "0 session recovery, 1 digest failures too, 2 connections too",
     number<&OfferedParameters::error_recovery_level, 0, 2>},
    {"DataPDUInOrder", "No lets the initiator send the data PDUs of a sequence in any order",
     yes_or_no<&OfferedParameters::data_pdu_in_order>},
    {"DataSequenceInOrder", "No lets sequences of data come in any order",
     yes_or_no<&OfferedParameters::data_sequence_in_order>},
    {"TargetAlias", "a name for people", target_alias},
}};

constexpr std::string_view kNoMarkers = "markers (RFC 3720 appendix A) are not offered";
constexpr std::array<Inert, 5> kInert{{
    {"MaxRecvDataSegmentLength", "*",
     "LIO declares MaxXmitDataSegmentLength to initiators and never this, and so do we"},
    {"IFMarker", "No", kNoMarkers},
    {"OFMarker", "No", kNoMarkers},
    {"IFMarkInt", "Reject|2048|2048~65535", kNoMarkers},
    {"OFMarkInt", "Reject|2048|2048~65535", kNoMarkers},
}};

}  // namespace

std::span<const Honoured<ParameterPlan>> parameters() { return kHonoured; }
std::span<const Inert> inert_parameters() { return kInert; }

}  // namespace tsihd::config
