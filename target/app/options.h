// tsihd's command line.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "target/backstore/io_pool.h"
#include "target/base/log.h"
#include "target/config/serve.h"

namespace tsihd::app {

struct Options {
  std::optional<std::string> config_file;     ///< --config FILE
  std::optional<config::ServeOptions> serve;  ///< --serve DISK; exactly one of the two
  std::string state_folder;                   ///< --state DIR
  std::optional<std::string> control_socket;  ///< --control PATH; empty: none
  backstore::IoEngine io_engine = backstore::IoEngine::automatic;  ///< --io-engine
  bool check_only = false;
  Severity log_level = Severity::info;
};

/// What to do: serve, or exit at once with this status (help and version were printed; a usage
/// error was, in one line, status 2).
std::variant<Options, int> read_command_line(int argc, char** argv);

}  // namespace tsihd::app
