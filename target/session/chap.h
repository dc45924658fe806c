// The CHAP exchange from the target's side (RFC 3720 11.1.4, 8.2.1), one-way and mutual.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "target/session/chap_values.h"
#include "target/session/login_status.h"
#include "target/session/negotiation.h"
#include "target/session/nouns.h"

namespace tsihd::session {

using RandomSource = void (*)(std::span<std::byte>);

/// Three steps, two of them here: CHAP_A in, CHAP_A CHAP_I CHAP_C out; CHAP_N CHAP_R (and CHAP_I
/// CHAP_C) in, nothing (or CHAP_N CHAP_R) out. The credentials outlive the exchange.
class ChapExchange {
 public:
  ChapExchange(const ChapCredentials& credentials, RandomSource random)
      : credentials_(credentials), random_(random) {}

  /// Takes the CHAP keys of one request, in any order. Keys or values that are not those of the
  /// step end in Initiator Error or Missing Parameter (8.2-03); a wrong name or response, an
  /// algorithm that we lack, a reflected challenge and a shared secret in Authentication Failure.
  LoginStep take(std::span<const ReceivedKey> keys, std::string& answers);
  bool done() const { return step_ == Step::done; }

 private:
  enum class Step : std::uint8_t { algorithms, response, done };

  LoginStep take_algorithms(std::span<const ReceivedKey> keys, std::string& answers);
  LoginStep take_response(std::span<const ReceivedKey> keys, std::string& answers);
  LoginStep verify(std::string_view name, std::string_view response) const;
  LoginStep answer_challenge(std::string_view identifier, std::string_view challenge,
                             std::string& answers) const;

  const ChapCredentials& credentials_;
  RandomSource random_;
  Step step_ = Step::algorithms;
  ChapAlgorithm algorithm_ = ChapAlgorithm::md5;
  std::uint8_t identifier_ = 0;
  Bytes challenge_;
};

}  // namespace tsihd::session
