#include "harness/judge/outcome.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

namespace tsih::judge {
namespace {

// What all rules of a clause came to for a party.
struct Sum {
  std::uint64_t kept = 0, broken = 0, broken_by_7143 = 0, unseen = 0;
  std::vector<std::string> broken_rules, kept_rules;
  std::vector<Breach> breaches;
};

using Sums = std::map<std::pair<std::string_view, std::size_t>, Sum>;

Sums sum_up(const Report& report) {
  Sums sums;
  const auto rules = all_rules();
  for (std::size_t i = 0; i < rules.size(); ++i)
    for (std::size_t party : {0u, 1u}) {
      const Tally& tally = report.tallies[i][party];
      if (tally.kept + tally.broken + tally.unseen == 0) continue;
      for (std::string_view clause : rules[i].clauses) {
        if (clause.empty()) break;
        Sum& sum = sums[{clause, party}];
        sum.kept += tally.kept;
        sum.broken += tally.broken;
        sum.broken_by_7143 += tally.broken_by_7143;
        sum.unseen += tally.unseen;
        auto& names = tally.broken ? sum.broken_rules : sum.kept_rules;
        names.emplace_back(rules[i].name);
        sum.breaches.insert(sum.breaches.end(), tally.first_breaches.begin(),
                            tally.first_breaches.end());
      }
    }
  return sums;
}

// A rule may look at both parties where a clause of it binds one.
bool binds(const catalogue::Catalogue& catalogue, std::string_view id, std::size_t party) {
  const catalogue::Clause* clause = catalogue.find(id);
  if (!clause || clause->party == catalogue::Party::both) return true;
  return (clause->party == catalogue::Party::initiator) == (party == side(From::initiator));
}

bool is_should(const catalogue::Catalogue& catalogue, std::string_view id) {
  const catalogue::Clause* clause = catalogue.find(id);
  return clause &&
         (clause->level == catalogue::Level::should ||
          clause->level == catalogue::Level::should_not || clause->level == catalogue::Level::may);
}

std::string message_of(const Finding& finding, const Sum& sum) {
  if (finding.verdict == Verdict::pass) return fmt::format("kept {} times", sum.kept);
  if (finding.verdict == Verdict::inconclusive)
    return fmt::format("the capture does not show enough to judge the {} PDUs concerned",
                       sum.unseen);
  const Breach& first = sum.breaches.front();
  return fmt::format("{}, {} of {} times; first {}", first.words, sum.broken, sum.broken + sum.kept,
                     first.connection);
}

}  // namespace

std::string_view name(Verdict verdict) {
  static constexpr std::string_view kNames[] = {"pass", "warning", "violation", "inconclusive"};
  return kNames[static_cast<std::size_t>(verdict)];
}

std::vector<Finding> findings_of(const Report& report, const catalogue::Catalogue& catalogue,
                                 const Systems& systems) {
  std::vector<Finding> findings;
  for (auto& [key, sum] : sum_up(report)) {
    if (!binds(catalogue, key.first, key.second)) continue;
    Finding finding;
    finding.clause = key.first;
    finding.party = key.second == 0 ? From::initiator : From::target;
    finding.system = key.second == 0 ? systems.initiator : systems.target;
    finding.peer = key.second == 0 ? systems.target : systems.initiator;
    finding.kept = sum.kept;
    finding.broken = sum.broken;
    finding.broken_by_7143 = sum.broken_by_7143;
    finding.verdict =
        sum.broken ? (is_should(catalogue, key.first) ? Verdict::warning : Verdict::violation)
        : sum.kept ? Verdict::pass
                   : Verdict::inconclusive;
    finding.breaches = sum.breaches;
    std::ranges::sort(finding.breaches, {}, &Breach::frame);
    if (!finding.breaches.empty()) finding.frame = finding.breaches.front().frame;
    finding.rules = sum.broken ? sum.broken_rules : sum.kept_rules;
    finding.message = message_of(finding, sum);
    findings.push_back(std::move(finding));
  }
  return findings;
}

Counts count(const std::vector<Finding>& findings) {
  Counts counts;
  for (const Finding& finding : findings) {
    counts.passes += finding.verdict == Verdict::pass;
    counts.violations += finding.verdict == Verdict::violation;
    counts.warnings += finding.verdict == Verdict::warning;
    counts.inconclusive += finding.verdict == Verdict::inconclusive;
  }
  return counts;
}

void print_rules() {
  static constexpr std::string_view kParties[] = {"initiator", "target", "both"};
  for (const Rule& rule : all_rules()) {
    const auto end = std::ranges::find(rule.clauses, std::string_view());
    fmt::print("{:<34} {:<10} {}\n", rule.name, kParties[static_cast<std::size_t>(rule.party)],
               fmt::join(rule.clauses.begin(), end, " "));
  }
}

void print_findings(const std::vector<Finding>& findings, bool all) {
  for (const Finding& finding : findings) {
    const bool broken = !finding.breaches.empty();
    if (!broken && !all) continue;
    fmt::print("{:<12} {:<18} {:<12} {}\n", name(finding.verdict), finding.clause, finding.system,
               broken ? fmt::format("frame {}: {} [{}]", finding.frame, finding.message,
                                    fmt::join(finding.rules, " "))
                      : finding.message);
  }
}

void print_summary(const Report& report, const std::vector<Finding>& findings) {
  const Counts counts = count(findings);
  const auto late =
      std::ranges::count_if(report.connections, [](const auto& one) { return !one.from_start; });
  const auto holes = std::ranges::count_if(report.connections,
                                           [](const auto& one) { return one.missing_bytes > 0; });
  fmt::print(
      "{} frames, {} iSCSI connections, {} PDUs: {} clauses kept, {} violated, {} warnings, "
      "{} inconclusive\n",
      report.frames, report.connections_seen, report.pdus, counts.passes, counts.violations,
      counts.warnings, counts.inconclusive);
  const auto note = [](std::uint64_t number, std::string_view words) {
    if (number > 0) fmt::print("not seen: {} {}\n", number, words);
  };
  note(static_cast<std::uint64_t>(late), "connections began before the capture");
  note(static_cast<std::uint64_t>(holes), "connections with bytes that the capture lacks");
  note(report.cut_frames, "frames were captured only in part");
  note(report.fragments, "IP fragments were not put together");
  note(report.unknown_links, "frames of an unknown link type");
  note(report.not_followed, "connections beyond the number followed at a time");
  if (!report.broken_off.empty())
    fmt::print("not seen: the rest of the file: {}\n", report.broken_off);
}

}  // namespace tsih::judge
