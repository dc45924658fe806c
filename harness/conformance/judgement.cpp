#include "harness/conformance/judgement.h"

namespace tsih::conformance {

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::violation:
      return "violation";
    case Verdict::warning:
      return "warning";
    case Verdict::unsupported:
      return "unsupported";
    case Verdict::inconclusive:
      return "inconclusive";
    case Verdict::error:
      break;
  }
  return "error";
}

void Transcript::add(wire::Rung rung) {
  if (lines_.size() >= kLimitLines) return;
  rung.t_ms = std::chrono::duration<double, std::milli>(Clock::now() - start_).count();
  lines_.push_back(wire::ladder_line(rung));
}

CaseContext::CaseContext(const Settings& the_settings, const Probe& the_probe,
                         std::uint64_t case_seed)
    : settings(the_settings),
      probe(the_probe),
      random(case_seed),
      deadline(Clock::now() + std::chrono::milliseconds(4 * the_settings.timeout_ms)) {}

void CaseContext::confirm(const std::string& actual) {
  outcomes[clause] = {Verdict::pass, actual, transcript.lines().size()};
}

void CaseContext::fail(std::string expected, std::string actual) {
  throw Broken{std::move(expected), std::move(actual)};
}

}  // namespace tsih::conformance
