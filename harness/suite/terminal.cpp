#include "harness/suite/terminal.h"

#include <fmt/color.h>
#include <fmt/format.h>

#include <cstdio>
#include <set>

namespace tsih::suite {
namespace {

fmt::text_style style_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return fg(fmt::terminal_color::green);
    case Verdict::violation:
      return fg(fmt::terminal_color::red) | fmt::emphasis::bold;
    case Verdict::error:
      return fg(fmt::terminal_color::magenta) | fmt::emphasis::bold;
    case Verdict::warning:
      return fg(fmt::terminal_color::yellow);
    default:
      return fg(fmt::terminal_color::cyan);
  }
}

}  // namespace

std::string shell_quoted(const std::string& word) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=%@,[]+";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

void print_result(const CaseResult& result, bool colour, const Rulings& rulings) {
  std::string clauses;
  for (const Finding& finding : result.findings)
    clauses += (clauses.empty() ? "" : " ") + finding.clause;
  const std::string verdict = fmt::format("{:<12}", name(result.verdict));
  fmt::print("{} {:<46} {} {:.1f} ms\n",
             colour ? fmt::format(style_of(result.verdict), "{}", verdict) : verdict, result.name,
             clauses, result.duration_ms);
  if (result.verdict != Verdict::pass) {
    std::set<std::string> said;
    for (const Finding& finding : result.findings)
      if (finding.verdict == result.verdict && said.insert(finding.message).second) {
        fmt::print("             {}: {}\n", finding.clause, finding.message);
        if (const Ruling* ruling = rulings.describing(result.name, finding))
          fmt::print("             as ruled: {}\n", ruling->reason);
      }
  }
  std::fflush(stdout);
}

std::map<Verdict, int> print_counts(const std::vector<CaseResult>& results,
                                    const std::filesystem::path& folder, const Rulings& rulings) {
  std::map<Verdict, int> counts, expected;
  for (const CaseResult& result : results)
    ++(rulings.expect(result) ? expected : counts)[result.verdict];
  fmt::print("\n{} cases:", results.size());
  for (Verdict verdict : {Verdict::pass, Verdict::violation, Verdict::warning, Verdict::unsupported,
                          Verdict::inconclusive, Verdict::error})
    if (counts[verdict]) fmt::print(" {} {}", counts[verdict], name(verdict));
  for (Verdict verdict : {Verdict::violation, Verdict::warning})
    if (expected[verdict]) fmt::print(" {} {} as ruled", expected[verdict], name(verdict));
  for (const std::string& line : rulings.surprises(results))
    fmt::print("\notherwise than ruled: {}", line);
  fmt::print("\nfindings: {}\n", folder.string());
  return counts;
}

const CaseResult* first_failed(const std::vector<CaseResult>& results, bool strict,
                               const Rulings& rulings) {
  for (const CaseResult& result : results) {
    if (rulings.expect(result)) continue;
    if (result.verdict == Verdict::violation || result.verdict == Verdict::error ||
        (result.verdict == Verdict::warning && strict))
      return &result;
  }
  return nullptr;
}

}  // namespace tsih::suite
