// The tests of the UNH-IOL's full feature phase (FFP) and error recovery (ERT) suites for targets,
// as a list: what they ask of a target, our cases ask too, and say so with unh("FFP 16.3.1"). The
// titles are ours.
#pragma once

#include <span>
#include <string_view>

namespace tsih::conformance {

struct UnhTest {
  std::string_view tag;    ///< "FFP 16.3.1": the suite and the number of the test in it
  std::string_view title;  ///< what a target has to show, in a line
};

/// All of them, in the order of their numbers.
std::span<const UnhTest> unh_tests();

}  // namespace tsih::conformance
