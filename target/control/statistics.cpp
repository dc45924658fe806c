#include "target/control/statistics.h"

#include <fmt/format.h>

#include <array>

namespace tsihd::control {
namespace {

using session::Counters;

struct NamedCounter {
  const char* name;
  std::uint64_t Counters::*member;
};

constexpr auto kCounters = std::to_array<NamedCounter>({
    {"connections_accepted", &Counters::connections_accepted},
    {"connections_refused", &Counters::connections_refused},
    {"logins_succeeded", &Counters::logins_succeeded},
    {"logins_failed", &Counters::logins_failed},
    {"logins_timed_out", &Counters::logins_timed_out},
    {"logouts", &Counters::logouts},
    {"session_reinstatements", &Counters::session_reinstatements},
    {"connection_reinstatements", &Counters::connection_reinstatements},
    {"sessions_dropped", &Counters::sessions_dropped},
    {"keepalive_timeouts", &Counters::keepalive_timeouts},
    {"output_stalls", &Counters::output_stalls},
    {"pdus_received", &Counters::pdus_received},
    {"pdus_sent", &Counters::pdus_sent},
    {"bytes_received", &Counters::bytes_received},
    {"bytes_sent", &Counters::bytes_sent},
    {"commands", &Counters::commands},
    {"data_in_bytes", &Counters::data_in_bytes},
    {"data_out_bytes", &Counters::data_out_bytes},
    {"r2ts", &Counters::r2ts},
    {"recovery_r2ts", &Counters::recovery_r2ts},
    {"snacks", &Counters::snacks},
    {"tasks_reassigned", &Counters::tasks_reassigned},
    {"task_management", &Counters::task_management},
    {"tasks_aborted", &Counters::tasks_aborted},
    {"header_digest_errors", &Counters::header_digest_errors},
    {"data_digest_errors", &Counters::data_digest_errors},
    {"protocol_errors", &Counters::protocol_errors},
    {"rejects_sent", &Counters::rejects_sent},
    {"commands_ignored", &Counters::commands_ignored},
    {"data_discarded_bytes", &Counters::data_discarded_bytes},
    {"waits_for_memory", &Counters::waits_for_memory},
    {"guard_probes", &Counters::guard_probes},
    {"guard_admitted", &Counters::guard_admitted},
    {"guard_refused", &Counters::guard_refused},
    {"guard_takeovers", &Counters::guard_takeovers},
    {"guard_fenced", &Counters::guard_fenced},
    {"guard_fence_refused", &Counters::guard_fence_refused},
    {"guard_waited", &Counters::guard_waited},
    {"guard_unfenced", &Counters::guard_unfenced},
    {"limit_connections", &Counters::limit_connections},
    {"limit_logins_in_progress", &Counters::limit_logins_in_progress},
    {"limit_sessions", &Counters::limit_sessions},
    {"limit_login_exchanges", &Counters::limit_login_exchanges},
    {"limit_login_text", &Counters::limit_login_text},
    {"limit_login_keys", &Counters::limit_login_keys},
    {"limit_text", &Counters::limit_text},
});
static_assert((kCounters.size() + session::kLoginRefusals.size()) * sizeof(std::uint64_t) ==
                  sizeof(Counters),
              "every counter is shown: add the new one to this list");

}  // namespace

std::vector<std::pair<std::string, std::uint64_t>> named_counters(const Counters& counters) {
  std::vector<std::pair<std::string, std::uint64_t>> named;
  for (const NamedCounter& counter : kCounters)
    named.emplace_back(counter.name, counters.*counter.member);
  for (std::size_t i = 0; i < session::kLoginRefusals.size(); ++i) {
    const auto& [status, name] = session::kLoginRefusals[i];
    named.emplace_back(fmt::format("logins_refused_{:04x}_{}", status, name),
                       counters.logins_refused[i]);
  }
  return named;
}

}  // namespace tsihd::control
