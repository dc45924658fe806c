#include "target/net/listener.h"

#include <boost/asio/ip/v6_only.hpp>
#include <chrono>
#include <utility>

namespace tsihd::net {
namespace {

using boost::asio::ip::tcp;

std::string name_of(const session::Portal& portal) {
  const bool ipv6 = portal.address.find(':') != std::string::npos;
  return ipv6 ? fmt::format("[{}]:{}", portal.address, portal.port)
              : fmt::format("{}:{}", portal.address, portal.port);
}

/// What a person can do about it.
std::string_view way_out(const boost::system::error_code& error) {
  if (error == boost::asio::error::address_in_use)
    return "another program listens there: `ss -ltnp` names it; stop it or choose another port";
  if (error == boost::system::errc::address_not_available)
    return "no interface of this machine has the address: `ip address` lists those that exist";
  if (error == boost::asio::error::access_denied)
    return "ports below 1024 need root or CAP_NET_BIND_SERVICE";
  return "check the portal's address and port";
}

}  // namespace

Listener::Listener(boost::asio::io_context& io, Log log)
    : acceptor_(io), timer_(io), log_(std::move(log)) {}

Result<std::shared_ptr<Listener>> Listener::open(boost::asio::io_context& io,
                                                 const session::Portal& portal, bool only_v6,
                                                 Log log) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(portal.address, error);
  if (error)
    return fail(fmt::format("portal {}: expected an IPv4 or IPv6 address, got \"{}\"",
                            name_of(portal), portal.address));
  const tcp::endpoint endpoint(address, portal.port);
  auto listener = std::make_shared<Listener>(io, std::move(log));
  tcp::acceptor& acceptor = listener->acceptor_;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && address.is_v6()) acceptor.set_option(boost::asio::ip::v6_only(only_v6), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(boost::asio::socket_base::max_listen_connections, error);
  if (error)
    return fail(fmt::format("cannot listen on {}: {}; {}", name_of(portal), error.message(),
                            way_out(error)));
  listener->port_ = acceptor.local_endpoint(error).port();
  return listener;
}

void Listener::start(OnAccept on_accept) {
  on_accept_ = std::move(on_accept);
  accept_next();
}

void Listener::close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  timer_.cancel();
}

void Listener::accept_next() {
  acceptor_.async_accept(
      [self = shared_from_this()](const boost::system::error_code& error, tcp::socket socket) {
        if (!self->acceptor_.is_open()) return;
        if (error) {
          if (!std::exchange(self->failing_, true))
            self->log_.warning("accept failed port={} reason=\"{}\"", self->port_, error.message());
          self->rest();
          return;
        }
        self->failing_ = false;
        self->on_accept_(std::move(socket));
        self->accept_next();
      });
}

/// Out of descriptors, most likely: trying again at once would only spin.
void Listener::rest() {
  timer_.expires_after(std::chrono::milliseconds(100));
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && self->acceptor_.is_open()) self->accept_next();
  });
}

}  // namespace tsihd::net
