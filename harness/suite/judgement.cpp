#include "harness/suite/judgement.h"

#include <algorithm>

namespace tsih::suite {

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

CaseRecord::CaseRecord(int the_timeout_ms, std::uint64_t case_seed)
    : timeout_ms(the_timeout_ms),
      random(case_seed),
      deadline(Clock::now() + std::chrono::milliseconds(4 * the_timeout_ms)) {}

void CaseRecord::confirm(const std::string& actual) {
  const Outcome outcome{Verdict::pass, actual, transcript.lines().size()};
  outcomes[clause] = outcome;
  for (const std::string& other : with_it) outcomes[other] = outcome;
}

void CaseRecord::fail(std::string expected, std::string actual) {
  throw Broken{std::move(expected), std::move(actual)};
}

Clock::time_point CaseRecord::soon() const {
  return std::min(deadline, Clock::now() + std::chrono::milliseconds(timeout_ms));
}

}  // namespace tsih::suite
