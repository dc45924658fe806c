// Writes pcapng (IETF draft-ietf-opsawg-pcapng): one interface a link, nanosecond times, the
// direction in each packet's flags, comments where something was done to the wire.
//
// Marks have a record of their own, on the interface `tsih`: an Ethernet frame of the local
// experimental type 0x88B5 whose payload is the text, with the text as its comment. So every reader
// keeps its order, also those that know no comments, and no reader meets a second link type
// (libpcap refuses files that mix them).
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "harness/lab/frame.h"

namespace tsih::lab {

enum class Direction { from_guest, to_guest };

/// The blocks of a pcapng file, appended to a buffer. Pure; the file is CaptureFile's matter.
class PcapngWriter {
 public:
  /// Section header, and the interface of the marks.
  PcapngWriter();

  /// The interface of a link, described at its first use.
  std::uint32_t interface(std::string_view link);
  /// `comment` is cut at limits::comment_bytes; empty means none.
  void packet(std::uint32_t interface, UnixNanoseconds time, Direction direction,
              std::span<const std::uint8_t> frame, std::string_view comment);
  void mark(UnixNanoseconds time, std::string_view text);

  Bytes& buffer() { return buffer_; }

 private:
  std::uint32_t describe(std::string_view name, std::string_view description);

  Bytes buffer_;
  std::unordered_map<std::string, std::uint32_t> interfaces_;
};

/// One capture: a file, and the links that it takes in.
class CaptureFile {
 public:
  /// Makes the file; throws Failure("host") when it cannot. An empty `links` takes every link.
  CaptureFile(std::string path, std::set<std::string> links);
  ~CaptureFile();
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;

  void packet(const std::string& link, UnixNanoseconds time, std::span<const std::uint8_t> frame,
              std::string_view comment);
  void mark(UnixNanoseconds time, std::string_view text);
  /// What was captured so far is in the file afterwards.
  void flush();

  const std::string& path() const { return path_; }
  std::uint64_t frames() const { return frames_; }
  std::uint64_t bytes() const { return bytes_; }
  /// Why nothing more is written (disk full, limit reached); empty while all is well.
  const std::string& trouble() const { return trouble_; }

 private:
  void settle();

  std::string path_;
  std::set<std::string> links_;
  PcapngWriter writer_;
  int file_ = -1;
  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;
  std::string trouble_;
};

}  // namespace tsih::lab
