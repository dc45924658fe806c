// How connections begin and end, judged when one is over or the capture is (RFC 3720 3.2.5, 7.1.3,
// 10.14, 10.18). What should have come and had no time to is not missed: the RFC names no times
// here, so a minute of silence in the capture has to follow before anything counts as left undone.
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kPatienceNs = 60'000'000'000;

bool has_closed(const Moment& m, From from) {
  return m.closing->fin[side(from)] || m.closing->rst[side(from)];
}
bool patience_is_over(const Moment& m, std::uint64_t since_ns) {
  return m.closing->capture_end_ns > since_ns + kPatienceNs;
}
/// An initiator's login has asked for the place of this connection, which ends it by an implicit
/// logout: that is no exception of the target's, and nothing to be announced (5.3.4, 5.3.5).
bool gives_way(const Moment& m) { return m.session.giving_way.contains(m.connection.number); }
/// Nothing of what this side sent is missing.
bool whole(const Moment& m) {
  return m.connection.seen_from_syn && !m.connection.hole[0] && !m.connection.hole[1];
}

Ruling initiator_opens(const Moment& m) {
  if (!m.connection.seen_from_syn) return Ruling::unseen();
  if (m.closing->opened_by_initiator) return Ruling::kept();
  return Ruling::broken("a transport connection that the initiator asks for", "one by the target");
}

Ruling shuts_down_outside_full_feature(const Moment& m) {
  if (m.closing->first != m.from || !m.closing->fin[side(m.from)]) return Ruling::aside();
  if (!whole(m)) return Ruling::unseen();
  if (m.connection.phase != Phase::full_feature || m.connection.logout_answered || m.session.over)
    return Ruling::kept();
  if (m.from == From::target && (m.session.cold_reset || m.session.drop_announced || gives_way(m)))
    return Ruling::aside();  // it has to, or has said so
  return Ruling::broken("a TCP connection shut down outside of full feature phase", "a FIN in it");
}

Ruling target_says_so_before(const Moment& m) {
  if (m.closing->first != From::target || !whole(m)) return Ruling::aside();
  if (m.connection.phase != Phase::full_feature || m.connection.logout_answered || m.session.over ||
      m.session.cold_reset || gives_way(m))
    return Ruling::aside();
  if (m.session.drop_announced) return Ruling::kept();
  return Ruling::broken("an Asynchronous Message before the target ends a connection", "none");
}

// Whoever logs out waits for the response, unless the target goes first or TCP fails.
Ruling waits_for_the_logout_response(const Moment& m) {
  if (!m.connection.logout_sent || !whole(m)) return Ruling::aside();
  if (m.connection.logout_answered) return Ruling::kept();
  if (m.closing->first != From::initiator || !m.closing->fin[0]) return Ruling::aside();
  return Ruling::broken("the Logout Response before the end of the connection", "a FIN");
}

Ruling closes_behind_the_logout(const Moment& m) {
  if (!m.connection.logout_answered) return Ruling::aside();
  if (has_closed(m, m.from)) return Ruling::kept();
  if (has_closed(m, m.from == From::initiator ? From::target : From::initiator))
    return Ruling::unseen();
  if (!patience_is_over(m, m.connection.logout_answered_ns)) return Ruling::unseen();
  return Ruling::broken("the connection closed behind the Logout Response",
                        "it open a minute later");
}

Ruling closes_behind_a_refusal(const Moment& m) {
  if (!m.connection.login.refused) return Ruling::aside();
  if (has_closed(m, From::initiator) || has_closed(m, From::target)) return Ruling::kept();
  if (!patience_is_over(m, m.seen.place.time_ns)) return Ruling::unseen();
  return Ruling::broken("the connection closed behind a login that failed",
                        "it open a minute later");
}

Ruling pings_were_answered(const Moment& m) {
  if (m.connection.phase != Phase::full_feature || !whole(m)) return Ruling::aside();
  for (const auto& [tag, ping] : m.connection.target_pings) {
    if (m.connection.logout_sent || has_closed(m, From::initiator) || has_closed(m, From::target))
      return Ruling::unseen();
    if (!patience_is_over(m, ping.place.time_ns)) return Ruling::unseen();
    return Ruling::broken("a NOP-Out for each NOP-In that asks for one",
                          fmt::format("none for {} in a minute", hex(tag)));
  }
  return Ruling::aside();
}

constexpr std::uint64_t kNone = 0;
constexpr auto kEnd = Occasion::end_of_connection;

constexpr Rule kRules[] = {
    {"closing.opened_by_initiator",
     {"R3720-7.1.3-T1"},
     Judged::initiator,
     kNone,
     initiator_opens,
     kEnd},
    {"closing.graceful",
     {"R3720-3.2.5-01"},
     Judged::both,
     kNone,
     shuts_down_outside_full_feature,
     kEnd},
    {"closing.announced", {"R3720-3.2.5-02"}, Judged::target, kNone, target_says_so_before, kEnd},
    {"closing.logout_answered",
     {"R3720-7.1.3-T9"},
     Judged::initiator,
     kNone,
     waits_for_the_logout_response,
     kEnd},
    {"closing.behind_logout",
     {"R3720-7.1.3-T13", "R3720-10.14-06"},
     Judged::initiator,
     kNone,
     closes_behind_the_logout,
     kEnd},
    {"closing.target_behind_logout",
     {"R3720-7.1.4-T13"},
     Judged::target,
     kNone,
     closes_behind_the_logout,
     kEnd},
    {"closing.behind_refusal",
     {"R3720-7.1.3-T7", "R3720-7.1.4-T7"},
     Judged::both,
     kNone,
     closes_behind_a_refusal,
     kEnd},
    {"closing.pings_answered",
     {"R3720-10.18-01"},
     Judged::initiator,
     kNone,
     pings_were_answered,
     kEnd},
};

}  // namespace

std::span<const Rule> closing_rules() { return kRules; }

}  // namespace tsih::judge
