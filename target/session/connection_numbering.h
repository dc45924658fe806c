// How a connection numbers and queues response PDUs. Included by its source files only.
#pragma once

#include "target/session/connection.h"

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
  number(bhs, advances);
  output_.push(bhs, {}, nullptr, digests_);
  ready_to_send();
}

template <class T>
void Connection::send_copy(T bhs, std::span<const std::byte> data, bool advances) {
  number(bhs, advances);
  output_.push_copy(bhs, data, digests_);
  ready_to_send();
}

}  // namespace tsihd::session
