#include "harness/judge/frames.h"

#include <fmt/format.h>

#include <algorithm>

namespace tsih::judge {
namespace {

constexpr std::size_t kFileHeaderBytes = 24;
constexpr std::size_t kRecordHeaderBytes = 16;
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kPacket = 2;  // obsolete, still met
constexpr std::uint32_t kSimplePacket = 3;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint16_t kTimestampResolution = 9;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

std::uint32_t little_endian(std::span<const std::uint8_t> file) {
  return file[0] | file[1] << 8 | file[2] << 16 | static_cast<std::uint32_t>(file[3]) << 24;
}

}  // namespace

std::uint16_t FrameReader::u16(std::size_t at) const {
  const unsigned first = file_[at], second = file_[at + 1];
  return static_cast<std::uint16_t>(big_endian_ ? first << 8 | second : second << 8 | first);
}

std::uint32_t FrameReader::u32(std::size_t at) const {
  const std::uint32_t first = u16(at), second = u16(at + 2);
  return big_endian_ ? first << 16 | second : second << 16 | first;
}

std::optional<Frame> FrameReader::stop(std::string why) {
  broken_ = fmt::format("{} at byte {} of {}", why, at_, file_.size());
  at_ = file_.size();
  return std::nullopt;
}

std::expected<FrameReader, std::string> FrameReader::open(std::span<const std::uint8_t> file) {
  FrameReader reader(file);
  if (file.size() >= kFileHeaderBytes) {
    const std::uint32_t magic = little_endian(file);
    if (magic == kSectionHeader) {
      reader.blocks_ = true;
      return reader;
    }
    for (bool nanoseconds : {false, true})
      for (bool big : {false, true}) {
        const std::uint32_t one = nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4;
        if (magic != (big ? __builtin_bswap32(one) : one)) continue;
        reader.big_endian_ = big;
        Interface only;
        only.link_type = reader.u32(20) & 0x0fffffff;  // what is above says how long an FCS is
        only.unit_ns = nanoseconds ? 1 : 1000;
        reader.interfaces_.push_back(only);
        reader.at_ = kFileHeaderBytes;
        return reader;
      }
  }
  return std::unexpected("expected a pcap or pcapng file, and this begins like neither");
}

std::optional<Frame> FrameReader::next() {
  if (at_ >= file_.size()) return std::nullopt;
  auto frame = blocks_ ? next_block() : next_record();
  if (frame) frame->number = ++numbers_;
  return frame;
}

std::optional<Frame> FrameReader::next_record() {
  if (!has(at_, kRecordHeaderBytes)) return stop("the file ends within the header of a frame");
  const std::size_t captured = u32(at_ + 8);
  if (!has(at_ + kRecordHeaderBytes, captured)) return stop("the file ends within a frame");
  Frame frame;
  frame.time_ns = u32(at_) * kNsPerSecond + u32(at_ + 4) * interfaces_[0].unit_ns;
  frame.link_type = interfaces_[0].link_type;
  frame.original_bytes = u32(at_ + 12);
  frame.bytes = file_.subspan(at_ + kRecordHeaderBytes, captured);
  at_ += kRecordHeaderBytes + captured;
  return frame;
}

std::optional<Frame> FrameReader::next_block() {
  while (at_ < file_.size()) {
    if (!has(at_, 12)) return stop("the file ends within the head of a block");
    if (little_endian(file_.subspan(at_)) == kSectionHeader && !begin_section())
      return stop("a section of pcapng has neither byte order");
    const std::uint32_t type = u32(at_);
    const std::size_t length = u32(at_ + 4);
    if (length < 12 || length % 4 != 0 || !has(at_, length))
      return stop(fmt::format("a block claims {} bytes", length));
    const std::size_t body = at_ + 8, body_bytes = length - 12;
    if (type == kInterfaceDescription && body_bytes >= 8) add_interface(body, body_bytes);
    if (type == kEnhancedPacket || type == kPacket || type == kSimplePacket) {
      auto frame = packet_block(type, body, body_bytes);
      if (frame) at_ += length;
      return frame;
    }
    at_ += length;
  }
  return std::nullopt;
}

bool FrameReader::begin_section() {
  for (bool big : {false, true}) {
    big_endian_ = big;
    if (u32(at_ + 8) == 0x1a2b3c4d) {
      interfaces_.clear();
      return true;
    }
  }
  return false;
}

void FrameReader::add_interface(std::size_t body, std::size_t body_bytes) {
  if (interfaces_.size() >= kLimitInterfaces) return;
  Interface one;
  one.link_type = u16(body);
  one.snap_bytes = u32(body + 4);
  const std::size_t end = body + body_bytes;
  for (std::size_t at = body + 8; at + 4 <= end;) {
    const std::uint16_t code = u16(at), length = u16(at + 2);
    if (code == 0 || length > end - at - 4) break;
    if (code == kTimestampResolution && length >= 1) {
      const unsigned exponent = file_[at + 4] & 0x7f;
      if (file_[at + 4] & 0x80) {
        one.per_second = exponent < 63 ? 1ull << exponent : 0;
      } else {
        one.unit_ns = kNsPerSecond;
        for (unsigned i = 0; i < exponent && i < 9; ++i) one.unit_ns /= 10;
      }
    }
    at += 4 + (length + 3u) / 4 * 4;
  }
  interfaces_.push_back(one);
}

std::optional<Frame> FrameReader::packet_block(std::uint32_t type, std::size_t body,
                                               std::size_t body_bytes) {
  const bool simple = type == kSimplePacket;
  const std::size_t head_bytes = simple ? 4 : 20;
  if (body_bytes < head_bytes) return stop("a packet block is too short");
  const std::size_t interface = simple ? 0 : type == kPacket ? u16(body) : u32(body);
  if (interface >= interfaces_.size()) return stop("a packet comes from an unknown interface");
  const Interface& one = interfaces_[interface];
  Frame frame;
  frame.link_type = one.link_type;
  frame.original_bytes = u32(simple ? body : body + 16);
  std::size_t captured = simple ? frame.original_bytes : u32(body + 12);
  if (simple && one.snap_bytes != 0) captured = std::min<std::size_t>(captured, one.snap_bytes);
  if (captured > body_bytes - head_bytes) return stop("a packet is longer than its block");
  if (!simple) {
    const std::uint64_t ticks = static_cast<std::uint64_t>(u32(body + 4)) << 32 | u32(body + 8);
    frame.time_ns = one.per_second ? ticks / one.per_second * kNsPerSecond : ticks * one.unit_ns;
  }
  frame.bytes = file_.subspan(body + head_bytes, captured);
  return frame;
}

}  // namespace tsih::judge
