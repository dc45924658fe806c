// Red when: a finding lacks the verdict by RFC 7143 where it differs, has one where it does not,
// lands on a party that its clause does not bind, or a rule is missing from the list of cases.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "harness/judge/run_folder.h"
#include "harness/judge/tests/dialogue.h"

using namespace tsih;
using namespace tsih::judge;
using namespace tsih::judge::testing;
using Json = nlohmann::json;

namespace {

std::vector<Finding> findings(const Report& report) {
  static const auto catalogue = catalogue::Catalogue::load(catalogue::built_in_sources());
  return findings_of(report, *catalogue, {});
}

/// The finding on this clause and party as JSON; null when there is none.
Json found(const Report& report, std::string_view clause, From party) {
  for (const Finding& finding : findings(report))
    if (finding.clause == clause && finding.party == party)
      return Json::parse(json_line(finding, "c", false));
  return nullptr;
}

Report after_login(const TextKeys& asks, const TextKeys& answers) {
  Dialogue dialogue;
  dialogue.log_in(asks, answers);
  return *judge_capture(dialogue.scribe.file());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(outcome)

BOOST_AUTO_TEST_CASE(order_of_r2ts_is_within_a_task_by_rfc_7143) {
  Story story;
  story.changes["solicited13.data"] = [](Pdu& pdu) {
    pdu.set(field::initiator_task_tag, 14).set(field::target_transfer_tag, 114);
  };
  story.tell();
  const Json finding = found(story.judge(), "R3720-10.8-07", From::initiator);
  BOOST_REQUIRE(!finding.is_null());
  BOOST_TEST(finding["verdict"] == "violation");
  BOOST_TEST(finding["rfc7143"].dump() ==
             R"({"fate":"changed","id":"R7143-11.8-07","verdict":"pass"})");
}

BOOST_AUTO_TEST_CASE(a_value_out_of_bounds_must_not_be_taken_by_rfc_7143) {
  const Report report = after_login({{"MaxOutstandingR2T", "0"}}, {{"MaxOutstandingR2T", "0"}});
  const Json finding = found(report, "R3720-5.2.2-02", From::target);
  BOOST_REQUIRE(!finding.is_null());
  BOOST_TEST(finding["verdict"] == "warning");
  BOOST_TEST(finding["rfc7143"]["verdict"] == "violation");
}

BOOST_AUTO_TEST_CASE(what_rfc_7143_dropped_is_not_required) {
  const Json finding = found(after_login({}, {}), "R3720-3.2.6.2-02", From::initiator);
  BOOST_REQUIRE(!finding.is_null());
  BOOST_TEST(finding["verdict"] == "pass");
  BOOST_TEST(finding["rfc7143"].dump() == R"({"fate":"dropped","verdict":"not_required"})");
}

BOOST_AUTO_TEST_CASE(what_stayed_the_same_has_one_verdict) {
  const Json finding = found(after_login({}, {}), "R3720-5.3-01", From::initiator);
  BOOST_REQUIRE(!finding.is_null());
  BOOST_TEST(!finding.contains("rfc7143"));
}

// login.only_in_login looks at both; 7.1.3-T5 is about initiators.
BOOST_AUTO_TEST_CASE(a_finding_is_about_a_party_that_its_clause_binds) {
  Story story;
  story.tell();
  const Report report = story.judge();
  BOOST_TEST(!found(report, "R3720-7.1.3-T5", From::initiator).is_null());
  BOOST_TEST(found(report, "R3720-7.1.3-T5", From::target).is_null());
}

BOOST_AUTO_TEST_CASE(every_rule_is_a_case_of_the_report) {
  const Json cases = Json::parse(rules_json());
  BOOST_TEST(cases.size() == all_rules().size());
  for (const Json& one : cases) BOOST_TEST(!one["clauses"].empty());
}

BOOST_AUTO_TEST_SUITE_END()
