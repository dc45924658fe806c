// What holds for the mutants as a whole: a target that is not changed violates nothing through the
// same proxy, and one that dies stops the run in time.
#include "harness/conformance/tests/mutants.h"

#include <boost/test/unit_test.hpp>

using namespace tsih::conformance::testing;
using namespace tsih::wire;

BOOST_AUTO_TEST_SUITE(mutants)

BOOST_AUTO_TEST_CASE(nothing_changed_nothing_violated) {
  MutatingProxy proxy(plain_target(),
                      {[](const Passing& passing) { return std::vector{passing.pdu}; }});
  const Run result = judge(proxy.port(), {"--strict"});
  BOOST_TEST(result.exit_status == 0, result.output);
  for (const auto& finding : result.findings)
    BOOST_TEST((finding["verdict"] == "pass" || finding["verdict"] == "unsupported"),
               finding.dump());
}

BOOST_AUTO_TEST_CASE(a_target_that_stops_answering_stops_the_run_in_time) {
  // Nothing comes after the 30th PDU of the connection that the flood of pings uses, nor on any
  // connection opened later.
  auto dead = std::make_shared<std::atomic<bool>>(false);
  MutatingProxy proxy(plain_target(), {[dead](const Passing& passing) {
                        if (passing.pdu.is(Opcode::r2t)) *dead = true;
                        return *dead ? std::vector<Pdu>{} : std::vector{passing.pdu};
                      }});
  const Run result = judge(proxy.port(), {"--only", "nop.*", "--only", "r2t.*"});
  int inconclusive = 0, passed = 0;
  for (const auto& finding : result.findings) {
    inconclusive += finding["verdict"] == "inconclusive";
    passed += finding["verdict"] == "pass";
  }
  BOOST_TEST(passed > 0);
  BOOST_TEST(inconclusive > 3);
  BOOST_TEST(result.output.find("the target is gone since r2t.") != std::string::npos,
             result.output);
}

BOOST_AUTO_TEST_SUITE_END()
