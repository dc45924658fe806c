#include "harness/mutants/runner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace tsih::mutants {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kTargetName = "iqn.2026-01.example:mutant";
constexpr const char* kUser = "judge:a-secret-of-16-b";
constexpr const char* kTargetUser = "target:another-secret-16";

// What a tsihd of this kind is started with, beside what all are.
std::vector<std::string> ways_of(Target target) {
  switch (target) {
    case Target::plain:
      return {};
    case Target::chap:
      return {"--chap", kUser};
    case Target::mutual_chap:
      return {"--chap", kUser, "--mutual-chap", kTargetUser};
    case Target::pinging:
      return {"--attribute", "nopin_timeout=1"};
    case Target::without_recovery:
      return {"--parameter", "ErrorRecoveryLevel=0"};
    case Target::provoked:
      return {"--attribute", "scsi_events=1"};
  }
  return {};
}

fs::path scratch(const char* what) {
  static int counter = 0;
  return fs::temp_directory_path() /
         fmt::format("tsih-mutants-{}-{}-{}", what, getpid(), ++counter);
}

Endpoint endpoint_in(const std::string& ready_line) {
  const auto slash = ready_line.find('/', ready_line.find("//") + 2);
  const auto colon = ready_line.rfind(':', slash);
  return {"127.0.0.1",
          static_cast<std::uint16_t>(std::stoi(ready_line.substr(colon + 1, slash - colon - 1)))};
}

void read_folder(const fs::path& folder, Run& run) {
  std::ifstream findings(folder / "findings.jsonl");
  for (std::string line; std::getline(findings, line);) {
    const json found = json::parse(line);
    run.findings.push_back({found.value("case", ""), found.value("clause", ""),
                            found.value("verdict", ""), found.value("message", "")});
  }
  std::ifstream cases(folder / "cases.json");
  if (!cases) return;
  for (const json& entry : json::parse(cases))
    run.clauses_of[entry["case"]] = entry["clauses"].get<std::vector<std::string>>();
}

}  // namespace

GoodTargets::GoodTargets(Programs programs) : programs_(std::move(programs)), name_(kTargetName) {}

GoodTargets::GoodTargets(Programs programs, Endpoint at, std::string name, unsigned lun)
    : programs_(std::move(programs)), address_(std::move(at)), name_(std::move(name)), lun_(lun) {}

std::string GoodTargets::socket_of(Target target) const {
  return (fs::temp_directory_path() /
          fmt::format("tsih-mutants-{}-{}.sock", getpid(), static_cast<int>(target)))
      .string();
}

Endpoint GoodTargets::endpoint(Target target) {
  if (address_) return *address_;
  Started& started = started_[target];
  if (started.server) return started.endpoint;
  std::vector<std::string> command{
      programs_.tsihd,      "--serve",     "ram:64M",     "--iqn",         kTargetName,
      "--portal",           "127.0.0.1:0", "--parameter", "InitialR2T=No", "--parameter",
      "DefaultTime2Wait=0", "--log-level", "error",       "--control",     socket_of(target)};
  const auto ways = ways_of(target);
  command.insert(command.end(), ways.begin(), ways.end());
  started.server = std::make_unique<suite::Server>(command, "ready ");
  started.endpoint = endpoint_in(started.server->ready_line());
  return started.endpoint;
}

std::vector<std::string> GoodTargets::options(Target target) const {
  switch (target) {
    case Target::chap:
      return {"--chap", kUser};
    case Target::mutual_chap:
      return {"--chap", kUser, "--mutual-chap", kTargetUser};
    case Target::pinging:
      return {"--timeout-ms", "5000"};
    case Target::provoked:
      if (programs_.provoke.empty()) return {};
      return {"--provoke", programs_.provoke + " " + socket_of(target)};
    default:
      return {};
  }
}

Run conform(GoodTargets& targets, Target target, const Mutant& mutant,
            const std::vector<std::string>& more) {
  MutatingProxy proxy(targets.endpoint(target), mutant);
  const fs::path folder = scratch("run");
  std::vector<std::string> command{
      targets.programs().conform,
      fmt::format("iscsi://127.0.0.1:{}/{}/{}", proxy.port(), targets.name(), targets.lun()),
      "--strict", "--out", folder.string()};
  for (const auto& options : {targets.options(target), more})
    command.insert(command.end(), options.begin(), options.end());
  if (std::ranges::find(command, "--timeout-ms") == command.end())
    command.insert(command.end(), {"--timeout-ms", "1000"});
  const suite::Output output = suite::run(command);
  Run result{output.exit_status, output.out + output.err, {}, {}};
  read_folder(folder, result);
  fs::remove_all(folder);
  return result;
}

std::map<std::string, std::set<std::string>> rules_of_clauses(const Programs& programs) {
  std::map<std::string, std::set<std::string>> rules_of;
  if (programs.judge.empty()) return rules_of;
  std::istringstream lines(suite::run(std::vector<std::string>{programs.judge, "--rules"}).out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string rule, party;
    words >> rule >> party;
    for (std::string clause; words >> clause;) rules_of[clause].insert(rule);
  }
  return rules_of;
}

Outcome try_mutant(GoodTargets& targets, const Entry& entry) {
  Outcome outcome;
  if (!targets.has(entry.target)) return {Fate::not_applicable, {}, "no such target here"};
  const Run run = conform(targets, entry.target, entry.mutant, {"--only", entry.test_case});
  for (const Run::Finding& finding : run.findings) {
    const bool broken = finding.verdict == "violation" || finding.verdict == "warning";
    if (broken) outcome.clauses.insert(finding.clause);
    if (broken || outcome.message.empty())
      outcome.message = fmt::format("{}: {}: {}", finding.clause, finding.verdict, finding.message);
  }
  const bool noticed = !outcome.clauses.empty() && run.exit_status == 1;
  outcome.fate = noticed ? Fate::killed : Fate::survived;
  if (run.findings.empty()) outcome.message = run.output;
  return outcome;
}

}  // namespace tsih::mutants
