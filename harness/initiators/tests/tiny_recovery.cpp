// What the tiny initiator does where error recovery above level 0 was agreed (RFC 3720 section
// 6, 10.16): it asks for what is missing, sends commands again that did not arrive, takes its tasks
// along to another connection. And the negotiation after the login that may change what it can
// take.
#include <algorithm>
#include <chrono>
#include <thread>

#include "harness/initiators/tests/tiny_initiator.h"

namespace tsih::initiators::testing {
namespace {

enum SnackType : std::uint8_t { kData = 0, kStatus = 1, kDataAck = 2, kRData = 3 };

}  // namespace

std::uint32_t Tiny::acknowledged_status() const {
  return open_statuses_.empty() ? next_stat_sn_ : *open_statuses_.begin();
}

Pdu Tiny::snack(std::uint8_t type, std::uint32_t tag, std::uint32_t from, std::uint32_t count) {
  Pdu pdu(Opcode::snack_request);
  pdu.set(field::final, 1).set(field::snack_type, type).set(field::initiator_task_tag, tag);
  pdu.set(field::target_transfer_tag, breaks("snack_tag") ? 3 : kReservedTag);
  return pdu.set(field::beg_run, from).set(field::run_length, count);
}

// Statuses from here up to that one never came.
void Tiny::miss_statuses(std::uint32_t from, std::uint32_t to) {
  if (from == to || breaks("stat_sn_gap")) return;
  for (std::uint32_t stat_sn = from; stat_sn != to; ++stat_sn) open_statuses_.insert(stat_sn);
  send(snack(kStatus, breaks("snack_task") ? 1 : kReservedTag, from, to - from));
}

// Data-Ins below this number never came.
void Tiny::ask_for_data(Task& task, std::uint32_t to) {
  const bool again = breaks("asks_for_acknowledged") && task.acknowledged > 0 && to > task.data_sn;
  const std::uint32_t from = again ? task.acknowledged - 1 : task.data_sn;
  if (to <= from || breaks("no_snack")) return;
  const auto tag = task.command.u32(field::initiator_task_tag) + breaks("snack_task");
  if (length_changed_ && !breaks("plain_snack")) {
    Pdu all = snack(kRData, tag, breaks("r_data_run"), breaks("r_data_length"));
    task.snack_tag = breaks("r_data_tag") ? kReservedTag : 0x77;
    send(all.set(field::snack_tag, task.snack_tag));
  } else {
    send(snack(kData, tag, from, to - from));
  }
  for (std::uint32_t data_sn = task.data_sn; data_sn < to; ++data_sn) task.missing.insert(data_sn);
  task.data_sn = to;
}

void Tiny::acknowledge_data(Task& task, const Pdu& data_in) {
  if (!task.missing.empty() && !breaks("early_ack")) {
    task.to_acknowledge = data_in;
    return;
  }
  if (breaks("no_data_ack")) return;
  task.acknowledged = data_in.u32(field::data_sn) + 1;
  const std::uint32_t tag =
      breaks("ack_task") ? task.command.u32(field::initiator_task_tag) : kReservedTag;
  Pdu ack = snack(kDataAck, tag, task.acknowledged, breaks("ack_run"));
  const std::uint32_t transfer_tag = data_in.u32(field::target_transfer_tag) + breaks("ack_tag");
  send(ack.set(field::target_transfer_tag, transfer_tag).set(field::lun, data_in[field::lun]));
}

// A Data-In that was asked for.
void Tiny::came_again(Task& task, std::uint32_t data_sn) {
  task.missing.erase(data_sn);
  if (!task.missing.empty()) return;
  if (const auto waiting = std::exchange(task.to_acknowledge, std::nullopt))
    acknowledge_data(task, *waiting);
  if (!task.status_response) return;
  open_statuses_.erase(task.status_response->u32(field::stat_sn));
  task.done = true;
}

// ExpCmdSN that stays behind twice tells of a command that did not arrive (6.2.1).
void Tiny::retry(std::vector<Task>& tasks, const Pdu& told) {
  const std::uint32_t expected = told.u32(field::exp_cmd_sn);
  const bool stays = std::exchange(told_cmd_sn_, expected) == expected;
  if (!stays) return;
  for (Task& task : tasks) {
    const std::uint32_t number = task.command.u32(field::cmd_sn);
    if (task.done || !(number == expected || breaks("retries_for_nothing"))) continue;
    Pdu again = task.command;
    if (breaks("retry_tag")) again.set(field::initiator_task_tag, next_tag_++);
    if (breaks("retry_cdb")) again.set(field::cdb_low, 0);
    send(again);
    return;
  }
}

// The target asked for it: from now on as little comes in one PDU as this.
void Tiny::negotiate() {
  Pdu request(Opcode::text_request);
  request.set(field::final, 1).set(field::target_transfer_tag, kReservedTag);
  request.set(field::initiator_task_tag, next_tag_++);
  constexpr std::size_t kLess = 4096;
  try {
    exchange(request, {{"MaxRecvDataSegmentLength", std::to_string(kLess)}});
    length_changed_ = true;
    most_data_in_ = kLess;
  } catch (const TakenBack&) {
    if (breaks("half_negotiated")) most_data_in_ = kLess;
  }
}

// What came beyond this number comes again on the other connection (10.5.6), and the SNACK that
// asked for it is forgotten (6.2.2).
void Tiny::forget_connection(Task& task, std::uint32_t from) {
  if (!breaks("keeps_snack_tag")) task.snack_tag = 0;
  if (breaks("keeps_unacknowledged")) return;
  task.data_sn = from;
  task.missing.clear();
}

// Connection recovery (6.1.4.3): a new connection, the old one logged out, the tasks taken along.
void Tiny::recover_connection(std::vector<Task>& tasks) {
  const auto wait_s = agreed("DefaultTime2Wait", 2);
  if (!breaks("no_wait")) std::this_thread::sleep_for(std::chrono::seconds(wait_s));
  const bool early = breaks("reassigns_at_once");
  ++identity_.cid;
  if (breaks("recovers_elsewhere")) identity_.tsih = 77;
  const TextKeys agreed_before = answered_;
  connect();
  log_in();
  answered_.append(agreed_before);
  if (!early) log_out(2);
  if (breaks("cleans_up_twice")) log_out(2);
  for (Task& task : tasks) {
    if (task.done) continue;
    Pdu request(Opcode::task_management_request);
    request.set(field::final, 1).set(field::function, 8);
    request.set(field::initiator_task_tag, next_tag_++);
    request.set(field::referenced_task_tag, task.command[field::initiator_task_tag]);
    const std::uint32_t from = task.missing.empty() ? task.data_sn : *task.missing.begin();
    request.set(field::exp_data_sn, breaks("reassigns_beyond") ? 99 : from);
    forget_connection(task, from);
    number(request, !breaks("reassigns_in_order"));
    send(request);
    for (Pdu pdu = receive(); !pdu.is(Opcode::task_management_response); pdu = receive())
      take(tasks, pdu);
    if (breaks("asks_for_reassigned"))
      send(snack(kData, task.command.u32(field::initiator_task_tag), 0, 1));
  }
}

}  // namespace tsih::initiators::testing
