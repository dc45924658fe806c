#include "target/net/peer.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace tsihd::net {
namespace {

/// Reads in one turn, so that one busy initiator does not starve the others.
constexpr int kReadsPerTurn = 4;
/// Pieces of one gather write: 128 PDUs with their data.
constexpr std::size_t kPiecesPerWrite = 256;
constexpr std::chrono::milliseconds kLinger{500};

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

Peer::Peer(Pump& pump, boost::asio::ip::tcp::socket socket,
           std::unique_ptr<session::Connection> connection)
    : pump_(pump),
      socket_(std::move(socket)),
      connection_(std::move(connection)),
      linger_timer_(socket_.get_executor()) {
  connection_->pump = this;
}

void Peer::start() { await_input(); }

void Peer::await_input() {
  if (awaiting_input_ || !connection_ || !connection_->wants_input()) return;
  awaiting_input_ = true;
  socket_.async_wait(boost::asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->awaiting_input_ = false;
                       if (error || !self->connection_) return;
                       self->pump_.begin_batch();
                       self->on_input();
                       self->pump_.end_batch();
                     });
}

void Peer::await_room() {
  if (awaiting_room_) return;
  awaiting_room_ = true;
  socket_.async_wait(boost::asio::ip::tcp::socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->awaiting_room_ = false;
                       if (error || !self->connection_) return;
                       self->pump_.begin_batch();
                       self->flush();
                       self->pump_.end_batch();
                     });
}

void Peer::on_input() {
  bool drained = false;
  for (int i = 0; i < kReadsPerTurn && !drained && connection_->wants_input(); ++i)
    if (!read_once(drained)) return;
  await_input();
}

bool Peer::read_once(bool& drained) {
  const std::span<std::byte> space = connection_->receive_space();
  const std::span<std::byte> scratch = pump_.scratch();
  std::array<iovec, 2> pieces;
  int used = 0;
  if (!space.empty()) pieces[used++] = {space.data(), space.size()};
  pieces[used++] = {scratch.data(), scratch.size()};
  const ssize_t got = ::readv(socket_.native_handle(), pieces.data(), used);
  if (got < 0 && (would_block(errno) || errno == EINTR)) {
    drained = true;
    return true;
  }
  if (got <= 0) {
    close(got == 0 ? "the initiator closed the connection" : std::strerror(errno));
    return false;
  }
  const auto bytes = static_cast<std::size_t>(got);
  const std::size_t in_space = std::min(bytes, space.size());
  drained = bytes < space.size() + scratch.size();
  connection_->received(in_space, scratch.first(bytes - in_space));
  return true;
}

void Peer::flush() {
  if (!connection_) return;
  std::array<iovec, kPiecesPerWrite> pieces;
  while (connection_->has_output()) {
    const std::size_t used = connection_->gather(pieces);
    if (used == 0) break;
    std::size_t wanted = 0;
    for (std::size_t i = 0; i < used; ++i) wanted += pieces[i].iov_len;
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = used;
    const ssize_t put = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && !would_block(errno)) {
      close(std::strerror(errno));
      return;
    }
    if (put > 0) connection_->sent(static_cast<std::size_t>(put));
    if (put < 0 || static_cast<std::size_t>(put) < wanted) {
      connection_->wants_reset() ? reset() : await_room();
      return;
    }
  }
  if (connection_->wants_close())
    connection_->wants_reset() ? reset() : linger();
  else
    await_input();  // back-pressure may be over
}

/// All is said. Closing a socket with input unread would reset it, and the initiator could lose our
/// last words (a Logout Response, an Async Message); so what still comes is read and dropped until
/// the initiator closes too, for a moment.
void Peer::linger() {
  connection_->disconnected("");
  connection_.reset();
  boost::system::error_code ignored;
  socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
  linger_timer_.expires_after(kLinger);
  linger_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->close("");
  });
  drop_input();
}

/// Without this the kernel goes on sending, for minutes, what the initiator has not taken.
void Peer::reset() {
  boost::system::error_code ignored;
  socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
  close("");
}

void Peer::drop_input() {
  socket_.async_wait(boost::asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (error || self->closed_) return;
                       const std::span<std::byte> scratch = self->pump_.scratch();
                       const ssize_t got = ::recv(self->socket_.native_handle(), scratch.data(),
                                                  scratch.size(), MSG_DONTWAIT);
                       if (got == 0 || (got < 0 && !would_block(errno)))
                         self->close("");
                       else
                         self->drop_input();
                     });
}

void Peer::close(std::string_view why) {
  if (std::exchange(closed_, true)) return;
  if (connection_) connection_->disconnected(why);
  connection_.reset();
  linger_timer_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
  pump_.closed(*this);
}

}  // namespace tsihd::net
