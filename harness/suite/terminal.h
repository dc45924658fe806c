// What a user sees of a run while it goes on and when it is done.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "harness/suite/rulings.h"
#include "harness/suite/run_folder.h"

namespace tsih::suite {

/// A word of a command line as a shell takes it.
std::string shell_quoted(const std::string& word);

/// A line for the case, and one for each thing it says when it did not pass, with the reason where
/// a ruling has it.
void print_result(const CaseResult& result, bool colour, const Rulings& rulings = {});

/// How many cases ended how, how many of them as ruled, what came out otherwise than ruled, and
/// where the findings are. The counts are of cases that no ruling expects.
std::map<Verdict, int> print_counts(const std::vector<CaseResult>& results,
                                    const std::filesystem::path& folder,
                                    const Rulings& rulings = {});

/// The first case that makes a run fail; a warning only does when `strict`. None: nullptr.
const CaseResult* first_failed(const std::vector<CaseResult>& results, bool strict,
                               const Rulings& rulings = {});

}  // namespace tsih::suite
