// The command line options that every program with cases has.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/catalogue/catalogue.h"
#include "harness/suite/selection.h"

namespace tsih::suite {

struct Options {
  Selection selection;
  bool list = false;
  bool tags = false;
  bool strict = false;  ///< a violated SHOULD fails the run too
  bool check = false;   ///< compare the cases with the catalogue, run nothing
  std::string out;      ///< run folder; empty: a new one in build/runs
  std::string junit;    ///< empty: none is written
  std::string system;   ///< what the judged one is called in findings
};

void add_options(CLI::App& app, Options& options);

/// A suite as its program has it.
struct Suite {
  std::string_view command;  ///< "tsih conform", as the user calls it
  tsih::catalogue::Party party;
  const tsih::catalogue::Catalogue& catalogue;
  const std::vector<CaseEntry>& cases;
  std::span<const UnhTest> unh_tests;
};

/// What needs nobody to judge: the cases are held against the catalogue, always, and --list and
/// --tags are printed. The exit status if the program ends with that.
std::optional<int> end_without_peer(const Options& options, const Suite& suite);

}  // namespace tsih::suite
