#include "target/session/login_security.h"

#include <fmt/format.h>

namespace tsihd::session {

LoginStep LoginSecurity::take(std::span<const ReceivedKey> keys, std::string& answers) {
  const bool chap_under_way = chap_.has_value();
  std::vector<ReceivedKey> chap_keys;
  for (const ReceivedKey& key : keys) {
    if (key.rule->key != Key::auth_method) {
      chap_keys.push_back(key);
    } else if (auto chosen = choose_method(key.value, answers); !chosen) {
      return chosen;
    }
  }
  if (!chap_) {
    if (chap_keys.empty()) return {};
    return refusal(LoginStatus::initiator_error, "CHAP keys without AuthMethod=CHAP");
  }
  // The choice of the method and the first step may come in one request or in two.
  if (!chap_under_way && chap_keys.empty()) return {};
  return chap_->take(chap_keys, answers);
}

LoginStep LoginSecurity::choose_method(std::string_view list, std::string& answers) {
  chosen_ = true;
  if (is_answer_constant(list))  // 5.2-08, or an answer to our proposal
    return refusal(required_ ? LoginStatus::authentication_failure : LoginStatus::initiator_error,
                   fmt::format("AuthMethod={}", list));
  for (;;) {
    const std::size_t comma = list.find(',');
    const std::string_view method = list.substr(0, comma);
    if (method == "CHAP" && !credentials_.userid.empty()) {
      chap_.emplace(credentials_, random_);
      if (!proposed_) wire::append_text(answers, "AuthMethod", "CHAP");
      return {};
    }
    if (method == "None" && !required_) {
      wire::append_text(answers, "AuthMethod", "None");
      return {};
    }
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  wire::append_text(answers, "AuthMethod", "Reject");  // 5.3.2-02, with 5.3.2-04's login response
  return refusal(LoginStatus::authentication_failure,
                 required_ && credentials_.userid.empty()
                     ? "authentication is demanded but no CHAP userid is configured for this "
                       "initiator"
                     : "none of the proposed authentication methods is allowed");
}

void LoginSecurity::propose(std::string& answers) {
  if (chosen_ || proposed_ || credentials_.userid.empty()) return;
  proposed_ = true;
  wire::append_text(answers, "AuthMethod", "CHAP");
}

}  // namespace tsihd::session
