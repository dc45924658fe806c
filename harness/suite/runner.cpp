#include "harness/suite/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/test/tree/observer.hpp>
#include <boost/test/tree/traverse.hpp>
#include <boost/test/tree/visitor.hpp>
#include <functional>
#include <set>

namespace tsih::suite {
namespace {

namespace but = boost::unit_test;

struct Collector : but::test_tree_visitor {
  std::vector<CaseEntry> cases;

  void visit(const but::test_case& test) override {
    std::string name = test.p_name;
    for (auto parent = test.p_parent_id; parent != but::INV_TEST_UNIT_ID;) {
      const auto& suite = but::framework::get<but::test_suite>(parent);
      parent = suite.p_parent_id;
      if (parent != but::INV_TEST_UNIT_ID) name = suite.p_name.get() + "." + name;
    }
    cases.push_back({test.p_id, name, test.p_description, facts_of(test.p_id)});
  }
};

// What a case needs to know of its run; Boost.Test calls cases without arguments.
struct Current {
  const CaseEntry* entry = nullptr;
  const Plan* plan = nullptr;
  std::string gone;  ///< why the judged party is of no more use
  CaseResult result;
} current;

// The gravest first.
int gravity(Verdict verdict) {
  switch (verdict) {
    case Verdict::violation:
      return 5;
    case Verdict::error:
      return 4;
    case Verdict::warning:
      return 3;
    case Verdict::inconclusive:
      return 2;
    case Verdict::unsupported:
      return 1;
    case Verdict::pass:
      break;
  }
  return 0;
}

Verdict broken_verdict(const Requirement& requirement) {
  const catalogue::Clause* clause = current.plan->catalogue->find(requirement.clause);
  const bool must = clause && (clause->level == catalogue::Level::must ||
                               clause->level == catalogue::Level::must_not);
  return must && !requirement.softened ? Verdict::violation : Verdict::warning;
}

const Requirement& requirement_of(const std::string& clause) {
  const auto& requirements = current.entry->facts.requirements;
  const auto found = std::ranges::find(requirements, clause, &Requirement::clause);
  if (found == requirements.end())
    throw std::logic_error(fmt::format("the case judges {} without declaring it", clause));
  return *found;
}

// Gives the clause at hand its verdict, and those not reached yet the reason why not.
void close_clauses(CaseRecord& record, Verdict verdict, const std::string& message) {
  record.outcomes[record.clause] = {verdict, message, record.transcript.lines().size()};
  for (const Requirement& requirement : current.entry->facts.requirements)
    if (!record.outcomes.contains(requirement.clause))
      record.outcomes[requirement.clause] = {
          verdict == Verdict::unsupported ? verdict : Verdict::inconclusive,
          verdict == Verdict::unsupported ? message : "not reached: " + message,
          record.transcript.lines().size()};
}

void judge(CaseRecord& record, const std::function<void()>& body) {
  try {
    body();
    for (const Requirement& requirement : current.entry->facts.requirements)
      record.outcomes.try_emplace(requirement.clause,
                                  Outcome{Verdict::error, "the case ended without judging it", 0});
  } catch (const Broken& broken) {
    const auto message = fmt::format("expected {}, got {}", broken.expected, broken.actual);
    for (const std::string& other : record.with_it)
      record.outcomes[other] = {broken_verdict(requirement_of(other)), message,
                                record.transcript.lines().size()};
    close_clauses(record, broken_verdict(requirement_of(record.clause)), message);
  } catch (const Unsupported& unsupported) {
    close_clauses(record, Verdict::unsupported, "not offered: " + unsupported.what);
  } catch (const Inconclusive& inconclusive) {
    close_clauses(record, Verdict::inconclusive, inconclusive.why);
  } catch (const std::exception& error) {
    close_clauses(record, Verdict::error, error.what());
  }
}

std::uint64_t seed_for(std::string_view name, std::uint64_t seed) {
  std::uint64_t hash = 14695981039346656037ull ^ seed;  // FNV-1a: the same on every machine
  for (char c : name) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ull;
  return hash;
}

}  // namespace

const CaseEntry& current_case() { return *current.entry; }

std::uint64_t current_seed() { return seed_for(current.entry->name, current.plan->seed); }

void give_up(const std::string& why) { current.gone = why; }

bool given_up() { return !current.gone.empty(); }

void carry_out(CaseRecord& record, const std::function<void()>& body) {
  const CaseEntry& entry = *current.entry;
  const auto start = Clock::now();
  record.clause = entry.facts.requirements.front().clause;
  if (current.gone.empty())
    judge(record, body);
  else
    close_clauses(record, Verdict::inconclusive, current.gone);

  CaseResult& result = current.result;
  result = {.name = entry.name,
            .description = entry.description,
            .verdict = Verdict::pass,
            .findings = {},
            .ladder = record.transcript.lines(),
            .duration_ms = 0};
  result.duration_ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  for (const Requirement& requirement : entry.facts.requirements) {
    const Outcome& outcome = record.outcomes[requirement.clause];
    result.findings.push_back({requirement.clause, outcome.verdict, outcome.message, outcome.line});
    if (gravity(outcome.verdict) > gravity(result.verdict)) result.verdict = outcome.verdict;
  }
}

std::vector<CaseEntry> all_cases() {
  static const char* arguments[] = {"tsih", "--log_level=nothing", "--report_level=no",
                                    "--result_code=no", "--catch_system_errors=no"};
  static bool initialised = false;
  if (!initialised) {
    but::framework::init([] { return true; }, std::size(arguments), const_cast<char**>(arguments));
    but::framework::finalize_setup_phase();
    initialised = true;
  }
  Collector collector;
  but::traverse_test_tree(but::framework::master_test_suite().p_id, collector, true);
  return collector.cases;
}

bool matches(std::string_view glob, std::string_view name) {
  if (name.starts_with(glob) && name.size() > glob.size() && name[glob.size()] == '.') return true;
  while (!glob.empty()) {
    if (glob.front() == '*') {
      for (std::size_t i = 0; i <= name.size(); ++i)
        if (matches(glob.substr(1), name.substr(i))) return true;
      return false;
    }
    if (name.empty() || (glob.front() != '?' && glob.front() != name.front())) return false;
    glob.remove_prefix(1);
    name.remove_prefix(1);
  }
  return name.empty();
}

std::vector<std::string> check_cases(const std::vector<CaseEntry>& cases,
                                     const catalogue::Catalogue& catalogue, catalogue::Party judged,
                                     std::span<const UnhTest> unh_tests) {
  std::vector<std::string> wrong;
  std::set<std::string> names;
  for (const CaseEntry& entry : cases) {
    if (!names.insert(entry.name).second)
      wrong.push_back(fmt::format("{}: there are two cases of this name", entry.name));
    if (entry.facts.requirements.empty())
      wrong.push_back(fmt::format("{}: judges no clause", entry.name));
    if (entry.description.empty())
      wrong.push_back(fmt::format("{}: has no description", entry.name));
    for (const Requirement& requirement : entry.facts.requirements) {
      const catalogue::Clause* clause = catalogue.find(requirement.clause);
      if (!clause)
        wrong.push_back(fmt::format("{}: judges {}, which the catalogue does not know", entry.name,
                                    requirement.clause));
      else if (clause->party != judged && clause->party != catalogue::Party::both)
        wrong.push_back(fmt::format("{}: judges the {} by {}, which binds the {} only", entry.name,
                                    catalogue::name(judged), requirement.clause,
                                    catalogue::name(clause->party)));
      else if (clause->check == catalogue::Check::none || clause->not_testable.contains(judged))
        wrong.push_back(
            fmt::format("{}: judges {}, which the catalogue says nobody can tell of {}s",
                        entry.name, requirement.clause, catalogue::name(judged)));
    }
    for (const std::string& tag : entry.facts.tags)
      if (std::ranges::find(unh_tests, tag, &UnhTest::tag) == unh_tests.end())
        wrong.push_back(
            fmt::format("{}: is tagged {}, a number that unh.cpp does not know", entry.name, tag));
  }
  return wrong;
}

std::vector<CaseResult> run_cases(const std::vector<CaseEntry>& cases, const Plan& plan) {
  std::vector<CaseResult> results;
  current.plan = &plan;
  current.gone = plan.refused;
  for (const CaseEntry& entry : cases) {
    current.entry = &entry;
    current.result = {};
    but::framework::get<but::test_case>(entry.id).p_run_status.value = but::test_unit::RS_ENABLED;
    but::framework::run(entry.id, true);
    results.push_back(current.result);
    plan.on_result(results.back());
  }
  return results;
}

}  // namespace tsih::suite
