// A listening socket of one portal.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "target/base/log.h"
#include "target/base/result.h"
#include "target/session/nouns.h"

namespace tsihd::net {

class Listener final : public std::enable_shared_from_this<Listener> {
 public:
  using OnAccept = std::function<void(boost::asio::ip::tcp::socket)>;

  /// Binds and listens, or says in one line what is in the way. `only_v6`: an IPv6 wildcard leaves
  /// IPv4 to others.
  static Result<std::shared_ptr<Listener>> open(boost::asio::io_context& io,
                                                const session::Portal& portal, bool only_v6,
                                                Log log);

  explicit Listener(boost::asio::io_context& io, Log log);
  void start(OnAccept on_accept);
  void close();
  std::uint16_t port() const { return port_; }

 private:
  void accept_next();
  void rest();

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer timer_;
  Log log_;
  OnAccept on_accept_;
  std::uint16_t port_ = 0;
  bool failing_ = false;
};

}  // namespace tsihd::net
