// A whole session layer played by a script: initiators that say anything on a few connections, a
// disk that completes in any order, a clock that jumps.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "target/fuzz/script.h"
#include "target/session/connection.h"
#include "target/session/service.h"
#include "target/session/tests/sim_disk.h"
#include "target/wire/reader.h"

namespace tsihd::fuzz {

/// What holds after each act: nothing is held beyond Limits, all that is said is whole PDUs of a
/// target, and the work of a batch comes to an end. What holds at the end, when the connections are
/// gone, the disk has answered and all times are out: no session, task, or byte of memory is left.
class SessionPlay {
 public:
  /// `trace`: prints the service's log.
  SessionPlay(Script& script, bool trace);
  ~SessionPlay();
  void run();

 private:
  static constexpr std::size_t kLines = 3;
  static constexpr unsigned kMostActs = 500;

  /// One initiator's end of a connection.
  struct Line {
    std::unique_ptr<session::Connection> connection;
    wire::PduReader reader;
    wire::Digests digests;
    bool reads = true;
    bool logged_in = false;
    std::uint32_t cmd_sn = 1;
    std::uint32_t exp_stat_sn = 0;
    std::uint32_t next_tag = 1;
    std::uint32_t last_tag = 0;
    std::uint16_t tsih = 0;
    std::optional<wire::R2tBhs> r2t;  ///< the last one
  };

  // What a script can do; each reads its details from it.
  void act();
  void log_in(Line& line);
  void command(Line& line);
  void answer_r2t(Line& line);
  void data_out(Line& line);
  void ping(Line& line);
  void text(Line& line);
  void manage(Line& line);
  void log_out(Line& line);
  void snack(Line& line);
  void raw(Line& line);
  void read_or_not(Line& line);
  void vanish(Line& line);
  void operate();
  void complete_one(bool well);
  void pass_time();

  template <wire::Bhs T>
  void send(Line& line, T bhs, std::span<const std::byte> data = {});
  void patch(std::span<std::byte> header);
  void deliver(Line& line, std::span<const std::byte> bytes);
  std::span<const std::byte> payload(std::size_t bytes) const;

  void settle();
  void flush(Line& line);
  void take(Line& line, const wire::Pdu& pdu);
  void close(Line& line, std::string_view why);
  void tick_until(Instant until);
  void check() const;
  void end();

  Script& script_;
  session::test::SimDisk* disk_ = nullptr;
  std::unique_ptr<session::Service> service_;
  std::array<Line, kLines> lines_;
  std::size_t piece_bytes_ = 4096;
  std::vector<std::byte> pattern_;
};

}  // namespace tsihd::fuzz
