// The security negotiation stage (RFC 3720 5.3.2, 11.1): AuthMethod, then what the chosen method
// asks for. Methods: CHAP and None.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "target/session/chap.h"
#include "target/session/login_status.h"
#include "target/session/negotiation.h"
#include "target/session/nouns.h"

namespace tsihd::session {

class LoginSecurity {
 public:
  /// `required`: the initiator must authenticate itself. Without it None is allowed, and CHAP as
  /// well where credentials exist. The credentials outlive this.
  LoginSecurity(bool required, const ChapCredentials& credentials, RandomSource random)
      : required_(required), credentials_(credentials), random_(random) {}

  /// Takes the security keys of one request. On a refusal `answers` may hold AuthMethod=Reject.
  LoginStep take(std::span<const ReceivedKey> keys, std::string& answers);
  /// The stage may be left.
  bool complete() const { return chap_ ? chap_->done() : !required_; }
  /// The initiator proved who it is.
  bool authenticated() const { return chap_ && chap_->done(); }
  /// Asks an initiator that wants to leave the stage, and that proposed nothing, for CHAP.
  void propose(std::string& answers);

 private:
  LoginStep choose_method(std::string_view list, std::string& answers);

  bool required_;
  const ChapCredentials& credentials_;
  RandomSource random_;
  bool chosen_ = false;
  bool proposed_ = false;  ///< AuthMethod=CHAP was our proposal: the initiator's is the answer
  std::optional<ChapExchange> chap_;
};

}  // namespace tsihd::session
