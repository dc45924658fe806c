// The tests of the UNH-IOL's full feature phase (FFP) and error recovery (ERT) suites for targets,
// as a list: what they ask of a target, our cases ask too, and say so with unh("FFP 16.3.1"). The
// titles are ours.
#pragma once

#include <span>

#include "harness/suite/runner.h"

namespace tsih::conformance {

/// All of them, in the order of their numbers.
std::span<const suite::UnhTest> unh_tests();

}  // namespace tsih::conformance
