// The incremental PDU reader: bytes as they come from a socket in, whole PDUs out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "target/wire/pdu.h"
#include "target/wire/writer.h"

namespace tsihd::wire {

/// Cuts a byte stream into PDUs. A PDU that lies whole in the bytes fed is given out where it lies;
/// only one that a read cut in two is collected in a buffer of the reader's own, each byte copied
/// once, whatever the sizes of the reads.
///
/// Checks: header digest before any length is believed, data digest, DataSegmentLength against the
/// maximum. Memory is taken only for a length that passed, so it stays below 48 + 1020 + the
/// maximum + padding and digests. Does not check: opcode, flags, reserved fields, the AHS chain,
/// padding bytes.
///
///     reader.feed(bytes);
///     for (;;) switch (reader.next(pdu)) { ... case need_more: return; }
class PduReader {
 public:
  enum class Event : std::uint8_t {
    need_more,  ///< all bytes fed are used or kept; feed more
    pdu,        ///< `pdu` holds a PDU; look at data_digest_ok
    /// The header digest does not match: where the next PDU begins is not known, so at
    /// ErrorRecoveryLevel 0 the connection is at its end (6.7). `pdu.header` is what came.
    header_digest_error,
    /// DataSegmentLength is above the maximum; `pdu.header` is set, for a Reject.
    data_segment_too_long,
  };

  /// What a connection reads before anything is negotiated: no digests, 8192 bytes (12.12).
  PduReader() = default;

  /// From the next PDU on; call it between PDUs (after next() gave one, before it is called again).
  void set_digests(Digests digests) { digests_ = digests; }
  void set_max_data_segment_bytes(std::uint32_t bytes) { max_data_segment_bytes_ = bytes; }

  /// Gives the reader what was read. The bytes must stay until next() says need_more; then the
  /// reader has kept what it needs. Never call it while next() still has PDUs to give.
  void feed(std::span<const std::byte> bytes) { input_ = bytes; }

  /// The next PDU, valid until the next call of any member. The two error events are final: they
  /// come again and again.
  Event next(Pdu& pdu);

  /// Room for the bytes that the PDU under way still lacks, or nothing when none is kept: a
  /// scatter read may put them here at once, with what follows going to feed(). After it
  /// commit(n) with what came, n <= space().size(), then feed() and next() as usual.
  std::span<std::byte> space() {
    return kept_bytes_ == 0 ? std::span<std::byte>{}
                            : std::span(kept_.get() + kept_bytes_, kept_wanted_ - kept_bytes_);
  }
  void commit(std::size_t bytes) { kept_bytes_ += bytes; }

  /// What was fed and not yet given out as a PDU or kept: what follows the PDU that next() gave.
  std::span<const std::byte> unread() const { return input_; }

 private:
  /// How far one can see into the PDU that `bytes` begin with.
  struct Extent {
    Event event;            ///< pdu: it is whole; need_more; or an error
    std::size_t bytes = 0;  ///< pdu: its length; need_more: what one needs to go on
  };
  Extent measure(std::span<const std::byte> bytes);
  bool header_digest_matches(std::span<const std::byte> header_and_digest) const;
  Event give(std::span<const std::byte> bytes, Pdu& pdu);
  Event fail(Event event, std::span<const std::byte> bytes, Pdu& pdu);
  void keep(std::span<const std::byte> bytes, std::size_t wanted);

  Digests digests_;
  std::uint32_t max_data_segment_bytes_ = 8192;
  std::span<const std::byte> input_;  ///< fed and not yet used

  std::unique_ptr<std::byte[]> kept_;  ///< the PDU that a read cut in two
  std::size_t kept_capacity_ = 0;
  std::size_t kept_bytes_ = 0;
  std::size_t kept_wanted_ = 0;  ///< how many of it are needed before one can go on
  bool header_checked_ = false;  ///< of the PDU under way: its digest and length are good
  Event failed_ = Event::need_more;
};

}  // namespace tsihd::wire
