// What the cases of error recovery above level 0 share (RFC 3720 6.1 to 6.8): a read that is served
// in pieces of 512 bytes, some of which get lost.
#pragma once

#include <algorithm>
#include <span>
#include <string>

#include "harness/initiators/cases/common.h"

namespace tsih::initiators {

inline constexpr std::uint32_t kPiece = 512;
inline constexpr std::uint8_t kDataSnack = 0, kStatusSnack = 1, kDataAck = 2, kRDataSnack = 3;

inline const Want snack_request = request(Opcode::snack_request);

class Recovery : public Trial {
 protected:
  using Trial::Trial;

  /// The READ of an initiator that goes along with this level. Unsupported when it does not.
  Taken begin_read(const char* action, unsigned level = 1) {
    wish("ErrorRecoveryLevel", std::to_string(level));
    start(action);
    const Taken taken = serve_until(read_command());
    offered(taken.peer.agreed("ErrorRecoveryLevel", 0) >= level,
            fmt::format("ErrorRecoveryLevel={}", level));
    return taken;
  }

  /// The piece of this number; a read that is served in pieces of 512 bytes.
  Pdu piece(const Taken& read, std::uint32_t data_sn) {
    const Bytes data = read.peer.data_of(read.pdu);
    const std::uint32_t at = data_sn * kPiece;
    offered(data.size() >= at + kPiece, fmt::format("a read of {} bytes", at + kPiece));
    return read.peer.data_in(read.pdu, std::span(data).subspan(at, kPiece), data_sn, at, false);
  }
  void send_piece(const Taken& read, std::uint32_t data_sn) {
    read.peer.send(piece(read, data_sn));
  }
  /// The same with A and a transfer tag to answer it with.
  void send_with_a(const Taken& read, std::uint32_t data_sn, std::uint32_t tag) {
    read.peer.send(
        piece(read, data_sn).set(field::acknowledge, 1).set(field::target_transfer_tag, tag));
  }
  /// All after these pieces, and the status.
  void send_rest(const Taken& read, std::uint32_t from) {
    read.peer.serve_read(read.pdu, from, from * kPiece);
  }

  /// The SNACK that the A bit before asked for; a ping is answered after it.
  Pdu expect_acknowledgement(Peer& peer) {
    const auto before = up_to_pong(peer);
    const auto ack =
        std::ranges::find_if(before, [](const Pdu& pdu) { return pdu.is(Opcode::snack_request); });
    verify(ack != before.end(), "a SNACK Request", "none before the answer to a ping");
    return *ack;
  }

  void verify_run(const Pdu& snack, std::uint8_t type, std::uint32_t from, std::uint32_t count) {
    verify_equal("SNACK type", type, snack[field::snack_type]);
    verify_equal("BegRun", from, snack[field::beg_run]);
    verify_equal("RunLength", count, snack[field::run_length]);
  }
};

}  // namespace tsih::initiators

#define TSIH_RECOVERY_TRIAL(case_name, description_text, ...) \
  TSIH_SUITE_CASE(::tsih::initiators::Recovery, case_name, description_text, __VA_ARGS__)
