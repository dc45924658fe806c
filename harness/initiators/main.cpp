// tsih-conform-initiator: judges an initiator by RFC 3720, with a target that plays a part.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "harness/initiators/trial.h"
#include "harness/initiators/unh.h"
#include "harness/suite/case_list.h"
#include "harness/suite/options.h"
#include "harness/suite/terminal.h"

namespace {

using namespace tsih::suite;
using tsih::initiators::Settings;
using tsih::initiators::Trial;
using tsih::initiators::unh_tests;

constexpr std::string_view kCommand = "tsih conform-initiator";
constexpr int kExitKept = 0;
constexpr int kExitViolated = 1;
constexpr int kExitUsage = 2;
constexpr int kExitNothingSeen = 3;

struct Arguments : Options {
  Settings settings;
};

int usage(const std::string& line) {
  fmt::print(stderr, "tsih-conform-initiator: {}\n", line);
  return kExitUsage;
}

// The command that runs this again.
std::string command_line(const Arguments& arguments, const std::string& only) {
  std::string line{kCommand};
  if (!only.empty()) {
    line += " --only " + shell_quoted(only);
  } else {
    for (const std::string& glob : arguments.selection.names)
      line += " --only " + shell_quoted(glob);
    for (const std::string& glob : arguments.selection.tags) line += " --tag " + shell_quoted(glob);
  }
  line += " --system " + shell_quoted(arguments.system);
  if (arguments.strict) line += " --strict";
  if (arguments.settings.address != Settings{}.address)
    line += " --listen " + arguments.settings.address;
  if (arguments.settings.timeout_ms != Settings{}.timeout_ms)
    line += fmt::format(" --timeout-ms {}", arguments.settings.timeout_ms);
  line += fmt::format(" --seed {} --", arguments.settings.seed);
  for (const std::string& word : arguments.settings.command) line += " " + shell_quoted(word);
  return line;
}

// The initiators that there are drivers for: a program that is given an action and a URL.
std::vector<std::string> driver_of(const std::string& system) {
  if (system != "libiscsi" && system != "qemu") return {};
  return {fmt::format("{}/{}", TSIH_DRIVERS, system), "{action}", "{url}"};
}

int run(Arguments& arguments, const tsih::catalogue::Catalogue& catalogue,
        const std::vector<CaseEntry>& all) {
  const auto cases = choose(all, arguments.selection, kCommand);
  if (!cases) return usage(cases.error());
  const bool colour = isatty(STDOUT_FILENO) && !std::getenv("NO_COLOR");
  if (arguments.out.empty())
    arguments.out = fmt::format("build/runs/{}-conform-{}", utc_now(true), arguments.system);
  RunFolder folder(arguments.out,
                   {.party = "initiator",
                    .system = arguments.system,
                    .judged_with = fmt::format("{}", arguments.settings.command.front()),
                    .command = command_line(arguments, {}),
                    .seed = arguments.settings.seed});
  write_case_list(folder.path(), all);
  Trial::judge(arguments.settings);
  const auto results = run_cases(*cases, {.catalogue = &catalogue,
                                          .seed = arguments.settings.seed,
                                          .refused = {},
                                          .on_result = [&](const CaseResult& result) {
                                            folder.add(result);
                                            print_result(result, colour);
                                          }});
  auto counts = print_counts(results, folder.path());
  if (const CaseResult* failed = first_failed(results, arguments.strict))
    fmt::print("one of them again: {}\n", command_line(arguments, failed->name));
  const bool violated = counts[Verdict::violation] || counts[Verdict::error] ||
                        (arguments.strict && counts[Verdict::warning]);
  const bool nothing = !counts[Verdict::pass] && !counts[Verdict::warning];
  const int status = violated ? kExitViolated : nothing ? kExitNothingSeen : kExitKept;
  if (status == kExitNothingSeen)
    fmt::print(stderr,
               "tsih-conform-initiator: no case came to its question; does the command log in?\n");
  folder.finish(status);
  if (!arguments.junit.empty()) write_junit(arguments.junit, arguments.system, results);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  Settings& settings = arguments.settings;
  CLI::App app{
      "Judges an iSCSI initiator by RFC 3720, clause by clause: a target that serves it well up to "
      "the one point of each case, and then says something rare, or wrong."};
  app.name("tsih conform-initiator");
  app.add_option("COMMAND", settings.command,
                 "after --: what makes the initiator work, with {url} and {action} in it; it is "
                 "started for each case and killed at its end");
  app.add_option(
      "--system", arguments.system,
      "what the initiator is called in findings; libiscsi and qemu have a command already");
  add_options(app, arguments);
  app.add_option("--listen", settings.address, "the IPv4 address that the target listens on");
  app.add_option("--seed", settings.seed, "replays what is random");
  app.add_option("--timeout-ms", settings.timeout_ms, "longest wait for the initiator")
      ->check(CLI::Range(10, 60'000));
  app.footer(
      "Actions: attach, read, write, copy, discover, many, abort, abort-set, ping, chap, "
      "mutual-chap;\n"
      "harness/initiators/trial.h says what each does.\n"
      "Exit: 0 nothing violated, 1 a MUST violated, 2 usage, 3 no case came to its question.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return usage(fmt::format("{}; {} --help shows the options", error.what(), kCommand));
  }
  const auto catalogue = tsih::catalogue::Catalogue::load(tsih::catalogue::built_in_sources());
  if (!catalogue) return usage("the catalogue is broken: " + catalogue.error());
  const std::vector<CaseEntry> cases = all_cases();
  const Suite suite{kCommand, tsih::catalogue::Party::initiator, *catalogue, cases, unh_tests()};
  if (const auto status = end_without_peer(arguments, suite)) return *status;
  if (settings.command.empty()) settings.command = driver_of(arguments.system);
  if (settings.command.empty())
    return usage("expected --system libiscsi, --system qemu, or -- COMMAND {url}");
  if (std::ranges::none_of(settings.command, [](const std::string& word) {
        return word.find("{url}") != std::string::npos;
      }))
    return usage("the command has no {url}, so it cannot find the target; -- iscsi-inq {url}");
  if (arguments.system.empty()) arguments.system = "initiator";
  try {
    return run(arguments, *catalogue, cases);
  } catch (const std::exception& error) {
    return usage(error.what());
  }
}
