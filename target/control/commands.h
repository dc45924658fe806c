// What the control socket's commands do: JSON text in, JSON text out. No socket here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "target/config/build.h"
#include "target/session/service.h"

namespace tsihd::control {

/// What the commands act on. Both outlive the commands.
struct Subject {
  session::Service& service;
  const std::vector<config::Disk>& disks;
};

/// Answers one request; never fails: what is wrong with the request is the answer. The answer is
/// one line without its end. Called on the event loop's thread.
///
/// Commands: ping, status, sessions, luns, stats, resize {name, size}, refresh {name},
/// unfence {initiator}, logout {session}, drop {session, cid (optional)}, negotiate {session}.
std::string execute(const Subject& subject, std::string_view request);

}  // namespace tsihd::control
