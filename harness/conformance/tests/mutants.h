// A case that cannot fail is a defect: tsihd is made to break one rule by a proxy, and the case has
// to say so. Here are the targets, the run of a case through a mutant, and the ways to break rules.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/conformance/tests/mutating_proxy.h"
#include "harness/wire/field.h"
#include "harness/wire/pdu.h"

namespace tsih::conformance::testing {

// Ports of tsihd with a disk in memory, started once for the whole program.
std::uint16_t plain_target();
std::uint16_t target_with_chap();         ///< user judge, secret a-secret-of-16-b
std::uint16_t target_with_mutual_chap();  ///< the same; it is target, secret another-secret-16
std::uint16_t target_that_pings();        ///< an idle initiator, each second
std::uint16_t target_without_recovery();  ///< ErrorRecoveryLevel 0

/// One run of tsih-conform.
struct Run {
  int exit_status = 0;
  std::string output;
  std::vector<nlohmann::json> findings;
};
Run judge(std::uint16_t port, const std::vector<std::string>& more);

/// A case, and what it has to notice.
struct Row {
  const char* test_case;
  Mutant mutant;
};
/// Fails the test at hand unless the case reports a violation (or a warning) on the mutant.
void must_fail(const Row& row, std::uint16_t target_port,
               const std::vector<std::string>& more = {});
void must_pass(const Row& row, std::uint16_t target_port);

// ---- ways to break a rule ---------------------------------------------------------------------

/// PDUs of one kind, changed, multiplied or held back.
Mutation only(wire::Opcode opcode,
              const std::function<std::vector<wire::Pdu>(wire::Pdu, const Passing&)>& change);
Mutation setting(wire::Opcode opcode, wire::Field where, std::uint64_t value);
Mutation adding(wire::Opcode opcode, wire::Field where, std::int64_t value);
Mutation with_data(wire::Opcode opcode, const std::function<void(wire::Bytes&)>& change);
/// The target's text with one key changed: a value, or without the key when there is none.
Mutation with_key(const std::string& key, const std::optional<std::string>& value);
/// Login goes on whatever the target says against it.
Mutation login_always_succeeds();
/// A login that fails does so with another status.
Mutation failing_with(std::uint16_t status);
/// One way to break a rule on top of another.
Mutation both(const Mutation& first, const Mutation& second);
/// Only from this connection on: 1 is the first look at the target, 2 the first one of the case.
Mutation from_connection(unsigned first, const Mutation& mutation);
/// The target as it is, for what else a Mutant can do.
Mutation unchanged();
/// A Reject becomes something else.
Mutation instead_of_reject(wire::Opcode opcode);
/// Before it answers a ping, the target says GOOD to the last SCSI command (nth_last 1), or to the
/// one before it.
Mutation good_before_pong(std::size_t nth_last = 1);
/// Once a write was sent, every SCSI Response becomes this status, with no sense data, and no
/// Reject is seen.
Mutation write_status(std::uint8_t status);
/// No Data-In is shorter than this.
Mutation long_data_in(std::size_t bytes);

}  // namespace tsih::conformance::testing
