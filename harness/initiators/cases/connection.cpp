// Connections and sessions as the state machines of RFC 3720 section 7 have them: how they begin,
// what ends them, and what comes after one was lost.
#include <optional>

#include "harness/initiators/cases/common.h"

namespace {

const Want any_request{"any request", [](const Peer&, const Pdu&) { return true; }};

const Want login_again{"a new login", [](const Peer& peer, const Pdu& pdu) {
                         return pdu.is(Opcode::login_request) && !peer.full_feature;
                       }};

class Connections : public Trial {
 protected:
  using Trial::Trial;

  /// The first command over the first of two connections. Unsupported when there is one only.
  std::pair<Peer*, Peer*> two(const char* action) {
    wish("MaxConnections", "2");
    start(action);
    std::vector<Peer*> standing;
    while (auto met = target().next()) {
      if (!met->pdu) continue;
      const bool ready = met->peer->full_feature;
      if (ready && standing.empty()) standing.push_back(met->peer);
      const bool of_second = !ready && !standing.empty() && met->peer != standing[0];
      if (of_second && !first_of_second_) first_of_second_ = *met->pdu;
      met->peer->serve(*met->pdu);
      if (!ready && met->peer->full_feature) standing.push_back(met->peer);
      if (standing.size() == 2 && standing[0] != standing[1]) return {standing[0], standing[1]};
    }
    throw tsih::suite::Unsupported{"a second connection"};
  }

  /// This login names the node as the one before.
  void verify_name(const std::string& expected, const Pdu& login) {
    const auto name = tsih::wire::parse_text(login.data).keys.value("InitiatorName");
    verify(name == expected, "InitiatorName=" + expected, name.value_or("no InitiatorName"));
  }

  std::optional<Pdu> first_of_second_;
};

}  // namespace

#define TSIH_CONNECTION_TRIAL(case_name, description_text, ...) \
  TSIH_SUITE_CASE(Connections, case_name, description_text, __VA_ARGS__)

BOOST_AUTO_TEST_SUITE(connection)

TSIH_TRIAL(begins_with_login, "A connection is made, and a login begins at once",
           judges("R3720-7.1.3-T1", "R3720-7.1.3-T4", "R3720-10.12.10-01") * unh("LP 1.1")) {
  start(kAttach);
  auto [initiator, first] = serve_until(any_request);
  confirm("a connection from the initiator");
  judging("R3720-7.1.3-T4");
  verify(first.is(Opcode::login_request), "a Login Request", describe(first));
  judging("R3720-10.12.10-01");
  const TextKeys keys = tsih::wire::parse_text(first.data).keys;
  verify(keys.has("InitiatorName") && keys.has("TargetName"), "the names of both parties",
         keys.describe());
}

TSIH_TRIAL(full_feature_begins, "After the last Login Response no other Login Request comes",
           judges("R3720-7.1.3-T5", "R3720-7.3.1-N1", "R3720-3.2.1-01")) {
  start(kAttach);
  const Taken next = serve_until({"a request after the login",
                                  [](const Peer& peer, const Pdu&) { return peer.full_feature; }});
  for (const char* clause : {"R3720-7.1.3-T5", "R3720-7.3.1-N1", "R3720-3.2.1-01"}) {
    judging(clause);
    verify(!next.pdu.is(Opcode::login_request), "a request of full feature phase",
           describe(next.pdu));
  }
}

TSIH_TRIAL(leaves_by_logout, "The initiator leaves by a logout, waits for its response, and closes",
           judges("R3720-7.1.3-T9", "R3720-7.1.3-T13", "R3720-7.3.1-N3", "R3720-10.14-03") *
               unh("FFP 17.1")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  initiator.serve(read);
  const Pdu logout = expect(initiator, request(Opcode::logout_request));
  confirm(describe(logout));
  initiator.serve(logout);
  judging("R3720-10.14-03");
  expect_closed(initiator);
  for (const char* clause : {"R3720-7.1.3-T13", "R3720-7.3.1-N3"}) {
    judging(clause);
    confirm("the connection was closed");
  }
}

TSIH_TRIAL(asked_again, "A second request for a logout changes nothing",
           judges("R3720-7.1.3-T10", "R3720-7.1.3-T11", "R3720-7.1.3-T12")) {
  start(kMany);
  auto [initiator, read] = serve_until(read_command());
  initiator.send(initiator.async_message(1, 0, 0, 2));
  initiator.send(initiator.async_message(1, 0, 0, 2));
  const Pdu logout = expect_within(initiator, request(Opcode::logout_request), 2);
  for (const char* clause : {"R3720-7.1.3-T10", "R3720-7.1.3-T11", "R3720-7.1.3-T12"}) {
    judging(clause);
    confirm(describe(logout));
  }
}

TSIH_TRIAL(asked_when_leaving, "A request for a logout that crosses the logout changes nothing",
           judges("R3720-7.1.3-T14")) {
  start(kAttach);
  auto [initiator, logout] = serve_until(request(Opcode::logout_request));
  initiator.send(initiator.async_message(1, 0, 0, 1));
  initiator.serve(logout);
  expect_closed(initiator);
}

TSIH_TRIAL(ends_in_login, "A connection that the target ends within the login is closed",
           judges("R3720-7.1.3-T7")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  initiator.connection().shut_down_sending();
  expect_closed(initiator);
}

TSIH_TRIAL(ended_by_target, "A connection that the target ends is closed by the initiator as well",
           judges("R3720-6.1.4.3-01", "R3720-7.1.3-T15")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  initiator.connection().shut_down_sending();
  expect_closed(initiator);
  judging("R3720-7.1.3-T15");
  confirm("the initiator closed it, too");
}

TSIH_CONNECTION_TRIAL(
    session_begins_anew,
    "What takes the place of a lost session is a login with TSIH 0, or one of that session",
    judges("R3720-5.3.5-01", "R3720-6.13-01", "R3720-6.12-03", "R3720-3.4.2-01")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  const std::uint64_t isid = initiator.isid;
  const std::uint16_t cid = initiator.cid;
  const auto name = initiator.offered.value("InitiatorName").value_or("");
  initiator.close();
  const Taken login = serve_until(login_again);
  offered(login.pdu[field::isid] == isid, "to take up a session that was lost");
  const bool same_connection =
      login.pdu[field::tsih] == service().tsih && login.pdu[field::cid] == cid;
  for (const char* clause : {"R3720-5.3.5-01", "R3720-6.13-01", "R3720-6.12-03"}) {
    judging(clause);
    verify(login.pdu[field::tsih] == 0 || same_connection,
           fmt::format("TSIH 0, or TSIH {} with CID {}", service().tsih, cid), describe(login.pdu));
  }
  judging("R3720-3.4.2-01");
  verify_name(name, login.pdu);
}

TSIH_CONNECTION_TRIAL(second_of_a_session,
                      "A second connection logs in with the session's TSIH, name and ISID",
                      judges("R3720-10.12.6-02", "R3720-3.4.3-01", "R3720-12.5-01",
                             "R3720-3.4.2-01", "R3720-3.4.2-02") *
                          unh("LP 2.3", "LP 10.1")) {
  const Peer* first = two(kAttach).first;
  judging_all({"R3720-10.12.6-02", "R3720-3.4.3-01"});
  verify_equal("TSIH", service().tsih, (*first_of_second_)[field::tsih]);
  judging("R3720-12.5-01");
  const TextKeys keys = tsih::wire::parse_text(first_of_second_->data).keys;
  verify(keys.has("InitiatorName"), "InitiatorName", keys.describe());
  judging("R3720-3.4.2-01");
  verify_name(first->offered.value("InitiatorName").value_or(""), *first_of_second_);
  // With the name it makes the name of the session's SCSI port.
  judging("R3720-3.4.2-02");
  verify_equal("ISID", first->isid, (*first_of_second_)[field::isid]);
}

TSIH_CONNECTION_TRIAL(session_logged_out, "With its session a second connection ends without more",
                      judges("R3720-7.1.3-T8", "R3720-10.14-03")) {
  const auto [one, other] = two(kRead);
  const Taken logout = serve_until(request(Opcode::logout_request));
  offered(logout.pdu[field::logout_reason] == 0, "a logout that closes the session");
  logout.peer.serve(logout.pdu);
  expect_closed(&logout.peer == one ? *other : *one);
  judging("R3720-10.14-03");
  confirm("no request on the other connection");
}

TSIH_CONNECTION_TRIAL(logout_asked_on_second,
                      "A connection that is asked to log out ends with its session, or by its own "
                      "logout",
                      judges("R3720-7.1.3-T18") * unh("FFP 14.2")) {
  const auto [one, other] = two(kRead);
  other->send(other->async_message(1, 0, 0, 2));
  for (Met met = target().next_of(*one); met.pdu; met = target().next_of(*one))
    one->serve(*met.pdu);
  if (!other->logged_out) return expect_closed(*other);
  confirm("it was logged out itself");
}

BOOST_AUTO_TEST_SUITE_END()
