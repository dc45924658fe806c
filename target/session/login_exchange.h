// The state of a login under way. Included by login's source files only: login.cpp takes requests,
// login_response.cpp gives answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "target/session/keys.h"
#include "target/session/login.h"
#include "target/session/login_security.h"
#include "target/session/negotiation.h"

namespace tsihd::session {

struct LoginExchange::Impl {
  explicit Impl(LoginContext surroundings) : context(std::move(surroundings)) {
    discovery_offer.max_recv_data_segment_length_bytes = 65536;
  }

  LoginState on_pdu(const wire::Pdu& pdu, std::vector<std::byte>& response);
  LoginState respond(const wire::LoginRequestBhs& request, std::vector<std::byte>& response);
  LoginState reject(const Refusal& refused, std::vector<std::byte>& response);
  bool redirection_is_due(const wire::LoginRequestBhs& request) const;
  LoginState redirect(std::vector<std::byte>& response);
  void send(std::uint8_t flags, std::string_view text, std::vector<std::byte>& response,
            std::uint16_t status = LoginStatus::success);

  LoginStep take_header(const wire::LoginRequestBhs& request);
  LoginStep take_first_header(const wire::LoginRequestBhs& request);
  LoginStep take_data(const wire::LoginRequestBhs& request, std::string_view data);
  LoginStep take_text(std::string_view text);
  LoginStep begin(const std::vector<ReceivedKey>& keys);
  LoginStep take_keys(const std::vector<ReceivedKey>& keys);
  LoginStep check_key(const ReceivedKey& key) const;
  bool must_authenticate() const;
  const ChapCredentials& credentials() const;
  const OfferedParameters& offered() const;
  std::optional<wire::Stage> choose_next_stage(const wire::LoginRequestBhs& request);

  LoginContext context;
  LoginIdentity identity;
  std::optional<LoginSecurity> security;
  std::optional<Negotiation> negotiation;
  LoginState state = LoginState::exchanging;
  std::optional<wire::LoginRequestBhs> first;  ///< what all later requests must repeat
  bool identified = false;                     ///< the first logical text was taken
  wire::Stage stage = wire::Stage::security;
  std::uint32_t stat_sn = 0;
  std::uint32_t exp_cmd_sn = 0;
  std::uint32_t exchanges = 0;
  KeyLedger ledger;
  std::string incoming;  ///< text up to a request without C bit
  std::string outgoing;  ///< answers not yet sent
  OfferedParameters discovery_offer;
  std::uint16_t refusal_status = LoginStatus::success;
  LoginLimit limit_hit = LoginLimit::none;
};

}  // namespace tsihd::session
