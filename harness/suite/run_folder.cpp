#include "harness/suite/run_folder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "harness/suite/rfc7143.h"
#include "harness/suite/version.h"

namespace tsih::suite {
namespace {

std::ofstream open_file(const std::filesystem::path& path) {
  std::ofstream file(path, std::ios::trunc);
  if (!file) throw std::runtime_error(fmt::format("cannot write {}", path.string()));
  return file;
}

std::string escape_xml(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += (c >= 0x20 || c == '\n') ? c : '?';
    }
  }
  return out;
}

// A message may quote what a target sent: keep the JSON valid whatever that was.
std::string dump(const nlohmann::ordered_json& object, int indent = -1) {
  return object.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

std::string os_name() {
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("PRETTY_NAME=")) {
      std::string value = line.substr(12);
      std::erase(value, '"');
      return value;
    }
  return "unknown";
}

std::string utc_now(bool compact) {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const std::tm utc = fmt::gmtime(now);
  return compact ? fmt::format("{:%Y%m%dT%H%M%SZ}", utc)
                 : fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", utc);
}

RunFolder::RunFolder(std::filesystem::path folder, RunFacts facts)
    : folder_(std::move(folder)), facts_(std::move(facts)), started_(utc_now(false)) {
  std::filesystem::create_directories(folder_ / "cases");
  findings_ = open_file(folder_ / "findings.jsonl");
  write_run_json(0, false);
}

void RunFolder::write_run_json(int exit_status, bool ended) {
  utsname kernel{};
  uname(&kernel);
  nlohmann::ordered_json run;
  run["schema"] = 1;
  run["what"] = facts_.what;
  run["title"] =
      facts_.system.empty() ? facts_.what : fmt::format("{} of {}", facts_.what, facts_.system);
  run["command"] = facts_.command;
  run["started"] = started_;
  run["ended"] = ended ? nlohmann::ordered_json(utc_now(false)) : nlohmann::ordered_json();
  run["exit_status"] = ended ? nlohmann::ordered_json(exit_status) : nlohmann::ordered_json();
  run["host"] = {{"os", os_name()},
                 {"kernel", kernel.release},
                 {"cpus", std::thread::hardware_concurrency()},
                 {"accel", nullptr}};
  run["versions"] = {{"tsih", kVersion}};
  run["systems"] = nlohmann::ordered_json::array();
  if (!facts_.system.empty()) run["systems"].push_back(facts_.system);
  run[facts_.party] = facts_.judged_with;
  open_file(folder_ / "run.json") << dump(run, 2) << '\n';
}

void RunFolder::add_ladder(const std::string& name, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  auto file = open_file(folder_ / fmt::format("cases/{}.ladder.jsonl", name));
  for (const std::string& line : lines) file << line << '\n';
}

void RunFolder::add(const CaseResult& result) {
  const std::string ladder = fmt::format("cases/{}.ladder.jsonl", result.name);
  add_ladder(result.name, result.ladder);
  for (const Finding& finding : result.findings) {
    nlohmann::ordered_json line;
    line["clause"] = finding.clause;
    line["verdict"] = name(finding.verdict);
    line["party"] = facts_.party;
    line["system"] = facts_.system;
    line["case"] = result.name;
    const auto other = by_rfc7143(finding.clause, name(finding.verdict));
    if (other && !other->verdict.empty()) {
      line["rfc7143"] = {{"fate", other->fate}};
      if (!other->id.empty()) line["rfc7143"]["id"] = other->id;
      line["rfc7143"]["verdict"] = other->verdict;
    }
    line["message"] = finding.message;
    if (finding.line > 0) line["evidence"] = {{"file", ladder}, {"line", finding.line}};
    line["seed"] = facts_.seed;
    line["duration_ms"] = std::round(result.duration_ms * 1000) / 1000;
    findings_ << dump(line) << '\n' << std::flush;
  }
}

void RunFolder::finish(int exit_status) { write_run_json(exit_status, true); }

void write_junit(const std::filesystem::path& path, const std::string& system,
                 const std::vector<CaseResult>& results) {
  auto file = open_file(path);
  int failures = 0, errors = 0, skipped = 0;
  double seconds = 0;
  for (const CaseResult& result : results) {
    failures += result.verdict == Verdict::violation;
    errors += result.verdict == Verdict::error;
    skipped += result.verdict == Verdict::unsupported || result.verdict == Verdict::inconclusive;
    seconds += result.duration_ms / 1000;
  }
  file << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
       << fmt::format(
              "<testsuite name=\"conformance.{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" "
              "skipped=\"{}\" time=\"{:.3f}\">\n",
              escape_xml(system), results.size(), failures, errors, skipped, seconds);
  for (const CaseResult& result : results) {
    std::string words;
    for (const Finding& finding : result.findings)
      if (finding.verdict == result.verdict)
        words += fmt::format("{}: {}\n", finding.clause, finding.message);
    file << fmt::format("  <testcase classname=\"conformance.{}\" name=\"{}\" time=\"{:.6f}\">",
                        escape_xml(system), result.name, result.duration_ms / 1000);
    const std::string text = escape_xml(words);
    if (result.verdict == Verdict::violation)
      file << "<failure message=\"violation\">" << text << "</failure>";
    else if (result.verdict == Verdict::error)
      file << "<error message=\"error\">" << text << "</error>";
    else if (result.verdict != Verdict::pass && result.verdict != Verdict::warning)
      file << "<skipped message=\"" << text << "\"/>";
    else
      file << "<system-out>" << text << "</system-out>";
    file << "</testcase>\n";
  }
  file << "</testsuite>\n";
}

}  // namespace tsih::suite
