// One accepted socket and the connection behind it: reads what has come, writes what is to be said.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "target/session/connection.h"

namespace tsihd::net {

class Peer;

/// What a peer needs of the server around it.
class Pump {
 public:
  /// A batch of work begins: the session layer is told the time.
  virtual void begin_batch() = 0;
  /// It ends: disk requests start, every connection with output is flushed.
  virtual void end_batch() = 0;
  /// Where reads land that are no data segment under way. One for all: the connection keeps what it
  /// needs before received() returns.
  virtual std::span<std::byte> scratch() = 0;
  /// The peer has closed its socket; it is destroyed soon.
  virtual void closed(Peer& peer) = 0;

 protected:
  ~Pump() = default;
};

class Peer final : public std::enable_shared_from_this<Peer> {
 public:
  Peer(Pump& pump, boost::asio::ip::tcp::socket socket,
       std::unique_ptr<session::Connection> connection);

  void start();
  /// Writes what the socket takes of what the connection has to say; closes when all is said.
  void flush();
  /// The end, at once. Idempotent. `why` goes to the log of a session that ends by it.
  void close(std::string_view why);

 private:
  void await_input();
  void await_room();
  void on_input();
  /// False when the connection is at its end.
  bool read_once(bool& drained);
  void linger();
  void reset();
  void drop_input();

  Pump& pump_;
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<session::Connection> connection_;  ///< null while lingering and when closed
  boost::asio::steady_timer linger_timer_;
  bool awaiting_input_ = false;
  bool awaiting_room_ = false;
  bool closed_ = false;
};

}  // namespace tsihd::net
