#include "harness/mutants/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace tsih::mutants {
namespace {

const Excuse* excuse_for(const std::string& name) {
  const auto found = std::ranges::find(excuses(), name, &Excuse::name);
  return found == excuses().end() ? nullptr : &*found;
}

std::string_view fate_name(Fate fate) {
  switch (fate) {
    case Fate::killed:
      return "killed";
    case Fate::survived:
      return "survived";
    case Fate::not_applicable:
      break;
  }
  return "not_applicable";
}

}  // namespace

void Score::add(const Entry& entry, const Outcome& outcome) {
  lines_.push_back({entry.name, entry.test_case, std::string(fate_name(outcome.fate)),
                    outcome.message, outcome.clauses});
  if (outcome.fate == Fate::not_applicable) ++not_applicable_;
  if (outcome.fate == Fate::survived) survived_.insert(entry.name);
  if (outcome.fate != Fate::killed) return;
  ++killed_;
  broken_.insert(outcome.clauses.begin(), outcome.clauses.end());
}

std::set<std::string> Score::judged() const {
  std::set<std::string> all;
  for (const auto& [name, clauses] : clauses_of_) all.insert(clauses.begin(), clauses.end());
  return all;
}

std::size_t Score::clauses_judged() const { return judged().size(); }

std::vector<std::string> Score::unbroken() const {
  std::vector<std::string> open;
  for (const std::string& clause : judged())
    if (!broken_.contains(clause) && !excuse_for(clause)) open.push_back(clause);
  return open;
}

std::vector<std::string> Score::survivors() const {
  std::vector<std::string> open;
  for (const std::string& name : survived_)
    if (!excuse_for(name)) open.push_back(name);
  return open;
}

std::vector<std::string> Score::needless() const {
  std::vector<std::string> names;
  const std::set<std::string> all = judged();
  for (const Excuse& excuse : excuses()) {
    const bool of_clause = all.contains(excuse.name) && !broken_.contains(excuse.name);
    if (!of_clause && !survived_.contains(excuse.name)) names.push_back(excuse.name);
  }
  return names;
}

void Score::add_rules(const std::map<std::string, std::set<std::string>>& rules_of_clauses) {
  by_rules_alone_ = rules_of_clauses;
  for (const std::string& clause : judged()) by_rules_alone_.erase(clause);
}

std::string Score::words() const {
  const double percent =
      tried() == 0 ? 0 : 100.0 * static_cast<double>(killed_) / static_cast<double>(tried());
  std::string words = fmt::format("{} of {} mutants killed ({:.1f} %)", killed_, tried(), percent);
  if (not_applicable_) words += fmt::format(", {} not applicable here", not_applicable_);
  words += fmt::format("; {} of the {} clauses that cases judge were broken and noticed",
                       clauses_broken(), clauses_judged());
  if (!by_rules_alone_.empty())
    words += fmt::format(
        "; {} more clauses have a rule of the passive judge alone: no mutant breaks them, a PDU in "
        "the judge's own tests does (mutants.jsonl names them)",
        by_rules_alone_.size());
  return words;
}

void Score::write(const std::filesystem::path& path) const {
  std::ofstream file(path, std::ios::trunc);
  const auto put = [&](const nlohmann::ordered_json& line) {
    file << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  };
  for (const Line& line : lines_) {
    nlohmann::ordered_json out{{"mutant", line.name},
                               {"case", line.test_case},
                               {"fate", line.fate},
                               {"clauses", line.clauses},
                               {"message", line.message}};
    if (const Excuse* excuse = excuse_for(line.name); excuse && line.fate == "survived")
      out["excuse"] = excuse->reason;
    put(out);
  }
  for (const std::string& clause : judged()) {
    nlohmann::ordered_json out{{"clause", clause}, {"broken", broken_.contains(clause)}};
    if (const Excuse* excuse = excuse_for(clause)) out["excuse"] = excuse->reason;
    put(out);
  }
  for (const auto& [clause, rules] : by_rules_alone_)
    put({{"judge_clause", clause}, {"rules", rules}});
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace tsih::mutants
