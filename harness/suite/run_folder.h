// What a run leaves behind: run.json, findings.jsonl and one ladder a case, as
// harness/driver/RUN_FOLDER.md describes. Findings are written as they are made.
#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "harness/suite/judgement.h"

namespace tsih::suite {

struct Finding {
  std::string clause;
  Verdict verdict = Verdict::error;
  std::string message;
  std::size_t line = 0;  ///< of the case's ladder; 0 = no evidence
};

/// A case with everything that came of it.
struct CaseResult {
  std::string name;
  std::string description;
  Verdict verdict = Verdict::error;  ///< the gravest of its findings
  std::vector<Finding> findings;
  std::vector<std::string> ladder;
  double duration_ms = 0;
};

/// Who is judged, by what, and how it is done again.
struct RunFacts {
  std::string party;        ///< "target" or "initiator"
  std::string system;       ///< tsihd, libiscsi, ...
  std::string judged_with;  ///< the target's URL, or the initiator's command; no secret in it
  std::string command;      ///< that runs it again
  std::uint64_t seed = 1;
  /// "mutants" judge the suite and no system: `system` is empty then.
  std::string what = "conformance";
};

class RunFolder {
 public:
  /// Makes the folder. Throws std::filesystem::filesystem_error or std::runtime_error with the
  /// path.
  RunFolder(std::filesystem::path folder, RunFacts facts);

  void add(const CaseResult& result);
  /// cases/<name>.ladder.jsonl; nothing when there is no line.
  void add_ladder(const std::string& name, const std::vector<std::string>& lines);
  void finish(int exit_status);
  const std::filesystem::path& path() const { return folder_; }

 private:
  void write_run_json(int exit_status, bool ended);

  std::filesystem::path folder_;
  RunFacts facts_;
  std::string started_;
  std::ofstream findings_;
};

/// JUnit's XML, which CI systems read. Throws std::runtime_error when the file cannot be written.
void write_junit(const std::filesystem::path& file, const std::string& system,
                 const std::vector<CaseResult>& results);

/// 20260301T101500Z when compact, else 2026-03-01T10:15:00Z.
std::string utc_now(bool compact);

/// "Debian GNU/Linux 12 (bookworm)", for the host's entry in run.json.
std::string os_name();

}  // namespace tsih::suite
