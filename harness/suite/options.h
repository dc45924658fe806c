// The command line options that every program with cases has.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

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

}  // namespace tsih::suite
