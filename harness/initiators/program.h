// The initiator under test: a command that the case starts and is sure to end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/suite/judgement.h"

namespace tsih::initiators {

/// `{url}` and `{action}` in every word replaced.
std::vector<std::string> filled_in(const std::vector<std::string>& words, const std::string& url,
                                   const std::string& action);

/// A program in a process group of its own, which ends with this object (SIGKILL: it is a subject,
/// not a service). What it prints goes to /dev/null; the last of what it complains about is kept.
class Program {
 public:
  /// The first word is looked up in PATH. Throws Inconclusive when no process can be made.
  explicit Program(const std::vector<std::string>& command);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Readable when the program has ended.
  int fd() const { return pidfd_; }
  /// Its exit status once it has ended, 128 + the signal that ended it; nothing while it runs.
  std::optional<int> ended();
  /// The last line of its standard error; empty when there is none.
  std::string last_words();

 private:
  int pid_ = -1;
  int pidfd_ = -1;
  int errors_ = -1;  ///< an unlinked file
  std::optional<int> exit_status_;
};

}  // namespace tsih::initiators
