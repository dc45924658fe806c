// The pump over real sockets on loopback: portals, a login, an orderly stop, a broken peer.
#include "target/net/server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include "target/backstore/open.h"
#include "target/wire/reader.h"
#include "target/wire/writer.h"

namespace tsihd::net {
namespace {

constexpr char kTarget[] = "iqn.2026-11.org.example:disk";

session::Inventory inventory_at(std::uint16_t port) {
  auto group = std::make_unique<session::PortalGroup>();
  group->attributes.generate_node_acls = true;
  group->attributes.session_guard = session::GuardMode::reject;
  group->attributes.guard_probe_ms = 1;
  group->portals.push_back({"127.0.0.1", port});
  auto disk = backstore::open_ramdisk({.size_bytes = 1 << 20});
  group->luns.entries[0] = {
      std::make_shared<scsi::LogicalUnit>(scsi::Identity{.name = "disk", .serial = "0001"},
                                          std::move(*disk), Log()),
      false};
  auto target = std::make_unique<session::TargetNode>();
  target->name = kTarget;
  target->portal_groups.push_back(std::move(group));
  session::Inventory inventory;
  inventory.targets.push_back(std::move(target));
  return inventory;
}

struct Running {
  explicit Running(std::uint16_t port = 0)
      : pool(backstore::IoPool::create(1).value()),
        service(inventory_at(port), session::Limits{}, Log(),
                [](std::span<std::byte> bytes) { std::memset(bytes.data(), 7, bytes.size()); }),
        server(service, *pool, {.stop_grace_ms = 200, .stop_on_signals = false}) {}
  ~Running() {
    if (!thread.joinable()) return;
    stop();
    thread.join();
  }
  void run() {
    thread = std::thread([this] { server.run(); });
  }
  void stop() {
    boost::asio::post(server.io(), [this] { server.stop(); });
  }
  std::uint16_t port() const { return server.portals().front().port; }

  std::unique_ptr<backstore::IoPool> pool;
  session::Service service;
  Server server;
  std::thread thread;
};

/// A blocking socket; every wait is bounded by the peer's answer or ten seconds.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BOOST_REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  }
  ~Client() { ::close(fd_); }

  template <wire::Bhs T>
  void send(const T& bhs, std::string_view text = {}) {
    std::vector<std::byte> bytes;
    wire::append_pdu(bytes, bhs, std::as_bytes(std::span(text)));
    BOOST_REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                  static_cast<ssize_t>(bytes.size()));
  }
  /// The header of the next PDU; its opcode 0x3f with reason 0 stands for the end of the stream.
  wire::ResponseBhs next() {
    wire::ResponseBhs bhs;
    if (!read(&bhs, sizeof(bhs))) {
      bhs.opcode_byte = 0x3f;
      return bhs;
    }
    std::vector<std::byte> data(wire::padded_bytes(bhs.data_segment_bytes));
    BOOST_REQUIRE((data.empty() || read(data.data(), data.size())));
    return bhs;
  }
  bool at_end() {
    std::byte byte;
    return !read(&byte, 1);
  }
  /// The stream ends by a reset, whatever came before.
  bool ends_by_reset() {
    while (!at_end()) {
    }
    return errno == ECONNRESET;
  }
  void login() {
    using namespace std::string_literals;
    const std::string keys =
        "InitiatorName=iqn.2026-11.org.example:machine\0"
        "SessionType=Normal\0TargetName="s +
        kTarget + '\0';
    wire::LoginRequestBhs bhs;
    bhs.flags = wire::LoginFlags::kTransit |
                wire::LoginFlags::stages(wire::Stage::operational, wire::Stage::full_feature);
    bhs.initiator_task_tag = 1u;
    bhs.cmd_sn = 1u;
    send(bhs, keys);
    BOOST_REQUIRE((next().opcode() == wire::Opcode::login_response));
  }

 private:
  bool read(void* to, std::size_t bytes) {
    auto* at = static_cast<char*>(to);
    while (bytes > 0) {
      pollfd waits{fd_, POLLIN, 0};
      BOOST_REQUIRE(::poll(&waits, 1, 60000) == 1);
      const ssize_t got = ::recv(fd_, at, bytes, 0);
      if (got <= 0) return false;
      at += got;
      bytes -= static_cast<std::size_t>(got);
    }
    return true;
  }
  int fd_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(server)

// Red when port 0 is not told, or a portal that is taken is no clear error.
BOOST_AUTO_TEST_CASE(portals_are_bound_or_named) {
  Running first;
  BOOST_REQUIRE(first.server.start().has_value());
  BOOST_TEST(first.port() != 0);
  BOOST_TEST(first.service.inventory().targets[0]->portal_groups[0]->portals[0].port ==
             first.port());
  Running second(first.port());
  const auto refused = second.server.start();
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().message.find("127.0.0.1:" + std::to_string(first.port())) !=
             std::string::npos);
  BOOST_TEST(refused.error().message.find("ss -ltnp") != std::string::npos);
  BOOST_TEST(second.server.portals().empty());
}

// Red when requests of one write are lost or answered out of numbering, or a stop forgets to ask
// for the Logout or to answer it.
BOOST_AUTO_TEST_CASE(serves_and_stops_in_order) {
  Running target;
  BOOST_REQUIRE(target.server.start().has_value());
  target.run();
  Client client(target.port());
  client.login();
  wire::NopOutBhs ping;
  for (std::uint32_t i = 0; i < 50; ++i) {
    ping.initiator_task_tag = i;
    ping.cmd_sn = 1 + i;
    client.send(ping);
  }
  for (std::uint32_t i = 0; i < 50; ++i) {
    const auto answer = client.next();
    BOOST_TEST((answer.opcode() == wire::Opcode::nop_in));
    BOOST_TEST(answer.initiator_task_tag == i);
  }
  target.stop();
  BOOST_TEST((client.next().opcode() == wire::Opcode::async_message));
  wire::LogoutRequestBhs logout;
  logout.opcode_byte |= wire::kImmediateBit;
  logout.flags = wire::kFinalBit;
  logout.initiator_task_tag = 99u;
  logout.cmd_sn = 51u;
  client.send(logout);
  BOOST_TEST((client.next().opcode() == wire::Opcode::logout_response));
  BOOST_TEST(client.at_end());
  target.thread.join();
  BOOST_TEST(target.service.idle());
}

// Red when an initiator that ignores the request to leave keeps the target from stopping.
BOOST_AUTO_TEST_CASE(stops_without_consent) {
  Running target;
  BOOST_REQUIRE(target.server.start().has_value());
  target.run();
  Client client(target.port());
  client.login();
  target.stop();
  target.thread.join();
  BOOST_TEST(target.service.sessions().empty());
}

// Red when the kernel goes on delivering, after a takeover, what a silent initiator has not taken.
BOOST_AUTO_TEST_CASE(the_silent_are_reset) {
  Running target;
  BOOST_REQUIRE(target.server.start().has_value());
  target.run();
  Client silent(target.port()), winner(target.port());
  silent.login();
  winner.login();
  BOOST_TEST(silent.ends_by_reset());
}

// Red when bytes that are no iSCSI, or a peer that goes at once, harm others.
BOOST_AUTO_TEST_CASE(broken_peers_are_let_go) {
  Running target;
  BOOST_REQUIRE(target.server.start().has_value());
  target.run();
  Client good(target.port());
  good.login();
  { Client gone(target.port()); }
  Client broken(target.port());
  wire::NopOutBhs early;
  early.data_segment_bytes = 0;
  broken.send(early, std::string(8000, 'x'));
  while (broken.next().opcode_byte != 0x3f) {
  }
  wire::NopOutBhs ping;
  ping.initiator_task_tag = 7u;
  ping.cmd_sn = 1u;
  good.send(ping);
  BOOST_TEST((good.next().opcode() == wire::Opcode::nop_in));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace tsihd::net
