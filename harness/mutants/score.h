// What the fates of all mutants come to: the score, what survived, which clauses nothing broke.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/mutants/runner.h"

namespace tsih::mutants {

class Score {
 public:
  /// `clauses_of` are those that each case judges, by its name.
  explicit Score(std::map<std::string, std::vector<std::string>> clauses_of)
      : clauses_of_(std::move(clauses_of)) {}

  void add(const Entry& entry, const Outcome& outcome);
  /// Clauses that a case judges and no mutant broke, without those that are excused.
  std::vector<std::string> unbroken() const;
  /// Mutants that survived, without those that are excused.
  std::vector<std::string> survivors() const;
  /// Excuses that nothing needs: for a mutant that is killed, a clause that is broken, or neither.
  std::vector<std::string> needless() const;
  std::size_t killed() const { return killed_; }
  std::size_t tried() const { return killed_ + survived_.size(); }
  std::size_t not_applicable() const { return not_applicable_; }
  std::size_t clauses_judged() const;
  std::size_t clauses_broken() const { return broken_.size(); }
  /// Rules of the passive judge by their clauses. No mutant is tried on them: the judge's own tests
  /// break each rule by a PDU, and clauses that no case judges as well are named apart.
  void add_rules(const std::map<std::string, std::set<std::string>>& rules_of_clauses);
  /// One line: "339 of 341 mutants killed (99.4 %), ...".
  std::string words() const;
  /// mutants.jsonl, as harness/driver/RUN_FOLDER.md has it.
  void write(const std::filesystem::path& file) const;

 private:
  struct Line {
    std::string name, test_case, fate, message;
    std::set<std::string> clauses;
  };
  std::set<std::string> judged() const;

  std::map<std::string, std::vector<std::string>> clauses_of_;
  std::vector<Line> lines_;
  std::set<std::string> broken_, survived_;
  std::map<std::string, std::set<std::string>> by_rules_alone_;
  std::size_t killed_ = 0, not_applicable_ = 0;
};

}  // namespace tsih::mutants
