#include "target/session/tests/sim_cable.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace tsihd::session::sim {

void Cable::Direction::add(std::span<const std::byte> bytes) {
  queue.insert(queue.end(), bytes.begin(), bytes.end());
}

Bytes Cable::Direction::take(std::size_t most) {
  const auto piece = std::span(queue).subspan(taken, std::min(most, waiting()));
  Bytes bytes(piece.begin(), piece.end());
  taken += bytes.size();
  if (taken == queue.size()) {
    queue.clear();
    taken = 0;
  }
  return bytes;
}

Cable::Cable(const Surroundings& surroundings, Random random)
    : around_(surroundings),
      random_(random),
      bytes_until_cut_(std::numeric_limits<std::uint64_t>::max()) {}

std::shared_ptr<Cable> Cable::connect(const Surroundings& surroundings, Random random,
                                      std::uint16_t port, bool will_be_cut) {
  std::shared_ptr<Cable> cable(new Cable(surroundings, random));
  surroundings.target.wake();
  cable->connection_ =
      surroundings.target.service().accept({"192.0.2.100", 3260, "192.0.2.1", port});
  if (!cable->connection_) return nullptr;
  cable->connection_->pump = static_cast<Outlet*>(cable.get());
  if (will_be_cut) {
    constexpr std::array<std::uint32_t, 3> kSpans{600, 20000, 300000};
    cable->bytes_until_cut_ = 1 + cable->random_.below(cable->random_.pick(kSpans));
  }
  return cable;
}

/// Most bytes follow those before them at once; now and then they are late.
microseconds Cable::delay() {
  constexpr std::uint32_t kCloseBehind = 5;
  const auto slowest = static_cast<std::uint32_t>(around_.settings.slowest_wire.count());
  return microseconds(random_.between(1, random_.chance(20) ? slowest : kCloseBehind));
}

void Cable::send(std::span<const std::byte> bytes) {
  to_target_.add(bytes);
  move_to_target();
}

void Cable::move_to_target() {
  if (to_target_.moving || to_target_.waiting() == 0) return;
  to_target_.moving = true;
  around_.events.after(delay(), [self = shared_from_this()] { self->arrive_at_target(); });
}

/// Of so many bytes, how many arrive before the cable is cut; false: it is cut after them.
bool Cable::survives(std::size_t& bytes) {
  if (bytes < bytes_until_cut_) {
    bytes_until_cut_ -= bytes;
    return true;
  }
  bytes = bytes_until_cut_;
  return false;
}

void Cable::arrive_at_target() {
  to_target_.moving = false;
  if (!connection_ || cut_) return;
  around_.target.wake();
  if (!connection_->wants_input()) return;  // what is sent to us makes room: flush() goes on
  Bytes piece = to_target_.take(1 + random_.below(around_.settings.piece_bytes));
  std::size_t bytes = piece.size();
  const bool survived = survives(bytes);
  // As the pump reads: first what the PDU under way has room for, then the rest.
  const std::span<std::byte> space = connection_->receive_space();
  const std::size_t direct = std::min(space.size(), bytes);
  if (direct > 0) std::memcpy(space.data(), piece.data(), direct);
  connection_->received(direct, std::span(piece).subspan(direct, bytes - direct));
  around_.target.settle();
  if (!survived) cut();
  move_to_target();
}

/// What the connection has to send goes into the socket's buffer as far as there is room.
void Cable::flush() {
  while (connection_ && connection_->has_output() &&
         to_initiator_.waiting() < around_.settings.buffer_bytes) {
    std::array<iovec, 64> pieces;
    const std::size_t used = connection_->gather(pieces);
    if (used == 0) break;
    const std::size_t room = around_.settings.buffer_bytes - to_initiator_.waiting();
    std::size_t sent = 0;
    for (std::size_t i = 0; i < used && sent < room; ++i) {
      const std::size_t bytes = std::min(pieces[i].iov_len, room - sent);
      to_initiator_.add({static_cast<const std::byte*>(pieces[i].iov_base), bytes});
      sent += bytes;
    }
    connection_->sent(sent);
  }
  move_to_initiator();
  if (!connection_) return;
  if (connection_->wants_close())
    disconnect_target("");
  else
    move_to_target();
}

void Cable::move_to_initiator() {
  if (to_initiator_.moving || cut_) return;
  if (to_initiator_.waiting() == 0 && connection_) return;
  to_initiator_.moving = true;
  microseconds after = delay();
  if (stalls_left_ > 0 && random_.chance(around_.settings.faults.stall_per_piece)) {
    --stalls_left_;
    after += seconds(random_.below(20));
  }
  around_.events.after(after, [self = shared_from_this()] { self->arrive_at_initiator(); });
}

void Cable::arrive_at_initiator() {
  to_initiator_.moving = false;
  if (!receiver_.bytes || cut_) return;
  if (to_initiator_.waiting() == 0) {
    if (!connection_) close_initiator();
    return;
  }
  Bytes piece = to_initiator_.take(1 + random_.below(around_.settings.piece_bytes));
  std::size_t bytes = piece.size();
  const bool survived = survives(bytes);
  const auto receive = receiver_.bytes;  // it may close this end, and then it is gone from here
  receive(std::span(piece).first(bytes));
  if (!survived) cut();
  around_.target.wake();
  flush();
  around_.target.settle();
}

void Cable::disconnect_target(std::string_view why) {
  if (!connection_) return;
  around_.target.wake();
  connection_->disconnected(why);
  connection_.reset();
  move_to_initiator();
}

void Cable::close_initiator() {
  const auto closed = std::exchange(receiver_, {}).closed;
  if (closed) closed();
}

void Cable::close() {
  receiver_ = {};
  around_.events.after(delay(), [self = shared_from_this()] {
    self->disconnect_target("closed by the initiator");
    self->around_.target.settle();
  });
}

/// Either end may learn of it much later than the other.
void Cable::cut() {
  if (std::exchange(cut_, true)) return;
  around_.trace.line("the cable is cut");
  const auto late = [this] {
    return random_.coin() ? delay() : microseconds(seconds(random_.below(4)));
  };
  around_.events.after(late(), [self = shared_from_this()] {
    self->disconnect_target("reset");
    self->around_.target.settle();
  });
  around_.events.after(late(), [self = shared_from_this()] { self->close_initiator(); });
}

}  // namespace tsihd::session::sim
