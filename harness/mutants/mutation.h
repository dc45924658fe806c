// Ways in which a proxy makes a good target break one rule; table.h puts them beside the cases that
// have to notice.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/mutants/proxy.h"
#include "harness/wire/field.h"
#include "harness/wire/pdu.h"
#include "harness/wire/text.h"

namespace tsih::mutants {

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
/// The text of Login and Text Responses after a request that bears this key is these keys instead.
Mutation in_reply_to(const std::string& key, const wire::TextKeys& keys);
/// The same, added to what the target says, in Login Responses to requests without T that do not
/// bear the key: a proposal of the target.
Mutation proposing(const std::string& key, const std::string& value);
/// The login ends with this status when the request bears this key.
Mutation refusing(const std::string& key, std::uint16_t status);
/// PDUs of this kind do not arrive.
Mutation dropping(wire::Opcode opcode);
/// The change holds once the connection has seen a request of this kind.
Mutation after(wire::Opcode opcode, const Mutation& change);
/// Before the last Data-In of a read comes a NOP-In that tells the window and bears this data,
/// which it must not.
Mutation telling_the_window(const wire::Bytes& data);
/// No Data-In is shorter than this.
Mutation long_data_in(std::size_t bytes);

}  // namespace tsih::mutants
