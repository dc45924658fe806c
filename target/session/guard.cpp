#include "target/session/guard.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "target/session/connection.h"
#include "target/session/login_status.h"
#include "target/session/registry.h"
#include "target/session/session.h"

namespace tsihd::session {
namespace {

constexpr std::uint32_t kWholeSession = 0;  // for a link: none in particular

const PortalGroupAttributes& attributes_of(const Connection& newcomer) {
  return newcomer.identity().portal_group->attributes;
}

bool is_guarded(const PortalGroupAttributes& attributes) {
  return attributes.session_guard != GuardMode::off || attributes.max_sessions > 0;
}

/// The same machine: the same name at the same address.
bool same_machine(const Connection& newcomer, const Session& session) {
  return newcomer.identity().initiator_name == session.identity().initiator_name &&
         newcomer.endpoints().remote_address == session.peer_address();
}

}  // namespace

/// Who stands between a newcomer and its place.
struct Guard::Rivals {
  Session* port = nullptr;        ///< the session of the same name and ISID: it must go
  std::vector<Session*> others;   ///< the group's other sessions, those of the name first
  std::size_t must_go = 0;        ///< how many of `others`
  std::vector<Session*> leaving;  ///< have lost already; their commands are not all back
};

void Guard::ask(Connection& newcomer) {
  auto admission = std::make_unique<Admission>();
  admission->newcomer = &newcomer;
  admissions_.push_back(std::move(admission));
  advance();
}

void Guard::withdraw(Connection& newcomer) {
  const auto at = std::ranges::find_if(
      admissions_, [&](const auto& admission) { return admission->newcomer == &newcomer; });
  if (at == admissions_.end()) return;
  const auto admission = std::move(*at);
  admissions_.erase(at);
  release_hold(*admission);
  wake();
}

void Guard::advance() {
  due_ = false;
  for (std::size_t i = 0; i < admissions_.size();) {
    const Decision decision = judge(*admissions_[i]);
    if (decision.kind == Decision::Kind::wait) {
      ++i;
      continue;
    }
    auto admission = std::move(admissions_[i]);
    admissions_.erase(admissions_.begin() + static_cast<std::ptrdiff_t>(i));
    carry_out(std::move(admission), decision);
    i = 0;  // those that waited for this one come next, in their order
  }
  probes_out_ = 0;
  for (const auto& admission : admissions_) {
    probes_out_ += admission->probes.size();
    for (const Probe& probe : admission->probes)
      if (!probe.alive) service_.note_deadline(probe.deadline);
  }
}

Instant Guard::next_deadline() const {
  Instant deadline = Instant::max();
  for (const auto& admission : admissions_)
    for (const Probe& probe : admission->probes)
      if (!probe.alive && probe.deadline > service_.now())
        deadline = std::min(deadline, probe.deadline);
  return deadline;
}

void Guard::carry_out(std::unique_ptr<Admission> admission, const Decision& decision) {
  Connection& newcomer = *admission->newcomer;
  if (decision.kind == Decision::Kind::refuse) {
    release_hold(*admission);
    newcomer.refuse(decision.status);
    return;
  }
  Session* session = decision.session;
  if (!session) {
    session = service_.registry().create(newcomer.identity(), newcomer.negotiated(),
                                         newcomer.first_cmd_sn());
    if (!session) {
      service_.log().warning("login refused initiator={} peer={} reason=\"{} sessions are there\"",
                             newcomer.identity().initiator_name, newcomer.endpoints().remote(),
                             service_.limits().max_sessions);
      newcomer.refuse(LoginStatus::out_of_resources);
      return;
    }
  }
  newcomer.admit(*session);
  release_hold(*admission);
}

void Guard::release_hold(const Admission& admission) {
  if (Session* session = service_.registry().find_id(admission.held_open)) session->release_hold();
}

Guard::Decision Guard::judge(Admission& admission) {
  const Connection& newcomer = *admission.newcomer;
  if (service_.shutting_down())
    return {Decision::Kind::refuse, LoginStatus::service_unavailable, nullptr};
  if (newcomer.identity().type == SessionType::discovery)
    return {Decision::Kind::admit, 0, nullptr};
  if (waits_for_another(admission)) {
    if (!std::exchange(admission.wait_logged, true)) {
      ++service_.counters().guard_waited;
      log("wait", newcomer, nullptr, "another newcomer is being decided");
    }
    return {};
  }
  if (!losers_gone(admission)) return {};
  const Fence* fence = fence_against(newcomer);
  if (fence && service_.now() < fence->until) {
    ++service_.counters().guard_fence_refused;
    log("fence-refuse", newcomer, nullptr,
        fmt::format("fenced since {} logged in from {}", fence->winner_name,
                    fence->winner_address));
    return {Decision::Kind::refuse, attributes_of(newcomer).guard_refusal_status, nullptr};
  }
  if (newcomer.identity().tsih != 0) return judge_joiner(admission, fence != nullptr);
  return judge_rivals(admission, rivals_of(newcomer), fence != nullptr);
}

/// A connection for a session that exists: one more of it, or one of its CIDs anew (5.3.4). Another
/// machine that knows the session's handle is a copy: it must outlive the whole session first.
Guard::Decision Guard::judge_joiner(Admission& admission, bool displaced) {
  const Connection& newcomer = *admission.newcomer;
  const PortalGroupAttributes& attributes = attributes_of(newcomer);
  Session* const session = service_.registry().find_port(newcomer.identity());
  if (!session || session->state() != Session::State::active ||
      session->tsih() != newcomer.identity().tsih)
    return {Decision::Kind::refuse, LoginStatus::session_does_not_exist, nullptr};
  const bool guarded = attributes.session_guard != GuardMode::off;
  const bool stranger = guarded && !same_machine(newcomer, *session);
  const bool by_force = stranger && attributes.session_guard == GuardMode::fence && !displaced;
  Connection* const same = session->find_connection(newcomer.identity().cid);
  std::vector<Connection*> losers;
  if (stranger)
    losers = session->connections();
  else if (same)
    losers.push_back(same);
  else if (!session->has_place_for_connection())
    return {Decision::Kind::refuse, LoginStatus::too_many_connections, nullptr};
  for (const Connection* loser : losers) {
    const Vital state = !guarded || by_force
                            ? Vital::silent
                            : vital(admission, *session, stranger ? kWholeSession : loser->link());
    if (state == Vital::unknown) return {};
    if (state == Vital::alive)
      return refuse(newcomer, session, "the connection that it wants to replace is alive");
  }
  if (!losers.empty()) replace(admission, *session, losers, by_force);
  if (!losers_gone(admission)) return {};
  if (is_guarded(attributes)) {
    ++service_.counters().guard_admitted;
    log("admit", newcomer, nullptr, "its session goes on");
  }
  return {Decision::Kind::admit, 0, session};
}

void Guard::replace(Admission& admission, Session& session, const std::vector<Connection*>& losers,
                    bool by_force) {
  const Connection& newcomer = *admission.newcomer;
  const PortalGroupAttributes& attributes = attributes_of(newcomer);
  if (by_force) {
    ++service_.counters().guard_fenced;
    log("fence", newcomer, &session, fmt::format("fenced for {} s", attributes.fence_hold_s));
    put_up(newcomer, session);
    session.lead()->announce_drop(attributes.fence_hold_s);
  } else {
    if (attributes.session_guard != GuardMode::off) ++service_.counters().guard_takeovers;
    log("reinstate", newcomer, &session, "connection reinstatement");
  }
  if (admission.held_open == 0) {
    admission.held_open = session.id();
    session.hold_open();
  }
  for (Connection* loser : losers) {
    admission.leaving.push_back({session.id(), loser->link()});
    session.retire(*loser);
  }
}

/// `displaced`: a fence against this machine has run out, and the machine that displaced it lives.
Guard::Decision Guard::judge_rivals(Admission& admission, const Rivals& rivals, bool displaced) {
  const Connection& newcomer = *admission.newcomer;
  const PortalGroupAttributes& attributes = attributes_of(newcomer);
  const GuardMode mode = attributes.session_guard;

  std::vector<std::pair<Session*, bool>> losers;  // and whether by force
  Session* alive = nullptr;
  bool unknown = false;
  const auto falls = [&](Session& rival) {
    const bool by_force = mode == GuardMode::fence && !displaced && !same_machine(newcomer, rival);
    const Vital state =
        mode == GuardMode::off || by_force ? Vital::silent : vital(admission, rival, kWholeSession);
    if (state == Vital::silent) losers.emplace_back(&rival, by_force);
    if (state == Vital::alive) alive = &rival;
    if (state == Vital::unknown) unknown = true;
    return state == Vital::silent;
  };
  if (rivals.port && !falls(*rivals.port)) {
    if (unknown) return {};
    return refuse(newcomer, alive, "the incumbent of this initiator port is alive");
  }
  if (mode == GuardMode::off && rivals.must_go > 0)
    return refuse(newcomer, rivals.others.front(), "max_sessions reached");
  std::size_t fallen = 0;
  for (Session* rival : rivals.others) {
    if (fallen == rivals.must_go) break;
    if (falls(*rival)) ++fallen;
    if (unknown && mode == GuardMode::fence) return {};  // its own old session goes before others
  }
  if (fallen < rivals.must_go) {
    if (unknown) return {};
    return refuse(newcomer, alive, "max_sessions reached and the incumbents are alive");
  }
  for (const auto& [loser, by_force] : losers) evict(admission, *loser, by_force);
  for (const Session* session : rivals.leaving) admission.losers.push_back(session->id());
  if (!losers_gone(admission)) return {};

  if (is_guarded(attributes)) {
    ++service_.counters().guard_admitted;
    log("admit", newcomer, nullptr, "the place is free");
  }
  return {Decision::Kind::admit, 0, nullptr};
}

Guard::Rivals Guard::rivals_of(const Connection& newcomer) const {
  const LoginIdentity& identity = newcomer.identity();
  Rivals rivals;
  std::size_t places_taken = 0;
  for (const auto& session : service_.registry().sessions()) {
    const LoginIdentity& other = session->identity();
    if (session->state() == Session::State::ended || other.type != SessionType::normal ||
        other.portal_group != identity.portal_group)
      continue;
    const bool same_port =
        other.initiator_name == identity.initiator_name && other.isid == identity.isid;
    if (session->state() == Session::State::ending) {
      rivals.leaving.push_back(session.get());
      continue;
    }
    if (same_port) {
      rivals.port = session.get();
      continue;
    }
    ++places_taken;
    rivals.others.push_back(session.get());
  }
  const std::size_t most = identity.portal_group->attributes.max_sessions;
  if (most > 0 && places_taken + 1 > most) rivals.must_go = places_taken + 1 - most;
  // A session on its way out is waited for only where its place or its port is needed.
  std::erase_if(rivals.leaving, [&](const Session* session) {
    const LoginIdentity& other = session->identity();
    return !(other.initiator_name == identity.initiator_name && other.isid == identity.isid) &&
           (most == 0 || places_taken + rivals.leaving.size() + 1 <= most);
  });
  std::ranges::stable_partition(rivals.others, [&](const Session* session) {
    return session->identity().initiator_name == identity.initiator_name;
  });
  return rivals;
}

/// Newcomers that want the same place are decided one after the other.
bool Guard::waits_for_another(const Admission& admission) const {
  const LoginIdentity& identity = admission.newcomer->identity();
  for (const auto& other : admissions_) {
    if (other.get() == &admission) return false;
    const LoginIdentity& first = other->newcomer->identity();
    if (first.type == SessionType::normal && first.portal_group == identity.portal_group &&
        (identity.portal_group->attributes.max_sessions > 0 ||
         (first.initiator_name == identity.initiator_name && first.isid == identity.isid)))
      return true;
  }
  return false;
}

bool Guard::losers_gone(Admission& admission) const {
  std::erase_if(admission.losers, [&](std::uint64_t id) {
    const Session* session = service_.registry().find_id(id);
    return !session || session->state() == Session::State::ended;
  });
  std::erase_if(admission.leaving, [&](const Leaving& leaving) {
    const Session* session = service_.registry().find_id(leaving.session_id);
    return !session || session->recovers_connections() ||  // its commands stay, to be reassigned
           !session->holds_commands_of(leaving.link);
  });
  return admission.losers.empty() && admission.leaving.empty();
}

/// Is this rival alive? Asks it the first time.
Guard::Vital Guard::vital(Admission& admission, Session& rival, std::uint32_t link) {
  if (!rival.lead()) return Vital::silent;
  for (const Probe& probe : admission.probes)
    if (probe.session_id == rival.id() && probe.link == link)
      return probe.alive                        ? Vital::alive
             : service_.now() >= probe.deadline ? Vital::silent
                                                : Vital::unknown;
  const Connection& newcomer = *admission.newcomer;
  const auto wait = Milliseconds(attributes_of(newcomer).guard_probe_ms);
  admission.probes.push_back({rival.id(), link, service_.now() + wait, false});
  ++service_.counters().guard_probes;
  log("probe", newcomer, &rival, fmt::format("NOP-In sent, {} ms to answer", wait.count()));
  for (Connection* connection : rival.connections())
    if (link == kWholeSession || connection->link() == link) connection->ping();
  return Vital::unknown;
}

void Guard::evict(Admission& admission, Session& loser, bool by_force) {
  const Connection& newcomer = *admission.newcomer;
  const PortalGroupAttributes& attributes = attributes_of(newcomer);
  admission.losers.push_back(loser.id());
  std::erase_if(admission.probes,
                [&](const Probe& probe) { return probe.session_id == loser.id(); });
  if (by_force) {
    ++service_.counters().guard_fenced;
    log("fence", newcomer, &loser, fmt::format("fenced for {} s", attributes.fence_hold_s));
    put_up(newcomer, loser);
    if (loser.lead()) loser.lead()->announce_drop(attributes.fence_hold_s);
  } else if (attributes.session_guard == GuardMode::off) {
    log("reinstate", newcomer, &loser, "same port");
  } else {
    ++service_.counters().guard_takeovers;
    log("takeover", newcomer, &loser,
        fmt::format("the incumbent was silent for {} ms", attributes.guard_probe_ms));
    if (loser.lead()) loser.lead()->announce_drop(loser.parameters().default_time2wait_s);
  }
  if (!by_force && attributes.session_guard == GuardMode::off)
    ++service_.counters().session_reinstatements;
  loser.end(by_force ? "fenced" : "implicit logout: its place is taken", Closing::abrupt);
}

Guard::Decision Guard::refuse(const Connection& newcomer, const Session* incumbent,
                              std::string_view reason) {
  ++service_.counters().guard_refused;
  log("refuse", newcomer, incumbent, reason);
  return {Decision::Kind::refuse, attributes_of(newcomer).guard_refusal_status, nullptr};
}

void Guard::sign_of_life(const Session& session, std::uint32_t link) {
  for (const auto& admission : admissions_)
    for (Probe& probe : admission->probes)
      if (probe.session_id == session.id() && (probe.link == kWholeSession || probe.link == link) &&
          service_.now() < probe.deadline) {
        probe.alive = true;
        wake();
      }
}

void Guard::put_up(const Connection& winner, const Session& loser) {
  const LoginIdentity& identity = loser.identity();
  const auto hold = std::chrono::seconds(attributes_of(winner).fence_hold_s);
  std::erase_if(fences_, [&](const Fence& fence) {
    return fence.group == identity.portal_group &&
           fence.initiator_name == identity.initiator_name && fence.address == loser.peer_address();
  });
  if (fences_.size() == kMaxFences) fences_.pop_front();
  fences_.push_back({identity.initiator_name, loser.peer_address(), identity.target,
                     identity.portal_group, service_.now() + hold, winner.identity().initiator_name,
                     winner.endpoints().remote_address});
}

/// The fence against this machine, if there is one that still says something.
Guard::Fence* Guard::fence_against(const Connection& newcomer) {
  std::erase_if(fences_, [&](const Fence& fence) {
    return service_.now() >= fence.until && !winner_lives(fence);
  });
  const LoginIdentity& identity = newcomer.identity();
  for (Fence& fence : fences_)
    if (fence.group == identity.portal_group && fence.initiator_name == identity.initiator_name &&
        fence.address == newcomer.endpoints().remote_address)
      return &fence;
  return nullptr;
}

bool Guard::winner_lives(const Fence& fence) const {
  return std::ranges::any_of(service_.registry().sessions(), [&](const auto& session) {
    return session->state() == Session::State::active &&
           session->identity().portal_group == fence.group &&
           session->identity().initiator_name == fence.winner_name &&
           session->peer_address() == fence.winner_address;
  });
}

std::size_t Guard::unfence(std::string_view initiator_name) {
  const std::size_t lifted = std::erase_if(
      fences_, [&](const Fence& fence) { return fence.initiator_name == initiator_name; });
  service_.counters().guard_unfenced += lifted;
  service_.log().info("guard decision=unfence initiator={} fences={}", initiator_name, lifted);
  return lifted;
}

std::vector<FenceInfo> Guard::fences() const {
  std::vector<FenceInfo> infos;
  for (const Fence& fence : fences_) {
    const std::chrono::duration<double> left = fence.until - service_.now();
    if (left.count() <= 0 && !winner_lives(fence)) continue;
    infos.push_back({fence.initiator_name, fence.target ? fence.target->name : "", fence.group->tag,
                     fence.address, std::max(left.count(), 0.0)});
  }
  return infos;
}

void Guard::log(std::string_view decision, const Connection& newcomer, const Session* incumbent,
                std::string_view reason) const {
  const LoginIdentity& identity = newcomer.identity();
  service_.log().info(
      "guard decision={} initiator={} target={},{} newcomer={} incumbent={} reason=\"{}\"",
      decision, identity.initiator_name, identity.target ? identity.target->name : "-",
      identity.portal_group ? identity.portal_group->tag : 0, newcomer.endpoints().remote(),
      incumbent ? incumbent->peer() : "-", reason);
}

}  // namespace tsihd::session
