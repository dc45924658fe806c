// PDUs out of a capture file: TCP put together, digests switched on when the login agreed on them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "harness/wire/ladder.h"

namespace tsih::judge {

/// Calls `on_rung` for everything that happens on TCP connections to one of `target_ports`, in the
/// order of the capture. A connection whose beginning the capture lacks is read from its first
/// segment on, when that begins with a PDU. Throws std::runtime_error with one line when the file
/// cannot be read. Limits: 4096 connections at a time, 8 MiB of out-of-order data a connection.
void read_capture(const std::string& file, std::span<const std::uint16_t> target_ports,
                  const std::function<void(const wire::Rung&)>& on_rung);

}  // namespace tsih::judge
