#include "target/session/login.h"

#include <fmt/format.h>

#include <algorithm>

#include "target/session/login_identity.h"
#include "target/session/login_security.h"
#include "target/session/login_status.h"
#include "target/session/negotiation.h"
#include "target/wire/text.h"
#include "target/wire/writer.h"

namespace tsihd::session {
namespace {

using wire::LoginFlags;
using wire::LoginRequestBhs;
using wire::Stage;

constexpr std::size_t kMaxTextBytes = 16384;     // of one logical text; 5.1-04 asks for 8192
constexpr std::size_t kMaxResponseBytes = 8192;  // 5.3: the default length holds during login
constexpr std::uint32_t kMaxExchanges = 512;     // 5.2-16
constexpr std::size_t kMaxDeclaredBytes = 255;   // 5.1: a simple value

constexpr std::string_view kAuthMethodReject("AuthMethod=Reject\0", 18);

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

std::uint32_t command_window_depth(const LoginIdentity& identity) {
  constexpr std::uint32_t kDiscoveryDepth = 8, kMaxDepth = 1024;
  if (identity.portal_group == nullptr) return kDiscoveryDepth;
  std::uint32_t depth = identity.portal_group->attributes.default_cmdsn_depth;
  if (identity.acl != nullptr && identity.acl->cmdsn_depth) depth = *identity.acl->cmdsn_depth;
  return std::clamp(depth, 1u, kMaxDepth);
}

struct LoginExchange::Impl {
  explicit Impl(LoginContext surroundings) : context(std::move(surroundings)) {
    discovery_offer.max_recv_data_segment_length_bytes = 65536;
  }

  LoginState on_pdu(const wire::Pdu& pdu, std::vector<std::byte>& response);
  LoginState respond(const LoginRequestBhs& request, std::vector<std::byte>& response);
  LoginState reject(const Refusal& refused, std::vector<std::byte>& response);
  bool redirection_is_due(const LoginRequestBhs& request) const;
  LoginState redirect(std::vector<std::byte>& response);
  void send(std::uint8_t flags, std::string_view text, std::vector<std::byte>& response,
            std::uint16_t status = LoginStatus::success);

  LoginStep take_header(const LoginRequestBhs& request);
  LoginStep take_first_header(const LoginRequestBhs& request);
  LoginStep take_data(const LoginRequestBhs& request, std::string_view data);
  LoginStep take_text(std::string_view text);
  LoginStep begin(const std::vector<ReceivedKey>& keys);
  LoginStep take_keys(const std::vector<ReceivedKey>& keys);
  LoginStep check_key(const ReceivedKey& key) const;
  bool must_authenticate() const;
  const ChapCredentials& credentials() const;
  const OfferedParameters& offered() const;
  std::optional<Stage> choose_next_stage(const LoginRequestBhs& request);

  LoginContext context;
  LoginIdentity identity;
  std::optional<LoginSecurity> security;
  std::optional<Negotiation> negotiation;
  LoginState state = LoginState::exchanging;
  std::optional<LoginRequestBhs> first;  ///< what all later requests must repeat
  bool identified = false;               ///< the first logical text was taken
  Stage stage = Stage::security;
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

// Where the initiator wants to go, as far as we can go with it; nothing while there is something
// left to settle. May add the target's proposals to the answer.
std::optional<Stage> LoginExchange::Impl::choose_next_stage(const LoginRequestBhs& request) {
  if (!request.transit()) return std::nullopt;
  const Stage wanted = request.next_stage();
  if (stage == Stage::security) {
    if (!security->complete()) {
      security->propose(outgoing);
      return std::nullopt;
    }
    const bool detour = wanted == Stage::full_feature && negotiation->has_proposals();
    return detour ? Stage::operational : wanted;  // 5.3: the target selects, not beyond NSG
  }
  if (negotiation->awaits_answers()) return std::nullopt;
  if (negotiation->has_proposals()) {  // 5.3-10: not together with a T bit
    negotiation->propose(outgoing);
    return std::nullopt;
  }
  return wanted;
}

LoginState LoginExchange::Impl::respond(const LoginRequestBhs& request,
                                        std::vector<std::byte>& response) {
  if (request.continues()) {  // 5.2-02: an empty answer
    send(LoginFlags::stages(stage, Stage::security), {}, response);
    return state;
  }
  if (outgoing.size() > kMaxResponseBytes) {  // 10.13.7-01: C bit, and no T bit
    const std::string part = outgoing.substr(0, kMaxResponseBytes);
    outgoing.erase(0, kMaxResponseBytes);
    send(LoginFlags::stages(stage, Stage::security) | LoginFlags::kContinue, part, response);
    return state;
  }
  const std::optional<Stage> next = choose_next_stage(request);
  if (next == Stage::full_feature) {
    if (auto finished = negotiation->finish(); !finished)
      return reject({.reason = finished.error().message}, response);
    identity.authenticated = security->authenticated();
    return state = LoginState::awaiting_admission;
  }
  const std::string text = std::exchange(outgoing, {});
  const std::uint8_t transit = next ? LoginFlags::kTransit : 0;
  send(LoginFlags::stages(stage, next.value_or(Stage::security)) | transit, text, response);
  stage = next.value_or(stage);
  return state;
}

// At once where nobody has to authenticate itself. Else when the security negotiation is complete:
// then every initiator follows (10.13.5), and a stranger learns no address. What the target has to
// prove (mutual CHAP) is said before, or in the same response when the initiator wants no other.
bool LoginExchange::Impl::redirection_is_due(const LoginRequestBhs& request) const {
  if (identity.portal_group == nullptr || !identified) return false;
  if (identity.portal_group->attributes.redirect_address.empty()) return false;
  if (!must_authenticate()) return true;
  if (!security->authenticated()) return false;
  const bool last_word = request.transit() && request.next_stage() == Stage::full_feature;
  return stage == Stage::operational || outgoing.empty() || last_word;
}

LoginState LoginExchange::Impl::redirect(std::vector<std::byte>& response) {
  const PortalGroupAttributes& attributes = identity.portal_group->attributes;
  refusal_status = attributes.redirect_permanent ? LoginStatus::moved_permanently
                                                 : LoginStatus::moved_temporarily;
  context.log.info("login redirected initiator={} peer={} target={} status={:04x} address={}",
                   identity.initiator_name, context.remote, identity.target->name, refusal_status,
                   attributes.redirect_address);
  // Neither TargetPortalGroupTag (5.3.1) nor answers that no session will need.
  const bool has_proof = stage == Stage::security && security->authenticated();
  std::string text = has_proof ? std::exchange(outgoing, {}) : std::string();
  wire::append_text(text, "TargetAddress", attributes.redirect_address);  // 10.13.5
  send(0, text, response, refusal_status);
  outgoing.clear();
  return state = LoginState::failed;
}

void LoginExchange::Impl::send(std::uint8_t flags, std::string_view text,
                               std::vector<std::byte>& response, std::uint16_t status) {
  wire::LoginResponseBhs bhs;
  bhs.flags = flags;
  bhs.isid = first->isid;
  bhs.tsih = identity.tsih;
  bhs.initiator_task_tag = first->initiator_task_tag;
  bhs.status_class = static_cast<std::uint8_t>(status >> 8);
  bhs.status_detail = static_cast<std::uint8_t>(status & 0xff);
  if (status == LoginStatus::success) {  // the numbers are valid only then (10.13.5)
    bhs.stat_sn = stat_sn++;
    bhs.exp_cmd_sn = exp_cmd_sn;
    bhs.max_cmd_sn = exp_cmd_sn + command_window_depth(identity) - 1;
    if (const auto joined = context.sessions.numbers(first->tsih)) {
      bhs.exp_cmd_sn = joined->exp_cmd_sn;
      bhs.max_cmd_sn = joined->max_cmd_sn;
    }
  }
  wire::append_pdu(response, bhs, wire::as_bytes(text));
}

LoginState LoginExchange::Impl::reject(const Refusal& refused, std::vector<std::byte>& response) {
  context.log.warning(
      "login refused initiator={} peer={} target={} request={} status={:04x} reason=\"{}\"",
      identity.initiator_name.empty() ? "-" : identity.initiator_name, context.remote,
      identity.target == nullptr ? "-" : identity.target->name, exchanges, refused.status,
      refused.reason);
  refusal_status = refused.status;
  limit_hit = refused.limit;
  // Of the answers collected only AuthMethod=Reject says something to an initiator that is refused.
  const std::string_view text = outgoing.ends_with(kAuthMethodReject) ? kAuthMethodReject : "";
  send(0, text, response, refused.status);
  outgoing.clear();
  return state = LoginState::failed;
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
  login.send(LoginFlags::stages(login.stage, Stage::full_feature) | LoginFlags::kTransit,
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
