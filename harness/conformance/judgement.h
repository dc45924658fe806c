// How a case ends, and what it leaves behind. Verdicts are those of the finding, the one currency
// between judges and reports.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "harness/conformance/target_url.h"
#include "harness/wire/ladder.h"

namespace tsih::conformance {

using Clock = std::chrono::steady_clock;

enum class Verdict : std::uint8_t { pass, violation, warning, unsupported, inconclusive, error };
std::string_view name(Verdict verdict);

// Thrown by verifiers to end a case.
/// The target did what the clause forbids, or did not what it demands.
struct Broken {
  std::string expected;
  std::string actual;
};
/// The target does not offer what the case needs.
struct Unsupported {
  std::string what;
};
/// The case could not be carried to its question.
struct Inconclusive {
  std::string why;
};

/// What the user asked for; the same for every case.
struct Settings {
  TargetUrl url;
  std::string initiator_name = "iqn.2026-01.example.tsih:conform";
  std::string user;  ///< CHAP; empty for none
  std::string secret;
  std::string target_user;  ///< what the target proves itself with in mutual CHAP; empty if unknown
  std::string target_secret;
  int timeout_ms = 2000;  ///< the longest wait for one answer
  bool read_only = false;
  std::uint64_t seed = 1;
};

/// What the target turned out to be when it was looked at before the first case.
struct Probe {
  std::uint32_t block_bytes = 512;
  std::uint64_t blocks = 0;  ///< 0 when the logical unit is no disk that is ready
};

/// The ladder of one case, with a limit: a flood of PDUs makes no flood of lines.
class Transcript {
 public:
  static constexpr std::size_t kLimitLines = 4000;

  Transcript() : start_(Clock::now()) {}
  void add(wire::Rung rung);
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  Clock::time_point start_;
  std::vector<std::string> lines_;
};

/// What one clause came to in one case.
struct Outcome {
  Verdict verdict = Verdict::inconclusive;
  std::string message;
  std::size_t line = 0;  ///< 1-based line of the ladder; 0 = none
};

/// Everything that belongs to the case that runs.
struct CaseContext {
  CaseContext(const Settings& the_settings, const Probe& the_probe, std::uint64_t case_seed);

  const Settings& settings;
  const Probe& probe;
  Transcript transcript;
  std::mt19937_64 random;
  Clock::time_point deadline;  ///< the whole case; waits end here at the latest
  unsigned connections = 0;
  bool went_silent = false;  ///< the target left us waiting: look whether it still lives

  // The clause that verifiers speak about, and what they said.
  std::string clause;
  std::map<std::string, Outcome> outcomes;

  /// A verifier was content: the clause passes unless a later one is not.
  void confirm(const std::string& actual);
  /// A verifier was not; throws Broken.
  [[noreturn]] void fail(std::string expected, std::string actual);
};

}  // namespace tsih::conformance
