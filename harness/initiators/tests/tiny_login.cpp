// The tiny initiator's logins and texts.
#include <algorithm>
#include <set>

#include "harness/initiators/tests/tiny_initiator.h"

namespace tsih::initiators::testing {

Pdu Tiny::login_response_to(Pdu request) {
  if (next_version_ > 0) request.set(field::version_max, next_version_);
  send(request);
  const Pdu answer = receive();
  if (!answer.is(Opcode::login_response)) {
    require(false, "something else than a Login Response", "login_foreign");
    return login_response_to(Pdu(Opcode::login_request));
  }
  const auto status = answer[field::status];
  if (status >> 8 == 1 && !breaks("redirect"))
    throw Moved{parse_text(answer.data).keys.value("TargetAddress").value_or("")};
  if (status != 0 && breaks("login_status")) return login_response_to(request);
  if (status != 0 && breaks("tries_again")) throw Lost{{"a login status"}};
  if (status != 0) throw Wrong{"a login status"};
  require(answer[field::initiator_task_tag] == request[field::initiator_task_tag], "a task tag",
          "login_tag");
  require(answer[field::isid] == request[field::isid], "an ISID", "login_isid");
  if (breaks("version_of_the_last"))
    next_version_ = static_cast<std::uint8_t>(answer[field::version_active]);
  else
    require(answer[field::version_active] == 0 || told_version_, "a version", "login_version");
  told_version_ = true;
  require(answer[field::csg] == request[field::csg], "a stage", "login_stage");
  require(!answer[field::transit] || request[field::transit], "T", "login_transit");
  if (breaks("reserved_bits") && (answer.header[1] & 0x30)) throw Wrong{"reserved bits"};
  return answer;
}

void Tiny::check_answers(const TextKeys& offers, const TextKeys& answers) {
  std::set<std::string> seen;
  std::string before;
  for (const auto& [key, value] : answers.pairs()) {
    require(seen.insert(key).second, "a key twice", "key_twice");
    if (breaks("key_order") && key < before) throw Wrong{"another order"};
    before = key;
    const auto offer = offers.value(key);
    if (breaks("level_0") && key == "ErrorRecoveryLevel" && value == "0")
      throw Wrong{"no recovery"};
    if (breaks("least") && key == "MaxBurstLength" && value == "512") throw Wrong{"so little"};
    if (key == "AuthMethod")
      require(offer.value_or("").find(value) != std::string::npos, "a method", "key_method");
    if (key == "HeaderDigest" && value != "Reject")
      require(value == "None" || value == "CRC32C", "a digest", "key_digest");
    if (key == "ImmediateData")
      require(value == "Yes" || value == "No", "a boolean", "key_boolean");
    if (key == "FirstBurstLength")
      require(parse_number(value) <= parse_number(offer.value_or("")), "a number", "key_number");
  }
}

// What the target proposes itself: a level is taken, with one R2T at a time; nothing else is known.
TextKeys Tiny::replies_to(const TextKeys& answers) const {
  TextKeys replies;
  for (const auto& [key, value] : answers.pairs()) {
    if (key.starts_with("X-") && !breaks("unknown_key")) replies.add(key, "NotUnderstood");
    if (offered_.has(key)) continue;
    if (key == "ErrorRecoveryLevel") replies.add(key, value);
    if (key == "MaxOutstandingR2T") replies.add(key, breaks("many_r2ts") ? value : "1");
  }
  return replies;
}

// One request and all of its answer; what the target asks for is answered too.
TextKeys Tiny::exchange(Pdu request, const TextKeys& keys) {
  offered_.append(keys);
  request.data = encode_text(keys);
  if (breaks("text_zero") && !request.data.empty()) request.data.pop_back();
  const bool login = request.is(Opcode::login_request);
  Bytes text;
  TextKeys answers;
  for (bool more = true; more;) {
    if (!login) {
      Pdu numbered = request;
      number(numbered);
      send(numbered);
    }
    const Pdu answer = login ? login_response_to(request) : receive();
    if (answer.is(Opcode::reject)) {
      // The target takes back the negotiation: one that is needed begins anew (5.4).
      if (!identity_.discovery) throw TakenBack{};
      request.set(field::target_transfer_tag, breaks("text_goes_on") ? 1 : kReservedTag);
      request.data = encode_text(keys);
      text.clear();
      continue;
    }
    if (!login && !answer.is(Opcode::text_response)) continue;
    text.insert(text.end(), answer.data.begin(), answer.data.end());
    if (breaks("text_limit") && text.size() > 16384) throw Wrong{"a long text"};
    if (login && answer[field::nsg] == 3 && answer[field::transit])
      identity_.tsih = static_cast<std::uint16_t>(answer[field::tsih]);
    more = answer[field::continues];
    if (!breaks("c_bit") || !more) request.data.clear();
    if (login && answer[field::tsih] == 0 && answer[field::transit] && answer[field::nsg] == 3)
      require(false, "TSIH 0", "login_tsih");
    if (!login && !answer[field::final]) {
      more = true;
      request.set(field::target_transfer_tag,
                  breaks("text_tag") ? kReservedTag : answer[field::target_transfer_tag]);
      if (breaks("text_open")) request.set(field::final, 0);
      if (breaks("text_task")) request.set(field::initiator_task_tag, ++next_tag_);
    }
    if (more) continue;
    answers = parse_text(text).keys;
    if (login && request[field::transit] && !answer[field::transit]) {
      TextKeys replies = replies_to(answers);
      if (breaks("keys_again")) replies.append(keys);
      request.data = encode_text(replies);
      if (breaks("hesitates")) request.set(field::transit, 0).set(field::nsg, 0);
      if (breaks("impatient") && ++waited_ > 3) throw Wrong{"one key after the other"};
      text.clear();
      check_answers(offered_, answers);
      answered_.append(answers);
      offered_.append(replies);
      more = true;
    }
  }
  if (login) check_answers(offered_, answers);
  answered_.append(answers);
  return answers;
}

void Tiny::log_in() {
  Pdu request(Opcode::login_request);
  request.set(field::immediate, 1).set(field::isid, identity_.isid);
  request.set(field::cid, identity_.cid).set(field::tsih, identity_.tsih);
  request.set(field::initiator_task_tag, next_tag_++).set(field::cmd_sn, cmd_sn_);
  if (breaks("login_stage_three")) request.set(field::csg, 3);
  if (breaks("version")) request.set(field::version_max, 2).set(field::version_min, 1);
  if (breaks("tsih")) request.set(field::tsih, 7);
  TextKeys names{{"InitiatorName", identity_.name}};
  if (breaks("no_name")) names = {{"InitiatorAlias", "tiny"}};
  names.add("SessionType", identity_.discovery ? "Discovery" : "Normal");
  if (breaks("no_type")) names.remove("SessionType");
  if (!identity_.discovery && !breaks("no_target")) names.add("TargetName", identity_.target);
  // With an extension there is no None in the list (11.1).
  names.add("AuthMethod", std::string("CHAP,SRP,KRB5,SPKM1,SPKM2,") +
                              (identity_.secret ? kExtensionMethod : "None"));
  const std::string method = exchange(request, names).value("AuthMethod").value_or("None");
  Pdu security = request;
  if (breaks("login_cid")) security.set(field::cid, 9);
  security.set(field::transit, 1).set(field::nsg, 1);
  if (method == "None" || breaks("no_first_step"))
    exchange(security, breaks("names_again") ? names : TextKeys());
  else
    authenticate(security, method);
  const TextKeys keys{{"HeaderDigest", "CRC32C,None"},
                      {"DataDigest", "CRC32C,None"},
                      {"MaxRecvDataSegmentLength", std::to_string(kMostDataInBytes)}};
  most_data_in_ = kMostDataInBytes;
  // The session's own, said on its first connection only.
  TextKeys recovery{{"DefaultTime2Wait", "0"}, {"DefaultTime2Retain", "20"}};
  if (!identity_.reticent) recovery.add("ErrorRecoveryLevel", "2");
  TextKeys data{{"InitialR2T", "No"},         {"ImmediateData", "Yes"},
                {"MaxBurstLength", "262144"}, {"FirstBurstLength", "262144"},
                {"DataPDUInOrder", "Yes"},    {"DataSequenceInOrder", "No"},
                {"MaxConnections", "2"}};
  if (!identity_.reticent) data.add("MaxOutstandingR2T", "4");
  if (breaks("range")) data.set("MaxConnections", "0");
  if (breaks("boolean")) data.set("ImmediateData", "yes");
  if (breaks("bursts")) data.set("FirstBurstLength", "524288");
  if (breaks("reserved_word")) data.set("MaxOutstandingR2T", "Irrelevant");
  TextKeys all = keys;
  if (identity_.tsih == 0) all.append(recovery);
  if (!identity_.discovery && identity_.tsih == 0) all.append(data);
  Pdu operational = request;
  operational.set(field::csg, 1);
  if (!breaks("no_transit")) operational.set(field::nsg, 3).set(field::transit, 1);
  exchange(operational, all);
  if (breaks("login_again")) login_response_to(operational);
  established_ = true;
  digests_.header = answered_.value("HeaderDigest") == "CRC32C";
  digests_.data = answered_.value("DataDigest") == "CRC32C";
  reader_.expect_digests(digests_.header, digests_.data);
}

std::optional<Identity> Tiny::second_connection() const {
  if (agreed("MaxConnections", 1) < 2) return std::nullopt;
  Identity other = identity_;
  other.cid = 2;
  if (breaks("second_tsih")) other.tsih = 77;
  if (breaks("second_name")) other.name += "-2";
  if (breaks("second_isid")) ++other.isid;
  return other;
}

void Tiny::discover() {
  Pdu request(Opcode::text_request);
  request.set(field::final, 1).set(field::target_transfer_tag, kReservedTag);
  request.set(field::initiator_task_tag, next_tag_++);
  TextKeys keys{{breaks("no_send_targets") ? "Targets" : "SendTargets",
                 breaks("some_targets") ? "Some" : "All"}};
  if (breaks("text_length")) keys.add("X-long", std::string(300000, 'x'));
  if (breaks("text_c_and_f")) request.set(field::continues, 1);
  const TextKeys answers = exchange(request, keys);
  if (breaks("short_text") && encode_text(answers).size() > 4096) throw Wrong{"a long text"};
  if (breaks("short_names") && answers.value("TargetName").value_or("").size() > 127)
    throw Wrong{"a long name"};
}

void Tiny::log_out(std::uint8_t reason) {
  Pdu logout(Opcode::logout_request);
  logout.set(field::final, 1).set(field::initiator_task_tag, next_tag_++);
  logout.set(field::logout_reason, breaks("logout_reason") ? 2 : reason);
  if (reason == 2) logout.set(field::cid, identity_.cid - 1u);
  if (breaks("logout_data")) logout.data.resize(4);
  number(logout);
  if (breaks("leaves_silently")) throw Wrong{"no word"};
  send(logout);
  if (breaks("after_logout")) ping();
  while (true) {
    const Pdu pdu = receive();
    if (pdu.is(Opcode::logout_response)) break;
    if (pdu.is(Opcode::async_message) && breaks("logs_out_twice")) send(logout);
  }
  if (reason != 2 && breaks("stays_connected")) receive();
}

void Tiny::ping() {
  Pdu ping(Opcode::nop_out);
  ping.set(field::final, 1).set(field::initiator_task_tag, next_tag_++);
  if (breaks("ping_task")) ping.set(field::initiator_task_tag, kReservedTag);
  ping.set(field::target_transfer_tag, breaks("ping_tag") ? 5 : kReservedTag);
  ping.data = {1, 2, 3, 4};
  number(ping);
  send(ping);
  while (!receive().is(Opcode::nop_in)) {
  }
}

}  // namespace tsih::initiators::testing
