// Finds the cases, runs the chosen ones, turns what they throw into findings.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/catalogue/catalogue.h"
#include "harness/conformance/case.h"
#include "harness/conformance/run_folder.h"

namespace tsih::conformance {

struct CaseEntry {
  boost::unit_test::test_unit_id id;
  std::string name;         ///< login.stage.reserved_csg
  std::string description;  ///< one sentence
  CaseFacts facts;
};

/// Every case that is linked in, in the order of its name's suites. Boost.Test is initialised here.
std::vector<CaseEntry> all_cases();

/// * any characters, ? one; the whole name. "login" alone means "login.*" as well.
bool matches(std::string_view glob, std::string_view name);

/// One line for each thing wrong: a clause that the catalogue does not know, one that does not bind
/// a target, a case with no clause, two cases of one name, a tag that is no number of unh.h.
std::vector<std::string> check_cases(const std::vector<CaseEntry>& cases,
                                     const catalogue::Catalogue& catalogue);

/// Looks at the target before the first case: logs in, asks for the capacity. Throws Inconclusive
/// with the reason when the target cannot be used; `ladder`, when given, gets what was said.
Probe look_at_target(const Settings& settings, std::vector<std::string>* ladder = nullptr);

struct RunOptions {
  Settings settings;
  Probe probe;
  std::string refused;                  ///< why no case can be run; empty when they can
  std::vector<std::string> first_look;  ///< its ladder, the evidence when there is no other
  const catalogue::Catalogue* catalogue = nullptr;
  std::function<void(const CaseResult&)> on_result;
};

/// Runs these cases in their order. When the target goes away meanwhile, the rest are inconclusive.
std::vector<CaseResult> run_cases(const std::vector<CaseEntry>& cases, const RunOptions& options);

}  // namespace tsih::conformance
