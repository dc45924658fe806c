// What the session layer counts. Plain integers: one event loop's thread writes and reads them.
#pragma once

#include <array>
#include <cstdint>

#include "target/session/login_status.h"

namespace tsihd::session {

struct Counters {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;  ///< closed at accept: a limit was reached
  std::uint64_t logins_succeeded = 0;
  std::uint64_t logins_failed = 0;  ///< redirected ones are not among them
  std::uint64_t logins_timed_out = 0;
  /// Logins that ended with a status other than success, in the order of kLoginRefusals.
  std::array<std::uint64_t, kLoginRefusals.size()> logins_refused{};
  std::uint64_t logouts = 0;
  std::uint64_t session_reinstatements = 0;
  std::uint64_t connection_reinstatements = 0;
  std::uint64_t sessions_dropped = 0;  ///< ended without a logout
  std::uint64_t keepalive_timeouts = 0;
  std::uint64_t output_stalls = 0;

  std::uint64_t pdus_received = 0;
  std::uint64_t pdus_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t commands = 0;
  std::uint64_t data_in_bytes = 0;
  std::uint64_t data_out_bytes = 0;
  std::uint64_t r2ts = 0;
  std::uint64_t recovery_r2ts = 0;  ///< sequences of Data-Out asked for again
  std::uint64_t snacks = 0;
  std::uint64_t tasks_reassigned = 0;
  std::uint64_t task_management = 0;
  std::uint64_t tasks_aborted = 0;

  std::uint64_t header_digest_errors = 0;
  std::uint64_t data_digest_errors = 0;
  std::uint64_t protocol_errors = 0;
  std::uint64_t rejects_sent = 0;
  std::uint64_t commands_ignored = 0;      ///< outside the CmdSN window, or duplicates
  std::uint64_t data_discarded_bytes = 0;  ///< for tasks that had ended
  std::uint64_t waits_for_memory = 0;

  // The session guard's decisions.
  std::uint64_t guard_probes = 0;         ///< incumbents pinged
  std::uint64_t guard_admitted = 0;       ///< a place was free
  std::uint64_t guard_refused = 0;        ///< the incumbent was alive, or the limit reached
  std::uint64_t guard_takeovers = 0;      ///< a silent incumbent was logged out
  std::uint64_t guard_fenced = 0;         ///< a living incumbent was logged out and fenced
  std::uint64_t guard_fence_refused = 0;  ///< logins of fenced machines
  std::uint64_t guard_waited = 0;         ///< newcomers queued behind another's decision
  std::uint64_t guard_unfenced = 0;       ///< fences lifted by hand

  // Bounds that peers ran into (limits.h, login.h, negotiation_text.h).
  std::uint64_t limit_connections = 0;
  std::uint64_t limit_logins_in_progress = 0;
  std::uint64_t limit_sessions = 0;
  std::uint64_t limit_login_exchanges = 0;
  std::uint64_t limit_login_text = 0;
  std::uint64_t limit_login_keys = 0;
  std::uint64_t limit_text = 0;  ///< Text Requests in full feature phase: bytes, keys or requests

  /// A login has ended without success. A status that is none of 10.13.5's counts as failed only.
  void login_failed(std::uint16_t status, LoginLimit limit);
};

}  // namespace tsihd::session
