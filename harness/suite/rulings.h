// Rulings: failures of a system that are known, and that somebody has held against the RFC's words
// (reports/README.md has the form of the files). A finding that one describes is an expected
// failure.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/suite/run_folder.h"

namespace tsih::suite {

struct Ruling {
  std::string test_case;
  std::string clause;
  Verdict verdict = Verdict::violation;  ///< or warning
  std::string says;                      ///< a part of the finding's message
  std::string reason;
  bool sometimes = false;  ///< it does not come every time
};

class Rulings {
 public:
  static constexpr std::size_t kLimitFileBytes = 1u << 20;

  Rulings() = default;
  explicit Rulings(std::vector<Ruling> rulings) : rulings_(std::move(rulings)) {}
  /// Of one system. The error is one line for a human.
  static std::expected<Rulings, std::string> load(const std::filesystem::path& file);

  bool empty() const { return rulings_.empty(); }
  /// The ruling that has this finding as it came; null when there is none.
  const Ruling* describing(const std::string& test_case, const Finding& finding) const;
  /// All that this case is broken in is known.
  bool expect(const CaseResult& result) const;
  /// A line for each ruling whose clause was judged in its case and came out otherwise, but for
  /// those of what comes sometimes.
  std::vector<std::string> surprises(const std::vector<CaseResult>& results) const;

 private:
  std::vector<Ruling> rulings_;
};

/// The file of this system in the checkout that the running program was built in; empty when there
/// is none.
std::filesystem::path rulings_of(const std::string& system);

}  // namespace tsih::suite
