#include "harness/suite/rulings.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

namespace tsih::suite {
namespace {

namespace fs = std::filesystem;

// Thrown inside the loader only; load() turns it into its error.
struct Wrong {
  std::string message;
};

bool is_broken(const Finding& finding) {
  return finding.verdict == Verdict::violation || finding.verdict == Verdict::warning;
}

std::string text(const toml::table& table, std::string_view field) {
  const auto value = table[field].value<std::string>();
  if (!value || value->empty())
    throw Wrong{
        fmt::format("{}: has no {}", table["case"].value_or(std::string("(no case)")), field)};
  return *value;
}

Verdict verdict_in(const toml::table& table) {
  const std::string verdict = text(table, "verdict");
  if (verdict == name(Verdict::violation)) return Verdict::violation;
  if (verdict == name(Verdict::warning)) return Verdict::warning;
  throw Wrong{fmt::format("{}: verdict is \"{}\", expected violation or warning",
                          text(table, "case"), verdict)};
}

// Those are the report's: no case comes to them.
bool is_of_a_scenario(const toml::table& table) { return table.contains("property"); }

// One for each clause, where several are broken together.
void add(const toml::table& table, std::vector<Ruling>& rulings) {
  std::vector<std::string> clauses;
  if (const auto* list = table["clause"].as_array()) {
    for (const auto& clause : *list) clauses.push_back(clause.value_or(std::string()));
  } else {
    clauses.push_back(text(table, "clause"));
  }
  for (const std::string& clause : clauses)
    rulings.push_back({text(table, "case"), clause, verdict_in(table), text(table, "says"),
                       text(table, "reason"), table["sometimes"].value_or(false)});
}

}  // namespace

std::expected<Rulings, std::string> Rulings::load(const fs::path& file) {
  try {
    if (fs::file_size(file) > kLimitFileBytes)
      throw Wrong{fmt::format("larger than {} bytes", kLimitFileBytes)};
    const toml::table all = toml::parse_file(file.string());
    std::vector<Ruling> rulings;
    if (const auto* list = all["ruling"].as_array())
      for (const auto& each : *list)
        if (const auto* table = each.as_table(); table && !is_of_a_scenario(*table))
          add(*table, rulings);
    return Rulings(std::move(rulings));
  } catch (const Wrong& wrong) {
    return std::unexpected(fmt::format("{}: {}", file.string(), wrong.message));
  } catch (const toml::parse_error& error) {
    return std::unexpected(fmt::format("{}: line {}: {}", file.string(), error.source().begin.line,
                                       error.description()));
  } catch (const fs::filesystem_error& error) {
    return std::unexpected(error.what());
  }
}

const Ruling* Rulings::describing(const std::string& test_case, const Finding& finding) const {
  const auto found = std::ranges::find_if(rulings_, [&](const Ruling& ruling) {
    return ruling.test_case == test_case && ruling.clause == finding.clause &&
           ruling.verdict == finding.verdict &&
           finding.message.find(ruling.says) != std::string::npos;
  });
  return found == rulings_.end() ? nullptr : &*found;
}

bool Rulings::expect(const CaseResult& result) const {
  const auto known = [&](const Finding& finding) {
    return !is_broken(finding) || describing(result.name, finding);
  };
  return std::ranges::any_of(result.findings, is_broken) &&
         std::ranges::all_of(result.findings, known);
}

std::vector<std::string> Rulings::surprises(const std::vector<CaseResult>& results) const {
  std::vector<std::string> lines;
  for (const Ruling& ruling : rulings_) {
    const auto result = std::ranges::find(results, ruling.test_case, &CaseResult::name);
    if (result == results.end()) continue;
    const auto judged = std::ranges::find(result->findings, ruling.clause, &Finding::clause);
    const bool came_true =
        judged != result->findings.end() && describing(ruling.test_case, *judged) != nullptr;
    if (judged != result->findings.end() && !came_true && !ruling.sometimes)
      lines.push_back(fmt::format("{} was known for a {} of {} ({}); it is now {}: {}",
                                  ruling.test_case, name(ruling.verdict), ruling.clause,
                                  ruling.says, name(judged->verdict), judged->message));
  }
  return lines;
}

fs::path rulings_of(const std::string& system) {
  // build/bin/PROGRAM stands three levels below the checkout.
  const fs::path checkout =
      fs::read_symlink("/proc/self/exe").parent_path().parent_path().parent_path();
  const fs::path file = checkout / "reports" / "rulings" / (system + ".toml");
  return fs::exists(file) ? file : fs::path();
}

}  // namespace tsih::suite
