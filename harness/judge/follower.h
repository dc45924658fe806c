// Keeps the model true: what each PDU changes, after the rules have looked at it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/judge/rule.h"

namespace tsih::judge {

class Follower {
 public:
  /// A TCP connection begins. Its session is a stand-in until a login tells more.
  void begin(Connection& connection);
  /// PDUs of this side are missing: numbers and tasks are unknown until they are seen again.
  void hole(Connection& connection, From from);
  void end(Connection& connection);

  /// Rules see the moment, then its effects happen.
  void take(Connection& connection, From from, const SeenPdu& seen,
            const std::function<void(const Moment&)>& judge);

 private:
  struct SessionKey {
    std::string initiator_name;
    std::uint64_t isid = 0;
    std::uint16_t handle = 0;
    auto operator<=>(const SessionKey&) const = default;
  };

  using Sessions = std::map<SessionKey, std::shared_ptr<Session>>;

  std::shared_ptr<Session> new_session(bool known);
  static void join(Connection& connection, const std::shared_ptr<Session>& session);
  /// The sessions of an initiator and ISID stand beside each other.
  Sessions::iterator first_of(const SessionKey& key);
  static bool is_of(const SessionKey& one, const SessionKey& other);
  void find_predecessor(Connection& connection, const Pdu& pdu, const wire::TextKeys& keys);
  static void give_way(Session& session, bool whole_session, std::uint16_t cid);
  static void logout_response(Connection& connection, const SeenPdu& seen);
  void request(Connection& connection, const SeenPdu& seen, const wire::TextKeys* keys);
  void response(Connection& connection, const SeenPdu& seen, const wire::TextKeys* keys);
  void login_request(Connection& connection, const Pdu& pdu, const wire::TextKeys* keys);
  void login_response(Connection& connection, const Pdu& pdu, const wire::TextKeys* keys);
  void login_over(Connection& connection, const Pdu& pdu);
  void note_challenge(Connection& connection, From from, const wire::TextKeys& keys);

  /// One that an initiator has sent.
  struct Challenge {
    std::string initiator_name;
    wire::Bytes value;
  };

  Sessions sessions_;
  std::deque<Challenge> challenges_;
  unsigned sessions_ever_ = 0;
};

}  // namespace tsih::judge
