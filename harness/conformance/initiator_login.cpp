// The raw initiator: the login phase.
#include <fmt/format.h>

#include "harness/conformance/initiator.h"
#include "harness/suite/chap.h"

namespace tsih::conformance {

using wire::Opcode;
using wire::Pdu;
namespace field = wire::field;

namespace {

// What either side takes before MaxRecvDataSegmentLength is known (12.12).
constexpr std::size_t kLoginSegmentBytes = 8192;
constexpr int kLimitLoginExchanges = 64;

std::string status_words(const Pdu& response) {
  return fmt::format("a Login Response with status 0x{:04x}", response[field::status]);
}

// What a plain initiator says to a key that the target proposes; nothing to a declaration.
std::optional<std::string> reply_to(const std::string& key, const std::string& value) {
  for (const char* declaration : {"MaxRecvDataSegmentLength", "TargetAlias", "TargetAddress",
                                  "TargetPortalGroupTag", "TargetName"})
    if (key == declaration) return std::nullopt;
  if (key == "HeaderDigest" || key == "DataDigest") return "None";
  if (key == "IFMarker" || key == "OFMarker") return "No";
  if (key == "IFMarkInt" || key == "OFMarkInt") return "Irrelevant";
  for (const char* known :
       {"MaxConnections", "InitialR2T", "ImmediateData", "MaxBurstLength", "FirstBurstLength",
        "DefaultTime2Wait", "DefaultTime2Retain", "MaxOutstandingR2T", "DataPDUInOrder",
        "DataSequenceInOrder", "ErrorRecoveryLevel"})
    if (key == known) return value;  // within every rule of chapter 12
  return "NotUnderstood";
}

}  // namespace

Answer Initiator::expect_login_answer(const Pdu& request) {
  // A long text goes out in pieces, all but the last with C and without T (10.12.2).
  wire::Bytes rest = request.data;
  while (rest.size() > kLoginSegmentBytes) {
    Pdu piece = request;
    piece.data.assign(rest.begin(), rest.begin() + kLoginSegmentBytes);
    rest.erase(rest.begin(), rest.begin() + kLoginSegmentBytes);
    piece.set(field::continues, 1).set(field::transit, 0).set(field::nsg, 0);
    piece.set(field::exp_stat_sn, exp_stat_sn);
    send(piece);
    const Pdu response = expect(Opcode::login_response);
    if (response[field::status] != 0) return {response, {}, {}};
  }
  Pdu last = request;
  last.data = rest;
  last.set(field::exp_stat_sn, exp_stat_sn);
  send(last);
  Answer answer;
  answer.pdu = expect(Opcode::login_response);
  wire::Bytes text = answer.pdu.data;
  for (int i = 0;
       i < kLimitLoginExchanges && answer.pdu[field::continues] && !answer.pdu[field::transit];
       ++i) {
    Pdu more = request;
    more.data.clear();
    more.set(field::exp_stat_sn, exp_stat_sn);
    send(more);
    answer.pdu = expect(Opcode::login_response);
    text.insert(text.end(), answer.pdu.data.begin(), answer.pdu.data.end());
  }
  auto parsed = wire::parse_text(text);
  answer.keys = std::move(parsed.keys);
  answer.text_problems = std::move(parsed.problems);
  return answer;
}

void Initiator::enter_full_feature_phase(const Answer& answer) {
  negotiated_ = answer.keys;
  tsih = static_cast<std::uint16_t>(answer.pdu[field::tsih]);
  digests_.header = negotiated_.value("HeaderDigest") == "CRC32C";
  digests_.data = negotiated_.value("DataDigest") == "CRC32C";
  connection_->expect_digests(digests_.header, digests_.data);
  established_ = true;
}

Answer Initiator::expect_negotiation(const wire::TextKeys& keys) {
  Answer all;
  Pdu request = login_request(kOperational, kFullFeature, keys);
  wire::TextKeys offered = keys;
  for (int i = 0; i < kLimitLoginExchanges; ++i) {
    Answer answer = expect_login_answer(request);
    all.pdu = answer.pdu;
    all.keys.append(answer.keys);
    all.text_problems.insert(all.text_problems.end(), answer.text_problems.begin(),
                             answer.text_problems.end());
    if (answer.pdu[field::status] != 0) return all;
    if (answer.pdu[field::transit] && answer.pdu[field::nsg] == kFullFeature) {
      enter_full_feature_phase(all);
      return all;
    }
    // It wants to go on: what it proposed by itself is answered, once.
    wire::TextKeys answers;
    for (const auto& [key, value] : answer.keys.pairs())
      if (!offered.has(key)) {
        if (const auto reply = reply_to(key, value)) {
          answers.add(key, *reply);
          all.keys.set(key, *reply);
        }
        offered.add(key, value);
      }
    request = login_request(kOperational, kFullFeature, answers);
  }
  context_.fail("a login that ends",
                fmt::format("{} exchanges without an end", kLimitLoginExchanges));
}

void Initiator::log_in(const wire::TextKeys& keys) {
  setting_up("login", [&] {
    const Answer answer = expect_login(keys);
    if (!established_) context_.fail("a login", status_words(answer.pdu));
  });
}

void Initiator::authenticate() {
  if (context_.settings.user.empty()) return;
  setting_up("authentication", [&] {
    const Answer answer = chap_exchange();
    if (answer.pdu[field::status] != 0) context_.fail("CHAP to go on", status_words(answer.pdu));
  });
}

Answer Initiator::expect_login(const wire::TextKeys& keys) {
  if (!context_.settings.user.empty()) {
    Answer answer = chap_exchange();
    if (answer.pdu[field::status] != 0) return answer;
  }
  // Declared although it is the default: LIO takes the silence of an initiator for a limit of 0.
  wire::TextKeys all = keys;
  if (!all.has("MaxRecvDataSegmentLength")) all.add("MaxRecvDataSegmentLength", "8192");
  return expect_negotiation(all);
}

// The answer that refuses, or the one that ends the security stage.
Answer Initiator::chap_exchange() {
  // The secret is that of a target; discovery on the same portal may ask for none.
  const char* methods = discovery ? "CHAP,None" : "CHAP";
  Answer answer =
      expect_login_answer(login_request(kSecurity, std::nullopt, {{"AuthMethod", methods}}));
  if (answer.pdu[field::status] != 0) return answer;
  if (discovery && answer.keys.value("AuthMethod") == "None")
    return expect_login_answer(login_request(kSecurity, kOperational));
  if (answer.keys.value("AuthMethod") != "CHAP")
    context_.fail("AuthMethod=CHAP", answer.keys.describe());
  answer = expect_login_answer(login_request(kSecurity, std::nullopt, {{"CHAP_A", "5"}}));
  if (answer.pdu[field::status] != 0) return answer;
  const auto identifier = wire::parse_number(answer.keys.value("CHAP_I").value_or(""));
  const auto challenge = wire::parse_binary(answer.keys.value("CHAP_C").value_or(""));
  if (!identifier || !challenge) context_.fail("CHAP_I and CHAP_C", answer.keys.describe());
  const auto response = suite::chap_response(static_cast<std::uint8_t>(*identifier),
                                             context_.settings.secret, *challenge);
  answer = expect_login_answer(login_request(
      kSecurity, kOperational,
      {{"CHAP_N", context_.settings.user}, {"CHAP_R", wire::encode_binary(response)}}));
  if (answer.pdu[field::status] == 0 && !answer.pdu[field::transit])
    context_.fail("the security stage to end", wire::describe(answer.pdu));
  return answer;
}

}  // namespace tsih::conformance
