#include "harness/judge/partings.h"

#include "harness/judge/rule.h"

namespace tsih::judge {
namespace {

void part(Session& session, unsigned connection, const Parting& parting) {
  if (session.partings.size() < limits::kConnections) session.partings[connection] = parting;
}

}  // namespace

// Below level 2, and where the response is 1 (CID not found), the times mean nothing (10.15.3).
void note_logout_times(Connection& connection, const SeenPdu& seen) {
  enum Response : unsigned { kClosed = 0, kNoRecovery = 2, kCleanupFailed = 3 };
  Session& session = *connection.session;
  const Task* task = session.find(seen.pdu.u32(field::initiator_task_tag));
  if (!task || !task->is(TaskKind::logout) || task->request[field::logout_reason] == 0) return;
  const auto response = seen.pdu[field::response];
  const bool closed = response == kClosed && session.parameters.error_recovery_level >= 2;
  if (!closed && response != kNoRecovery && response != kCleanupFailed) return;
  const auto of =
      session.connection_of_cid.find(static_cast<std::uint16_t>(task->request[field::cid]));
  if (of == session.connection_of_cid.end()) return;
  part(session, of->second,
       {.how = closed ? Parting::How::logged_out : Parting::How::logout_failed,
        .time_ns = seen.place.time_ns,
        .wait_s = seen.pdu.u32(field::time2wait),
        .retain_s = seen.pdu.u32(field::time2retain)});
}

void note_announcement(Connection& connection, const SeenPdu& seen) {
  Session& session = *connection.session;
  const auto event = seen.pdu[field::async_event];
  const Parting parting{.how = Parting::How::announced,
                        .time_ns = seen.place.time_ns,
                        .wait_s = seen.pdu.u32(field::parameter2),
                        .retain_s = seen.pdu.u32(field::parameter3)};
  if (event == kSessionDropped) {
    for (unsigned of : session.alive) part(session, of, parting);
  } else if (event == kConnectionDropped) {
    const auto of =
        session.connection_of_cid.find(static_cast<std::uint16_t>(seen.pdu[field::parameter1]));
    if (of != session.connection_of_cid.end()) part(session, of->second, parting);
  }
}

// What the initiator ends itself it may have given up long before.
void note_loss(Connection& connection, From by, std::uint64_t time_ns) {
  Session& session = *connection.session;
  if (connection.phase != Phase::full_feature || connection.logout_sent || session.over) return;
  if (const auto known = session.partings.find(connection.number);
      known != session.partings.end()) {
    if (known->second.how == Parting::How::announced) known->second.time_ns = time_ns;
    return;
  }
  if (by == From::initiator || !session.known_from_start) return;
  part(session, connection.number,
       {.how = Parting::How::lost,
        .time_ns = time_ns,
        .wait_s = session.parameters.time2wait_s,
        .retain_s = session.parameters.time2retain_s});
}

void note_retry(Connection& connection, const Pdu& command) {
  Session& session = *connection.session;
  if (!session.next_cmd_sn || command[field::immediate]) return;
  const std::int32_t ahead = serial_distance(*session.next_cmd_sn, command.u32(field::cmd_sn));
  if (ahead < 0 || session.retries.size() >= limits::kConnections) return;
  session.retries[connection.number] = {.session_cmd_sn = *session.next_cmd_sn,
                                        .advanced = static_cast<std::uint32_t>(ahead),
                                        .newer_sn = {}};
}

void note_newer_command(Connection& connection, std::uint32_t cmd_sn) {
  const auto found = connection.session->retries.find(connection.number);
  if (found == connection.session->retries.end() || found->second.newer_sn) return;
  if (serial_distance(cmd_sn, found->second.session_cmd_sn) >= 0) found->second.newer_sn = cmd_sn;
}

void forget_retries(Session& session) {
  std::erase_if(session.retries, [&](const auto& one) {
    const auto& newer = one.second.newer_sn;
    return newer && session.exp_cmd_sn && serial_distance(*session.exp_cmd_sn, *newer) > 0;
  });
}

}  // namespace tsih::judge
