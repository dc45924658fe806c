#include "target/session/chap.h"

#include <fmt/format.h>

#include <optional>

namespace tsihd::session {
namespace {

std::optional<std::string_view> value_of(std::span<const ReceivedKey> keys, Key key) {
  for (const ReceivedKey& received : keys)
    if (received.rule->key == key) return received.value;
  return std::nullopt;
}

std::optional<ChapAlgorithm> choose_algorithm(std::string_view list) {
  for (;;) {
    const std::size_t comma = list.find(',');
    const auto number = parse_number(list.substr(0, comma));
    for (const auto known :
         {ChapAlgorithm::md5, ChapAlgorithm::sha1, ChapAlgorithm::sha256, ChapAlgorithm::sha3_256})
      if (number == static_cast<std::uint64_t>(known) && is_available(known)) return known;
    if (comma == std::string_view::npos) return std::nullopt;
    list.remove_prefix(comma + 1);
  }
}

bool equal_text(std::string_view a, std::string_view b) {
  return equal_secretly(std::as_bytes(std::span(a)), std::as_bytes(std::span(b)));
}

}  // namespace

LoginStep ChapExchange::take(std::span<const ReceivedKey> keys, std::string& answers) {
  switch (step_) {
    case Step::algorithms:
      return take_algorithms(keys, answers);
    case Step::response:
      return take_response(keys, answers);
    case Step::done:
      break;
  }
  if (keys.empty()) return {};
  return refusal(LoginStatus::initiator_error, "a CHAP key after the end of the exchange");
}

LoginStep ChapExchange::take_algorithms(std::span<const ReceivedKey> keys, std::string& answers) {
  const auto list = value_of(keys, Key::chap_a);
  if (!list) return refusal(LoginStatus::missing_parameter, "CHAP_A was expected");
  if (keys.size() > 1) return refusal(LoginStatus::initiator_error, "CHAP_A was expected alone");
  const auto chosen = choose_algorithm(*list);
  if (!chosen)
    return refusal(LoginStatus::authentication_failure, "none of the CHAP algorithms is supported");
  algorithm_ = *chosen;
  random_(std::as_writable_bytes(std::span(&identifier_, 1)));
  challenge_.resize(digest_bytes(algorithm_));
  random_(challenge_);
  wire::append_text(answers, "CHAP_A", fmt::format("{}", static_cast<unsigned>(algorithm_)));
  wire::append_text(answers, "CHAP_I", fmt::format("{}", identifier_));
  wire::append_text(answers, "CHAP_C", encode_hex(challenge_));
  step_ = Step::response;
  return {};
}

LoginStep ChapExchange::take_response(std::span<const ReceivedKey> keys, std::string& answers) {
  const auto name = value_of(keys, Key::chap_n), response = value_of(keys, Key::chap_r);
  const auto identifier = value_of(keys, Key::chap_i), challenge = value_of(keys, Key::chap_c);
  if (!name || !response)
    return refusal(LoginStatus::missing_parameter, "CHAP_N and CHAP_R were expected");
  if (identifier.has_value() != challenge.has_value())
    return refusal(LoginStatus::missing_parameter, "CHAP_I and CHAP_C come together or not at all");
  if (value_of(keys, Key::chap_a))
    return refusal(LoginStatus::initiator_error, "CHAP_A came again");
  if (auto verified = verify(*name, *response); !verified) return verified;
  if (challenge)
    if (auto answered = answer_challenge(*identifier, *challenge, answers); !answered)
      return answered;
  step_ = Step::done;
  return {};
}

// Wrong names and wrong responses take the same way, so that nothing tells a stranger which names
// exist.
LoginStep ChapExchange::verify(std::string_view name, std::string_view response) const {
  const auto theirs = decode_binary(response);
  if (!theirs) return refusal(LoginStatus::initiator_error, "CHAP_R is not a binary value");
  const Bytes expected = chap_response(algorithm_, identifier_, credentials_.password, challenge_);
  const bool right_response = equal_secretly(*theirs, expected);
  const bool right_name = equal_text(name, credentials_.userid);
  if (!right_name || !right_response)
    return refusal(LoginStatus::authentication_failure, "wrong CHAP name or response");
  // 8.2.1-09: what the target itself would have answered proves nothing about the initiator.
  if (!credentials_.mutual_password.empty() &&
      equal_secretly(*theirs, chap_response(algorithm_, identifier_, credentials_.mutual_password,
                                            challenge_)))
    return refusal(LoginStatus::authentication_failure,
                   "one CHAP secret is configured for both directions; give each its own");
  return {};
}

LoginStep ChapExchange::answer_challenge(std::string_view identifier, std::string_view challenge,
                                         std::string& answers) const {
  const auto number = parse_number(identifier);
  const auto bytes = decode_binary(challenge);
  if (!number || *number > 255 || !bytes)
    return refusal(LoginStatus::initiator_error, "CHAP_I or CHAP_C is malformed");
  if (credentials_.mutual_userid.empty())
    return refusal(LoginStatus::authentication_failure,
                   "the initiator wants mutual CHAP and no mutual_userid is configured");
  if (equal_secretly(*bytes, challenge_))  // 8.2.1-12
    return refusal(LoginStatus::authentication_failure, "the CHAP challenge was reflected");
  wire::append_text(answers, "CHAP_N", credentials_.mutual_userid);
  wire::append_text(answers, "CHAP_R",
                    encode_hex(chap_response(algorithm_, static_cast<std::uint8_t>(*number),
                                             credentials_.mutual_password, *bytes)));
  return {};
}

}  // namespace tsihd::session
