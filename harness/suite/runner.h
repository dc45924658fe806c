// Finds the cases, runs the chosen ones, turns what they throw into findings.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "harness/catalogue/catalogue.h"
#include "harness/suite/facts.h"
#include "harness/suite/judgement.h"
#include "harness/suite/run_folder.h"

namespace tsih::suite {

struct CaseEntry {
  boost::unit_test::test_unit_id id;
  std::string name;         ///< login.stage.reserved_csg
  std::string description;  ///< one sentence
  CaseFacts facts;
};

/// A test of the UNH-IOL's suites: what it asks, our cases ask too, and say so with its number.
struct UnhTest {
  std::string_view tag;    ///< "FFP 16.3.1": the suite and the number of the test in it
  std::string_view title;  ///< what has to be shown, in a line; the titles are ours
};

/// Every case that is linked in, in the order of its name's suites. Boost.Test is initialised here.
std::vector<CaseEntry> all_cases();

/// * any characters, ? one; the whole name. "login" alone means "login.*" as well.
bool matches(std::string_view glob, std::string_view name);

/// One line for each thing wrong: a clause that the catalogue does not know, one that does not bind
/// the party that is judged, a case with no clause, two cases of one name, a tag that is not in the
/// list.
std::vector<std::string> check_cases(const std::vector<CaseEntry>& cases,
                                     const catalogue::Catalogue& catalogue, catalogue::Party judged,
                                     std::span<const UnhTest> unh_tests);

struct Plan {
  const catalogue::Catalogue* catalogue = nullptr;
  std::uint64_t seed = 1;
  std::string refused;  ///< why no case can be run; empty when they can
  std::function<void(const CaseResult&)> on_result;
};

/// Runs these cases in their order. After give_up() the rest are inconclusive.
std::vector<CaseResult> run_cases(const std::vector<CaseEntry>& cases, const Plan& plan);

// ---- while a case runs, for the suite whose case it is ------------------------------------------

const CaseEntry& current_case();
/// Another one for each case, the same on every machine.
std::uint64_t current_seed();
/// What the body throws and what the record holds become the result of the current case.
void carry_out(CaseRecord& record, const std::function<void()>& body);
/// The judged party is of no more use.
void give_up(const std::string& why);
bool given_up();

}  // namespace tsih::suite
