// From tallies to findings: what each clause came to for each party, and how it is shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/catalogue/catalogue.h"
#include "harness/judge/judge.h"

namespace tsih::judge {

/// How findings call the two parties.
struct Systems {
  std::string target = "target";
  std::string initiator = "initiator";
};

enum class Verdict : std::uint8_t { pass, warning, violation, inconclusive };
std::string_view name(Verdict verdict);

/// What one clause came to for one party.
struct Finding {
  std::string clause;
  From party = From::target;
  std::string system, peer;
  Verdict verdict = Verdict::inconclusive;
  std::string message;  ///< one line
  std::uint64_t kept = 0, broken = 0;
  std::uint64_t broken_by_7143 = 0;  ///< what RFC 7143 allows is not counted
  std::uint64_t frame = 0;           ///< of the first breach; 0 = none
  std::vector<std::string> rules;    ///< that were broken, else that were kept
  std::vector<Breach> breaches;
};

/// One finding for each clause and party that any rule concerned; in the catalogue's order of ids.
std::vector<Finding> findings_of(const Report& report, const catalogue::Catalogue& catalogue,
                                 const Systems& systems);

struct Counts {
  std::size_t passes = 0, violations = 0, warnings = 0, inconclusive = 0;
};
Counts count(const std::vector<Finding>& findings);

void print_rules();
void print_findings(const std::vector<Finding>& findings, bool all);
void print_summary(const Report& report, const std::vector<Finding>& findings);

}  // namespace tsih::judge
