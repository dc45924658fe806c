// One connection of the simulated initiator: its place in the session, its framing, and the numbers
// that the target must keep on it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "target/session/tests/sim_cable.h"
#include "target/session/tests/sim_command.h"
#include "target/wire/reader.h"

namespace tsihd::session::sim {

/// StatSN of one connection (3.2.2.2): each status once, in order; what is missing in between. A
/// status whose data is not complete may be held back: it is not acknowledged before (6.8).
class StatusNumbers {
 public:
  enum class Verdict : std::uint8_t { in_order, early, repeated };

  void start(std::uint32_t first) { expected_ = first; }
  /// A PDU that bears a status of its own.
  Verdict take(std::uint32_t stat_sn);
  void hold(std::uint32_t stat_sn) { held_.insert(stat_sn); }
  void let_go(std::uint32_t stat_sn) { held_.erase(stat_sn); }
  /// ExpStatSN to be sent.
  std::uint32_t expected();
  /// What has not come of the numbers below `next`: the first run.
  Run missing(std::uint32_t next) const;

 private:
  bool has(std::uint32_t stat_sn) const;

  std::uint32_t expected_ = 0;
  std::set<std::uint32_t> taken_;  ///< expected_ and above
  std::set<std::uint32_t> held_;
};

struct Line {
  enum class State : std::uint8_t {
    login,
    full_feature,
    logging_out,  ///< its own Logout Response is awaited
    dead          ///< closed or cut; the session may still hold commands of it
  };

  explicit Line(std::uint16_t its_cid) : cid(its_cid) {}

  const std::uint16_t cid;
  State state = State::login;
  std::shared_ptr<Cable> cable;
  wire::PduReader reader;
  wire::Digests digests;
  std::string login_answers;  ///< the target's text so far
  std::string login_rest;     ///< ours that is still to be sent
  bool leading = false;
  bool names_sent = false;
  bool numbered = false;  ///< StatSN has started
  StatusNumbers numbers;
  std::optional<std::uint32_t> exp_cmd_sn;  ///< the last that came on this line
  std::optional<std::uint32_t> max_cmd_sn;
  Instant heard{};         ///< when the last PDU came
  Instant status_asked{};  ///< when a Status SNACK was sent
};

}  // namespace tsihd::session::sim
