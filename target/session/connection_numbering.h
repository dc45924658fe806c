// How a connection numbers and queues response PDUs. Included by its source files only.
#pragma once

#include "target/session/connection.h"
#include "target/session/session.h"

namespace tsihd::session {

/// StatSN, ExpCmdSN and MaxCmdSN of a response. `advances`: it bears a status of its own (10.4.9).
template <class T>
void Connection::number(T& bhs, bool advances) {
  ++service_.counters().pdus_sent;
  bhs.stat_sn = stat_sn_;
  if (advances) ++stat_sn_;
  bhs.exp_cmd_sn = exp_cmd_sn();
  bhs.max_cmd_sn = max_cmd_sn();
}

template <class T>
void Connection::send(T bhs, bool advances) {
  send_copy(bhs, {}, advances);
}

template <class T>
void Connection::send_copy(T bhs, std::span<const std::byte> data, bool advances) {
  number(bhs, advances);
  output_.push_copy(bhs, data, digests_);
  if (advances && session_->recovers()) {
    history_.note(stat_sn_ - 1, std::as_bytes(std::span(&bhs, 1)), data,
                  [this](Task& task) { let_go(task); });
    solicit_acknowledgement();
  }
  ready_to_send();
}

}  // namespace tsihd::session
