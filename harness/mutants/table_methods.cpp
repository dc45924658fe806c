// What tsihd does not say by itself: other methods, proposals, redirection. The proxy asks it for
// something else, and makes of the answer what a target with the feature would say, wrongly.
#include "harness/mutants/mutation.h"
#include "harness/mutants/table.h"
#include "harness/wire/text.h"

namespace tsih::mutants {

using namespace tsih::wire;

namespace {

/// tsihd is asked for no authentication, and seems to have chosen this method; then `mutation`.
Mutant choosing(const std::string& method, const Mutation& mutation) {
  const Mutation chosen = [=](const Passing& passing) {
    const auto asked = parse_text(passing.last_request.data).keys.value("AuthMethod");
    return asked == method ? with_key("AuthMethod", method)(passing) : std::vector{passing.pdu};
  };
  Mutant mutant{.mutate = both(chosen, mutation)};
  mutant.rewrite = [=](const TextKeys& keys) {
    TextKeys others = keys;
    if (keys.value("AuthMethod") == method) others.set("AuthMethod", "None");
    return others;
  };
  return mutant;
}

// A token of 65537 bytes in hexadecimal.
std::string too_long(std::size_t bytes) { return "0x" + std::string(2 * (bytes + 1), '5'); }

void kerberos_and_spkm(Table& table) {
  const char* kerberos = "login.methods.kerberos_ticket_of_nobody";
  const char* spkm = "login.methods.spkm_token_of_nobody";
  const Mutation long_answer = in_reply_to("KRB_AP_REQ", {{"KRB_AP_REP", too_long(65536)}});
  const Mutation long_token = in_reply_to("SPKM_REQ", {{"SPKM_REP_TI", too_long(65536)}});
  const Mutation error = in_reply_to("SPKM_REQ", {{"SPKM_ERROR", "0x3000"}});
  const Row rows[] = {
      {kerberos, "chooses_and_says_nothing", choosing("KRB5", unchanged())},
      {kerberos, "answer_without_a_reason",
       choosing("KRB5", in_reply_to("KRB_AP_REQ", {{"KRB_AP_REP", "0x6f00"}}))},
      {kerberos, "answer_too_long", choosing("KRB5", long_answer)},
      {spkm, "chooses_and_says_nothing", choosing("SPKM1", unchanged())},
      {spkm, "token_of_nothing",
       choosing("SPKM1", in_reply_to("SPKM_REQ", {{"SPKM_REP_TI", "0x3000"}}))},
      {spkm, "no_error_token", choosing("SPKM1", error)},
      {spkm, "tokens_too_long",
       choosing("SPKM1",
                both(long_token, in_reply_to("SPKM_REQ", {{"SPKM_ERROR", too_long(65536)}})))},
      {"login.methods.spkm_items_of_64_kib", "refuses_long_items",
       choosing("SPKM1", refusing("SPKM_REQ", 0x0302))},
  };
  table.add(Target::plain, rows);
}

void srp(Table& table) {
  const char* srp = "login.methods.srp_proof_of_nobody";
  const auto groups = [](const char* names) {
    return in_reply_to("SRP_U", {{"SRP_GROUP", names}, {"SRP_s", "0x5a"}});
  };
  const Mutation good = groups("SRP-1536,SRP-768");
  const auto reply = [&](const std::string& value) {
    return both(good, in_reply_to("SRP_A", {{"SRP_B", value}}));
  };
  const Row rows[] = {
      {srp, "chooses_and_says_nothing", choosing("SRP", unchanged())},
      {srp, "group_missing", choosing("SRP", groups("SRP-768"))},
      {srp, "group_misspelt", choosing("SRP", groups("SRP-1536,srp 768"))},
      {srp, "group_unknown", choosing("SRP", groups("SRP-1536,SRP-512"))},
      {srp, "no_public_value", choosing("SRP", good)},
      {srp, "public_value_too_long", choosing("SRP", reply(too_long(1024)))},
      {srp, "no_proof", choosing("SRP", reply("0x5a"))},
      {srp, "lets_in",
       choosing("SRP", both(reply("0x5a"), in_reply_to("SRP_M", {{"SRP_HM", "0x5a"}})))},
  };
  table.add(Target::plain, rows);
}

Mutant proposing_digest(const std::string& list) {
  return {from_connection(2, proposing("HeaderDigest", list))};
}
Mutant proposing_method(const std::string& list) {
  return {from_connection(2, proposing("AuthMethod", list))};
}

void proposals(Table& table) {
  const Row rows[] = {
      {"login.proposals.a_choice_outside_the_list", "proposes_and_waits",
       proposing_digest("CRC32C,None")},
      {"login.proposals.extension_digests", "name_without_a_prefix", proposing_digest("Y,CRC32C")},
      {"login.proposals.extension_digests", "extension_before_none",
       proposing_digest("Y-com.example.sum,None")},
      {"login.proposals.extension_methods", "name_without_a_prefix", proposing_method("Z,CHAP")},
      {"login.proposals.extension_methods", "extension_before_none",
       proposing_method("Z-com.example.hello,None")},
  };
  table.add(Target::plain, rows);
  table.add(Target::without_recovery, {"login.proposals.a_recovery_level_is_meant",
                                       "proposes_above_its_own",
                                       {from_connection(2, proposing("ErrorRecoveryLevel", "1"))}});
}

void redirections(Table& table) {
  const auto redirected = [](const TextKeys& keys) {
    return Mutant{from_connection(2, only(Opcode::login_response, [=](Pdu pdu, const Passing&) {
                                    pdu.set(field::status, 0x0101).set(field::transit, 0);
                                    pdu.data = encode_text(keys);
                                    return std::vector{pdu};
                                  }))};
  };
  const Row rows[] = {
      {"login.start.redirection", "no_address", redirected({})},
      {"login.start.redirection", "address_elsewhere",
       redirected({{"TargetAddress", "192.0.2.1:3260,1"}})},
  };
  table.add(Target::plain, rows);
}

}  // namespace

void add_method_rows(Table& table) {
  kerberos_and_spkm(table);
  srp(table);
  proposals(table);
  redirections(table);
}

}  // namespace tsih::mutants
