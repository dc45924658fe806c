// tsihd from a checked plan to the end of its service.
#pragma once

#include "target/app/options.h"
#include "target/config/plan.h"

namespace tsihd::app {

/// Reads the configuration or the command line's disk. Prints the refusals (one line; with --check
/// all of them) and yields nothing when there are some.
std::optional<config::Plan> read_plan(const Options& options);

/// Opens, binds, prints the ready lines and serves until a signal. The process's exit status: 0
/// after an orderly end, 2 when it could not begin (one line says why; nothing is left behind).
int serve(const config::Plan& plan, const Options& options);

}  // namespace tsihd::app
