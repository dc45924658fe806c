// Frames out of a capture file: pcap (both byte orders, micro- and nanoseconds) and pcapng (several
// sections and interfaces). Reads from memory, copies nothing, believes no length it finds there.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tsih::judge {

struct Frame {
  std::uint64_t number = 0;  ///< 1-based, as Wireshark counts
  std::uint64_t time_ns = 0;
  std::uint32_t link_type = 0;          ///< LINKTYPE_... of tcpdump.org
  std::uint32_t original_bytes = 0;     ///< on the wire; more than `bytes` when it was cut
  std::span<const std::uint8_t> bytes;  ///< into the file
};

class FrameReader {
 public:
  static constexpr std::size_t kLimitInterfaces = 4096;

  /// The file must outlive the reader. The error is one line.
  static std::expected<FrameReader, std::string> open(std::span<const std::uint8_t> file);

  /// The next frame; nothing at the end, or where the file stops making sense.
  std::optional<Frame> next();
  /// Why the reader stopped before the end of the file; empty when it did not.
  const std::string& broken() const { return broken_; }

 private:
  struct Interface {
    std::uint32_t link_type = 0;
    std::uint32_t snap_bytes = 0;  ///< 0: no limit
    std::uint64_t unit_ns = 1000;  ///< of one tick, when a tick is a nanosecond or longer
    std::uint64_t per_second = 0;  ///< ticks a second, when that is how it was said
  };

  explicit FrameReader(std::span<const std::uint8_t> file) : file_(file) {}
  std::uint16_t u16(std::size_t at) const;
  std::uint32_t u32(std::size_t at) const;
  bool has(std::size_t at, std::size_t bytes) const {
    return at <= file_.size() && bytes <= file_.size() - at;
  }
  std::optional<Frame> next_record();
  std::optional<Frame> next_block();
  std::optional<Frame> packet_block(std::uint32_t type, std::size_t body, std::size_t body_bytes);
  bool begin_section();
  void add_interface(std::size_t body, std::size_t body_bytes);
  std::optional<Frame> stop(std::string why);

  std::span<const std::uint8_t> file_;
  std::size_t at_ = 0;
  bool blocks_ = false;  ///< pcapng
  bool big_endian_ = false;
  std::uint64_t numbers_ = 0;
  std::vector<Interface> interfaces_;
  std::string broken_;
};

}  // namespace tsih::judge
