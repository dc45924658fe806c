// A TCP connection to the target under test.
#pragma once

#include "harness/conformance/judgement.h"
#include "harness/suite/connection.h"

namespace tsih::conformance {

/// A connected socket that does not block. Throws Inconclusive when none is had within the time
/// limit of the case.
int connect_to_target(const CaseContext& context);

}  // namespace tsih::conformance
