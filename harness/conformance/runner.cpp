#include "harness/conformance/runner.h"

#include <fmt/format.h>

#include "harness/conformance/case.h"

namespace tsih::conformance {
namespace {

// What Conversation::run_current() needs to know; Boost.Test calls cases without arguments.
struct Judged {
  const Settings* settings = nullptr;
  const Probe* probe = nullptr;
} judged;

}  // namespace

void Conversation::run_current(Maker make) {
  CaseContext context(*judged.settings, *judged.probe, current_seed());
  carry_out(context, [&] {
    const CaseFacts& facts = current_case().facts;
    if (context.settings.read_only && (facts.writes || facts.resets))
      throw Unsupported{"--read-only leaves cases out that write or reset the target"};
    make(context)->converse();
  });
  if (!context.went_silent || given_up()) return;
  try {
    look_at_target(context.settings);
  } catch (const Inconclusive& inconclusive) {
    give_up(fmt::format("the target is gone since {}: {}", current_case().name, inconclusive.why));
  }
}

namespace {

std::uint32_t big32(const wire::Bytes& data, std::size_t at) {
  return static_cast<std::uint32_t>(data[at]) << 24 |
         static_cast<std::uint32_t>(data[at + 1]) << 16 |
         static_cast<std::uint32_t>(data[at + 2]) << 8 | data[at + 3];
}

// No disk is no error here: cases that need one are unsupported then.
Probe look_at_disk(Initiator& initiator) {
  Probe probe;
  try {
    initiator.ready();
    const ScsiCommand read_capacity{.cdb = {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, .read_bytes = 8};
    const Transfer capacity = initiator.transfer(read_capacity);
    if (capacity.good() && capacity.data.size() >= 8) {
      probe.blocks = std::uint64_t{big32(capacity.data, 0)} + 1;
      probe.block_bytes = big32(capacity.data, 4);
      if (probe.block_bytes < 512 || probe.block_bytes > 65536) probe = {};
    }
  } catch (const Inconclusive&) {
    probe = {};
  }
  return probe;
}

}  // namespace

Probe look_at_target(const Settings& settings, std::vector<std::string>* ladder) {
  const Probe nothing;
  CaseContext context(settings, nothing, settings.seed);
  const auto keep_ladder = [&] {
    if (ladder) *ladder = context.transcript.lines();
  };
  try {
    Initiator initiator(context);
    initiator.log_in();
    if (!initiator.fence().answer)
      throw Inconclusive{"the target closed the connection after the login"};
    const Probe probe = look_at_disk(initiator);
    keep_ladder();
    return probe;
  } catch (const Inconclusive&) {
    keep_ladder();
    throw;
  }
}

std::vector<CaseResult> run_cases_against(const Settings& settings, const Probe& probe,
                                          const std::vector<CaseEntry>& cases, const Plan& plan) {
  judged = {&settings, &probe};
  return run_cases(cases, plan);
}

}  // namespace tsih::conformance
