// When the recovery of a connection or of its tasks is tried (RFC 3720 3.5.3.3, 6.4, 10.15). The
// connection's end must be in the capture, and be the target's or announced: when an initiator gave
// a connection up shows nowhere.
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kAttempts =
    pdus(Opcode::task_management_request, Opcode::logout_request, Opcode::login_request);
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
/// What the clocks of the capture and of the initiator may differ by.
constexpr std::uint64_t kClocksNs = 200'000'000;

const Parting* parting_of(const Session& session, std::optional<unsigned> connection) {
  if (!connection) return nullptr;
  const auto found = session.partings.find(*connection);
  return found == session.partings.end() ? nullptr : &found->second;
}

std::optional<unsigned> connection_of(const Session& session, const Moment& m) {
  const auto found = session.connection_of_cid.find(static_cast<std::uint16_t>(m.pdu[field::cid]));
  if (found == session.connection_of_cid.end() || found->second == m.connection.number)
    return std::nullopt;
  return found->second;
}

/// The connection whose recovery this PDU tries; null when it tries none.
const Parting* recovered(const Moment& m) {
  constexpr unsigned kReassign = 8;
  if (m.pdu.is(Opcode::task_management_request)) {
    if (m.pdu[field::function] != kReassign) return nullptr;
    const Task* task = m.session.find(m.pdu.u32(field::referenced_task_tag));
    return task ? parting_of(m.session, task->connection) : nullptr;
  }
  // A connection that was logged out needs no logout: its CID is free.
  const Parting* parting = nullptr;
  if (m.pdu.is(Opcode::logout_request)) {
    if (m.pdu[field::logout_reason] != 0)
      parting = parting_of(m.session, connection_of(m.session, m));
  } else if (const auto& session = m.connection.login.predecessor;
             session && m.connection.login.requests == 0 && m.pdu[field::tsih] != 0 &&
             m.pdu[field::tsih] == session->handle) {
    parting = parting_of(*session, connection_of(*session, m));
  }
  return parting && parting->how != Parting::How::logged_out ? parting : nullptr;
}

Ruling waits_as_the_logout_response_says(const Moment& m) {
  const Parting* parting = recovered(m);
  if (!parting ||
      (parting->how != Parting::How::logged_out && parting->how != Parting::How::logout_failed))
    return Ruling::aside();
  const std::uint64_t waited_ns = m.seen.place.time_ns - parting->time_ns;
  if (waited_ns + kClocksNs >= parting->wait_s * kNsPerSecond) return Ruling::kept();
  return Ruling::broken(
      fmt::format("recovery {} s (Time2Wait) behind the Logout Response", parting->wait_s),
      fmt::format("it {} ms behind", waited_ns / 1'000'000));
}

// Too early breaks a SHOULD NOT of the same sentence, and is not judged as its MUST.
Ruling comes_in_time(const Moment& m) {
  const Parting* parting = recovered(m);
  if (!parting) return Ruling::aside();
  const std::uint64_t waited_ns = m.seen.place.time_ns - parting->time_ns;
  const std::uint64_t most_s = std::uint64_t{parting->wait_s} + parting->retain_s;
  if (waited_ns <= most_s * kNsPerSecond + kClocksNs) return Ruling::kept();
  return Ruling::broken(fmt::format("recovery within {} s, Time2Wait and Time2Retain", most_s),
                        fmt::format("it {} ms later", waited_ns / 1'000'000));
}

constexpr Rule kRules[] = {
    {"recovery.waits",
     {"R3720-3.5.3.3-l01"},
     Judged::initiator,
     kAttempts,
     waits_as_the_logout_response_says},
    {"recovery.in_time", {"R3720-6.4-01"}, Judged::initiator, kAttempts, comes_in_time},
};

}  // namespace

std::span<const Rule> recovery_rules() { return kRules; }

}  // namespace tsih::judge
