// What a run against a target does beside the suite: it looks at the target first, and again when a
// case was left waiting.
#pragma once

#include <string>
#include <vector>

#include "harness/conformance/judgement.h"
#include "harness/suite/runner.h"

namespace tsih::conformance {

/// Looks at the target before the first case: logs in, asks for the capacity. Throws Inconclusive
/// with the reason when the target cannot be used; `ladder`, when given, gets what was said.
Probe look_at_target(const Settings& settings, std::vector<std::string>* ladder = nullptr);

/// Runs these cases in their order against one target. When it goes away meanwhile, the rest are
/// inconclusive.
std::vector<CaseResult> run_cases_against(const Settings& settings, const Probe& probe,
                                          const std::vector<CaseEntry>& cases, const Plan& plan);

}  // namespace tsih::conformance
