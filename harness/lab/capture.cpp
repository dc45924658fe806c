#include "harness/lab/capture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace tsih::lab {
namespace {

constexpr std::uint32_t section_header_type = 0x0A0D0D0A;
constexpr std::uint32_t interface_type = 1;
constexpr std::uint32_t packet_type = 6;
constexpr std::uint16_t end_of_options = 0;
constexpr std::uint16_t comment_option = 1;
constexpr std::uint16_t interface_name_option = 2;
constexpr std::uint16_t interface_description_option = 3;
constexpr std::uint16_t section_application_option = 4;
constexpr std::uint16_t time_resolution_option = 9;
constexpr std::uint16_t packet_flags_option = 2;
constexpr std::uint16_t link_type_ethernet = 1;
constexpr std::uint32_t snapshot_bytes = 262144;
constexpr std::size_t settle_bytes = 64u << 10;

void put16(Bytes& out, std::uint16_t value) {
  out.push_back(static_cast<std::uint8_t>(value));
  out.push_back(static_cast<std::uint8_t>(value >> 8));
}
void put32(Bytes& out, std::uint32_t value) {
  put16(out, static_cast<std::uint16_t>(value));
  put16(out, static_cast<std::uint16_t>(value >> 16));
}
void pad(Bytes& out) {
  while (out.size() % 4 != 0) out.push_back(0);
}

/// Writes type and length when made, the trailing length when it goes.
class Block {
 public:
  Block(Bytes& out, std::uint32_t type) : out_(out), start_(out.size()) {
    put32(out_, type);
    put32(out_, 0);
  }
  ~Block() {
    const auto length = static_cast<std::uint32_t>(out_.size() + 4 - start_);
    for (int i = 0; i < 4; ++i)
      out_[start_ + 4 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(length >> (8 * i));
    put32(out_, length);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  void option(std::uint16_t code, std::string_view value) {
    put16(out_, code);
    put16(out_, static_cast<std::uint16_t>(value.size()));
    out_.insert(out_.end(), value.begin(), value.end());
    pad(out_);
  }
  void end() { put32(out_, end_of_options); }

 private:
  Bytes& out_;
  std::size_t start_;
};

}  // namespace

PcapngWriter::PcapngWriter() {
  {
    Block section(buffer_, section_header_type);
    put32(buffer_, 0x1A2B3C4D);
    put16(buffer_, 1);
    put16(buffer_, 0);
    // The section's length is not known while it is written.
    put32(buffer_, 0xFFFFFFFF);
    put32(buffer_, 0xFFFFFFFF);
    section.option(section_application_option, "tsih-lab");
    section.end();
  }
  describe("tsih", "what the lab did to the wire, as frames of type 0x88B5");
}

std::uint32_t PcapngWriter::describe(std::string_view name, std::string_view description) {
  const auto id = static_cast<std::uint32_t>(interfaces_.size());
  interfaces_.emplace(name, id);
  Block block(buffer_, interface_type);
  put16(buffer_, link_type_ethernet);
  put16(buffer_, 0);
  put32(buffer_, snapshot_bytes);
  block.option(interface_name_option, name);
  block.option(interface_description_option, description);
  block.option(time_resolution_option, std::string_view("\x09", 1));
  block.end();
  return id;
}

std::uint32_t PcapngWriter::interface(std::string_view link) {
  const auto found = interfaces_.find(std::string(link));
  return found != interfaces_.end() ? found->second
                                    : describe(link, "a guest's cable to the switch");
}

void PcapngWriter::packet(std::uint32_t interface, UnixNanoseconds time, Direction direction,
                          std::span<const std::uint8_t> frame, std::string_view comment) {
  Block block(buffer_, packet_type);
  put32(buffer_, interface);
  put32(buffer_, static_cast<std::uint32_t>(time >> 32));
  put32(buffer_, static_cast<std::uint32_t>(time));
  put32(buffer_, static_cast<std::uint32_t>(frame.size()));
  put32(buffer_, static_cast<std::uint32_t>(frame.size()));
  buffer_.insert(buffer_.end(), frame.begin(), frame.end());
  pad(buffer_);
  const char flags[4] = {direction == Direction::from_guest ? '\1' : '\2', 0, 0, 0};
  block.option(packet_flags_option, std::string_view(flags, sizeof flags));
  if (!comment.empty()) block.option(comment_option, comment.substr(0, limits::comment_bytes));
  block.end();
}

void PcapngWriter::mark(UnixNanoseconds time, std::string_view text) {
  const auto kept = text.substr(0, limits::comment_bytes);
  // To nobody, from a locally administered address that no guest has: "tsih" in ASCII.
  Bytes frame = {0, 0, 0, 0, 0, 0, 2, 0, 't', 's', 'i', 'h', 0x88, 0xB5};
  frame.insert(frame.end(), kept.begin(), kept.end());
  frame.resize(std::max<std::size_t>(frame.size(), 60), 0);
  packet(0, time, Direction::from_guest, frame, kept);
}

CaptureFile::CaptureFile(std::string path, std::set<std::string> links)
    : path_(std::move(path)), links_(std::move(links)) {
  file_ = ::open(path_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  if (file_ < 0)
    throw Failure("host",
                  fmt::format("cannot make the capture {}: {}", path_, std::strerror(errno)));
  flush();
}

CaptureFile::~CaptureFile() {
  flush();
  ::close(file_);
}

void CaptureFile::packet(const std::string& link, UnixNanoseconds time,
                         std::span<const std::uint8_t> frame, std::string_view comment) {
  if (!trouble_.empty() || (!links_.empty() && !links_.contains(link))) return;
  writer_.packet(writer_.interface(link), time, Direction::from_guest, frame, comment);
  ++frames_;
  settle();
}

void CaptureFile::mark(UnixNanoseconds time, std::string_view text) {
  if (!trouble_.empty()) return;
  writer_.mark(time, text);
  settle();
}

void CaptureFile::settle() {
  if (writer_.buffer().size() >= settle_bytes) flush();
}

void CaptureFile::flush() {
  auto& buffer = writer_.buffer();
  std::size_t done = 0;
  while (done < buffer.size()) {
    const auto wrote = ::write(file_, buffer.data() + done, buffer.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      trouble_ = fmt::format("{}: {}; nothing more is captured there", path_, std::strerror(errno));
      break;
    }
    done += static_cast<std::size_t>(wrote);
  }
  bytes_ += done;
  buffer.clear();
  if (trouble_.empty() && bytes_ >= limits::capture_file_bytes)
    trouble_ = fmt::format("{}: has reached {} bytes; nothing more is captured there", path_,
                           limits::capture_file_bytes);
}

}  // namespace tsih::lab
