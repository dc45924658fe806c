#include "harness/conformance/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/test/tree/observer.hpp>
#include <boost/test/tree/traverse.hpp>
#include <boost/test/tree/visitor.hpp>
#include <functional>
#include <set>

#include "harness/conformance/unh.h"

namespace tsih::conformance {
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

// What run_current_case() needs to know; Boost.Test calls cases without arguments.
struct Current {
  const CaseEntry* entry = nullptr;
  const RunOptions* options = nullptr;
  std::string gone;  ///< why the target is of no more use
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
  const catalogue::Clause* clause = current.options->catalogue->find(requirement.clause);
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
void close_clauses(CaseContext& context, Verdict verdict, const std::string& message) {
  context.outcomes[context.clause] = {verdict, message, context.transcript.lines().size()};
  for (const Requirement& requirement : current.entry->facts.requirements)
    if (!context.outcomes.contains(requirement.clause))
      context.outcomes[requirement.clause] = {
          verdict == Verdict::unsupported ? verdict : Verdict::inconclusive,
          verdict == Verdict::unsupported ? message : "not reached: " + message,
          context.transcript.lines().size()};
}

void converse(CaseMaker make, CaseContext& context) {
  try {
    const CaseFacts& facts = current.entry->facts;
    if (context.settings.read_only && (facts.writes || facts.resets))
      throw Unsupported{"--read-only leaves cases out that write or reset the target"};
    make(context)->converse();
    for (const Requirement& requirement : current.entry->facts.requirements)
      context.outcomes.try_emplace(requirement.clause,
                                   Outcome{Verdict::error, "the case ended without judging it", 0});
  } catch (const Broken& broken) {
    const Requirement& requirement = requirement_of(context.clause);
    close_clauses(context, broken_verdict(requirement),
                  fmt::format("expected {}, got {}", broken.expected, broken.actual));
  } catch (const Unsupported& unsupported) {
    close_clauses(context, Verdict::unsupported, "not offered: " + unsupported.what);
  } catch (const Inconclusive& inconclusive) {
    close_clauses(context, Verdict::inconclusive, inconclusive.why);
  } catch (const std::exception& error) {
    close_clauses(context, Verdict::error, error.what());
  }
}

std::uint64_t seed_for(std::string_view name, std::uint64_t seed) {
  std::uint64_t hash = 14695981039346656037ull ^ seed;  // FNV-1a: the same on every machine
  for (char c : name) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ull;
  return hash;
}

}  // namespace

void run_current_case(CaseMaker make) {
  const CaseEntry& entry = *current.entry;
  const auto start = Clock::now();
  CaseContext context(current.options->settings, current.options->probe,
                      seed_for(entry.name, current.options->settings.seed));
  context.clause = entry.facts.requirements.front().clause;
  if (current.gone.empty())
    converse(make, context);
  else
    close_clauses(context, Verdict::inconclusive, current.gone);

  CaseResult& result = current.result;
  result = {.name = entry.name,
            .description = entry.description,
            .verdict = Verdict::pass,
            .findings = {},
            .ladder = context.transcript.lines(),
            .duration_ms = 0};
  result.duration_ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  for (const Requirement& requirement : entry.facts.requirements) {
    const Outcome& outcome = context.outcomes[requirement.clause];
    result.findings.push_back({requirement.clause, outcome.verdict, outcome.message, outcome.line});
    if (gravity(outcome.verdict) > gravity(result.verdict)) result.verdict = outcome.verdict;
  }
  if (!context.went_silent || !current.gone.empty()) return;
  try {
    look_at_target(current.options->settings);
  } catch (const Inconclusive& inconclusive) {
    current.gone = fmt::format("the target is gone since {}: {}", entry.name, inconclusive.why);
  }
}

std::vector<CaseEntry> all_cases() {
  static const char* arguments[] = {"tsih-conform", "--log_level=nothing", "--report_level=no",
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
                                     const catalogue::Catalogue& catalogue) {
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
      else if (clause->party == catalogue::Party::initiator)
        wrong.push_back(fmt::format("{}: judges a target by {}, which binds initiators only",
                                    entry.name, requirement.clause));
    }
    for (const std::string& tag : entry.facts.tags)
      if (std::ranges::find(unh_tests(), tag, &UnhTest::tag) == unh_tests().end())
        wrong.push_back(
            fmt::format("{}: is tagged {}, a number that unh.cpp does not know", entry.name, tag));
  }
  return wrong;
}

namespace {

std::uint32_t big32(const wire::Bytes& data, std::size_t at) {
  return static_cast<std::uint32_t>(data[at]) << 24 |
         static_cast<std::uint32_t>(data[at + 1]) << 16 |
         static_cast<std::uint32_t>(data[at + 2]) << 8 | data[at + 3];
}

// No disk is no error here: cases that need one are unsupported then.
Probe look_at_disk(Initiator& initiator) {
  Probe probe;
  try {
    initiator.ready();
    const ScsiCommand read_capacity{.cdb = {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, .read_bytes = 8};
    const Transfer capacity = initiator.transfer(read_capacity);
    if (capacity.good() && capacity.data.size() >= 8) {
      probe.blocks = std::uint64_t{big32(capacity.data, 0)} + 1;
      probe.block_bytes = big32(capacity.data, 4);
      if (probe.block_bytes < 512 || probe.block_bytes > 65536) probe = {};
    }
  } catch (const Inconclusive&) {
    probe = {};
  }
  return probe;
}

}  // namespace

Probe look_at_target(const Settings& settings, std::vector<std::string>* ladder) {
  const Probe nothing;
  CaseContext context(settings, nothing, settings.seed);
  const auto keep_ladder = [&] {
    if (ladder) *ladder = context.transcript.lines();
  };
  try {
    Initiator initiator(context);
    initiator.log_in();
    if (!initiator.fence().answer)
      throw Inconclusive{"the target closed the connection after the login"};
    const Probe probe = look_at_disk(initiator);
    keep_ladder();
    return probe;
  } catch (const Inconclusive&) {
    keep_ladder();
    throw;
  }
}

std::vector<CaseResult> run_cases(const std::vector<CaseEntry>& cases, const RunOptions& options) {
  std::vector<CaseResult> results;
  current.options = &options;
  current.gone = options.refused;
  for (const CaseEntry& entry : cases) {
    current.entry = &entry;
    current.result = {};
    but::framework::get<but::test_case>(entry.id).p_run_status.value = but::test_unit::RS_ENABLED;
    but::framework::run(entry.id, true);
    results.push_back(current.result);
    options.on_result(results.back());
  }
  return results;
}

}  // namespace tsih::conformance
