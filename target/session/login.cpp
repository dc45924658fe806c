#include "target/session/login.h"

#include <fmt/format.h>

#include "target/session/login_exchange.h"
#include "target/session/login_identity.h"
#include "target/wire/text.h"

namespace tsihd::session {
namespace {

using wire::LoginRequestBhs;
using wire::Stage;

constexpr std::size_t kMaxTextBytes = 16384;    // of one logical text; 5.1-04 asks for 8192
constexpr std::uint32_t kMaxExchanges = 512;    // 5.2-16
constexpr std::size_t kMaxDeclaredBytes = 255;  // 5.1: a simple value

/// What a peer sent, made safe for a log line.
std::string printable(std::string_view text) {
  std::string safe(text.substr(0, kMaxDeclaredBytes));
  for (char& c : safe)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"') c = '?';
  return safe;
}

LoginStep check_stages(const LoginRequestBhs& request) {
  const Stage current = request.current_stage(), next = request.next_stage();
  if (current != Stage::security && current != Stage::operational)  // 10.12.3
    return refusal(LoginStatus::initiator_error,
                   fmt::format("CSG {} is no stage of a login", static_cast<int>(current)));
  if (!request.transit()) return {};
  if (request.continues())  // 10.12.2-01
    return refusal(LoginStatus::initiator_error, "T and C bit are both set");
  if (next == Stage::reserved || next <= current)
    return refusal(LoginStatus::initiator_error,
                   fmt::format("no way leads from stage {} to {}", static_cast<int>(current),
                               static_cast<int>(next)));
  return {};
}

}  // namespace

LoginState LoginExchange::Impl::on_pdu(const wire::Pdu& pdu, std::vector<std::byte>& response) {
  if (state == LoginState::established || state == LoginState::failed) return state;
  if (pdu.opcode() != wire::Opcode::login_request) {
    if (!first) return state = LoginState::failed;  // 3.2.3-05: not a word
    return reject({.status = LoginStatus::invalid_during_login,
                   .reason = fmt::format("opcode {:#04x} is no Login Request (RFC 3720 3.2.3)",
                                         static_cast<unsigned>(pdu.opcode()))},
                  response);
  }
  const auto& request = pdu.as<LoginRequestBhs>();
  if (state == LoginState::awaiting_admission)
    return reject({.reason = "a request before the last was answered"}, response);
  auto taken = take_header(request);
  if (taken) taken = take_data(request, wire::as_text(pdu.data));
  if (!taken) return reject(taken.error(), response);
  if (redirection_is_due(request)) return redirect(response);
  return respond(request, response);
}

LoginStep LoginExchange::Impl::take_header(const LoginRequestBhs& request) {
  if (!first)
    if (auto taken = take_first_header(request); !taken) return taken;
  if (request.total_ahs_words != 0)  // 10.2.1.5
    return refusal(LoginStatus::initiator_error, "a Login Request has no AHS");
  if (auto good = check_stages(request); !good) return good;
  if (++exchanges > kMaxExchanges)
    return refusal(LoginLimit::exchanges,
                   fmt::format("no end after {} requests (RFC 3720 5.2)", kMaxExchanges));
  if (exchanges == 1) {
    stage = request.current_stage();
    return {};
  }
  if (request.current_stage() != stage)
    return refusal(LoginStatus::initiator_error,
                   fmt::format("CSG {} in stage {}", static_cast<int>(request.current_stage()),
                               static_cast<int>(stage)));
  const bool same = request.initiator_task_tag == first->initiator_task_tag &&
                    request.isid == first->isid && request.tsih == first->tsih &&
                    request.cid == first->cid && request.version_max() == first->version_max() &&
                    request.version_min() == first->version_min();
  if (!same)  // 10.12.4.1-01, 10.12.4.2-01, 10.12.6-03, 10.12.7-01; 5.3: one task, one tag
    return refusal(LoginStatus::initiator_error,
                   "ISID, TSIH, CID, version or task tag is not the first request's");
  return {};
}

LoginStep LoginExchange::Impl::take_first_header(const LoginRequestBhs& request) {
  first = request;
  identity.isid = request.isid;
  identity.tsih = request.tsih;
  identity.cid = request.cid;
  exp_cmd_sn = request.cmd_sn;    // 10.12.8-01
  stat_sn = request.exp_stat_sn;  // any start is good; this one suits a restarted connection
  if (request.version_min() > 0)  // 10.12.4-01: 0 is the only version
    return refusal(LoginStatus::unsupported_version,
                   fmt::format("Version-min is {}", request.version_min()));
  constexpr unsigned kReservedIsidType = 3;
  if (request.isid[0] >> 6 == kReservedIsidType)  // 10.12.5; 10: reserved codes are errors
    return refusal(LoginStatus::initiator_error, "T of the ISID is 11b (RFC 3720 10.12.5)");
  return {};
}

LoginStep LoginExchange::Impl::take_data(const LoginRequestBhs& request, std::string_view data) {
  if (!outgoing.empty()) {  // the initiator fetches the rest of a long answer (5.2-03)
    if (data.empty()) return {};
    return refusal(LoginStatus::initiator_error, "text in answer to a C bit");
  }
  if (incoming.size() + data.size() > kMaxTextBytes)
    return refusal(LoginLimit::text_bytes,
                   fmt::format("login text longer than {} bytes (RFC 3720 5.1)", kMaxTextBytes));
  incoming.append(data);
  if (request.continues()) return {};
  const std::string text = std::exchange(incoming, {});
  return take_text(text);
}

LoginStep LoginExchange::Impl::take_text(std::string_view text) {
  const auto pairs = wire::parse_text(text);
  if (!pairs) {
    const bool too_many = pairs.error().kind == wire::TextError::Kind::too_many_pairs;
    return refusal(too_many ? LoginLimit::keys : LoginLimit::none,
                   fmt::format("{} (at byte {})", wire::to_string(pairs.error().kind),
                               pairs.error().offset_bytes));
  }
  std::vector<ReceivedKey> keys;
  keys.reserve(pairs->size());
  for (const wire::KeyValue& pair : *pairs) {
    keys.push_back({find_key(pair.key), pair.key, pair.value});
    const auto noted = ledger.note(keys.back().rule, pair.key);
    if (noted == KeyLedger::Verdict::too_many_unknown)
      return refusal(LoginLimit::keys,
                     fmt::format("more than {} keys that are not known", KeyLedger::kUnknownKeys));
    if (noted == KeyLedger::Verdict::repeated)  // 5.3-12, 5.3-13
      return refusal(LoginStatus::initiator_error,
                     fmt::format("{} came more than once", printable(pair.key)));
    if (auto good = check_key(keys.back()); !good) return good;
  }
  if (!identified)
    if (auto begun = begin(keys); !begun) return begun;
  return take_keys(keys);
}

// The first logical text says who logs in and where; everything else hangs on that.
LoginStep LoginExchange::Impl::begin(const std::vector<ReceivedKey>& keys) {
  LoginNames names;
  for (const ReceivedKey& key : keys) {
    if (key.rule == nullptr) continue;
    if (key.rule->key == Key::initiator_name) names.initiator_name = key.value;
    if (key.rule->key == Key::target_name) names.target_name = key.value;
    if (key.rule->key == Key::session_type) names.session_type = key.value;
    if (key.rule->key == Key::initiator_alias) names.initiator_alias = key.value;
  }
  std::optional<std::uint16_t> tag;
  if (auto known = identify(names, context, identity, tag); !known) return known;
  identified = true;
  if (must_authenticate()) {
    if (credentials().userid.empty())
      return refusal(LoginStatus::authentication_failure,
                     "authentication is demanded but no CHAP userid is configured for this "
                     "initiator");
    if (stage == Stage::operational)  // 5.3.1
      return refusal(LoginStatus::authentication_failure,
                     "authentication is demanded and the initiator skips the security stage");
  }
  security.emplace(must_authenticate(), credentials(), context.random);
  const NegotiatedParameters* joined =
      identity.tsih == 0 ? nullptr
                         : context.sessions.find(*identity.portal_group, identity.initiator_name,
                                                 identity.isid, identity.tsih);
  negotiation.emplace(offered(), identity.type, joined);
  if (tag)  // 5.3.1-01
    wire::append_text(outgoing, "TargetPortalGroupTag", fmt::format("{}", *tag));
  if (!offered().target_alias.empty() && identity.type == SessionType::normal)  // 12.6-01
    wire::append_text(outgoing, "TargetAlias", offered().target_alias);
  return {};
}

LoginStep LoginExchange::Impl::check_key(const ReceivedKey& key) const {
  if (key.rule == nullptr) return {};
  const KeyRule& rule = *key.rule;
  const auto broken = [&](std::string_view why) {
    return refusal(LoginStatus::initiator_error, fmt::format("{} {}", rule.name, why));
  };
  if (!rule.sent_by_initiator) return broken("is for targets to send");
  if (rule.use == KeyUse::full_feature_only) return broken("is for full feature phase only");
  const bool here =
      rule.any_stage || (rule.type == KeyType::security) == (stage == Stage::security);
  if (!here) return broken("is not allowed in this stage");  // 5.3, 11-01
  const bool is_text = rule.type == KeyType::declared_text;
  if ((is_text || rule.key == Key::chap_n) && key.value.size() > kMaxDeclaredBytes)
    return broken("is longer than 255 bytes");    // 5.1
  if (is_text && identified && !rule.once_begun)  // 5.3-01, 5.3-03
    return broken("belongs to the first request");
  return {};
}

// Keys that we do not understand are answered in any stage, by the negotiation (5.2-07).
LoginStep LoginExchange::Impl::take_keys(const std::vector<ReceivedKey>& keys) {
  std::vector<ReceivedKey> security_keys, operational_keys;
  for (const ReceivedKey& key : keys) {
    if (key.rule != nullptr && key.rule->key == Key::node_architecture)  // RFC 4850 3: log only
      context.log.info("initiator architecture initiator={} peer={} value=\"{}\"",
                       identity.initiator_name, context.remote, printable(key.value));
    if (key.rule != nullptr && key.rule->type == KeyType::declared_text) continue;
    const bool for_security = key.rule != nullptr && key.rule->type == KeyType::security;
    (for_security ? security_keys : operational_keys).push_back(key);
  }
  if (stage == Stage::security)
    if (auto taken = security->take(security_keys, outgoing); !taken) return taken;
  if (auto taken = negotiation->take(std::move(operational_keys), outgoing); !taken)
    return refusal(LoginStatus::initiator_error, taken.error().message);
  if (stage == Stage::operational) negotiation->declare(outgoing);
  return {};
}

bool LoginExchange::Impl::must_authenticate() const {
  if (identity.type == SessionType::discovery) return context.inventory.discovery_authentication;
  if (identity.acl != nullptr && identity.acl->authentication) return *identity.acl->authentication;
  return identity.portal_group->attributes.authentication;
}

const ChapCredentials& LoginExchange::Impl::credentials() const {
  if (identity.type == SessionType::discovery) return context.inventory.discovery_chap;
  return identity.acl != nullptr ? identity.acl->chap : identity.portal_group->chap;
}

const OfferedParameters& LoginExchange::Impl::offered() const {
  return identity.portal_group != nullptr ? identity.portal_group->offered : discovery_offer;
}

LoginExchange::LoginExchange(LoginContext context)
    : impl_(std::make_unique<Impl>(std::move(context))) {}
LoginExchange::~LoginExchange() = default;

LoginState LoginExchange::on_pdu(const wire::Pdu& pdu, std::vector<std::byte>& response) {
  return impl_->on_pdu(pdu, response);
}

LoginState LoginExchange::admit(std::uint16_t tsih, std::vector<std::byte>& response) {
  Impl& login = *impl_;
  if (login.state != LoginState::awaiting_admission) return login.state;
  login.identity.tsih = tsih;
  login.send(
      wire::LoginFlags::stages(login.stage, Stage::full_feature) | wire::LoginFlags::kTransit,
      std::exchange(login.outgoing, {}), response);
  return login.state = LoginState::established;
}

LoginState LoginExchange::refuse(std::uint16_t status, std::vector<std::byte>& response,
                                 std::string_view reason) {
  Impl& login = *impl_;
  const bool open = login.state == LoginState::awaiting_admission ||
                    (login.state == LoginState::exchanging && login.first);
  if (!open) return login.state = LoginState::failed;
  return login.reject({.status = status, .reason = std::string(reason)}, response);
}

const LoginIdentity& LoginExchange::identity() const { return impl_->identity; }
const NegotiatedParameters& LoginExchange::parameters() const {
  static const NegotiatedParameters defaults;
  return impl_->negotiation ? impl_->negotiation->parameters() : defaults;
}
std::uint16_t LoginExchange::refusal_status() const { return impl_->refusal_status; }
LoginLimit LoginExchange::limit_hit() const { return impl_->limit_hit; }
std::uint32_t LoginExchange::next_stat_sn() const { return impl_->stat_sn; }
std::uint32_t LoginExchange::exp_cmd_sn() const { return impl_->exp_cmd_sn; }

}  // namespace tsihd::session
