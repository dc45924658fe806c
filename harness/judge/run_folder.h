// The run folder of a judged capture, as harness/driver/RUN_FOLDER.md describes, and findings as
// JSON lines for whoever keeps a run folder of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/judge/outcome.h"

namespace tsih::judge {

/// One JSON object a finding, without its newline. `capture` is the evidence's file, relative to
/// the run folder. The case, if there is to be one, is named after the first rule.
std::string json_line(const Finding& finding, const std::string& capture, bool with_case);

/// cases.json (reports/README.md) of the judge: each rule as a case, with its clauses.
std::string rules_json();

/// Makes the folder: run.json, findings.jsonl and cases.json. Throws std::runtime_error or
/// std::filesystem::filesystem_error with the path.
void write_run_folder(const std::filesystem::path& folder, const std::filesystem::path& capture,
                      const std::vector<Finding>& findings, const Systems& systems,
                      const std::string& command, int exit_status);

}  // namespace tsih::judge
