#include "target/session/tests/sim_login.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "target/session/tests/sim_target.h"
#include "target/session/tests/sim_trace.h"

namespace tsihd::session::sim {
namespace {

constexpr std::string_view kInitiatorName = "iqn.2026-11.org.example:machine";

void add(std::string& text, std::string_view key, std::string_view value) {
  text.append(key).append("=").append(value).push_back('\0');
}
void add(std::string& text, std::string_view key, std::uint32_t value) {
  add(text, key, std::to_string(value));
}
void add_flag(std::string& text, std::string_view key, bool value) {
  add(text, key, value ? "Yes" : "No");
}

/// The target's answers, by key.
class Answers {
 public:
  explicit Answers(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('\0'), equals = text.find('=');
      if (end == text.npos || equals > end) fail("login answer \"{}\" is no key=value", text);
      const auto key = text.substr(0, equals);
      if (!values_.emplace(key, text.substr(equals + 1, end - equals - 1)).second)
        fail("login answer {} came twice", key);
      text.remove_prefix(end + 1);
    }
  }
  std::optional<std::string_view> find(std::string_view key) const {
    const auto at = values_.find(key);
    if (at == values_.end()) return std::nullopt;
    return at->second;
  }
  std::string_view get(std::string_view key) const {
    const auto value = find(key);
    if (!value) fail("no answer to {}", key);
    return *value;
  }
  std::uint32_t number(std::string_view key) const { return to_number(key, get(key)); }
  static std::uint32_t to_number(std::string_view key, std::string_view value) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size()) fail("{}={}", key, value);
    return number;
  }
  bool flag(std::string_view key) const {
    const std::string_view value = get(key);
    if (value != "Yes" && value != "No") fail("{}={}", key, value);
    return value == "Yes";
  }

  // Results, each with what its type allows (12).
  std::uint32_t minimum(std::string_view key, std::uint32_t ours) const {
    const std::uint32_t result = number(key);
    if (result > ours) fail("{}={} is above our {}", key, result, ours);
    return result;
  }
  std::uint32_t maximum(std::string_view key, std::uint32_t ours) const {
    const std::uint32_t result = number(key);
    if (result < ours) fail("{}={} is below our {}", key, result, ours);
    return result;
  }
  bool either(std::string_view key, bool ours) const {
    const bool result = flag(key);
    if (ours && !result) fail("{}=No to our Yes", key);
    return result;
  }
  bool both(std::string_view key, bool ours) const {
    const bool result = flag(key);
    if (!ours && result) fail("{}=Yes to our No", key);
    return result;
  }
  bool digest(std::string_view key, bool ours) const {
    const std::string_view value = get(key);
    if (value != (ours ? "CRC32C" : "None")) fail("{}={}", key, value);
    return ours;
  }

 private:
  std::map<std::string, std::string_view, std::less<>> values_;
};

}  // namespace

std::string login_names() {
  std::string text;
  add(text, "InitiatorName", kInitiatorName);
  add(text, "SessionType", "Normal");
  add(text, "TargetName", kTargetName);
  return text;
}

std::string login_keys(const Settings& settings, bool leading) {
  std::string text;
  add(text, "HeaderDigest", settings.header_digest ? "CRC32C" : "None");
  add(text, "DataDigest", settings.data_digest ? "CRC32C" : "None");
  add(text, "MaxRecvDataSegmentLength", settings.initiator_segment_bytes);
  if (!leading) return text;
  add(text, "MaxConnections", settings.connections);
  add_flag(text, "InitialR2T", settings.initial_r2t);
  add_flag(text, "ImmediateData", settings.immediate_data);
  add(text, "MaxBurstLength", settings.max_burst_bytes);
  add(text, "FirstBurstLength", settings.first_burst_bytes);
  add(text, "DefaultTime2Wait", settings.time2wait_s);
  add(text, "DefaultTime2Retain", settings.time2retain_s);
  add(text, "MaxOutstandingR2T", settings.max_outstanding_r2t);
  add_flag(text, "DataPDUInOrder", settings.data_pdu_in_order);
  add_flag(text, "DataSequenceInOrder", settings.data_sequence_in_order);
  add(text, "ErrorRecoveryLevel", settings.error_recovery_level);
  return text;
}

Agreement agree(const Settings& settings, bool leading, Agreement result,
                std::string_view answers_text) {
  const Answers answers(answers_text);
  result.header_digest = answers.digest("HeaderDigest", settings.header_digest);
  result.data_digest = answers.digest("DataDigest", settings.data_digest);
  result.initiator_segment_bytes = settings.initiator_segment_bytes;
  if (const auto declared = answers.find("MaxRecvDataSegmentLength"))
    result.target_segment_bytes = Answers::to_number("MaxRecvDataSegmentLength", *declared);
  if (!leading) return result;
  result.max_connections = answers.minimum("MaxConnections", settings.connections);
  result.initial_r2t = answers.either("InitialR2T", settings.initial_r2t);
  result.immediate_data = answers.both("ImmediateData", settings.immediate_data);
  result.max_burst_bytes = answers.minimum("MaxBurstLength", settings.max_burst_bytes);
  // Irrelevant when no unsolicited data is allowed (12.14).
  const auto first_burst = answers.get("FirstBurstLength");
  if (first_burst != "Irrelevant")
    result.first_burst_bytes = answers.minimum("FirstBurstLength", settings.first_burst_bytes);
  else if (!result.initial_r2t || result.immediate_data)
    fail("FirstBurstLength=Irrelevant although unsolicited data is allowed");
  result.time2wait_s = answers.maximum("DefaultTime2Wait", settings.time2wait_s);
  result.time2retain_s = answers.minimum("DefaultTime2Retain", settings.time2retain_s);
  result.max_outstanding_r2t = answers.minimum("MaxOutstandingR2T", settings.max_outstanding_r2t);
  result.data_pdu_in_order = answers.either("DataPDUInOrder", settings.data_pdu_in_order);
  result.data_sequence_in_order =
      answers.either("DataSequenceInOrder", settings.data_sequence_in_order);
  result.error_recovery_level =
      answers.minimum("ErrorRecoveryLevel", settings.error_recovery_level);
  return result;
}

}  // namespace tsihd::session::sim
