// PDUs out of a byte stream, however it was cut. Checks nothing but lengths and digests, and says
// what it found rather than throwing it away: a judge wants to see the bad ones too.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "harness/wire/pdu.h"

namespace tsih::wire {

class PduReader {
 public:
  /// A data segment longer than this breaks the stream: a peer must not make us grow.
  explicit PduReader(std::size_t limit_data_bytes = 1u << 20)
      : limit_data_bytes_(limit_data_bytes) {}

  /// Which digests the following PDUs carry.
  void expect_digests(bool header, bool data);
  void feed(std::span<const std::uint8_t> bytes);
  /// The next whole PDU, if it has come. Nothing for ever once broken() says why.
  std::optional<Pdu> next();
  const std::string& broken() const { return broken_; }
  std::size_t pending_bytes() const { return buffer_.size() - at_; }

 private:
  std::size_t limit_data_bytes_;
  bool header_digest_ = false;
  bool data_digest_ = false;
  Bytes buffer_;
  std::size_t at_ = 0;
  std::string broken_;
};

}  // namespace tsih::wire
