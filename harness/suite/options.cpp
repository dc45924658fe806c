#include "harness/suite/options.h"

#include <fmt/format.h>

#include "harness/suite/runner.h"

namespace tsih::suite {

void add_options(CLI::App& app, Options& options) {
  // Each takes one glob, so that a URL may come right after it.
  app.add_option("--only", options.selection.names,
                 "cases whose names match this glob; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--tag", options.selection.tags,
                 "cases with a UNH number that matches this glob, 'FFP 16.*'; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--list", options.list, "show the chosen cases and run nothing");
  app.add_flag("--tags", options.tags,
               "show the tests of the UNH suites with the chosen cases that stand for them");
  app.add_flag("--strict", options.strict, "a violated SHOULD fails the run too");
  app.add_flag("--check-cases", options.check,
               "compare the cases with the catalogue and run nothing");
  app.add_option("--out", options.out, "run folder (build/runs/<utc>-conform-<system>)");
  app.add_option("--junit", options.junit, "write JUnit XML here as well");
}

std::optional<int> end_without_peer(const Options& options, const Suite& suite) {
  const int done = 0, usage = 2;
  const auto wrong = check_cases(suite.cases, suite.catalogue, suite.party, suite.unh_tests);
  for (const std::string& line : wrong) fmt::print(stderr, "{}: {}\n", suite.command, line);
  if (!wrong.empty()) return usage;
  if (options.check) return done;
  if (!options.list && !options.tags) return std::nullopt;
  const auto chosen = choose(suite.cases, options.selection, suite.command);
  if (!chosen) {
    fmt::print(stderr, "{}: {}\n", suite.command, chosen.error());
    return usage;
  }
  fmt::print("{}", options.tags ? tags_table(*chosen, suite.unh_tests, options.selection.tags)
                                : list_of(*chosen));
  return done;
}

}  // namespace tsih::suite
