#include "harness/judge/follower.h"

#include <algorithm>
#include <utility>

#include "harness/judge/authentication.h"
#include "harness/judge/parameters.h"
#include "harness/judge/partings.h"
#include "harness/judge/retransmission.h"
#include "harness/judge/tasks.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kText = pdus(Opcode::login_request, Opcode::login_response,
                                     Opcode::text_request, Opcode::text_response);
constexpr unsigned kFullFeature = 3;

bool has(std::uint64_t set, const Pdu& pdu) { return set >> pdu.opcode() & 1; }

/// The logical text that ends with this PDU, pieces of earlier ones (C) before it.
struct LogicalText {
  wire::ParsedText parsed;
  bool whole = false;
};

LogicalText gather_text(Connection& connection, From from, const SeenPdu& seen) {
  LogicalText text;
  auto& partial = connection.negotiation.partial[side(from)];
  const bool first = seen.pdu.is(Opcode::text_request) &&
                     seen.pdu.u32(field::target_transfer_tag) == wire::kReservedTag;
  if (first) {
    connection.negotiation = {};
    connection.negotiation.known = true;
  }
  const bool too_long = partial.size() + seen.pdu.data.size() > limits::kTextBytes;
  if (too_long || (!seen.data_kept && seen.data_bytes > 0)) {
    connection.negotiation.known = false;
    return text;
  }
  partial.insert(partial.end(), seen.pdu.data.begin(), seen.pdu.data.end());
  if (seen.pdu[field::continues]) return text;
  text.parsed = wire::parse_text(partial);
  text.whole = true;
  partial.clear();
  return text;
}

bool numbered(const Pdu& pdu) {
  return has(pdus(Opcode::nop_out, Opcode::scsi_command, Opcode::task_management_request,
                  Opcode::text_request, Opcode::logout_request),
             pdu);
}

constexpr std::int32_t kLimitStep = 256;  // above it no window of commands is open in practice

// The session's numbers in the order of their use; the latest ones are remembered one by one.
void note_command_number(Connection& connection, const Pdu& pdu) {
  Session& session = *connection.session;
  const std::uint32_t number = pdu.u32(field::cmd_sn);
  std::erase(session.rejected, number);
  if (pdu.is(Opcode::task_management_request))  // an abort fills the gap as well (6.9)
    std::erase(session.rejected, pdu.u32(field::ref_cmd_sn));
  const bool immediate = pdu[field::immediate] != 0;
  const std::uint32_t next = immediate ? number : number + 1;
  auto& used = session.numbers_used;
  if (!session.next_cmd_sn) {
    used.reset();
    session.next_cmd_sn = next;
  }
  const std::int32_t step = serial_distance(next, *session.next_cmd_sn);
  if (step > kLimitStep)  // not a gap: another counting, and what was before it is forgotten
    used.reset();
  else
    for (std::uint32_t i = *session.next_cmd_sn; serial_distance(next, i) > 0; ++i)
      used.reset(i % used.size());
  if (step > 0) {
    session.next_cmd_sn = next;
    for (auto& [of, retry] : session.retries) retry.advanced += static_cast<std::uint32_t>(step);
  }
  if (immediate) return;
  note_newer_command(connection, number);
  used.set(number % used.size());
  connection.last_cmd_sn = number;
}

}  // namespace

std::shared_ptr<Session> Follower::new_session(bool known) {
  auto session = std::make_shared<Session>();
  session->number = ++sessions_ever_;
  session->known_from_start = session->tasks_known = known;
  return session;
}

// A connection belongs to a session from now on.
void Follower::join(Connection& connection, const std::shared_ptr<Session>& session) {
  connection.session = session;
  ++session->connections;
  ++session->connections_ever;
  if (session->alive.size() < limits::kConnections) session->alive.insert(connection.number);
}

void Follower::begin(Connection& connection) {
  join(connection, new_session(false));
  connection.phase = connection.seen_from_syn ? Phase::before_login : Phase::unknown;
  if (!connection.seen_from_syn) connection.hole = connection.blind = {true, true};
}

void Follower::hole(Connection& connection, From from) {
  connection.hole[side(from)] = connection.blind[side(from)] = true;
  Session& session = *connection.session;
  for (auto& [tag, task] : session.tasks) task.whole = false;
  session.tasks_known = false;
  connection.write_order.clear();
  connection.r2t_order.clear();
  connection.text_tag.reset();
  connection.text_transfer_tag.reset();
  connection.negotiation = {};
  connection.asked_acks.clear();
  connection.text_reset_due = false;
  connection.logout_asked.reset();
  connection.negotiation_asked.reset();
  if (connection.phase == Phase::login || connection.phase == Phase::before_login) {
    connection.phase = Phase::unknown;
    session.known_from_start = false;
  }
  if (from == From::initiator) {
    session.next_cmd_sn.reset();
    session.retries.clear();
    connection.last_cmd_sn.reset();
    connection.snacked = true;  // a SNACK may be among what is missing
    session.rejected.clear();
  } else {
    session.max_cmd_sn.reset();
    session.exp_cmd_sn.reset();
    connection.next_stat_sn.reset();
    connection.target_pings.clear();
  }
}

void Follower::end(Connection& connection) {
  if (connection.ended) return;
  connection.ended = true;
  Session& session = *connection.session;
  if (session.connections > 0) --session.connections;
  session.alive.erase(connection.number);
  session.retries.erase(connection.number);
  // Below level 2 the tasks of a connection end with it; above, reassignment may save them.
  if (session.parameters.error_recovery_level >= 2) {
    for (auto& [tag, task] : session.tasks)
      if (task.connection == connection.number) task.recovered = true;
  } else {
    std::erase_if(session.tasks,
                  [&](const auto& one) { return one.second.connection == connection.number; });
  }
}

void Follower::take(Connection& connection, From from, const SeenPdu& seen,
                    const std::function<void(const Moment&)>& judge) {
  ++connection.pdus;
  connection.blind[side(from)] = false;
  LogicalText text;
  const bool is_text = has(kText, seen.pdu);
  if (is_text) {
    text = gather_text(connection, from, seen);
    if (text.whole) find_predecessor(connection, seen.pdu, text.parsed.keys);
  }
  if (is_text && connection.phase != Phase::full_feature && seen.data_bytes > 0 &&
      !seen.data_kept) {
    connection.login_lost = true;
    connection.session->known_from_start = false;
  }
  const wire::TextKeys* keys = text.whole ? &text.parsed.keys : nullptr;
  const Task* task = nullptr;
  if (const std::uint32_t tag = seen.pdu.u32(field::initiator_task_tag); tag != wire::kReservedTag)
    task = connection.session->find(tag);
  const Pdu& pdu = seen.pdu;
  judge({.seen = seen,
         .pdu = pdu,
         .from = from,
         .connection = connection,
         .session = *connection.session,
         .task = task,
         .keys = keys,
         .text_problems = text.whole ? &text.parsed.problems : nullptr});
  if (!pdu.header_digest_ok) return;  // nobody acts on it, and it may say anything
  if (is_text) {
    connection.negotiation.last_continues[side(from)] = pdu[field::continues] != 0;
    if (keys) {
      note_authentication(connection, from, pdu, *keys);
      note_challenge(connection, from, *keys);
      note_keys(connection, from, *keys);
    }
  }
  if (from == From::initiator)
    request(connection, seen, keys);
  else
    response(connection, seen, keys);
}

// Whoever gets a challenge of its own back, on this connection or on another one, is to notice.
void Follower::note_challenge(Connection& connection, From from, const wire::TextKeys& keys) {
  const auto challenge = keys.value("CHAP_C");
  if (!challenge || challenge->size() > limits::kTextBytes) return;
  const auto value = wire::parse_binary(*challenge);
  if (!value || value->empty()) return;
  const std::string& name = connection.session->initiator_name;
  bool& reflected = connection.login.reflected[side(from)];
  if (from == From::target) {
    reflected |= std::ranges::any_of(challenges_, [&](const Challenge& one) {
      return one.initiator_name == name && one.value == *value;
    });
    return;
  }
  reflected |= wire::parse_binary(connection.login.challenge[1]) == value;
  if (challenges_.size() >= limits::kChallenges) challenges_.pop_front();
  challenges_.push_back({name, *value});
}

void Follower::request(Connection& connection, const SeenPdu& seen, const wire::TextKeys* keys) {
  const Pdu& pdu = seen.pdu;
  switch (static_cast<Opcode>(pdu.opcode())) {
    case Opcode::login_request:
      login_request(connection, pdu, keys);
      return;
    case Opcode::data_out:
      if (pdu.data_digest_ok) take_data_out(connection, seen);
      return;
    case Opcode::snack_request:
      take_snack(connection, seen);
      return;
    default:
      break;
  }
  if (!numbered(pdu)) return;
  note_command_number(connection, pdu);
  if (pdu.is(Opcode::nop_out)) connection.target_pings.erase(pdu.u32(field::target_transfer_tag));
  if (pdu.is(Opcode::text_request)) {
    connection.text_reset_due = false;
    connection.negotiation_asked.reset();
  }
  if (pdu.is(Opcode::logout_request)) {
    note_logout(connection, seen);
    connection.logout_asked.reset();
    connection.negotiation_asked.reset();
  }
  begin_task(connection, seen);
}

void Follower::response(Connection& connection, const SeenPdu& seen, const wire::TextKeys* keys) {
  const Pdu& pdu = seen.pdu;
  Session& session = *connection.session;
  const auto opcode = static_cast<Opcode>(pdu.opcode());
  if (!has(kFromTarget, pdu)) return;
  const std::uint32_t tag = pdu.u32(field::initiator_task_tag);
  const bool failed_login = opcode == Opcode::login_response && pdu[field::status] != 0;
  if (!failed_login) {
    const std::uint32_t most = pdu.u32(field::max_cmd_sn), expected = pdu.u32(field::exp_cmd_sn);
    if (!session.max_cmd_sn || serial_distance(most, *session.max_cmd_sn) > 0)
      session.max_cmd_sn = most;
    if (!session.exp_cmd_sn || serial_distance(expected, *session.exp_cmd_sn) > 0)
      session.exp_cmd_sn = expected;
    const bool advances =
        opcode == Opcode::data_in
            ? pdu[field::has_status] != 0
            : !(opcode == Opcode::r2t || (opcode == Opcode::nop_in && tag == wire::kReservedTag));
    const bool carries = opcode != Opcode::data_in || advances;
    const std::uint32_t next = pdu.u32(field::stat_sn) + (advances ? 1 : 0);
    if (carries &&
        (!connection.next_stat_sn || serial_distance(next, *connection.next_stat_sn) > 0))
      connection.next_stat_sn = next;
    if (advances) note_response(connection, pdu);
    forget_retries(session);
  }
  switch (opcode) {
    case Opcode::login_response:
      login_response(connection, pdu, keys);
      break;
    case Opcode::data_in:
      take_data_in(connection, seen);
      break;
    case Opcode::r2t:
      take_r2t(connection, seen);
      break;
    case Opcode::scsi_response:
      note_tagged_response(connection, pdu);
      end_task(connection, tag,
               {.status_in_data = false,
                .aborted = false,
                .stat_sn = pdu.u32(field::stat_sn),
                .response_tag = pdu.u32(field::snack_tag)});
      break;
    case Opcode::task_management_response:
      take_management_response(connection, seen);
      break;
    case Opcode::text_response:
      take_text_response(connection, seen);
      break;
    case Opcode::logout_response:
      logout_response(connection, seen);
      break;
    case Opcode::nop_in:
      if (tag != wire::kReservedTag) {
        end_task(connection, tag, {});
      } else if (const std::uint32_t ttt = pdu.u32(field::target_transfer_tag);
                 ttt != wire::kReservedTag && connection.target_pings.size() < limits::kTransfers) {
        connection.target_pings[ttt] = {pdu[field::lun], seen.place};
      }
      break;
    case Opcode::async_message:
      take_async(connection, seen);
      break;
    case Opcode::reject:
      take_reject(connection, seen);
      break;
    default:
      break;
  }
}

void Follower::login_request(Connection& connection, const Pdu& pdu, const wire::TextKeys* keys) {
  LoginState& login = connection.login;
  if (connection.phase != Phase::before_login && connection.phase != Phase::login) return;
  connection.phase = Phase::login;
  if (login.requests == 0) {
    login.first_request = pdu;
    login.leading = pdu[field::tsih] == 0;
    connection.cid = static_cast<std::uint16_t>(pdu[field::cid]);
    if (login.leading) {
      join(connection, new_session(!connection.login_lost));
      connection.session->next_cmd_sn = pdu.u32(field::cmd_sn);
    }
    connection.session->isid = pdu[field::isid];
  }
  login.last_request = pdu;
  ++login.requests;
  if (!keys) return;
  Session& session = *connection.session;
  if (const auto name = keys->value("InitiatorName")) session.initiator_name = *name;
  if (const auto name = keys->value("TargetName")) session.target_name = *name;
  if (const auto type = keys->value("SessionType"); type && *type == "Discovery")
    session.discovery = true;
}

void Follower::login_response(Connection& connection, const Pdu& pdu, const wire::TextKeys*) {
  LoginState& login = connection.login;
  if (connection.phase != Phase::login) return;
  login.last_response = pdu;
  ++login.responses;
  if (pdu[field::status] != 0) {
    login.refused = true;
    if (login.predecessor) login.predecessor->giving_way.clear();
    return;
  }
  if (pdu[field::transit] && pdu[field::nsg] == kFullFeature) login_over(connection, pdu);
}

// The session is what the login says it is: a new one, or one that gets a further connection.
void Follower::login_over(Connection& connection, const Pdu& pdu) {
  connection.phase = Phase::full_feature;
  const auto handle = static_cast<std::uint16_t>(pdu[field::tsih]);
  const auto old = connection.session;
  const SessionKey key{old->initiator_name, old->isid, handle};
  if (connection.login.leading) {
    for (auto at = first_of(key); at != sessions_.end() && is_of(at->first, key);) {
      const bool replaced = at->second->target_name == old->target_name;  // 5.3.5
      if (replaced) at->second->over = true;
      at = replaced ? sessions_.erase(at) : std::next(at);
    }
  } else if (const auto found = sessions_.find(key); found != sessions_.end()) {
    old->alive.erase(connection.number);
    join(connection, found->second);
  }
  Session& session = *connection.session;
  session.handle = handle;
  if (const auto cid = session.connection_of_cid.find(connection.cid);
      cid != session.connection_of_cid.end() && session.logged_out.size() < limits::kConnections)
    session.logged_out.insert(cid->second);  // connection reinstatement (5.3.4)
  if (session.connection_of_cid.size() < limits::kConnections)
    session.connection_of_cid[connection.cid] = connection.number;
  if (sessions_.size() < limits::kSessions) sessions_[key] = connection.session;
  agree(connection);
}

Follower::Sessions::iterator Follower::first_of(const SessionKey& key) {
  return sessions_.lower_bound({key.initiator_name, key.isid, 0});
}

bool Follower::is_of(const SessionKey& one, const SessionKey& other) {
  return one.initiator_name == other.initiator_name && one.isid == other.isid;
}

// The session that a login meets: one that lives before one that is over.
void Follower::find_predecessor(Connection& connection, const Pdu& pdu,
                                const wire::TextKeys& keys) {
  if (!pdu.is(Opcode::login_request) || !connection.negotiation.declared[0].empty()) return;
  const auto name = keys.value("InitiatorName");
  if (!name) return;
  const SessionKey key{*name, pdu[field::isid], 0};
  const std::string target = keys.value("TargetName").value_or("");
  for (auto at = first_of(key); at != sessions_.end() && is_of(at->first, key); ++at) {
    if (at->second->target_name != target) continue;
    connection.login.predecessor = at->second;
    const bool whole_session = pdu[field::tsih] == 0;
    if (at->second->over || (!whole_session && at->second->handle != pdu[field::tsih])) continue;
    give_way(*at->second, whole_session, static_cast<std::uint16_t>(pdu[field::cid]));
    return;
  }
}

// All of the session, or its connection of this CID, unless it has ended before.
void Follower::give_way(Session& session, bool whole_session, std::uint16_t cid) {
  if (whole_session) session.giving_way = session.alive;
  const auto at = session.connection_of_cid.find(cid);
  if (!whole_session && at != session.connection_of_cid.end() && session.alive.contains(at->second))
    session.giving_way.insert(at->second);
}

void Follower::logout_response(Connection& connection, const SeenPdu& seen) {
  Session& session = *connection.session;
  const std::uint32_t tag = seen.pdu.u32(field::initiator_task_tag);
  note_logout_times(connection, seen);
  if (const Task* task = session.find(tag);
      task && task->is(TaskKind::logout) && seen.pdu[field::response] == 0) {
    const bool whole_session = task->request[field::logout_reason] == 0;
    const auto cid =
        session.connection_of_cid.find(static_cast<std::uint16_t>(task->request[field::cid]));
    if (!whole_session && cid != session.connection_of_cid.end() &&
        session.logged_out.size() < limits::kConnections)
      session.logged_out.insert(cid->second);
    session.over |= whole_session || session.connections <= 1;
    if (connection.logout_sent) {
      connection.logout_answered = true;
      connection.logout_answered_ns = seen.place.time_ns;
    }
  }
  end_task(connection, tag, {});
}

}  // namespace tsih::judge
