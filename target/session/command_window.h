// The numbering of commands in a session (RFC 3720 3.2.2.1): which CmdSN may come, in what order
// they are delivered, and how many more we take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "target/session/task.h"
#include "target/wire/pdu.h"

namespace tsihd::session {

/// A non-immediate request that came before its turn.
struct HeldRequest {
  enum class Kind : std::uint8_t {
    none,     ///< nothing came under this number
    task,     ///< a SCSI command: `task` waits
    pdu,      ///< another request: its bytes
    received  ///< aborted before it came: counts as received (10.6.1 b)
  };
  Kind kind = Kind::none;
  Task* task = nullptr;
  Connection* connection = nullptr;  ///< pdu: where it came
  std::vector<std::byte> header{};
  std::vector<std::byte> data{};
};

/// MaxCmdSN - ExpCmdSN + 1 is the queue depth less the commands that have no status yet, so
/// MaxCmdSN never moves back. Arithmetic is RFC 1982's.
class CommandWindow {
 public:
  CommandWindow(std::uint32_t first_cmd_sn, std::uint32_t depth);

  std::uint32_t exp_cmd_sn() const { return exp_cmd_sn_; }
  std::uint32_t max_cmd_sn() const { return exp_cmd_sn_ + depth_ - active_ - 1; }
  std::uint32_t depth() const { return depth_; }

  enum class Verdict : std::uint8_t {
    deliver,  ///< its turn; call advance()
    hold,     ///< inside the window, but others come before; call hold()
    ignore    ///< outside the window or a duplicate: not a word about it (3.2.2.1)
  };
  Verdict judge(std::uint32_t cmd_sn) const;
  /// The request with exp_cmd_sn() is delivered.
  void advance() { ++exp_cmd_sn_; }
  /// Keeps a request that judge() said hold of.
  void hold(std::uint32_t cmd_sn, HeldRequest request);
  /// The request whose turn has come, if it was held; it counts as delivered then. Kind none: there
  /// is a gap, or nothing is held.
  HeldRequest take_held();
  /// A held task was aborted: its number stays received.
  void forget(const Task& task);
  bool holds_any() const { return held_count_ > 0; }
  void drop_held();
  /// The connection is logged out: what it brought and what has not had its turn was never received
  /// (10.14). Calls release(task) for each command among it.
  template <class Release>
  void discard(const Connection& connection, Release release) {
    for (HeldRequest& slot : held_) {
      const bool of_it =
          slot.kind == HeldRequest::Kind::task
              ? slot.task->connection == &connection
              : slot.kind == HeldRequest::Kind::pdu && slot.connection == &connection;
      if (!of_it) continue;
      const HeldRequest dropped = std::exchange(slot, HeldRequest{});
      --held_count_;
      if (dropped.task) release(*dropped.task);
    }
  }

  /// A command takes a place until its status is on its way.
  void begin() { ++active_; }
  void finish() { --active_; }
  std::uint32_t active() const { return active_; }

 private:
  std::uint32_t exp_cmd_sn_;
  std::uint32_t depth_;
  std::uint32_t active_ = 0;
  std::uint32_t held_count_ = 0;
  std::vector<HeldRequest> held_;  ///< by CmdSN modulo the depth; empty until the first gap
};

}  // namespace tsihd::session
