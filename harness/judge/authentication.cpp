#include "harness/judge/authentication.h"

#include <fmt/format.h>

#include "harness/judge/keys.h"
#include "harness/judge/rule.h"

namespace tsih::judge {
namespace {

constexpr std::size_t kLimitKeptBytes = 4096;  // of a value; the longest legal ones are shorter

constexpr AuthStep kSteps[] = {
    {"CHAP", From::initiator, {0, 0}, {"CHAP_A"}},
    {"CHAP", From::target, {1, 0}, {"CHAP_A", "CHAP_I", "CHAP_C"}},
    {"CHAP", From::initiator, {1, 1}, {"CHAP_N", "CHAP_R"}},
    {"SRP", From::initiator, {0, 0}, {"SRP_U", "TargetAuth"}},
    {"SRP", From::target, {1, 0}, {"SRP_GROUP", "SRP_s"}},
    {"SRP", From::initiator, {1, 1}, {"SRP_A", "SRP_GROUP"}},
    {"SRP", From::target, {2, 1}, {"SRP_B"}},
    {"SRP", From::initiator, {2, 2}, {"SRP_M"}},
    {"KRB5", From::initiator, {0, 0}, {"KRB_AP_REQ"}},
    {"SPKM1", From::initiator, {0, 0}, {"SPKM_REQ"}},
    {"SPKM2", From::initiator, {0, 0}, {"SPKM_REQ"}},
    {"SPKM1", From::target, {1, 0}, {"SPKM_REP_TI"}},
    {"SPKM1", From::initiator, {1, 1}, {"SPKM_REP_IT"}},
};

void keep(std::string& where, const wire::TextKeys& keys, std::string_view key) {
  if (auto value = keys.value(key); value && value->size() <= kLimitKeptBytes)
    where = std::move(*value);
}

// The method is chosen by an answer to the other side's AuthMethod.
bool chooses(const Connection& connection, From from, const wire::TextKeys& keys) {
  const auto& proposals = connection.negotiation.proposals;
  const auto proposal = proposals.find("AuthMethod");
  return keys.has("AuthMethod") && proposal != proposals.end() && proposal->second.by != from;
}

}  // namespace

const AuthStep* step_due(const LoginState& login, From from) {
  for (const AuthStep& step : kSteps)
    if (step.method == login.auth_method && step.by == from &&
        step.texts[0] == login.auth_texts[0] && step.texts[1] == login.auth_texts[1])
      return &step;
  return nullptr;
}

std::string_view missing_in(const AuthStep& step, const wire::TextKeys& keys) {
  for (std::string_view key : step.keys)
    if (!key.empty() && !keys.has(key)) return key;
  return {};
}

std::string wrong_in_target_step(const LoginState& login, const wire::TextKeys& keys) {
  const AuthStep* step = step_due(login, From::target);
  if (!step) return {};
  if (const auto missing = missing_in(*step, keys); !missing.empty())
    return fmt::format("no {}", missing);
  if (login.auth_method != "CHAP") return {};
  const std::string chosen = *keys.value("CHAP_A");
  if (lists(login.chap_offer, chosen)) return {};
  return fmt::format("CHAP_A={}, where {} was offered", chosen, login.chap_offer);
}

void note_authentication(Connection& connection, From from, const Pdu& pdu,
                         const wire::TextKeys& keys) {
  LoginState& login = connection.login;
  const bool login_pdu = pdu.is(Opcode::login_request) || pdu.is(Opcode::login_response);
  if (!login_pdu || keys.empty() || pdu[field::csg] != 0) return;
  if (pdu.is(Opcode::login_response) && pdu[field::status] != 0) return;
  if (chooses(connection, from, keys)) {
    login.auth_method = *keys.value("AuthMethod");
    login.auth_texts[0] = from == From::initiator ? 1 : 0;
    login.auth_texts[1] = 0;
  } else if (!login.auth_method.empty()) {
    if (from == From::target) login.wrong_step = wrong_in_target_step(login, keys);
    ++login.auth_texts[side(from)];
  }
  keep(login.challenge[side(from)], keys, "CHAP_C");
  if (from == From::initiator) keep(login.chap_offer, keys, "CHAP_A");
  if (from == From::target) keep(login.srp_groups, keys, "SRP_GROUP");
  if (keys.value("TargetAuth") == "Yes") login.target_auth = true;
}

}  // namespace tsih::judge
