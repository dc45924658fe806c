// tsih-judge: what a capture says about both parties, by RFC 3720.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "harness/judge/judge.h"
#include "harness/judge/outcome.h"
#include "harness/judge/run_folder.h"

namespace {

using namespace tsih::judge;

constexpr int kExitKept = 0;
constexpr int kExitViolated = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInconclusive = 3;

/// A file in memory for as long as this lives.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (fd < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
      error_ = fmt::format("{}: expected a file that can be read", path);
    } else if (about.st_size > 0) {
      bytes_ = static_cast<std::size_t>(about.st_size);
      at_ = mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, fd, 0);
      if (at_ == MAP_FAILED) error_ = fmt::format("{}: cannot be mapped into memory", path);
    }
    if (fd >= 0) close(fd);
  }
  ~MappedFile() {
    if (at_ != MAP_FAILED) munmap(at_, bytes_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  const std::string& error() const { return error_; }
  std::span<const std::uint8_t> view() const {
    if (at_ == MAP_FAILED) return {};
    return {static_cast<const std::uint8_t*>(at_), bytes_};
  }

 private:
  void* at_ = MAP_FAILED;
  std::size_t bytes_ = 0;
  std::string error_;
};

struct Arguments {
  std::string file;
  std::vector<std::uint16_t> ports{3260, 860};
  Systems systems;
  std::string out;
  bool json = false;
  bool strict = false;
  bool rules = false;
  bool all = false;
};

int fail(const std::string& line) {
  fmt::print(stderr, "tsih-judge: {}\n", line);
  return kExitUsage;
}

int judge_file(const Arguments& arguments, const tsih::catalogue::Catalogue& catalogue) {
  const MappedFile file(arguments.file);
  if (!file.error().empty()) return fail(file.error());
  const auto report = judge_capture(file.view(), {arguments.ports.begin(), arguments.ports.end()});
  if (!report) return fail(fmt::format("{}: {}", arguments.file, report.error()));
  const auto findings = findings_of(*report, catalogue, arguments.systems);
  if (arguments.json) {
    for (const Finding& finding : findings)
      fmt::print("{}\n", json_line(finding, arguments.file, false));
  } else {
    print_findings(findings, arguments.all);
    print_summary(*report, findings);
  }
  const Counts counts = count(findings);
  int exit_status = report->pdus == 0 ? kExitInconclusive : kExitKept;
  if (counts.violations || (arguments.strict && counts.warnings)) exit_status = kExitViolated;
  if (arguments.out.empty()) return exit_status;
  try {
    write_run_folder(arguments.out, arguments.file, findings, arguments.systems,
                     "tsih judge " + arguments.file, exit_status);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
  if (!arguments.json) fmt::print("findings: {}\n", arguments.out);
  return exit_status;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Judges both parties of the iSCSI connections in a capture, clause by clause."};
  app.name("tsih judge");
  app.add_option("CAPTURE", arguments.file, "pcap or pcapng");
  app.add_flag("--rules", arguments.rules, "list the rules with their clauses, and end");
  app.add_flag("--all", arguments.all, "show clauses that were kept, too");
  app.add_flag("--strict", arguments.strict, "a broken SHOULD fails as well");
  app.add_flag("--json", arguments.json,
               "one JSON object a finding, and nothing else; with --rules a list");
  app.add_option("--out", arguments.out,
                 "a run folder for tsih report, with a copy of the capture");
  app.add_option("--target", arguments.systems.target, "name of the target's system");
  app.add_option("--initiator", arguments.systems.initiator, "name of the initiators' system");
  app.add_option("--port", arguments.ports,
                 "ports of targets, for connections whose login is not in the capture (3260, 860)")
      ->expected(1, 16);
  app.footer(
      "Exit status: 0 no violation, 1 violations, 2 usage or no capture,\n"
      "3 nothing of iSCSI could be judged.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return fail(fmt::format("{}; tsih judge --help shows the options", error.what()));
  }
  const auto catalogue = tsih::catalogue::Catalogue::load(tsih::catalogue::built_in_sources());
  if (!catalogue) return fail(catalogue.error());
  if (arguments.rules) {
    if (arguments.json)
      fmt::print("{}\n", rules_json());
    else
      print_rules();
    return kExitKept;
  }
  if (arguments.file.empty()) return fail("expected a capture; tsih judge FILE.pcapng");
  return judge_file(arguments, *catalogue);
}
