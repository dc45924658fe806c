// PDUs out of one direction of a connection, without copying the data of reads and writes. Knows
// where it is not: after lost bytes it finds PDUs again only at the beginning of a TCP segment, and
// believes it only when more than one header in a row makes sense.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "harness/judge/markers.h"
#include "harness/judge/tcp_flow.h"
#include "harness/wire/pdu.h"

namespace tsih::judge {

/// A PDU as the capture shows it. Its data is kept only for PDUs whose data is looked into.
struct SeenPdu {
  wire::Pdu pdu;
  std::uint32_t data_bytes = 0;  ///< DataSegmentLength
  bool data_kept = false;        ///< pdu.data is the whole data segment
  bool data_complete = true;     ///< no byte of it is missing in the capture
  bool has_header_digest = false;
  bool has_data_digest = false;  ///< and it could be checked
  /// CRC32C of data and padding, where somebody asked for it and no byte is missing.
  std::optional<std::uint32_t> data_crc;
  unsigned markers = 0;        ///< that point to this PDU
  std::string marker_problem;  ///< what is wrong with them
  bool markers_in_data = false;
  bool digest_covers_markers = false;  ///< the data digest is that of the data with its markers
  Place place;                         ///< of its last byte
};

class PduSink {
 public:
  virtual ~PduSink() = default;
  virtual void on_pdu(SeenPdu& seen) = 0;
  /// Bytes are missing. `synchronised`: they were all data of one PDU, which still comes.
  virtual void on_hole(std::size_t bytes, bool synchronised, const Place& place) = 0;
  /// Whether these 48 bytes can be the header of a PDU here; asked only where PDUs are looked for.
  virtual bool is_plausible(const wire::Pdu& header) const = 0;
};

class Framer : public ByteSink {
 public:
  static constexpr std::size_t kLimitKeptBytes = 256u << 10;
  /// Headers that must make sense before PDUs count again.
  static constexpr unsigned kHeadersToTrust = 2;

  explicit Framer(PduSink& sink) : sink_(sink) {}
  /// Nobody saw the login: the bytes themselves will tell whether there are digests.
  void begin_in_the_middle();
  void set_digests(bool header, bool data);
  /// From now on the sum of the data is told, whether there is a data digest or not.
  void set_data_summed(bool on) { sums_data_ = on; }
  /// From the next PDU on there are markers in the stream.
  void use_markers(std::uint32_t interval_bytes) { marker_interval_bytes_ = interval_bytes; }
  bool has_header_digest() const { return header_digest_.value_or(false); }
  bool has_data_digest() const { return data_digest_.value_or(false); }
  bool synchronised() const { return state_ != State::lost && untrusted_ == 0; }
  /// Whether a PDU has begun that did not end.
  bool within_pdu() const {
    return state_ != State::lost && (state_ != State::header || have_ > 0);
  }

  void on_bytes(std::span<const std::uint8_t> bytes, const Place& place) override;
  void on_missing(std::size_t count, const Place& place) override;

 private:
  enum class State : std::uint8_t { header, additional, data, data_digest, lost };
  using Bytes = std::span<const std::uint8_t>;

  bool gather(Bytes& bytes, std::size_t wanted);
  bool step(Bytes& bytes, const Place& place);
  bool take_header(Bytes& bytes, const Place& place);
  bool take_additional(Bytes& bytes, const Place& place);
  bool take_data(Bytes& bytes, const Place& place);
  bool take_data_digest(Bytes& bytes, const Place& place);
  void take_marker(Bytes& bytes);
  void begin_markers();
  void begin_pdu();
  void begin_data(const Place& place);
  void end_pdu(const Place& place);
  void lose();

  PduSink& sink_;
  State state_ = State::header;
  std::optional<bool> header_digest_ = false;
  std::optional<bool> data_digest_ = false;
  bool learns_digests_ = false;
  bool sums_data_ = false;
  bool doubtful_ = false;   // the last header had a wrong digest: its lengths may be wrong as well
  unsigned untrusted_ = 0;  // headers still to come before PDUs count
  std::uint8_t gathered_[wire::kHeaderBytes + 255 * 4 + 4];
  std::size_t have_ = 0;
  SeenPdu seen_;
  std::size_t data_left_ = 0;  // with padding
  std::size_t padding_bytes_ = 0;
  bool keep_ = false;
  std::uint32_t crc_ = 0;
  MarkerTrack markers_;
  std::uint32_t crc_with_markers_ = 0;
  std::uint32_t marker_interval_bytes_ = 0;
};

}  // namespace tsih::judge
