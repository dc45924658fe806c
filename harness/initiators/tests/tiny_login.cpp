// The tiny initiator's logins and texts.
#include <algorithm>
#include <set>

#include "harness/initiators/tests/tiny_initiator.h"

namespace tsih::initiators::testing {

Pdu Tiny::login_response_to(const Pdu& request) {
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
  if (status != 0) throw Wrong{"a login status"};
  require(answer[field::initiator_task_tag] == request[field::initiator_task_tag], "a task tag",
          "login_tag");
  require(answer[field::isid] == request[field::isid], "an ISID", "login_isid");
  require(answer[field::version_active] == 0, "a version", "login_version");
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
    if (breaks("least") && key == "MaxBurstLength" && value == "512") throw Wrong{"so little"};
    if (key == "AuthMethod") require(value == "None", "a method", "key_method");
    if (key == "HeaderDigest" && value != "Reject")
      require(value == "None" || value == "CRC32C", "a digest", "key_digest");
    if (key == "ImmediateData")
      require(value == "Yes" || value == "No", "a boolean", "key_boolean");
    if (key == "FirstBurstLength")
      require(parse_number(value) <= parse_number(offer.value_or("")), "a number", "key_number");
  }
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
    text.insert(text.end(), answer.data.begin(), answer.data.end());
    more = answer[field::continues];
    if (!breaks("c_bit") || !more) request.data.clear();
    if (login && answer[field::tsih] == 0 && answer[field::transit] && answer[field::nsg] == 3)
      require(false, "TSIH 0", "login_tsih");
    if (!login && !answer[field::final]) {
      more = true;
      request.set(field::target_transfer_tag,
                  breaks("text_tag") ? kReservedTag : answer[field::target_transfer_tag]);
      if (breaks("text_task")) request.set(field::initiator_task_tag, ++next_tag_);
    }
    if (more) continue;
    answers = parse_text(text).keys;
    if (login && request[field::transit] && !answer[field::transit]) {
      TextKeys replies;
      for (const auto& [key, value] : answers.pairs())
        if (key.starts_with("X-") && !breaks("unknown_key")) replies.add(key, "NotUnderstood");
      if (breaks("keys_again")) replies.append(keys);
      request.data = encode_text(replies);
      text.clear();
      check_answers(offered_, answers);
      answered_.append(answers);
      more = true;
    }
  }
  if (login) check_answers(offered_, answers);
  answered_.append(answers);
  return answers;
}

void Tiny::log_in(const std::string& target) {
  Pdu request(Opcode::login_request);
  request.set(field::immediate, 1).set(field::isid, 0x800000123456).set(field::cid, 1);
  request.set(field::initiator_task_tag, next_tag_++).set(field::cmd_sn, cmd_sn_);
  if (breaks("login_stage_three")) request.set(field::csg, 3);
  if (breaks("version")) request.set(field::version_max, 2).set(field::version_min, 1);
  if (breaks("tsih")) request.set(field::tsih, 7);
  TextKeys names{{"InitiatorName", "iqn.2026-01.example.tsih:tiny"}};
  if (breaks("no_name")) names = {{"InitiatorAlias", "tiny"}};
  names.add("SessionType", discovery_ ? "Discovery" : "Normal");
  if (breaks("no_type")) names.remove("SessionType");
  if (!discovery_ && !breaks("no_target")) names.add("TargetName", target);
  names.add("AuthMethod", "None");
  exchange(request, names);
  Pdu security = request;
  if (breaks("login_cid")) security.set(field::cid, 9);
  exchange(security.set(field::transit, 1).set(field::nsg, 1),
           breaks("names_again") ? names : TextKeys());
  const TextKeys keys{{"HeaderDigest", "CRC32C,None"},       {"DataDigest", "CRC32C,None"},
                      {"MaxRecvDataSegmentLength", "65536"}, {"DefaultTime2Wait", "0"},
                      {"DefaultTime2Retain", "0"},           {"ErrorRecoveryLevel", "0"}};
  const TextKeys data{{"InitialR2T", "No"},          {"ImmediateData", "Yes"},
                      {"MaxBurstLength", "262144"},  {"FirstBurstLength", "262144"},
                      {"MaxOutstandingR2T", "4"},    {"DataPDUInOrder", "Yes"},
                      {"DataSequenceInOrder", "No"}, {"MaxConnections", "1"}};
  TextKeys all = keys;
  if (!discovery_) all.append(data);
  Pdu operational = request;
  exchange(operational.set(field::csg, 1).set(field::nsg, 3).set(field::transit, 1), all);
  established_ = true;
  digests_.header = answered_.value("HeaderDigest") == "CRC32C";
  digests_.data = answered_.value("DataDigest") == "CRC32C";
  reader_.expect_digests(digests_.header, digests_.data);
}

void Tiny::discover() {
  Pdu request(Opcode::text_request);
  request.set(field::final, 1).set(field::target_transfer_tag, kReservedTag);
  request.set(field::initiator_task_tag, next_tag_++);
  TextKeys keys{{breaks("no_send_targets") ? "Targets" : "SendTargets", "All"}};
  if (breaks("text_length")) keys.add("X-long", std::string(300000, 'x'));
  if (breaks("text_c_and_f")) request.set(field::continues, 1);
  const TextKeys answers = exchange(request, keys);
  if (breaks("short_text") && encode_text(answers).size() > 4096) throw Wrong{"a long text"};
}

void Tiny::log_out() {
  Pdu logout(Opcode::logout_request);
  logout.set(field::final, 1).set(field::initiator_task_tag, next_tag_++);
  if (breaks("logout_data")) logout.data.resize(4);
  if (breaks("logout_reason")) logout.set(field::logout_reason, 2);
  number(logout);
  send(logout);
  if (breaks("after_logout")) {
    Pdu ping(Opcode::nop_out);
    ping.set(field::final, 1).set(field::initiator_task_tag, next_tag_++);
    ping.set(field::target_transfer_tag, kReservedTag);
    number(ping);
    send(ping);
  }
  while (!receive().is(Opcode::logout_response)) {
  }
  if (breaks("stays_connected")) receive();
}

}  // namespace tsih::initiators::testing
