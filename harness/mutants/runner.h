// One case through one mutant: whether it noticed, and by which clauses.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/mutants/table.h"
#include "harness/suite/processes.h"

namespace tsih::mutants {

/// The programs that take part: ours, found beside the one that runs, unless tests say otherwise.
struct Programs {
  std::string conform;
  std::string tsihd;
  std::string provoke;  ///< of tools/provoke-tsihd; empty: nothing is provoked
  std::string judge;    ///< for the clauses of its rules; empty: they are not counted
};

/// Where good targets are: one at an address, or tsihd of our own, started when first asked for
/// and ended with this object.
class GoodTargets {
 public:
  explicit GoodTargets(Programs programs);
  /// At iscsi://HOST:PORT/NAME/LUN; it is plain, and nothing else is there.
  GoodTargets(Programs programs, Endpoint at, std::string name, unsigned lun);

  bool has(Target target) const { return !address_ || target == Target::plain; }
  /// Throws std::runtime_error when tsihd does not start.
  Endpoint endpoint(Target target);
  const std::string& name() const { return name_; }
  unsigned lun() const { return lun_; }
  /// What tsih-conform has to be told beside the address.
  std::vector<std::string> options(Target target) const;
  const Programs& programs() const { return programs_; }

 private:
  std::string socket_of(Target target) const;

  Programs programs_;
  std::optional<Endpoint> address_;
  std::string name_;
  unsigned lun_ = 0;
  struct Started {
    std::unique_ptr<suite::Server> server;
    Endpoint endpoint;
  };
  std::map<Target, Started> started_;
};

/// One run of tsih-conform.
struct Run {
  int exit_status = 0;
  std::string output;
  struct Finding {
    std::string test_case, clause, verdict, message;
  };
  std::vector<Finding> findings;
  std::map<std::string, std::vector<std::string>> clauses_of;  ///< every case's, by its name
};
/// Through a proxy with this mutant, with these options more.
Run conform(GoodTargets& targets, Target target, const Mutant& mutant,
            const std::vector<std::string>& more);

enum class Fate : std::uint8_t {
  killed,          ///< the case reports a violation or a warning
  survived,        ///< it does not
  not_applicable,  ///< no such target here, or the case does not pass on the good one
};

struct Outcome {
  Fate fate = Fate::survived;
  std::set<std::string> clauses;  ///< that were found broken
  std::string message;            ///< what the case said
};
/// The clauses that the passive judge has rules for, and the names of those. Empty when there is no
/// judge.
std::map<std::string, std::set<std::string>> rules_of_clauses(const Programs& programs);

Outcome try_mutant(GoodTargets& targets, const Entry& entry);

}  // namespace tsih::mutants
