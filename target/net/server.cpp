#include "target/net/server.h"

#include <netinet/tcp.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <map>
#include <unordered_set>
#include <utility>

#include "target/net/listener.h"
#include "target/net/peer.h"
#include "target/session/connection.h"

namespace tsihd::net {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

/// An IPv4 initiator at an IPv6 wildcard portal is still an IPv4 initiator.
std::string text_of(const boost::asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6())
        .to_string();
  return address.to_string();
}

/// Small PDUs must not wait for each other. TCP's keepalive finds machines that vanished where
/// nobody pings: in the login phase, in discovery, and where nop_in_interval_s is 0.
void set_up(tcp::socket& socket) {
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(boost::asio::socket_base::keep_alive(true), ignored);
  const int idle_s = 60, interval_s = 10, probes = 6;
  const int fd = socket.native_handle();
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

}  // namespace

struct Server::Impl final : Pump {
  Impl(session::Service& the_service, backstore::IoPool& the_pool, ServerOptions the_options)
      : service(the_service),
        pool(the_pool),
        options(the_options),
        disks(io, ::dup(the_pool.wake_fd())),
        deadline(io),
        housekeeping(io),
        grace(io),
        signals(io) {}

  Result<void> start();
  Result<void> listen();
  void await_disks();
  void await_housekeeping();
  void arm();
  void accepted(tcp::socket socket);
  void stop();
  void finish();
  void check_stopped();

  void begin_batch() override {
    in_batch = true;
    service.advance(Clock::now());
  }
  void end_batch() override;
  std::span<std::byte> scratch() override { return buffer; }
  void closed(Peer& peer) override { peers.erase(peer.shared_from_this()); }

  /// Beyond it a read fills up in a second turn; small enough to stay in the cache.
  static constexpr std::size_t kScratchBytes = 64u << 10;

  boost::asio::io_context io{1};
  session::Service& service;
  backstore::IoPool& pool;
  const ServerOptions options;
  boost::asio::posix::stream_descriptor disks;
  boost::asio::steady_timer deadline;
  boost::asio::steady_timer housekeeping;
  boost::asio::steady_timer grace;
  boost::asio::signal_set signals;
  std::vector<std::shared_ptr<Listener>> listeners;
  std::vector<session::Portal> bound;
  std::unordered_set<std::shared_ptr<Peer>> peers;  ///< lingering ones too
  Instant armed = Instant::max();
  bool in_batch = false;
  bool wake_posted = false;
  bool stopping = false;
  std::vector<std::byte> buffer = std::vector<std::byte>(kScratchBytes);
};

Result<void> Server::Impl::start() {
  if (auto listening = listen(); !listening) {
    for (const auto& listener : listeners) listener->close();
    listeners.clear();
    bound.clear();
    return listening;
  }
  service.advance(Clock::now());
  service.on_ready([this] {
    if (in_batch || std::exchange(wake_posted, true)) return;
    boost::asio::post(io, [this] {
      wake_posted = false;
      begin_batch();
      end_batch();
    });
  });
  for (const auto& listener : listeners)
    listener->start([this](tcp::socket socket) { accepted(std::move(socket)); });
  await_disks();
  await_housekeeping();
  if (options.stop_on_signals) {
    signals.add(SIGINT);
    signals.add(SIGTERM);
    signals.async_wait([this](const error_code& error, int) {
      if (error) return;
      stop();
      signals.async_wait([this](const error_code& again, int) {
        if (!again) io.stop();
      });
    });
  }
  return {};
}

Result<void> Server::Impl::listen() {
  std::map<std::pair<std::string, std::uint16_t>, std::uint16_t> ports;  // asked for, got
  const auto any_v4 = [&](std::uint16_t port) {
    for (const auto& target : service.inventory().targets)
      for (const auto& group : target->portal_groups)
        for (const auto& portal : group->portals)
          if (portal.port == port && portal.address.find(':') == std::string::npos) return true;
    return false;
  };
  std::vector<std::pair<session::Portal*, std::uint16_t>> chosen;
  for (const auto& target : service.inventory().targets)
    for (const auto& group : target->portal_groups) {
      if (!group->enabled) continue;
      for (session::Portal& portal : group->portals) {
        const auto key = std::pair(portal.address, portal.port);
        if (!ports.contains(key)) {
          auto listener = Listener::open(io, portal, any_v4(portal.port), service.log());
          if (!listener) return std::unexpected(listener.error());
          ports[key] = (*listener)->port();
          bound.push_back({portal.address, (*listener)->port()});
          listeners.push_back(std::move(*listener));
        }
        chosen.emplace_back(&portal, ports[key]);
      }
    }
  if (listeners.empty()) return fail("nothing to listen on: no enabled portal group has a portal");
  for (auto [portal, port] : chosen) portal->port = port;
  return {};
}

void Server::Impl::await_disks() {
  disks.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                   [this](const error_code& error) {
                     if (error) return;
                     begin_batch();
                     pool.drain();
                     end_batch();
                     await_disks();
                   });
}

void Server::Impl::await_housekeeping() {
  housekeeping.expires_after(std::chrono::seconds(1));
  housekeeping.async_wait([this](const error_code& error) {
    if (error) return;
    begin_batch();
    service.refresh_capacities();
    end_batch();
    await_housekeeping();
  });
}

void Server::Impl::end_batch() {
  pool.flush_submissions();
  while (service.end_batch()) {
    while (session::Connection* connection = service.take_ready())
      static_cast<Peer*>(connection->pump)->shared_from_this()->flush();
    pool.flush_submissions();
  }
  arm();
  in_batch = false;
  if (stopping) check_stopped();
}

/// Sets the timer when something falls due before it. Deadlines only move away while things go
/// well, so in the steady state the timer is left alone; it may ring for nothing now and then.
void Server::Impl::arm() {
  if (service.next_deadline() >= armed) return;
  armed = service.next_deadline();
  deadline.expires_at(armed);
  deadline.async_wait([this](const error_code& error) {
    if (error) return;
    armed = Instant::max();
    begin_batch();
    service.tick();
    end_batch();
  });
}

void Server::Impl::accepted(tcp::socket socket) {
  error_code error;
  const tcp::endpoint local = socket.local_endpoint(error);
  const tcp::endpoint remote = error ? tcp::endpoint() : socket.remote_endpoint(error);
  if (error) return;  // it is gone already
  begin_batch();
  if (auto connection = service.accept(
          {text_of(local.address()), local.port(), text_of(remote.address()), remote.port()})) {
    set_up(socket);
    auto peer = std::make_shared<Peer>(*this, std::move(socket), std::move(connection));
    peers.insert(peer);
    peer->start();
  }
  end_batch();
}

void Server::Impl::stop() {
  if (std::exchange(stopping, true)) return;
  service.log().info("stopping sessions={}", service.sessions().size());
  for (const auto& listener : listeners) listener->close();
  begin_batch();
  service.begin_shutdown();
  grace.expires_after(std::chrono::milliseconds(options.stop_grace_ms));
  grace.async_wait([this](const error_code& error) {
    if (error) return;
    begin_batch();
    for (const auto& peer : std::vector(peers.begin(), peers.end()))
      peer->close("the target stops");
    end_batch();
    finish();
  });
  end_batch();
}

void Server::Impl::check_stopped() {
  if (service.idle()) finish();
}

/// Whatever the disks still hold comes back before run() returns.
void Server::Impl::finish() {
  pool.wait_idle();
  service.end_batch();
  io.stop();
}

Server::Server(session::Service& service, backstore::IoPool& pool, ServerOptions options)
    : impl_(std::make_unique<Impl>(service, pool, options)) {}

Server::~Server() {
  for (const auto& peer : std::vector(impl_->peers.begin(), impl_->peers.end()))
    peer->close("the target stops");
  impl_->service.on_ready(nullptr);
}

Result<void> Server::start() { return impl_->start(); }
std::vector<session::Portal> Server::portals() const { return impl_->bound; }
void Server::run() { impl_->io.run(); }
void Server::stop() { impl_->stop(); }
boost::asio::io_context& Server::io() { return impl_->io; }

}  // namespace tsihd::net
