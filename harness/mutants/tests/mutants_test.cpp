// The mutants as a whole: a target that is not changed violates nothing through the proxy, one that
// dies stops the run in time, a mutant that breaks nothing survives and is told. The mutants
// themselves are a run of tsih-mutants.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include "harness/mutants/mutation.h"
#include "harness/mutants/runner.h"
#include "harness/mutants/score.h"

using namespace tsih::mutants;
using namespace tsih::wire;

namespace {

GoodTargets& targets() {
  static GoodTargets started(Programs{TSIH_CONFORM, TSIHD, "", ""});
  return started;
}

Outcome try_row(const char* test_case, const Mutant& mutant) {
  Table table;
  table.add(Target::plain, {test_case, "of_the_test", mutant});
  return try_mutant(targets(), table.entries().front());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(mutants)

BOOST_AUTO_TEST_CASE(nothing_changed_nothing_violated) {
  for (const Target target : {Target::plain, Target::mutual_chap}) {
    const Run result = conform(targets(), target, {.mutate = unchanged()}, {});
    BOOST_TEST(result.exit_status == 0, result.output);
    BOOST_TEST(!result.findings.empty());
    for (const Run::Finding& finding : result.findings)
      BOOST_TEST((finding.verdict == "pass" || finding.verdict == "unsupported"),
                 finding.test_case << " " << finding.message);
  }
}

BOOST_AUTO_TEST_CASE(a_target_that_stops_answering_stops_the_run_in_time) {
  // Nothing comes after the first R2T, nor on any connection opened later.
  auto dead = std::make_shared<std::atomic<bool>>(false);
  const Mutant dying{[dead](const Passing& passing) {
    if (passing.pdu.is(Opcode::r2t)) *dead = true;
    return *dead ? std::vector<Pdu>{} : std::vector{passing.pdu};
  }};
  const Run result =
      conform(targets(), Target::plain, dying, {"--only", "nop.*", "--only", "r2t.*"});
  const auto count = [&](const char* verdict) {
    return std::ranges::count(result.findings, verdict, &Run::Finding::verdict);
  };
  BOOST_TEST(count("pass") > 0);
  BOOST_TEST(count("inconclusive") > 3);
  BOOST_TEST(result.output.find("the target is gone since r2t.") != std::string::npos,
             result.output);
}

// Red when anything but a violation counts as killed.
BOOST_AUTO_TEST_CASE(a_mutant_that_breaks_nothing_survives) {
  const Outcome same = try_row("nop.ping_is_answered", {unchanged()});
  BOOST_TEST((same.fate == Fate::survived));
  BOOST_TEST(same.clauses.empty());
  const Outcome silent =
      try_row("nop.ping_is_answered", {only(Opcode::login_response, [](const Pdu&, const Passing&) {
                return std::vector<Pdu>{};
              })});
  BOOST_TEST((silent.fate == Fate::survived), silent.message);
}

BOOST_AUTO_TEST_CASE(a_broken_rule_is_noticed_by_its_clause) {
  const Outcome outcome =
      try_row("nop.ping_is_answered", {setting(Opcode::nop_in, field::target_transfer_tag, 5)});
  BOOST_TEST((outcome.fate == Fate::killed));
  BOOST_TEST(outcome.clauses.contains("R3720-10.19-03"), outcome.message);
}

// A name that is none, or a target that accepts nothing, is no pass.
BOOST_AUTO_TEST_CASE(a_nonsense_case_survives) {
  const Outcome outcome = try_row("no.such.case", {unchanged()});
  BOOST_TEST((outcome.fate == Fate::survived));
  const Run refused = conform(targets(), Target::plain,
                              {setting(Opcode::login_response, field::status, 0x0200)}, {});
  BOOST_TEST(refused.exit_status == 3);
  BOOST_TEST(!refused.findings.empty());
  for (const Run::Finding& finding : refused.findings)
    BOOST_TEST(finding.verdict == "inconclusive", finding.test_case);
}

// What passes for the first time here: tsihd never tells the window by a NOP-In alone, knows no
// Kerberos and no markers.
BOOST_AUTO_TEST_CASE(good_targets_that_tsihd_is_not) {
  const Run told = conform(targets(), Target::plain, {telling_the_window({})},
                           {"--only", "nop.window_told_by_itself"});
  for (const Run::Finding& finding : told.findings)
    BOOST_TEST(finding.verdict == "pass", finding.message);
  Mutant marking{both(both(with_key("IFMarker", "Yes"), with_key("IFMarkInt", "16")),
                      both(with_key("OFMarker", "Yes"), with_key("OFMarkInt", "64")))};
  marking.rewrite = [](TextKeys keys) {
    for (const char* key : {"IFMarker", "OFMarker"})
      if (keys.has(key)) keys.set(key, "No");
    return keys;
  };
  for (const auto& [test_case, interval_bytes] :
       {std::pair("markers.of_the_target", 64u), std::pair("markers.of_the_initiator", 256u)}) {
    marking.marking = Marking{.interval_bytes = interval_bytes};
    const Run marked = conform(targets(), Target::plain, marking, {"--only", test_case});
    BOOST_TEST(!marked.findings.empty());
    for (const Run::Finding& finding : marked.findings)
      BOOST_TEST(finding.verdict == "pass", finding.message);
  }
  Mutant kerberos{both(with_key("AuthMethod", "KRB5"), refusing("KRB_AP_REQ", 0x0201))};
  kerberos.rewrite = [](TextKeys keys) {
    if (keys.has("AuthMethod")) keys.set("AuthMethod", "None");
    return keys;
  };
  const Run refused = conform(targets(), Target::plain, kerberos,
                              {"--only", "login.methods.kerberos_ticket_of_nobody"});
  BOOST_TEST(!refused.findings.empty());
  for (const Run::Finding& finding : refused.findings)
    BOOST_TEST(finding.verdict == "pass", finding.message);
}

// A known failure fails no run; one that does not come, or comes otherwise, is told.
BOOST_AUTO_TEST_CASE(a_ruled_failure_is_expected) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("tsih-rulings-" + std::to_string(getpid()) + ".toml");
  std::ofstream(file) << R"([[ruling]]
case = "nop.ping_is_answered"
clause = ["R3720-10.19-03", "R3720-10.19.1-01"]
verdict = "violation"
says = "got target transfer tag 5"
reason = "It has a tag for everything."

[[ruling]]
case = "resize.grow"
property = "growth_is_told"
verdict = "violation"
says = "got none"
reason = "Of a scenario: no case of ours."
)";
  const auto run = [&](const Mutant& mutant) {
    return conform(targets(), Target::plain, mutant,
                   {"--only", "nop.ping_is_answered", "--rulings", file.string()});
  };
  const Run known = run({setting(Opcode::nop_in, field::target_transfer_tag, 5)});
  BOOST_TEST(known.exit_status == 0, known.output);
  BOOST_TEST(known.output.find("as ruled: It has a tag for everything.") != std::string::npos);
  BOOST_TEST(known.output.find("1 violation as ruled") != std::string::npos, known.output);
  const Run other = run({setting(Opcode::nop_in, field::target_transfer_tag, 6)});
  BOOST_TEST(other.exit_status == 1);
  BOOST_TEST(other.output.find("otherwise than ruled: nop.ping_is_answered") != std::string::npos);
  const Run good = run({unchanged()});
  BOOST_TEST(good.exit_status == 0);
  BOOST_TEST(good.output.find("otherwise than ruled: nop.ping_is_answered") != std::string::npos);
  std::ofstream(file) << "[[ruling]]\ncase = \"nop.ping_is_answered\"\n";
  BOOST_TEST(run({unchanged()}).exit_status == 2);
  std::filesystem::remove(file);
}

BOOST_AUTO_TEST_CASE(the_score_tells_what_is_missing) {
  Score score({{"a.case", {"R3720-1-01", "R3720-1-02"}}});
  score.add({"a.case/late", "a.case", Target::plain, {}}, {Fate::killed, {"R3720-1-01"}, ""});
  score.add({"a.case/twice", "a.case", Target::plain, {}}, {Fate::survived, {}, ""});
  score.add({"a.case/never", "a.case", Target::plain, {}}, {Fate::not_applicable, {}, ""});
  BOOST_TEST(score.killed() == 1u);
  BOOST_TEST(score.tried() == 2u);
  BOOST_TEST(score.survivors() == std::vector<std::string>{"a.case/twice"},
             boost::test_tools::per_element());
  BOOST_TEST(score.unbroken() == std::vector<std::string>{"R3720-1-02"},
             boost::test_tools::per_element());
  score.add_rules({{"R3720-1-01", {"a.rule"}}, {"R3720-1-03", {"a.rule", "another.rule"}}});
  BOOST_TEST(score.words().find("1 more clauses have a rule") != std::string::npos);
  const auto file = std::filesystem::temp_directory_path() / "tsih-mutants-test-score.jsonl";
  score.write(file);
  std::ifstream lines(file);
  const std::string text{std::istreambuf_iterator<char>(lines), {}};
  BOOST_TEST(text.ends_with(
      "{\"judge_clause\":\"R3720-1-03\",\"rules\":[\"a.rule\",\"another.rule\"]}\n"));
  std::filesystem::remove(file);
}

BOOST_AUTO_TEST_CASE(every_mutant_has_a_name_of_its_own) {
  const Table table = all_mutants();
  std::set<std::string> names;
  for (const Entry& entry : table.entries())
    BOOST_TEST(names.insert(entry.name).second, entry.name);
  BOOST_TEST(names.size() > 300u);
}

BOOST_AUTO_TEST_SUITE_END()
