#include "harness/judge/retransmission.h"

#include <algorithm>

#include "harness/judge/rule.h"

namespace tsih::judge {
namespace {

EndedTask* find_ended(Session& session, std::uint32_t tag) {
  const auto found = std::ranges::find(session.ended, tag, &EndedTask::tag);
  return found == session.ended.end() ? nullptr : &*found;
}

void ask_again(std::optional<AskedAgain>& asked, std::uint32_t begin, std::uint32_t end) {
  if (serial_distance(end, begin) > 0) asked = AskedAgain{begin, end};
}

// Data/R2T SNACK and R-Data SNACK. Where RunLength is 0, all that was sent is meant.
void ask_for_data(Connection& connection, const Pdu& pdu) {
  Session& session = *connection.session;
  const std::uint32_t tag = pdu.u32(field::initiator_task_tag);
  const std::uint32_t begin = pdu.u32(field::beg_run), length = pdu.u32(field::run_length);
  const bool resegmented = pdu[field::snack_type] == kRDataSnack;
  if (resegmented) forget_data_ins(connection, tag);
  const auto found = session.tasks.find(tag);
  if (found == session.tasks.end()) {
    EndedTask* ended = find_ended(session, tag);
    if (ended && length > 0) ask_again(ended->asked_again, begin, begin + length);
    return;
  }
  Task& task = found->second;
  task.recovered = true;
  if (resegmented) {
    task.receive_changes = connection.receive_changes;
    if (task.snack_tags.size() < limits::kSnackTags)
      task.snack_tags.push_back(pdu.u32(field::snack_tag));
  } else if (task.reads()) {
    ask_again(task.asked_again, begin, length > 0 ? begin + length : task.next_data_sn);
  }
}

void acknowledge_data(Connection& connection, const Pdu& pdu) {
  const auto asked = connection.asked_acks.find(pdu.u32(field::target_transfer_tag));
  if (asked == connection.asked_acks.end()) return;
  const auto task = connection.session->tasks.find(asked->second.tag);
  if (task != connection.session->tasks.end())
    task->second.acknowledged_data_sn = pdu.u32(field::beg_run);
  connection.asked_acks.erase(asked);
}

}  // namespace

void take_snack(Connection& connection, const SeenPdu& seen) {
  switch (seen.pdu[field::snack_type]) {
    case kDataSnack:
    case kRDataSnack:
      connection.snacked = true;  // an R-Data SNACK may bring a response again, too
      ask_for_data(connection, seen.pdu);
      break;
    case kStatusSnack:
      connection.snacked = true;
      break;
    case kDataAck:
      acknowledge_data(connection, seen.pdu);
      break;
    default:
      break;
  }
}

void reassign(Connection& connection, Task& task, const Pdu& request) {
  forget_data_ins(connection, request.u32(field::referenced_task_tag));
  task.recovered = true;
  task.connection = connection.number;
  task.receive_changes = connection.receive_changes;
  task.asked_again.reset();
  if (const std::uint32_t number = request.u32(field::exp_data_sn); number > 0 && task.reads())
    task.acknowledged_data_sn = number;
}

void note_data_in_again(Connection& connection, const SeenPdu& seen) {
  Session& session = *connection.session;
  const std::uint32_t tag = seen.pdu.u32(field::initiator_task_tag);
  std::optional<AskedAgain>* asked = nullptr;
  if (const auto task = session.tasks.find(tag); task != session.tasks.end())
    asked = &task->second.asked_again;
  else if (session.parameters.error_recovery_level > 0)
    if (EndedTask* ended = find_ended(session, tag)) asked = &ended->asked_again;
  if (!asked || !*asked || seen.pdu.u32(field::data_sn) != (*asked)->next) return;
  if (++(*asked)->next == (*asked)->end) asked->reset();
}

void note_data_in(Connection& connection, const SeenPdu& seen) {
  if (connection.session->parameters.error_recovery_level == 0) return;
  if (sent_before(connection, seen.pdu)) return;
  auto& sent = connection.data_ins;
  if (sent.size() >= limits::kDataReplicas) sent.pop_front();
  const Pdu& pdu = seen.pdu;
  sent.push_back(
      {pdu.u32(field::initiator_task_tag), pdu.u32(field::data_sn), pdu.header, seen.data_crc});
}

void forget_data_ins(Connection& connection, std::uint32_t tag) {
  std::erase_if(connection.data_ins, [&](const SentDataIn& one) { return one.tag == tag; });
}

const SentDataIn* sent_before(const Connection& connection, const Pdu& pdu) {
  const std::uint32_t tag = pdu.u32(field::initiator_task_tag);
  const std::uint32_t number = pdu.u32(field::data_sn);
  const auto found = std::ranges::find_if(connection.data_ins, [&](const SentDataIn& one) {
    return one.tag == tag && one.data_sn == number;
  });
  return found == connection.data_ins.end() ? nullptr : &*found;
}

void note_tagged_response(Connection& connection, const Pdu& pdu) {
  EndedTask* ended = find_ended(*connection.session, pdu.u32(field::initiator_task_tag));
  if (ended) ended->tagged |= ended->snack_tag == pdu.u32(field::snack_tag);
}

void note_asked_ack(Connection& connection, const Task& task, const SeenPdu& seen) {
  const Pdu& pdu = seen.pdu;
  if (!pdu[field::acknowledge]) return;
  const std::uint32_t tag = pdu.u32(field::target_transfer_tag);
  auto& asked = connection.asked_acks;
  if (asked.size() >= limits::kAskedAcks && !asked.contains(tag)) asked.erase(asked.begin());
  asked[tag] = {.tag = pdu.u32(field::initiator_task_tag),
                .lun = pdu[field::lun],
                .next_data_sn = pdu.u32(field::data_sn) + 1,
                .time_ns = seen.place.time_ns,
                .rare = task.bytes_since_ack + seen.data_bytes >=
                        connection.session->parameters.max_burst_bytes};
}

void note_response(Connection& connection, const Pdu& pdu) {
  auto& responses = connection.responses;
  if (!responses.empty() && serial_distance(pdu.u32(field::stat_sn), responses.back().stat_sn) <= 0)
    return;  // repeated
  if (responses.size() >= limits::kReplicas) responses.pop_front();
  responses.push_back({pdu.u32(field::stat_sn), pdu.u32(field::exp_cmd_sn), pdu.header});
}

}  // namespace tsih::judge
