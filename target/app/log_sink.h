// Where tsihd's log lines go.
#pragma once

#include "target/base/log.h"

namespace tsihd::app {

/// "2026-11-22T09:15:27.123Z warning LINE" to stderr, from `least` upwards. One write a line, so
/// that lines of several processes in one file stay whole.
Log::Sink stderr_sink(Severity least);

}  // namespace tsihd::app
