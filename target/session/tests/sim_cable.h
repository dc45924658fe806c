// One TCP connection between the initiator and the target: bytes take their time, arrive in pieces,
// wait in buffers of limited size, and at some byte it may be over.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "target/session/connection.h"
#include "target/session/tests/sim_events.h"
#include "target/session/tests/sim_random.h"
#include "target/session/tests/sim_settings.h"
#include "target/session/tests/sim_target.h"
#include "target/session/tests/sim_trace.h"

namespace tsihd::session::sim {

using Bytes = std::vector<std::byte>;

class Cable final : public Outlet, public std::enable_shared_from_this<Cable> {
 public:
  /// The initiator's end.
  struct Receiver {
    std::function<void(std::span<const std::byte>)> bytes;
    std::function<void()> closed;  ///< the target has closed it, or it was cut
  };
  struct Surroundings {
    Events& events;
    TargetSide& target;
    const Settings& settings;
    const Trace& trace;
  };

  /// Connects; `will_be_cut` after some bytes. Null when the target accepts no connection now.
  static std::shared_ptr<Cable> connect(const Surroundings& surroundings, Random random,
                                        std::uint16_t port, bool will_be_cut);

  void attach(Receiver receiver) { receiver_ = std::move(receiver); }
  void send(std::span<const std::byte> bytes);
  /// The initiator closes its end; the target sees that after a while.
  void close();
  void flush() override;

 private:
  struct Direction {
    Bytes queue;
    std::size_t taken = 0;  ///< of the queue, at its beginning
    bool moving = false;    ///< a piece is on its way
    std::size_t waiting() const { return queue.size() - taken; }
    void add(std::span<const std::byte> bytes);
    Bytes take(std::size_t most);
  };

  Cable(const Surroundings& surroundings, Random random);
  microseconds delay();
  bool survives(std::size_t& bytes);
  void move_to_target();
  void arrive_at_target();
  void move_to_initiator();
  void arrive_at_initiator();
  void disconnect_target(std::string_view why);
  void close_initiator();
  void cut();

  Surroundings around_;
  Random random_;
  Receiver receiver_;
  std::unique_ptr<Connection> connection_;
  Direction to_target_, to_initiator_;
  std::uint64_t bytes_until_cut_;
  std::uint32_t stalls_left_ = 2;
  bool cut_ = false;
};

}  // namespace tsihd::session::sim
