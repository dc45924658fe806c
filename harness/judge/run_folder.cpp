#include "harness/judge/run_folder.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "harness/suite/rfc7143.h"
#include "harness/suite/run_folder.h"
#include "harness/suite/version.h"

namespace tsih::judge {
namespace {

using Json = nlohmann::ordered_json;

// A message may quote what a peer sent: the JSON is valid whatever that was.
std::string dump(const Json& object, int indent = -1) {
  return object.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::ofstream open_file(const std::filesystem::path& path) {
  std::ofstream file(path, std::ios::trunc);
  if (!file) throw std::runtime_error(fmt::format("cannot write {}", path.string()));
  return file;
}

Json run_json(const Systems& systems, const std::string& command, const std::string& now,
              int exit_status) {
  utsname kernel{};
  uname(&kernel);
  Json run;
  run["schema"] = 1;
  run["what"] = "judge";
  run["title"] = fmt::format("a capture of {} and {}", systems.initiator, systems.target);
  run["command"] = command;
  run["started"] = now;
  run["ended"] = suite::utc_now(false);
  run["exit_status"] = exit_status;
  run["host"] = {{"os", suite::os_name()},
                 {"kernel", kernel.release},
                 {"cpus", std::thread::hardware_concurrency()},
                 {"accel", nullptr}};
  run["versions"] = {{"tsih", suite::kVersion}};
  run["systems"] = {systems.target, systems.initiator};
  return run;
}

std::string_view party_of(const Finding& finding) {
  return finding.party == From::target ? "target" : "initiator";
}

// What was broken is judged by RFC 7143 breach by breach: its rules know which of them it allows.
void add_rfc7143(Json& line, const Finding& finding) {
  const auto other = suite::by_rfc7143(finding.clause, name(finding.verdict));
  if (!other) return;
  std::string verdict = other->verdict;
  if (finding.broken > 0 && other->fate == "changed") {
    if (finding.broken_by_7143 == 0)
      verdict = name(Verdict::pass);
    else if (verdict.empty())
      verdict = name(finding.verdict);
  }
  if (verdict.empty()) return;
  line["rfc7143"] = {{"fate", other->fate}};
  if (!other->id.empty()) line["rfc7143"]["id"] = other->id;
  line["rfc7143"]["verdict"] = verdict;
}

}  // namespace

std::string rules_json() {
  static constexpr std::string_view kBinds[] = {"initiator", "target", "both"};
  static constexpr std::string_view kParties[] = {"initiators", "targets", "both parties"};
  Json list = Json::array();
  for (const Rule& rule : all_rules()) {
    Json clauses = Json::array();
    for (std::string_view clause : rule.clauses)
      if (!clause.empty()) clauses.push_back(clause);
    list.push_back({{"case", fmt::format("judge.{}", rule.name)},
                    {"title", fmt::format("A rule of the passive judge, on {}",
                                          kParties[static_cast<std::size_t>(rule.party)])},
                    {"party", kBinds[static_cast<std::size_t>(rule.party)]},
                    {"clauses", clauses},
                    {"tags", Json::array()}});
  }
  return dump(list, 1);
}

std::string json_line(const Finding& finding, const std::string& capture, bool with_case) {
  Json line;
  line["clause"] = finding.clause;
  line["verdict"] = name(finding.verdict);
  line["party"] = party_of(finding);
  line["system"] = finding.system;
  line["peer"] = finding.peer;
  add_rfc7143(line, finding);
  if (with_case) line["case"] = fmt::format("judge.{}", finding.rules.front());
  line["message"] = finding.message;
  if (finding.frame > 0) line["evidence"] = {{"file", capture}, {"frame", finding.frame}};
  return dump(line);
}

void write_run_folder(const std::filesystem::path& folder, const std::filesystem::path& capture,
                      const std::vector<Finding>& findings, const Systems& systems,
                      const std::string& command, int exit_status) {
  const std::string now = suite::utc_now(false);
  std::filesystem::create_directories(folder);
  const auto copy = folder / ("capture" + capture.extension().string());
  if (!std::filesystem::exists(copy) || !std::filesystem::equivalent(copy, capture))
    std::filesystem::copy_file(capture, copy, std::filesystem::copy_options::overwrite_existing);
  auto lines = open_file(folder / "findings.jsonl");
  for (const Finding& finding : findings)
    lines << json_line(finding, copy.filename().string(), true) << '\n';
  open_file(folder / "cases.json") << rules_json() << '\n';
  open_file(folder / "run.json") << dump(run_json(systems, command, now, exit_status), 2) << '\n';
}

}  // namespace tsih::judge
