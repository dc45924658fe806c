// tsih-mutants: the measure of the suite. Each mutant breaks one rule of a good target; the case
// for that rule has to say so.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "harness/conformance/target_url.h"
#include "harness/mutants/mutation.h"
#include "harness/mutants/score.h"
#include "harness/suite/run_folder.h"

namespace {

using namespace tsih::mutants;
namespace fs = std::filesystem;

constexpr int kExitKilled = 0;
constexpr int kExitSurvived = 1;
constexpr int kExitUsage = 2;
constexpr int kExitNotReached = 3;

struct Arguments {
  std::string url;
  std::string only;
  std::string out;
};

int fail(int status, const std::string& line) {
  fmt::print(stderr, "tsih-mutants: {}\n", line);
  return status;
}

// Ours stand beside this program; what provokes tsihd is a script of the checkout, if there is one.
Programs programs() {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  const fs::path provoke = folder.parent_path().parent_path() / "tools" / "provoke-tsihd";
  return {(folder / "tsih-conform").string(), (folder / "tsihd").string(),
          fs::exists(provoke) ? provoke.string() : "",
          fs::exists(folder / "tsih-judge") ? (folder / "tsih-judge").string() : ""};
}

// Cases that do not pass on the good target tell nothing on a bad one.
std::set<std::string> unusable_cases(const Run& run) {
  std::set<std::string> names;
  for (const Run::Finding& finding : run.findings)
    if (finding.verdict != "pass" && finding.verdict != "unsupported")
      names.insert(finding.test_case);
  return names;
}

void print(const Entry& entry, const Outcome& outcome) {
  const char* word = outcome.fate == Fate::killed     ? "killed"
                     : outcome.fate == Fate::survived ? "SURVIVED"
                                                      : "not here";
  fmt::print("{:<9} {:<58} {}\n", word, entry.name, outcome.message);
  std::fflush(stdout);
}

int summary(const Score& score, bool whole) {
  fmt::print("\n{}\n", score.words());
  for (const std::string& name : score.survivors()) fmt::print("survived: {}\n", name);
  if (!whole) return score.survivors().empty() ? kExitKilled : kExitSurvived;
  for (const std::string& clause : score.unbroken())
    fmt::print("no mutant breaks {} (in a way that its case notices)\n", clause);
  for (const std::string& name : score.needless())
    fmt::print("excused for nothing: {} (harness/mutants/excuses.cpp)\n", name);
  const bool good = score.survivors().empty() && score.needless().empty();
  return good ? kExitKilled : kExitSurvived;
}

int run(const Arguments& arguments, GoodTargets& targets) {
  const Table table = all_mutants();
  const Run good =
      conform(targets, Target::plain, {.mutate = unchanged()}, {"--timeout-ms", "20000"});
  if (good.exit_status == kExitUsage || good.exit_status == kExitNotReached)
    return fail(kExitNotReached, "the good target cannot be judged: " + good.output);
  const std::set<std::string> unusable = unusable_cases(good);
  Score score(good.clauses_of);
  score.add_rules(rules_of_clauses(targets.programs()));
  std::size_t chosen = 0;
  for (const Entry& entry : table.entries()) {
    if (!arguments.only.empty() && !entry.name.starts_with(arguments.only)) continue;
    ++chosen;
    Outcome outcome = unusable.contains(entry.test_case)
                          ? Outcome{Fate::not_applicable, {}, "violated by the good target, too"}
                          : try_mutant(targets, entry);
    // A feature that the address lacks cannot be made to break.
    const bool lacks = outcome.message.find(": unsupported: ") != std::string::npos;
    if (!arguments.url.empty() && outcome.fate == Fate::survived && lacks)
      outcome.fate = Fate::not_applicable;
    print(entry, outcome);
    score.add(entry, outcome);
  }
  if (chosen == 0)
    return fail(kExitUsage,
                fmt::format("no mutant's name begins with {}; all of them: tsih mutants "
                            "--list",
                            arguments.only));
  const bool whole = arguments.only.empty() && arguments.url.empty();
  const int status = summary(score, whole);
  const fs::path folder =
      arguments.out.empty()
          ? fs::path(fmt::format("build/runs/{}-mutants", tsih::suite::utc_now(true)))
          : fs::path(arguments.out);
  std::string command = "tsih mutants";
  if (!arguments.url.empty()) command += " " + arguments.url;
  if (!arguments.only.empty()) command += " --only " + arguments.only;
  tsih::suite::RunFolder keep(folder, {.party = "target",
                                       .system = "",
                                       .judged_with = arguments.url,
                                       .command = command,
                                       .what = "mutants"});
  score.write(folder / "mutants.jsonl");
  keep.finish(status);
  fmt::print("findings: {}\n", folder.string());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  bool list = false;
  CLI::App app{
      "Breaks one rule of a good target at a time, by a proxy, and looks whether the case for it "
      "notices."};
  app.name("tsih mutants");
  app.add_option("URL", arguments.url,
                 "iscsi://ADDR:PORT/IQN/LUN of a good target; without it a tsihd is started on "
                 "loopback for each kind that is needed");
  app.add_option("--only", arguments.only,
                 "mutants whose names begin so: nop., r2t.every_field/another_lun");
  app.add_option("--out", arguments.out, "run folder (build/runs/<utc>-mutants)");
  app.add_flag("--list", list, "show the mutants and run nothing");
  app.footer(
      "Exit: 0 all killed, 1 one survived (and harness/mutants/excuses.cpp does not say why), 2 "
      "usage, "
      "3 target not reached. Clauses that cases judge and no mutant breaks are listed at the end.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return fail(kExitUsage, fmt::format("{}; tsih mutants --help shows the options", error.what()));
  }
  try {
    if (list) {
      const Table table = all_mutants();
      for (const Entry& entry : table.entries()) fmt::print("{}\n", entry.name);
      return kExitKilled;
    }
    if (arguments.url.empty()) {
      GoodTargets targets(programs());
      return run(arguments, targets);
    }
    const auto url = tsih::conformance::parse_target_url(arguments.url);
    if (!url) return fail(kExitUsage, url.error());
    GoodTargets targets(programs(), {url->host, url->port}, url->target_name, url->lun);
    return run(arguments, targets);
  } catch (const std::exception& error) {
    return fail(kExitNotReached, error.what());
  }
}
