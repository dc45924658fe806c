#include "harness/lab/link.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <deque>
#include <vector>

#include "harness/lab/limits.h"

namespace tsih::lab {
namespace asio = boost::asio;

namespace {
constexpr std::size_t length_bytes = 4;
constexpr std::size_t read_bytes = 256u << 10;
constexpr std::size_t frames_per_write = 64;

std::size_t length_at(const std::uint8_t* bytes) {
  return static_cast<std::size_t>(bytes[0]) << 24 | static_cast<std::size_t>(bytes[1]) << 16 |
         static_cast<std::size_t>(bytes[2]) << 8 | bytes[3];
}
}  // namespace

struct LinkSocket::State : std::enable_shared_from_this<State> {
  struct Outgoing {
    std::array<std::uint8_t, length_bytes> length;
    Frame frame;
  };

  State(const asio::any_io_executor& executor, int descriptor, OnFrame take, OnClosed end)
      : socket(executor, asio::local::stream_protocol(), descriptor),
        on_frame(std::move(take)),
        on_closed(std::move(end)),
        input(read_bytes) {}

  void read() {
    socket.async_read_some(
        asio::buffer(input.data() + filled, input.size() - filled),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
          if (self->closed) return;
          if (error) return self->close(error == asio::error::eof ? "" : error.message());
          self->filled += bytes;
          self->take_frames();
          if (!self->closed) self->read();
        });
  }

  void take_frames() {
    std::size_t at = 0;
    while (!closed && filled - at >= length_bytes) {
      const auto length = length_at(input.data() + at);
      if (length < limits::frame_min_bytes || length > limits::frame_max_bytes)
        return close(fmt::format("a frame of {} bytes came; {} to {} are allowed", length,
                                 limits::frame_min_bytes, limits::frame_max_bytes));
      if (filled - at - length_bytes < length) break;
      const auto* data = input.data() + at + length_bytes;
      at += length_bytes + length;
      on_frame(std::make_shared<const Bytes>(data, data + length));
    }
    // What is left of a frame moves to the front; the buffer holds the longest frame several times.
    if (at > 0) std::memmove(input.data(), input.data() + at, filled - at);
    filled -= at;
  }

  void write() {
    std::vector<asio::const_buffer> buffers;
    sending = std::min(queue.size(), frames_per_write);
    buffers.reserve(sending * 2);
    for (std::size_t i = 0; i < sending; ++i) {
      buffers.emplace_back(queue[i].length.data(), length_bytes);
      buffers.emplace_back(queue[i].frame->data(), queue[i].frame->size());
    }
    asio::async_write(
        socket, buffers,
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
          if (self->closed) return;
          if (error) return self->close(error.message());
          self->queued_bytes -= bytes;
          self->queue.erase(self->queue.begin(),
                            self->queue.begin() + static_cast<std::ptrdiff_t>(self->sending));
          self->sending = 0;
          if (!self->queue.empty()) self->write();
        });
  }

  void close(const std::string& reason) {
    closed = true;
    boost::system::error_code ignored;
    socket.close(ignored);
    if (on_closed) on_closed(reason);
  }

  asio::local::stream_protocol::socket socket;
  OnFrame on_frame;
  OnClosed on_closed;
  Bytes input;
  std::size_t filled = 0;
  std::deque<Outgoing> queue;
  std::size_t queued_bytes = 0;
  std::size_t sending = 0;
  bool closed = false;
};

LinkSocket::LinkSocket(const asio::any_io_executor& executor, int descriptor, OnFrame on_frame,
                       OnClosed on_closed)
    : state_(std::make_shared<State>(executor, descriptor, std::move(on_frame),
                                     std::move(on_closed))) {
  state_->read();
}

LinkSocket::~LinkSocket() {
  state_->on_closed = nullptr;
  if (!state_->closed) state_->close("");
}

bool LinkSocket::send(const Frame& frame) {
  const auto bytes = length_bytes + frame->size();
  if (state_->closed || state_->queued_bytes + bytes > limits::link_queue_bytes) return false;
  const auto size = static_cast<std::uint32_t>(frame->size());
  state_->queue.push_back(
      {{static_cast<std::uint8_t>(size >> 24), static_cast<std::uint8_t>(size >> 16),
        static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)},
       frame});
  state_->queued_bytes += bytes;
  if (state_->sending == 0) state_->write();
  return true;
}

}  // namespace tsih::lab
