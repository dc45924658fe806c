// The exchanges of the authentication methods, step by step (RFC 3720 8.2, 11.1).
#include "harness/judge/authentication.h"

#include "harness/judge/keys.h"
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kRequest = pdus(Opcode::login_request);
constexpr std::uint64_t kResponse = pdus(Opcode::login_response);

const LoginState& login(const Moment& m) { return m.connection.login; }

/// A whole text of the security stage that may be a step; an empty one may answer C.
bool is_step(const Moment& m) {
  if (!m.keys || m.pdu[field::csg] != 0 || login(m).auth_method.empty()) return false;
  return !(m.keys->empty() && m.connection.negotiation.last_continues[1 - side(m.from)]);
}

/// A step of one method, known by how many texts of the initiator and the target came before it.
/// A target may turn the login down instead.
template <char First, char Second, unsigned Initiator, unsigned Target>
Ruling step_is_whole(const Moment& m) {
  if (!is_step(m) || (m.from == From::target && m.pdu[field::status] != 0)) return Ruling::aside();
  const std::string& method = login(m).auth_method;
  if (method.size() < 2 || method[0] != First || method[1] != Second) return Ruling::aside();
  const AuthStep* step = step_due(login(m), m.from);
  if (!step || step->texts[0] != Initiator || step->texts[1] != Target) return Ruling::aside();
  const auto missing = missing_in(*step, *m.keys);
  if (missing.empty()) return Ruling::kept();
  return Ruling::broken(fmt::format("{} in this step of {}", missing, method), m.keys->describe());
}

Ruling chap_picks_what_was_offered(const Moment& m) {
  if (!is_step(m) || login(m).auth_method != "CHAP" || m.pdu[field::status] != 0)
    return Ruling::aside();
  if (login(m).auth_texts[0] != 1 || login(m).auth_texts[1] != 0) return Ruling::aside();
  const std::string wrong = wrong_in_target_step(login(m), *m.keys);
  if (wrong.empty()) return Ruling::kept();
  return Ruling::broken("one of the CHAP_A values offered, with CHAP_I and CHAP_C", wrong);
}

Ruling chap_asks_for_both_or_neither(const Moment& m) {
  if (!is_step(m) || login(m).auth_method != "CHAP" || login(m).auth_texts[0] != 1 ||
      login(m).auth_texts[1] != 1)
    return Ruling::aside();
  if (m.keys->has("CHAP_I") == m.keys->has("CHAP_C")) return Ruling::kept();
  return Ruling::broken("CHAP_I and CHAP_C together, or neither", m.keys->describe());
}

Ruling target_proves_itself(const Moment& m, bool asked, std::string_view first,
                            std::string_view second) {
  if (!is_step(m) || m.pdu[field::status] != 0 || !asked) return Ruling::aside();
  if (m.keys->has(first) && m.keys->has(second)) return Ruling::kept();
  return Ruling::broken(fmt::format("{} and {}, since the initiator asked for them", first, second),
                        m.keys->describe());
}

Ruling chap_target_proves_itself(const Moment& m) {
  const bool asked = login(m).auth_method == "CHAP" && !login(m).challenge[0].empty() &&
                     login(m).auth_texts[0] == 2 && login(m).auth_texts[1] == 1;
  return target_proves_itself(m, asked, "CHAP_N", "CHAP_R");
}

Ruling srp_target_proves_itself(const Moment& m) {
  const bool asked = login(m).auth_method == "SRP" && login(m).target_auth &&
                     login(m).auth_texts[0] == 3 && login(m).auth_texts[1] == 2;
  return target_proves_itself(m, asked, "SRP_HM", "SRP_HM");
}

Ruling md5_is_offered(const Moment& m) {
  if (!m.keys) return Ruling::aside();
  const auto offer = m.keys->value("CHAP_A");
  if (!offer) return Ruling::aside();
  if (lists(*offer, "5")) return Ruling::kept();
  return Ruling::broken("5 (MD5) among the algorithms", *offer);
}

Ruling srp_1536_is_offered(const Moment& m) {
  if (!m.keys) return Ruling::aside();
  const auto offer = m.keys->value("SRP_GROUP");
  if (!offer) return Ruling::aside();
  if (lists(*offer, "SRP-1536")) return Ruling::kept();
  return Ruling::broken("SRP-1536 among the groups", offer->substr(0, 80));
}

Ruling srp_group_was_offered(const Moment& m) {
  if (!m.keys || login(m).srp_groups.empty()) return Ruling::aside();
  const auto group = m.keys->value("SRP_GROUP");
  if (!group) return Ruling::aside();
  if (lists(login(m).srp_groups, *group)) return Ruling::kept();
  return Ruling::broken(fmt::format("a group of {}", login(m).srp_groups), group->substr(0, 80));
}

/// The bits of the modulus, which end the name of each group of RFC 3723: SRP-1536, MODP-3072.
std::optional<std::uint64_t> modulus_bits(std::string_view group) {
  for (const std::string_view kind : {"SRP-", "MODP-"})
    if (group.starts_with(kind)) return wire::parse_number(group.substr(kind.size()));
  return std::nullopt;
}

Ruling srp_modulus_is_long(const Moment& m) {
  constexpr unsigned kLeastBits = 768;
  const auto groups = m.keys ? m.keys->value("SRP_GROUP") : std::nullopt;
  if (!groups || is_reserved_word(*groups)) return Ruling::aside();
  Ruling ruling = Ruling::kept();
  for_each_listed(*groups, [&](std::string_view group) {
    const auto bits = modulus_bits(group);
    if (bits && *bits < kLeastBits)
      ruling = Ruling::broken(fmt::format("a modulus of at least {} bits", kLeastBits),
                              std::string(group.substr(0, 80)));
    else if (!bits && ruling.kind() == Ruling::Kind::kept)
      ruling = Ruling::unseen();  // a group that is known to the two of them
  });
  return ruling;
}

Ruling challenge_is_its_own(const Moment& m) {
  if (!m.keys || login(m).challenge[1].empty()) return Ruling::aside();
  const auto challenge = m.keys->value("CHAP_C");
  if (!challenge) return Ruling::aside();
  const auto mine = wire::parse_binary(*challenge);
  const auto theirs = wire::parse_binary(login(m).challenge[1]);
  if (!mine || !theirs || *mine != *theirs) return Ruling::kept();
  return Ruling::broken("a challenge other than the target's", "the same");
}

/// Binary values that are whole and not too long, in all keys with this prefix that the method
/// declares as binary.
Ruling binary_fits(const Moment& m, std::string_view prefix, std::size_t most,
                   std::string_view text_keys) {
  if (!m.keys) return Ruling::aside();
  Ruling ruling = Ruling::aside();
  for (const auto& [key, value] : m.keys->pairs()) {
    if (!key.starts_with(prefix) || lists(text_keys, key) || is_reserved_word(value)) continue;
    const auto binary = wire::parse_binary(value);
    if (!binary || binary->size() > most)
      return Ruling::broken(
          fmt::format("{} in hexadecimal or base64, of at most {} bytes", key, most),
          binary ? fmt::format("{} bytes", binary->size()) : value.substr(0, 80));
    ruling = Ruling::kept();
  }
  return ruling;
}

Ruling chap_values_fit(const Moment& m) {
  Ruling ruling = binary_fits(m, "CHAP_", 1024, "CHAP_A,CHAP_I,CHAP_N");
  if (!m.keys || ruling.kind() == Ruling::Kind::broken) return ruling;
  if (const auto identifier = m.keys->value("CHAP_I")) {
    const auto number = wire::parse_number(*identifier);
    if (!number || *number > 255)
      return Ruling::broken("CHAP_I as a number of one byte", identifier->substr(0, 80));
  }
  return ruling;
}
Ruling krb5_values_fit(const Moment& m) { return binary_fits(m, "KRB_", 65536, ""); }
Ruling spkm_values_fit(const Moment& m) { return binary_fits(m, "SPKM_", 65536, "SPKM_ERROR"); }
Ruling srp_values_fit(const Moment& m) { return binary_fits(m, "SRP_", 1024, "SRP_U,SRP_GROUP"); }

Ruling wrong_step_ends_it(const Moment& m) {
  if (login(m).wrong_step.empty() || m.connection.phase != Phase::login) return Ruling::aside();
  return Ruling::broken(
      fmt::format("the end of the connection behind a wrong step ({})", login(m).wrong_step),
      fmt::format("a {}", wire::opcode_name(m.pdu.opcode())));
}

// Nothing but a refusal may follow a challenge that was the other side's own.
Ruling reflection_is_noticed(const Moment& m) {
  if (!login(m).reflected[1 - side(m.from)]) return Ruling::aside();
  if (m.pdu.is(Opcode::login_response) && m.pdu[field::status] != 0) return Ruling::kept();
  return Ruling::broken("the end of the connection, since its own challenge came back",
                        fmt::format("a {}", wire::opcode_name(m.pdu.opcode())));
}

constexpr Rule kRules[] = {
    {"auth.chap_first",
     {"R3720-11.1-01", "R3720-11.1.4-01"},
     Judged::initiator,
     kRequest,
     step_is_whole<'C', 'H', 0, 0>},
    {"auth.chap_challenge",
     {"R3720-11.1.4-02"},
     Judged::target,
     kResponse,
     chap_picks_what_was_offered},
    {"auth.chap_response",
     {"R3720-11.1.4-03", "R3720-8.2-l03"},
     Judged::initiator,
     kRequest,
     step_is_whole<'C', 'H', 1, 1>},
    {"auth.chap_both_ways",
     {"R3720-11.1.4-03"},
     Judged::initiator,
     kRequest,
     chap_asks_for_both_or_neither},
    {"auth.chap_proof", {"R3720-11.1.4-05"}, Judged::target, kResponse, chap_target_proves_itself},
    {"auth.chap_md5", {"R3720-11.1.4-08"}, Judged::initiator, kRequest, md5_is_offered},
    {"auth.chap_values", {"R3720-11.1.4-07"}, Judged::both, kRequest | kResponse, chap_values_fit},
    {"auth.chap_own_challenge",
     {"R3720-8.2.1-11"},
     Judged::initiator,
     kRequest,
     challenge_is_its_own},
    {"auth.reflection",
     {"R3720-8.2.1-12"},
     Judged::both,
     kRequest | kResponse,
     reflection_is_noticed},
    {"auth.krb5_first",
     {"R3720-11.1-01", "R3720-11.1.1-01"},
     Judged::initiator,
     kRequest,
     step_is_whole<'K', 'R', 0, 0>},
    {"auth.krb5_values", {"R3720-11.1.1-06"}, Judged::both, kRequest | kResponse, krb5_values_fit},
    {"auth.spkm_first",
     {"R3720-11.1-01", "R3720-11.1.2-01"},
     Judged::initiator,
     kRequest,
     step_is_whole<'S', 'P', 0, 0>},
    {"auth.spkm_answer",
     {"R3720-11.1.2-03"},
     Judged::target,
     kResponse,
     step_is_whole<'S', 'P', 1, 0>},
    {"auth.spkm_third",
     {"R3720-11.1.2-05"},
     Judged::initiator,
     kRequest,
     step_is_whole<'S', 'P', 1, 1>},
    {"auth.spkm_values", {"R3720-11.1.2-07"}, Judged::both, kRequest | kResponse, spkm_values_fit},
    {"auth.srp_first",
     {"R3720-11.1-01", "R3720-11.1.3-01"},
     Judged::initiator,
     kRequest,
     step_is_whole<'S', 'R', 0, 0>},
    {"auth.srp_groups",
     {"R3720-11.1.3-02"},
     Judged::target,
     kResponse,
     step_is_whole<'S', 'R', 1, 0>},
    {"auth.srp_1536", {"R3720-11.1.3-10"}, Judged::target, kResponse, srp_1536_is_offered},
    {"auth.srp_a", {"R3720-11.1.3-03"}, Judged::initiator, kRequest, step_is_whole<'S', 'R', 1, 1>},
    {"auth.srp_group", {"R3720-11.1.3-03"}, Judged::initiator, kRequest, srp_group_was_offered},
    {"auth.srp_modulus",
     {"R3720-8.2.2-01"},
     Judged::both,
     kRequest | kResponse,
     srp_modulus_is_long},
    {"auth.srp_b", {"R3720-11.1.3-04"}, Judged::target, kResponse, step_is_whole<'S', 'R', 2, 1>},
    {"auth.srp_m", {"R3720-11.1.3-05"}, Judged::initiator, kRequest, step_is_whole<'S', 'R', 2, 2>},
    {"auth.srp_proof", {"R3720-11.1.3-07"}, Judged::target, kResponse, srp_target_proves_itself},
    {"auth.srp_values", {"R3720-11.1.3-09"}, Judged::both, kRequest | kResponse, srp_values_fit},
    {"auth.wrong_step",
     {"R3720-8.2-02", "R3720-5.3.2-05"},
     Judged::initiator,
     kFromInitiator,
     wrong_step_ends_it},
};

}  // namespace

std::span<const Rule> authentication_rules() { return kRules; }

}  // namespace tsih::judge
