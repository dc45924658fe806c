// The security stage step by step, for the cases of each method (RFC 3720 section 11.1).
#pragma once

#include <functional>
#include <sstream>
#include <string>

#include "harness/initiators/cases/common.h"
#include "harness/initiators/secrets.h"

namespace tsih::initiators {

class Authentication : public Trial {
 protected:
  using Trial::Trial;

  static TextKeys keys_of(const Pdu& pdu) { return wire::parse_text(pdu.data).keys; }

  /// The target chooses this method; what the initiator says then. Unsupported when it does not
  /// offer it.
  Taken choose(const char* action, const std::string& method) {
    return choose_first(action, "AuthMethod=" + method,
                        [&](const std::string& offer) { return offer == method; });
  }

  /// The same with the first of the methods offered that is one of these.
  Taken choose_first(const char* action, const std::string& words,
                     const std::function<bool(const std::string&)>& is) {
    start(action);
    auto [peer, first] = serve_until(login_in(kSecurity));
    std::istringstream offers(keys_of(first).value("AuthMethod").value_or(""));
    std::string method;
    while (std::getline(offers, method, ',') && !is(method)) method.clear();
    offered(!method.empty(), words);
    wish("AuthMethod", method);
    peer.send(peer.login_response(first).set(field::transit, 0).set(field::nsg, 0));
    return {peer, expect(peer, request(Opcode::login_request))};
  }

  /// A step of the target's, with nothing but these keys; with `last` the stage ends when the
  /// initiator wants it to.
  void say(const Taken& to, const TextKeys& keys, bool last = false) {
    Pdu response = to.peer.login_failure(to.pdu, 0);
    if (last && to.pdu[field::transit])
      response.set(field::transit, 1).set(field::nsg, to.pdu[field::nsg]);
    if (response[field::nsg] == kFullFeature) response.set(field::tsih, service().tsih);
    response.data = wire::encode_text(keys);
    to.peer.answer_login(response);
  }

  /// The same, and the request that follows.
  Taken say_and_hear(const Taken& to, const TextKeys& keys) {
    say(to, keys);
    return {to.peer, expect(to.peer, request(Opcode::login_request))};
  }

  /// This key is in it, with any value.
  std::string need(const Pdu& pdu, const std::string& key) {
    const auto value = keys_of(pdu).value(key);
    verify(value.has_value(), key, describe(pdu) + ", " + keys_of(pdu).describe());
    return *value;
  }
};

}  // namespace tsih::initiators

#define TSIH_AUTH_TRIAL(case_name, description_text, ...) \
  TSIH_SUITE_CASE(::tsih::initiators::Authentication, case_name, description_text, __VA_ARGS__)
