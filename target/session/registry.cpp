#include "target/session/registry.h"

#include <algorithm>

namespace tsihd::session {

const NegotiatedParameters* Registry::find(const PortalGroup& group,
                                           const std::string& initiator_name,
                                           const std::array<std::uint8_t, 6>& isid,
                                           std::uint16_t tsih) const {
  const auto found = std::ranges::find_if(sessions_, [&](const auto& session) {
    const LoginIdentity& identity = session->identity();
    return session->state() == Session::State::active && session->tsih() == tsih &&
           identity.portal_group == &group && identity.isid == isid &&
           identity.initiator_name == initiator_name;
  });
  return found == sessions_.end() ? nullptr : &(*found)->parameters();
}

std::optional<SessionDirectory::CommandNumbers> Registry::numbers(std::uint16_t tsih) const {
  for (const auto& session : sessions_)
    if (session->tsih() == tsih && session->state() == Session::State::active)
      return CommandNumbers{session->window().exp_cmd_sn(), session->window().max_cmd_sn()};
  return std::nullopt;
}

Session* Registry::create(const LoginIdentity& identity, const NegotiatedParameters& parameters,
                          std::uint32_t first_cmd_sn) {
  if (sessions_.size() >= service_.limits().max_sessions) end_a_lost_session();
  if (sessions_.size() >= service_.limits().max_sessions) {
    ++service_.counters().limit_sessions;
    return nullptr;
  }
  sessions_.push_back(std::make_unique<Session>(service_, ++last_id_, free_tsih(), identity,
                                                parameters, first_cmd_sn));
  return sessions_.back().get();
}

/// A session that merely waits for its initiator to come back gives its place to one that is here;
/// the oldest first.
void Registry::end_a_lost_session() {
  for (const auto& session : sessions_)
    if (session->state() == Session::State::active && !session->lead()) {
      session->end("no connection serves it and its place is needed");
      break;
    }
  ended_ = bury();  // it is news all the same
}

Session* Registry::find_port(const LoginIdentity& identity) const {
  for (const auto& session : sessions_) {
    const LoginIdentity& other = session->identity();
    if (session->state() != Session::State::ended && other.type == SessionType::normal &&
        other.portal_group == identity.portal_group && other.isid == identity.isid &&
        other.initiator_name == identity.initiator_name)
      return session.get();
  }
  return nullptr;
}

Session* Registry::find_id(std::uint64_t id) const {
  for (const auto& session : sessions_)
    if (session->id() == id) return session.get();
  return nullptr;
}

std::size_t Registry::living() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      sessions_, [](const auto& session) { return session->state() != Session::State::ended; }));
}

void Registry::session_ended(Session&) { ended_ = true; }

bool Registry::bury() {
  if (!ended_) return false;
  std::erase_if(sessions_, [](const auto& session) {
    return session->state() == Session::State::ended && !session->lead() &&
           session->tasks().in_use() == 0;
  });
  // Ended sessions whose connections still send their last words are buried later.
  const bool had_news = ended_;
  ended_ = false;
  return had_news;
}

/// Never 0, and none that a session bears; consecutive logins get different ones.
std::uint16_t Registry::free_tsih() {
  const auto taken = [&](std::uint16_t tsih) {
    return std::ranges::any_of(sessions_,
                               [&](const auto& session) { return session->tsih() == tsih; });
  };
  do ++last_tsih_;
  while (last_tsih_ == 0 || taken(last_tsih_));
  return last_tsih_;
}

}  // namespace tsihd::session
