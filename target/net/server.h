// The pump: sockets, timers and the one thread between the portals and the session layer
// (Boost.Asio, kept out of this header). One read takes all that has come, the replies of a batch
// leave in one gather write.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "target/backstore/io_pool.h"
#include "target/base/result.h"
#include "target/session/nouns.h"
#include "target/session/service.h"

namespace boost::asio {
class io_context;
}

namespace tsihd::net {

struct ServerOptions {
  /// After stop(): how long initiators are given to log out before their connections are closed.
  std::uint32_t stop_grace_ms = 3000;
  /// SIGINT and SIGTERM call stop(); a second one ends run() at once.
  bool stop_on_signals = true;
};

class Server {
 public:
  /// Both outlive the server.
  Server(session::Service& service, backstore::IoPool& pool, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens on every portal of every enabled portal group. A portal named by several groups is
  /// bound once. Port 0 is replaced in the inventory by the port that the system chose. Fails with
  /// one line that names the portal and the way out (taken, no such address, no right), and then
  /// nothing is bound.
  Result<void> start();
  /// What is bound, with real ports. Empty before start().
  std::vector<session::Portal> portals() const;
  /// Serves until stop() has come to its end.
  void run();
  /// Accepts no more, asks every initiator for its logout, closes what is left after stop_grace_ms,
  /// waits for the disks, and lets run() return. Call it on the loop's thread (post to io()).
  void stop();
  /// The loop, for others who live on its thread: the control socket, the program's own timers.
  /// Work caused there (an unfence, a logout) leaves by itself.
  boost::asio::io_context& io();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tsihd::net
