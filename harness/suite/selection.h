// Which cases the user chose, and what --list and --tags print of them.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "harness/suite/runner.h"

namespace tsih::suite {

/// Globs over the names of cases and over their tags. A list that is empty chooses all.
struct Selection {
  std::vector<std::string> names;
  std::vector<std::string> tags;
};

/// The chosen cases in their order. The error is one line that names the glob which matches nothing
/// and the `command` that shows what there is.
std::expected<std::vector<CaseEntry>, std::string> choose(const std::vector<CaseEntry>& cases,
                                                          const Selection& selection,
                                                          std::string_view command);

/// Two lines a case: its name and clauses, its description and tags.
std::string list_of(const std::vector<CaseEntry>& cases);

/// One line for each test of the UNH suite that these globs name (all when there is none): its
/// number, its title, its cases.
std::string tags_table(const std::vector<CaseEntry>& cases, std::span<const UnhTest> tests,
                       const std::vector<std::string>& globs);

}  // namespace tsih::suite
