// The mutants: each a way to make a good target break one rule, and the case that has to notice. A
// case that cannot fail is a defect.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "harness/mutants/proxy.h"

namespace tsih::mutants {

/// What the good target has to be like.
enum class Target : std::uint8_t {
  plain,             ///< lets everybody in; no pings of its own
  chap,              ///< asks for CHAP
  mutual_chap,       ///< and proves itself as well
  pinging,           ///< pings an idle initiator each second
  without_recovery,  ///< ErrorRecoveryLevel 0
  provoked,          ///< sends Asynchronous Messages when it is told to
};

/// A case, and what it has to notice: by its name how this target breaks the rule, and the way it
/// does.
struct Row {
  const char* test_case;
  const char* breach;  ///< another one for each mutant of a case
  Mutant mutant;
};

struct Entry {
  std::string name;  ///< "nop.ping_is_answered/tag_in_the_answer": the case, and the breach
  std::string test_case;
  Target target = Target::plain;
  Mutant mutant;
};

class Table {
 public:
  void add(Target target, const Row& row);
  void add(Target target, std::span<const Row> rows) {
    for (const Row& row : rows) add(target, row);
  }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

/// All mutants. Some count what passes by: a table serves for one run of each.
Table all_mutants();

// Its parts, by what the rules are about.
void add_login_rows(Table& table);
void add_session_rows(Table& table);
void add_scsi_rows(Table& table);
void add_recovery_rows(Table& table);
void add_method_rows(Table& table);
void add_wider_rows(Table& table);
void add_remaining_rows(Table& table);

/// A clause that a case judges and no mutant breaks, or a mutant that survives, and why that is so.
struct Excuse {
  std::string name;  ///< of the clause or of the mutant
  std::string reason;
};
std::span<const Excuse> excuses();

}  // namespace tsih::mutants
