// How a case ends, and what it leaves behind, whoever is judged. Verdicts are those of the finding,
// the one currency between judges and reports.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "harness/wire/ladder.h"

namespace tsih::suite {

using Clock = std::chrono::steady_clock;

enum class Verdict : std::uint8_t { pass, violation, warning, unsupported, inconclusive, error };
std::string_view name(Verdict verdict);

// Thrown by verifiers to end a case.
/// The judged party did what the clause forbids, or did not what it demands.
struct Broken {
  std::string expected;
  std::string actual;
};
/// The judged party does not offer what the case needs.
struct Unsupported {
  std::string what;
};
/// The case could not be carried to its question.
struct Inconclusive {
  std::string why;
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

/// What is kept of a case while it runs.
struct CaseRecord {
  /// The whole case is over after four times `timeout_ms`, the longest wait for one answer.
  CaseRecord(int timeout_ms, std::uint64_t case_seed);

  int timeout_ms;
  Transcript transcript;
  std::mt19937_64 random;
  Clock::time_point deadline;  ///< the whole case; waits end here at the latest
  unsigned connections = 0;
  bool went_silent = false;  ///< the judged party left us waiting

  // The clause that verifiers speak about, those that say the same of this situation, and what came
  // of them all.
  std::string clause;
  std::vector<std::string> with_it;
  std::map<std::string, Outcome> outcomes;

  /// A verifier was content: the clause passes unless a later one is not.
  void confirm(const std::string& actual);
  /// A verifier was not; throws Broken.
  [[noreturn]] void fail(std::string expected, std::string actual);
  /// One answer is waited for until then at the latest.
  Clock::time_point soon() const;
};

}  // namespace tsih::suite
