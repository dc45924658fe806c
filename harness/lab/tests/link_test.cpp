// A cable over a socket pair: frames in pieces, frames that are not allowed, a guest that is stuck.
#include "harness/lab/link.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/lab/limits.h"

namespace {
using namespace tsih::lab;

/// The test is QEMU: it holds the other end, which does not block.
struct Cable {
  Cable() {
    int ends[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    far = ends[1];
    ::fcntl(far, F_SETFL, O_NONBLOCK);
    link.emplace(
        io.get_executor(), ends[0], [this](const Frame& frame) { frames.push_back(*frame); },
        [this](const std::string& reason) { closed = reason; });
  }
  ~Cable() {
    link.reset();
    io.poll();
    ::close(far);
  }
  void write(const Bytes& bytes) {
    BOOST_REQUIRE(::write(far, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    io.poll();
  }
  Bytes read() {
    Bytes all(8u << 20);
    std::size_t filled = 0;
    for (;;) {
      io.poll();
      const auto got = ::read(far, all.data() + filled, all.size() - filled);
      if (got <= 0) break;
      filled += static_cast<std::size_t>(got);
    }
    all.resize(filled);
    return all;
  }

  boost::asio::io_context io{1};
  int far = -1;
  std::optional<LinkSocket> link;
  std::vector<Bytes> frames;
  std::optional<std::string> closed;
};

Bytes framed(std::size_t size, std::uint8_t fill) {
  Bytes bytes = {static_cast<std::uint8_t>(size >> 24), static_cast<std::uint8_t>(size >> 16),
                 static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)};
  bytes.insert(bytes.end(), size, fill);
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_CASE(frames_come_whole_wherever_the_stream_is_split) {
  auto stream = framed(60, 1);
  const auto second = framed(61, 2);
  stream.insert(stream.end(), second.begin(), second.end());
  for (std::size_t split = 1; split < stream.size(); ++split) {
    Cable cable;
    const auto middle = stream.begin() + static_cast<std::ptrdiff_t>(split);
    cable.write(Bytes(stream.begin(), middle));
    cable.write(Bytes(middle, stream.end()));
    BOOST_TEST_CONTEXT("split at " << split) {
      BOOST_REQUIRE(cable.frames.size() == 2u);
      BOOST_TEST(cable.frames[0] == Bytes(60, 1));
      BOOST_TEST(cable.frames[1] == Bytes(61, 2));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(the_longest_frame_passes, Cable) {
  write(framed(limits::frame_max_bytes, 3));
  BOOST_REQUIRE(frames.size() == 1u);
  BOOST_TEST(frames[0].size() == limits::frame_max_bytes);
}

BOOST_FIXTURE_TEST_CASE(a_frame_that_is_too_long_disconnects, Cable) {
  write({0xFF, 0xFF, 0xFF, 0xFF});
  BOOST_REQUIRE(closed);
  BOOST_TEST(*closed == "a frame of 4294967295 bytes came; 14 to 65550 are allowed");
  BOOST_TEST(!link->send(std::make_shared<const Bytes>(60, 0)));
}

BOOST_FIXTURE_TEST_CASE(a_frame_without_addresses_disconnects, Cable) {
  write(framed(13, 0));
  BOOST_TEST(closed.has_value());
  BOOST_TEST(frames.empty());
}

BOOST_FIXTURE_TEST_CASE(the_other_end_closing_is_no_trouble, Cable) {
  ::shutdown(far, SHUT_RDWR);
  io.poll();
  BOOST_REQUIRE(closed);
  BOOST_TEST(*closed == "");
}

BOOST_FIXTURE_TEST_CASE(frames_leave_in_order_with_their_length, Cable) {
  Bytes expected;
  for (std::uint8_t tag = 0; tag < 200; ++tag) {
    BOOST_REQUIRE(link->send(std::make_shared<const Bytes>(60u + tag, tag)));
    const auto one = framed(60u + tag, tag);
    expected.insert(expected.end(), one.begin(), one.end());
  }
  BOOST_TEST((read() == expected));
}

BOOST_FIXTURE_TEST_CASE(a_stuck_guest_does_not_grow_the_switch_and_recovers, Cable) {
  const auto frame = std::make_shared<const Bytes>(1500, 9);
  std::size_t accepted = 0;
  while (accepted < 10'000 && link->send(frame)) {
    ++accepted;
    io.poll();
  }
  // What the kernel took of the socket comes on top of our own queue.
  BOOST_TEST(accepted < 10'000u);
  BOOST_TEST(accepted >= limits::link_queue_bytes / 1504);
  const auto got = read();
  BOOST_TEST(got.size() == accepted * 1504);
  BOOST_TEST(link->send(frame));
}
