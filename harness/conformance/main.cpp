// tsih-conform: judges a target at any address by RFC 3720.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "harness/conformance/runner.h"
#include "harness/conformance/unh.h"
#include "harness/suite/case_list.h"
#include "harness/suite/options.h"
#include "harness/suite/terminal.h"

namespace {

using namespace tsih::conformance;

constexpr std::string_view kCommand = "tsih conform";
constexpr int kExitKept = 0;
constexpr int kExitViolated = 1;
constexpr int kExitUsage = 2;
constexpr int kExitNotReached = 3;

struct Arguments : Options {
  std::string url;
  std::string chap;
  std::string mutual_chap;
  std::string rulings;
  Settings settings;
};

int usage(const std::string& line) {
  fmt::print(stderr, "tsih-conform: {}\n", line);
  return kExitUsage;
}

// USER:SECRET, when given.
bool take_secret(const std::string& given, std::string& user, std::string& secret) {
  if (given.empty()) return true;
  const auto colon = given.find(':');
  if (colon == std::string::npos || colon == 0) return false;
  user = given.substr(0, colon);
  secret = given.substr(colon + 1);
  return true;
}

// The command that runs this again. A secret is not written down: what is shown asks for it.
std::string command_line(const Arguments& arguments, const std::string& only) {
  std::string line = "tsih conform " + shell_quoted(arguments.settings.url.text);
  if (!only.empty()) {
    line += " --only " + shell_quoted(only);
  } else {
    for (const std::string& glob : arguments.selection.names)
      line += " --only " + shell_quoted(glob);
    for (const std::string& glob : arguments.selection.tags) line += " --tag " + shell_quoted(glob);
  }
  if (arguments.system != "target") line += " --system " + shell_quoted(arguments.system);
  if (!arguments.settings.user.empty())
    line += " --chap " + shell_quoted(arguments.settings.user) + ":SECRET";
  if (!arguments.settings.target_user.empty())
    line += " --mutual-chap " + shell_quoted(arguments.settings.target_user) + ":SECRET";
  if (!arguments.settings.provoke.empty())
    line += " --provoke " + shell_quoted(arguments.settings.provoke);
  if (arguments.rulings != rulings_of(arguments.system))
    line += " --rulings " + shell_quoted(arguments.rulings);
  if (arguments.settings.read_only) line += " --read-only";
  if (arguments.strict) line += " --strict";
  if (arguments.settings.initiator_name != Settings{}.initiator_name)
    line += " --initiator " + shell_quoted(arguments.settings.initiator_name);
  if (arguments.settings.timeout_ms != Settings{}.timeout_ms)
    line += fmt::format(" --timeout-ms {}", arguments.settings.timeout_ms);
  return line + fmt::format(" --seed {}", arguments.settings.seed);
}

int summary(const Arguments& arguments, const std::vector<CaseResult>& results,
            const std::string& refused, const std::filesystem::path& folder,
            const Rulings& rulings) {
  auto counts = print_counts(results, folder, rulings);
  if (const CaseResult* failed = first_failed(results, arguments.strict, rulings))
    fmt::print("one of them again: {}\n", command_line(arguments, failed->name));
  if (counts[Verdict::violation] || (arguments.strict && counts[Verdict::warning]))
    return kExitViolated;
  if (!refused.empty()) {
    std::fflush(stdout);
    fmt::print(stderr, "tsih-conform: {}: {}\n", arguments.settings.url.text, refused);
    return kExitNotReached;
  }
  return counts[Verdict::error] ? kExitViolated : kExitKept;
}

// What a login that failed at the first look most likely means, and the way out.
std::string advice(const std::string& why) {
  if (why.find("0x0201") != std::string::npos)
    return why + " (authentication failure): give --chap USER:SECRET";
  if (why.find("0x0202") != std::string::npos)
    return why + " (not authorized): allow the initiator's name, or give one with --initiator NAME";
  if (why.find("0x0203") != std::string::npos)
    return why + " (not found): look at the target's name in the URL";
  if (why.find("no connection") != std::string::npos)
    return why + "; is the target up, and the port right?";
  return why;
}

int run(Arguments& arguments, const tsih::catalogue::Catalogue& catalogue,
        const std::vector<CaseEntry>& all) {
  const auto cases = choose(all, arguments.selection, kCommand);
  if (!cases) return usage(cases.error());
  const bool colour = isatty(STDOUT_FILENO) && !std::getenv("NO_COLOR");
  Plan plan{
      .catalogue = &catalogue, .seed = arguments.settings.seed, .refused = {}, .on_result = {}};
  Rulings rulings;
  if (!arguments.rulings.empty()) {
    auto loaded = Rulings::load(arguments.rulings);
    if (!loaded) return usage(loaded.error());
    rulings = std::move(*loaded);
  }
  Probe probe;
  std::vector<std::string> first_look;  // the evidence when there is no other
  try {
    probe = look_at_target(arguments.settings, &first_look);
  } catch (const Inconclusive& inconclusive) {
    plan.refused = advice(inconclusive.why);
  }
  if (arguments.out.empty())
    arguments.out = fmt::format("build/runs/{}-conform-{}", utc_now(true), arguments.system);
  RunFolder folder(arguments.out, {.party = "target",
                                   .system = arguments.system,
                                   .judged_with = arguments.settings.url.text,
                                   .command = command_line(arguments, {}),
                                   .seed = arguments.settings.seed});
  write_case_list(folder.path(), all);
  folder.add_ladder("first_look", first_look);
  plan.on_result = [&](const CaseResult& result) {
    folder.add(result);
    if (plan.refused.empty()) print_result(result, colour, rulings);
  };
  const auto results = run_cases_against(arguments.settings, probe, *cases, plan);
  const int status = summary(arguments, results, plan.refused, folder.path(), rulings);
  folder.finish(status);
  if (!arguments.junit.empty()) write_junit(arguments.junit, arguments.system, results);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  arguments.system = "target";
  CLI::App app{"Judges an iSCSI target at any address by RFC 3720, clause by clause."};
  app.name("tsih conform");
  app.add_option("URL", arguments.url, "iscsi://ADDR:PORT/IQN/LUN");
  add_options(app, arguments);
  app.add_option("--system", arguments.system, "what the target is called in findings");
  app.add_option("--chap", arguments.chap, "USER:SECRET of one-way CHAP");
  app.add_option("--mutual-chap", arguments.mutual_chap,
                 "USER:SECRET that the target proves itself with");
  app.add_option(
      "--provoke", arguments.settings.provoke,
      "COMMAND that gets the target to speak by itself; it is run with EVENT ISID, EVENT "
      "one of logout, negotiate, capacity, drop-session, drop-connection");
  app.add_option("--rulings", arguments.rulings,
                 "known failures of the system, which do not fail the run "
                 "(reports/rulings/<system>.toml)");
  app.add_option("--initiator", arguments.settings.initiator_name, "the initiator's name");
  app.add_option("--seed", arguments.settings.seed, "replays tags, sequence numbers and data");
  app.add_option("--timeout-ms", arguments.settings.timeout_ms, "longest wait for an answer")
      ->check(CLI::Range(10, 60'000));
  app.add_flag("--read-only", arguments.settings.read_only,
               "leave out cases that write or reset the target");
  app.footer(
      "Exit: 0 nothing violated but as ruled, 1 a MUST violated, 2 usage, 3 target not reached.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return usage(fmt::format("{}; tsih conform --help shows the options", error.what()));
  }
  const auto catalogue = tsih::catalogue::Catalogue::load(tsih::catalogue::built_in_sources());
  if (!catalogue) return usage("the catalogue is broken: " + catalogue.error());
  const std::vector<CaseEntry> cases = all_cases();
  const Suite suite{kCommand, tsih::catalogue::Party::target, *catalogue, cases, unh_tests()};
  if (const auto status = end_without_peer(arguments, suite)) return *status;

  if (arguments.rulings.empty()) arguments.rulings = rulings_of(arguments.system).string();
  if (arguments.url.empty())
    return usage(
        "give the target's URL, for example iscsi://127.0.0.1:3260/iqn.2026-01.example:disk/0");
  const auto url = parse_target_url(arguments.url);
  if (!url) return usage(url.error());
  arguments.settings.url = *url;
  arguments.settings.user = url->user;
  arguments.settings.secret = url->secret;
  Settings& settings = arguments.settings;
  if (!take_secret(arguments.chap, settings.user, settings.secret))
    return usage("--chap expects USER:SECRET");
  if (!take_secret(arguments.mutual_chap, settings.target_user, settings.target_secret))
    return usage("--mutual-chap expects USER:SECRET");
  try {
    return run(arguments, *catalogue, cases);
  } catch (const std::exception& error) {
    return usage(error.what());
  }
}
