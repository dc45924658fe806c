// What the login phase answers: the next stage, a part, a refusal, a redirection.
#include <fmt/format.h>

#include <algorithm>

#include "target/session/login_exchange.h"
#include "target/wire/text.h"
#include "target/wire/writer.h"

namespace tsihd::session {
namespace {

using wire::LoginFlags;
using wire::LoginRequestBhs;
using wire::Stage;

constexpr std::size_t kMaxResponseBytes = 8192;  // 5.3: the default length holds during login

constexpr std::string_view kAuthMethodReject("AuthMethod=Reject\0", 18);

}  // namespace

std::uint32_t command_window_depth(const LoginIdentity& identity) {
  constexpr std::uint32_t kDiscoveryDepth = 8, kMaxDepth = 1024;
  if (identity.portal_group == nullptr) return kDiscoveryDepth;
  std::uint32_t depth = identity.portal_group->attributes.default_cmdsn_depth;
  if (identity.acl != nullptr && identity.acl->cmdsn_depth) depth = *identity.acl->cmdsn_depth;
  return std::clamp(depth, 1u, kMaxDepth);
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

}  // namespace tsihd::session
