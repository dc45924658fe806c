// What the simulated initiator does with its disk.
#pragma once

#include "target/session/tests/sim_command.h"
#include "target/session/tests/sim_random.h"
#include "target/session/tests/sim_settings.h"

namespace tsihd::session::sim {

/// A random operation: mostly reads and writes that meet each other, now and then one whose
/// Expected Data Transfer Length is not what its CDB calls for.
Operation random_operation(const Settings& settings, Random& random);

}  // namespace tsihd::session::sim
