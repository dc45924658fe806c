// What belongs to a case that judges a target, beside what the suite keeps of every case.
#pragma once

#include <cstdint>
#include <string>

#include "harness/conformance/target_url.h"
#include "harness/suite/judgement.h"

namespace tsih::conformance {

// Verdicts, findings and cases are the suite's: initiators are judged with the same.
using namespace suite;  // NOLINT(google-build-using-namespace)

/// What the user asked for; the same for every case.
struct Settings {
  TargetUrl url;
  std::string initiator_name = "iqn.2026-01.example.tsih:conform";
  std::string user;  ///< CHAP; empty for none
  std::string secret;
  std::string target_user;  ///< what the target proves itself with in mutual CHAP; empty if unknown
  std::string target_secret;
  /// A program that makes the target's administrator do something: see Conversation::provoke().
  std::string provoke;
  int timeout_ms = 2000;  ///< the longest wait for one answer
  bool read_only = false;
  std::uint64_t seed = 1;
};

/// What the target turned out to be when it was looked at before the first case.
struct Probe {
  std::uint32_t block_bytes = 512;
  std::uint64_t blocks = 0;  ///< 0 when the logical unit is no disk that is ready
};

/// Everything that belongs to the case that runs.
struct CaseContext : CaseRecord {
  CaseContext(const Settings& the_settings, const Probe& the_probe, std::uint64_t case_seed)
      : CaseRecord(the_settings.timeout_ms, case_seed), settings(the_settings), probe(the_probe) {}

  const Settings& settings;
  const Probe& probe;
};

}  // namespace tsih::conformance
