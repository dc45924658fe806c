// cases.json of a run folder: every case of the suite with the clauses it judges, run or not. The
// report learns from it which clauses have a case (reports/README.md).
#pragma once

#include <filesystem>
#include <vector>

#include "harness/suite/runner.h"

namespace tsih::suite {

/// Throws std::runtime_error when the file cannot be written.
void write_case_list(const std::filesystem::path& run_folder, const std::vector<CaseEntry>& cases);

}  // namespace tsih::suite
