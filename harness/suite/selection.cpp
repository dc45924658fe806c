#include "harness/suite/selection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace tsih::suite {
namespace {

bool any_matches(const std::vector<std::string>& globs, std::string_view name) {
  return std::ranges::any_of(globs, [&](const auto& glob) { return matches(glob, name); });
}

bool tagged(const CaseEntry& entry, const std::vector<std::string>& globs) {
  return std::ranges::any_of(entry.facts.tags,
                             [&](const auto& tag) { return any_matches(globs, tag); });
}

// The first glob that no case has a use for; empty when all are good for something.
std::string idle_glob(const std::vector<CaseEntry>& cases, const Selection& selection,
                      std::string_view command) {
  for (const std::string& glob : selection.names)
    if (std::ranges::none_of(cases, [&](const auto& entry) { return matches(glob, entry.name); }))
      return fmt::format(
          "--only \"{}\" matches none of the {} cases; {} --list shows them, 'login.*' is a glob "
          "that matches some",
          glob, cases.size(), command);
  for (const std::string& glob : selection.tags)
    if (std::ranges::none_of(cases, [&](const auto& entry) { return tagged(entry, {glob}); }))
      return fmt::format(
          "--tag \"{}\" matches no tag of the {} cases; {} --tags shows them, 'FFP 16.*' is a "
          "glob that matches some",
          glob, cases.size(), command);
  return {};
}

}  // namespace

std::expected<std::vector<CaseEntry>, std::string> choose(const std::vector<CaseEntry>& cases,
                                                          const Selection& selection,
                                                          std::string_view command) {
  if (const std::string idle = idle_glob(cases, selection, command); !idle.empty())
    return std::unexpected(idle);
  std::vector<CaseEntry> chosen;
  for (const CaseEntry& entry : cases)
    if ((selection.names.empty() || any_matches(selection.names, entry.name)) &&
        (selection.tags.empty() || tagged(entry, selection.tags)))
      chosen.push_back(entry);
  if (chosen.empty()) return std::unexpected("no case is chosen by both --only and --tag");
  return chosen;
}

std::string list_of(const std::vector<CaseEntry>& cases) {
  std::string list;
  for (const CaseEntry& entry : cases) {
    list += entry.name;
    for (const Requirement& requirement : entry.facts.requirements)
      list += " " + requirement.clause;
    list += fmt::format("\n    {}{}{}", entry.description,
                        entry.facts.writes ? " (writes to the LUN)" : "",
                        entry.facts.resets ? " (resets the target)" : "");
    if (!entry.facts.tags.empty()) list += fmt::format(" [{}]", fmt::join(entry.facts.tags, ", "));
    list += '\n';
  }
  return list;
}

std::string tags_table(const std::vector<CaseEntry>& cases, std::span<const UnhTest> tests,
                       const std::vector<std::string>& globs) {
  std::string table;
  for (const UnhTest& test : tests) {
    if (!globs.empty() && !any_matches(globs, test.tag)) continue;
    std::vector<std::string_view> names;
    for (const CaseEntry& entry : cases)
      if (std::ranges::find(entry.facts.tags, test.tag) != entry.facts.tags.end())
        names.push_back(entry.name);
    table += fmt::format("{:<10}  {:<56}  {}\n", test.tag, test.title,
                         names.empty() ? "-" : fmt::format("{}", fmt::join(names, " ")));
  }
  return table;
}

}  // namespace tsih::suite
