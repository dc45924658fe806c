// The tests of the UNH-IOL's suites for initiators, full feature phase (FFP) and login phase (LP),
// as a list: what they ask of an initiator, our cases ask too, and say so with unh("FFP 15.1").
#pragma once

#include <span>

#include "harness/suite/runner.h"

namespace tsih::initiators {

/// All of them, in the order of their numbers.
std::span<const suite::UnhTest> unh_tests();

}  // namespace tsih::initiators
