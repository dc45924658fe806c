// Words that the cases about several connections and error recovery share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "harness/conformance/cases/common.h"

/// Nothing came before the answer to the ping.
inline bool is_quiet(const Fence& fence) { return fence.answer && fence.before.empty(); }
/// What came instead; "nothing" when nothing did.
std::string words(const Fence& fence);

/// SOME COMMANDS CLEARED BY ISCSI PROTOCOL EVENT, what 6.5 and 10.14.5 want after lost tasks.
inline constexpr Sense kCommandsCleared{0x06, 0x47, 0x7f};

/// A write of one block that waits for all its data.
struct PendingWrite {
  Pdu command;
  Pdu r2t;
};
/// Inconclusive when no R2T for the whole block comes.
PendingWrite start_write(Initiator& initiator, const ScsiCommand& write);
/// The whole block, in one Data-Out.
void send_data(Initiator& initiator, const PendingWrite& write, std::span<const std::uint8_t> data);

/// A read whose status, it is said, never arrived: nothing of it is acknowledged.
struct UnacknowledgedRead {
  Pdu command;
  std::vector<Pdu> data_in;
  Bytes data;
  Pdu status;  ///< the SCSI Response, or the last Data-In
};
UnacknowledgedRead read_unacknowledged(Initiator& initiator, const ScsiCommand& read);

/// What differs, in words, between a PDU and its replica but for the numbers of commands and these
/// fields; empty when nothing does.
std::string difference(const Pdu& original, Pdu replica, std::initializer_list<Field> free_fields);
