// The tiny initiator proves who it is (RFC 3720 section 11.1). Only with CHAP can it tell a right
// proof of the target's from a wrong one; with the other methods it takes none for right.
#include "harness/initiators/tests/tiny_initiator.h"
#include "harness/suite/chap.h"

namespace tsih::initiators::testing {
namespace {

constexpr std::size_t kLimitChallengeBytes = 1024;  // 11.1.4

Pdu without_transit(Pdu request) { return request.set(field::transit, 0).set(field::nsg, 0); }

std::string needed(const TextKeys& keys, const char* key, const char* unless) {
  const auto value = keys.value(key);
  require(value.has_value(), key, unless);
  return value.value_or("0x00");
}

}  // namespace

void Tiny::authenticate(const Pdu& request, const std::string& method) {
  if (method == "CHAP") return chap(request);
  if (method == "SRP") return srp(request);
  if (method == "KRB5") return kerberos(request);
  if (method == kExtensionMethod) return extension(request);
  public_key(request, method == "SPKM1");
}

void Tiny::chap(const Pdu& request) {
  const TextKeys challenge =
      exchange(without_transit(request), {{"CHAP_A", breaks("no_md5") ? "7" : "5"}});
  const std::string identifier = needed(challenge, "CHAP_I", "chap_step");
  const Bytes theirs = parse_binary(needed(challenge, "CHAP_C", "chap_step")).value_or(Bytes());
  require(challenge.value("CHAP_A") == "5", "an algorithm", "chap_algorithm");
  require(theirs.size() <= kLimitChallengeBytes, "a long challenge", "chap_long");
  if (breaks("chap_short_limit") && theirs.size() > 256) throw Wrong{"a challenge of 1024 bytes"};
  const auto number = static_cast<std::uint8_t>(parse_number(identifier).value_or(0));
  TextKeys answer{
      {"CHAP_N", breaks("no_chap_name") ? "" : kChapUser},
      {"CHAP_R", encode_binary(suite::chap_response(
                     number, breaks("wrong_secret") ? "another" : kChapSecret, theirs))}};
  if (breaks("no_chap_name")) answer.remove("CHAP_N");
  const Bytes ours = breaks("reflects") ? theirs : Bytes{9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
  if (identity_.mutual && !breaks("not_mutual")) {
    answer.add("CHAP_I", "7");
    answer.add("CHAP_C", encode_binary(ours));
  }
  const TextKeys proof = exchange(request, answer);
  if (!identity_.mutual) return;
  const Bytes right = suite::chap_response(7, kChapTargetSecret, ours);
  require(parse_binary(proof.value("CHAP_R").value_or("")) == right, "no proof", "unproved");
}

void Tiny::srp(const Pdu& request) {
  TextKeys user{{"SRP_U", kChapUser}, {"TargetAuth", "Yes"}};
  if (breaks("no_srp_user")) user.remove("SRP_U");
  exchange(without_transit(request), user);
  const std::string group = breaks("srp_group") ? "SRP-9999" : "SRP-1536";
  TextKeys a{{"SRP_A", "0x05"}, {"SRP_GROUP", group}};
  exchange(without_transit(request), a);
  exchange(request, breaks("no_srp_proof") ? TextKeys() : TextKeys{{"SRP_M", "0x07"}});
  require(false, "no proof", "unproved");
}

void Tiny::kerberos(const Pdu& request) {
  exchange(request, {{breaks("no_krb_request") ? "KRB_AP_REP" : "KRB_AP_REQ", "0x01"}});
  require(false, "no proof", "unproved");
}

void Tiny::extension(const Pdu& request) {
  exchange(request, {{breaks("small_key") ? "tiny_token" : "Tiny_token", "0x01"}});
}

void Tiny::public_key(const Pdu& request, bool one) {
  exchange(without_transit(request),
           {{breaks("no_spkm_request") ? "SPKM_ERROR" : "SPKM_REQ", "0x01"}});
  require(false, "no proof", "unproved");
  if (one) exchange(request, {{"SPKM_REP_IT", "0x01"}});
  if (!one) exchange(request, {});
}

}  // namespace tsih::initiators::testing
