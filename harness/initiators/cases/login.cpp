// The login (RFC 3720 5.3, 10.12, 10.13): what the initiator says first, and what it makes of
// answers.
#include "harness/initiators/cases/common.h"

namespace {

const Want any_login = login_at_portal(0);

TextKeys keys_of(const Pdu& pdu) { return tsih::wire::parse_text(pdu.data).keys; }

// The answer of a good target, with other text.
Pdu with_keys(Pdu response, const TextKeys& keys) {
  response.data = tsih::wire::encode_text(keys);
  return response;
}

// It is not the end of the stage yet.
Pdu without_transit(Pdu response) {
  return response.set(field::transit, 0).set(field::nsg, 0).set(field::tsih, 0);
}

// The ranges of sections 12.2, 12.12 to 12.17 and 12.20; booleans; everything else is free.
bool is_legal_offer(const std::string& key, const std::string& value) {
  struct Range {
    const char* key;
    std::uint64_t least, most;
  };
  static constexpr Range kRanges[] = {
      {"MaxConnections", 1, 65535},           {"MaxRecvDataSegmentLength", 512, (1 << 24) - 1},
      {"MaxBurstLength", 512, (1 << 24) - 1}, {"FirstBurstLength", 512, (1 << 24) - 1},
      {"DefaultTime2Wait", 0, 3600},          {"DefaultTime2Retain", 0, 3600},
      {"MaxOutstandingR2T", 1, 65535},        {"ErrorRecoveryLevel", 0, 2}};
  for (const Range& range : kRanges) {
    if (key != range.key) continue;
    const auto number = tsih::wire::parse_number(value);
    return number && *number >= range.least && *number <= range.most;
  }
  for (const char* boolean : {"InitialR2T", "ImmediateData", "DataPDUInOrder",
                              "DataSequenceInOrder", "OFMarker", "IFMarker"})
    if (key == boolean) return value == "Yes" || value == "No";
  return !value.empty() && value.front() != ',' && value.back() != ',';
}

}  // namespace

BOOST_AUTO_TEST_SUITE(login)

TSIH_TRIAL(first_request, "The first request names both parties and begins a new session",
           judges("R3720-10.12-01", "R3720-5.3-01", "R3720-5.3-03", "R3720-12.4-01",
                  "R3720-12.5-01", "R3720-5.3-04", "R3720-10.12.4-01", "R3720-10.12.6-01",
                  "R3720-10.12.6-l01", "R3720-10.12.2-01", "R3720-5.1-01") *
               unh("LP 1.1", "LP 2.1", "LP 7.1", "LP 11.1", "LP 21.1")) {
  start(kAttach);
  auto [initiator, request] =
      serve_until({"a first PDU", [](const Peer&, const Pdu&) { return true; }});
  verify(request.is(Opcode::login_request), "a Login Request", describe(request));
  const auto text = tsih::wire::parse_text(request.data);
  judging("R3720-5.1-01");
  verify(text.problems.empty(), "pairs that a zero byte ends each",
         fmt::format("{}", text.problems.size()));
  for (const char* clause : {"R3720-5.3-01", "R3720-12.5-01"}) {
    judging(clause);
    verify(text.keys.has("InitiatorName"), "InitiatorName", text.keys.describe());
  }
  for (const char* clause : {"R3720-5.3-03", "R3720-12.4-01"}) {
    judging(clause);
    verify(text.keys.has("TargetName"), "TargetName", text.keys.describe());
  }
  judging("R3720-5.3-04");
  verify(request[field::csg] <= kOperational, "stage 0 or 1", describe(request));
  judging("R3720-10.12.4-01");
  verify(request[field::version_min] == 0 && request[field::version_max] == 0, "version 0",
         describe(request));
  for (const char* clause : {"R3720-10.12.6-01", "R3720-10.12.6-l01"}) {
    judging(clause);
    verify_equal("TSIH", 0, request[field::tsih]);
  }
  judging("R3720-10.12.2-01");
  verify(!request[field::continues] || !request[field::transit], "not both C and T",
         describe(request));
}

TSIH_TRIAL(same_in_all_requests, "What names a login is the same in all of its requests",
           judges("R3720-10.12.7-01", "R3720-10.12.6-03", "R3720-10.12.4.1-01",
                  "R3720-10.12.4.2-01", "R3720-12.4-02", "R3720-12.5-02") *
               unh("LP 3.2")) {
  start(kAttach);
  auto [initiator, first] = serve_until(any_login);
  initiator.send(without_transit(initiator.login_response(first)));
  const Pdu next = expect(initiator, request(Opcode::login_request));
  confirm(describe(next));
  judging("R3720-10.12.7-01");
  verify_equal("CID", first[field::cid], next[field::cid]);
  judging("R3720-10.12.6-03");
  verify_equal("TSIH", first[field::tsih], next[field::tsih]);
  judging("R3720-10.12.4.1-01");
  verify_equal("Version-max", first[field::version_max], next[field::version_max]);
  judging("R3720-10.12.4.2-01");
  verify_equal("Version-min", first[field::version_min], next[field::version_min]);
  judging("R3720-12.4-02");
  verify(!keys_of(next).has("TargetName"), "no second TargetName", keys_of(next).describe());
  judging("R3720-12.5-02");
  verify(!keys_of(next).has("InitiatorName"), "no second InitiatorName", keys_of(next).describe());
}

TSIH_TRIAL(slow_to_transit, "A target that takes its time to end a stage is waited for",
           judges("R3720-5.3-11", should("R3720-5.3-12"), "R3720-5.3-l02", "R3720-5.3.3-l01") *
               unh("LP 3.1", "LP 3.2", "LP 6.1")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  initiator.send(without_transit(initiator.login_response(first)));
  const Pdu next = expect(initiator, request(Opcode::login_request));
  judging_all({"R3720-5.3-12", "R3720-5.3-l02"});
  const TextKeys offers = keys_of(first);
  for (const auto& [key, value] : offers.pairs())
    verify(!keys_of(next).has(key), "no key offered twice", key + " again");
  judging("R3720-5.3-11");
  initiator.serve(next);
  expect_good_end();
  judging("R3720-5.3.3-l01");
  verify(next[field::transit], "T again", describe(next));
}

TSIH_TRIAL(ends_with_transit,
           "The last Login Request says that the initiator wants to end the login",
           judges("R3720-5.3.3-03")) {
  start(kAttach);
  Pdu last;
  serve_until({"a request after the login", [&](const Peer&, const Pdu& pdu) {
                 if (pdu.is(Opcode::login_request)) last = pdu;
                 return !pdu.is(Opcode::login_request);
               }});
  verify(last[field::transit] && last[field::nsg] == kFullFeature, "T, and NSG 3", describe(last));
}

TSIH_TRIAL(offers, "What is offered are values that its keys may have",
           judges("R3720-5.2-08", "R3720-5.2.1-02", "R3720-12.14-01") *
               unh("LP 7.2", "LP 9.1", "LP 10.1", "LP 12.1", "LP 13.1", "LP 19.1", "LP 20.1")) {
  start(kAttach);
  serve_until(any_command());
  const Peer& initiator = target().peers().front();
  for (const auto& [key, value] : initiator.offered.pairs()) {
    judging("R3720-5.2-08");
    verify(value != "Reject" && value != "Irrelevant" && value != "NotUnderstood",
           "no reserved word as an offer", key + "=" + value);
    judging("R3720-5.2.1-02");
    verify(is_legal_offer(key, value), "a value that the key may have", key + "=" + value);
  }
  judging("R3720-12.14-01");
  const auto first = initiator.offered.value("FirstBurstLength").value_or("65536");
  const auto most = initiator.offered.value("MaxBurstLength").value_or("262144");
  verify(tsih::wire::parse_number(first) <= tsih::wire::parse_number(most),
         "FirstBurstLength within MaxBurstLength", first + " and " + most);
}

TSIH_TRIAL(version_of_the_first,
           "The versions of the first Login Response count, not of a later one",
           judges("R3720-10.13.1-02", "R3720-10.13.2-02")) {
  start(kAttach);
  auto [initiator, first] = serve_until(any_login);
  initiator.send(without_transit(initiator.login_response(first)));
  const Pdu second = expect(initiator, request(Opcode::login_request));
  initiator.send(without_transit(initiator.login_response(second))
                     .set(field::version_max, 5)
                     .set(field::version_active, 5));
  const Met met = target().next_of(initiator);
  for (const char* clause : {"R3720-10.13.1-02", "R3720-10.13.2-02"}) {
    judging(clause);
    if (!met.pdu) confirm("the connection ended: the target changed its versions");
    if (met.pdu) verify_equal("Version-max", 0, (*met.pdu)[field::version_max]);
    if (met.pdu) verify_equal("Version-min", 0, (*met.pdu)[field::version_min]);
  }
}

TSIH_TRIAL(text_in_parts, "A response with C is answered by a request without text",
           judges("R3720-5.2-03")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  const Pdu whole = initiator.login_response(first);
  Pdu part = without_transit(whole).set(field::continues, 1);
  Pdu rest = whole;
  const auto cut = static_cast<std::ptrdiff_t>(whole.data.size() / 2);
  part.data.assign(whole.data.begin(), whole.data.begin() + cut);
  rest.data.assign(whole.data.begin() + cut, whole.data.end());
  initiator.send(part);
  const Pdu next = expect(initiator, request(Opcode::login_request));
  verify(next.data.empty(), "a Login Request without text", describe(next));
  initiator.answer_login(rest);
  expect_good_end();
}

TSIH_TRIAL(keys_in_other_order, "Answers come in another order than the offers",
           judges("R3720-5.2-05")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  const Pdu response = initiator.login_response(first);
  const TextKeys keys = keys_of(response);
  TextKeys turned;
  for (auto pair = keys.pairs().rbegin(); pair != keys.pairs().rend(); ++pair)
    turned.add(pair->first, pair->second);
  initiator.answer_login(with_keys(response, turned));
  expect_good_end();
}

TSIH_TRIAL(reserved_bits, "Bits that no one has defined do not disturb a login",
           judges("R3720-10-02")) {
  start(kAttach);
  auto [initiator, first] = serve_until(any_login);
  Pdu response = initiator.login_response(first);
  response.header[1] |= 0x30;
  for (const std::size_t at : {20u, 23u, 38u, 47u}) response.header[at] = 0xff;
  initiator.answer_login(response);
  expect_good_end();
}

TSIH_TRIAL(unknown_key, "A key that nobody knows is answered with NotUnderstood",
           judges("R3720-5.2-07") * unh("LP 7.6")) {
  service().proposals = {{"X-org.example.knob", "17"}};
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  initiator.serve(first);
  const Pdu next = expect(initiator, request(Opcode::login_request));
  const auto answer = keys_of(next).value("X-org.example.knob").value_or("no answer");
  verify(answer == "NotUnderstood", "X-org.example.knob=NotUnderstood", answer);
}

TSIH_TRIAL(least_of_everything, "The smallest values that there are make a session all the same",
           judges("R3720-10.13.8-02") *
               unh("LP 15.1", "LP 16.1", "LP 13.2", "LP 17.1", "LP 18.1")) {
  const TextKeys least{{"MaxRecvDataSegmentLength", "512"},
                       {"MaxBurstLength", "512"},
                       {"FirstBurstLength", "512"},
                       {"ImmediateData", "No"}};
  for (const auto& [key, value] : least.pairs()) wish(key, value);
  start(kCopy);
  expect_copied();
}

TSIH_TRIAL(one_key_at_a_time, "A target that answers one key in each response is waited for",
           judges("R3720-9.3-02")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  const Pdu whole = initiator.login_response(first);
  const TextKeys answers = keys_of(whole);
  Pdu next = first;
  for (const auto& [key, value] : answers.pairs()) {
    initiator.send(with_keys(without_transit(initiator.login_response(next)), {{key, value}}));
    next = expect(initiator, request(Opcode::login_request));
  }
  initiator.serve(next);
  expect_good_end();
}

TSIH_TRIAL(recovery_level_0, "A target that recovers sessions and nothing else is served well",
           judges("R3720-6.1.5-04")) {
  wish("ErrorRecoveryLevel", "0");
  start(kCopy);
  expect_copied();
}

TSIH_TRIAL(one_r2t_above_level_0,
           "Where errors are recovered and sequences come in order, one R2T at a time is agreed to",
           judges("R3720-12.19-02")) {
  service().proposals = {{"ErrorRecoveryLevel", "1"}, {"MaxOutstandingR2T", "4"}};
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  for (const auto& [key, value] : service().proposals.pairs())
    offered(!keys_of(first).has(key), "to leave " + key + " to the target");
  initiator.serve(first);
  const TextKeys answers = keys_of(expect(initiator, request(Opcode::login_request)));
  offered(answers.value("ErrorRecoveryLevel") == "1", "ErrorRecoveryLevel=1");
  offered(initiator.said("DataSequenceInOrder") != "No", "DataSequenceInOrder=Yes");
  const auto r2ts = answers.value("MaxOutstandingR2T").value_or("no answer");
  verify(tsih::wire::parse_number(r2ts).value_or(1) == 1, "MaxOutstandingR2T=1", r2ts);
}

// ---- answers that end a login ----------------------------------------------------------------

TSIH_TRIAL(refused, "After a status that is not success the initiator closes the connection",
           judges("R3720-10.13.5-05", "R3720-10.13.5-l02")) {
  start(kAttach);
  auto [initiator, first] = serve_until(any_login);
  initiator.send(initiator.login_failure(first, 0x0203));
  expect_login_ends(initiator, "the status was 0x0203, not found");
  judging("R3720-10.13.5-l02");
  while (const auto met = target().next())
    verify(!met->pdu || !met->pdu->is(Opcode::login_request), "no other login", met->words);
  confirm("no other login");
}

TSIH_TRIAL(refused_by_error, "After a target error the initiator closes the connection",
           judges("R3720-10.13.5-05")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  initiator.send(initiator.login_failure(first, 0x0300));
  expect_login_ends(initiator, "the status was 0x0300, target error");
}

TSIH_TRIAL(refused_by_reserved_class, "A status class that no one has defined is no success",
           judges("R3720-10.13.5-05")) {
  start(kAttach);
  auto [initiator, first] = serve_until(any_login);
  initiator.send(initiator.login_failure(first, 0x0700));
  expect_login_ends(initiator, "the status was 0x0700, of a reserved class");
}

TSIH_TRIAL(something_else, "Anything but a Login Response ends the connection at once",
           judges("R3720-3.2.3-07") * unh("LP 8.1")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  initiator.send(initiator.nop_in());
  initiator.serve(first);
  expect_login_ends(initiator, "a NOP-In came during the login");
}

TSIH_TRIAL(transit_unasked, "T in a response to a request without T",
           judges(should("R3720-6.6-01"))) {
  service().proposals = {{"X-org.example.knob", "17"}};
  start(kAttach);
  auto [initiator, first] =
      serve_until({"a Login Request without T", [](const Peer&, const Pdu& pdu) {
                     return pdu.is(Opcode::login_request) && !pdu[field::transit];
                   }});
  initiator.send(initiator.login_response(first)
                     .set(field::transit, 1)
                     .set(field::nsg, kFullFeature)
                     .set(field::tsih, 1));
  expect_login_ends(initiator, "T was set without the initiator's");
}

TSIH_TRIAL(another_task_tag, "A Login Response with another task tag",
           judges(should("R3720-6.6-01"))) {
  start(kAttach);
  auto [initiator, first] = serve_until(any_login);
  Pdu response = initiator.login_response(first);
  response.set(field::initiator_task_tag, first[field::initiator_task_tag] ^ 0x00ff0000);
  initiator.answer_login(response);
  expect_login_ends(initiator, "the task tag is not the login's");
}

TSIH_TRIAL(another_isid, "A Login Response with another ISID", judges(should("R3720-6.6-01"))) {
  start(kAttach);
  auto [initiator, first] = serve_until(any_login);
  Pdu response = initiator.login_response(first);
  response.set(field::isid, first[field::isid] ^ 0x010000000000);
  initiator.answer_login(response);
  expect_login_ends(initiator, "the ISID is not the session's");
}

TSIH_TRIAL(version_not_offered, "A Version-active that was not offered",
           judges(should("R3720-6.6-01"))) {
  start(kAttach);
  auto [initiator, first] = serve_until(any_login);
  Pdu response = initiator.login_response(first);
  response.set(field::version_active, 7).set(field::version_max, 7);
  initiator.answer_login(response);
  expect_login_ends(initiator, "version 7 was not offered");
}

TSIH_TRIAL(tsih_of_zero, "A new session that gets TSIH 0",
           judges(should("R3720-6.6-01")) * unh("LP 2.2")) {
  service().tsih = 0;
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  initiator.serve(first);
  expect_login_ends(initiator, "TSIH 0 names no session (10.13.3)");
}

TSIH_TRIAL(reserved_stage, "A response in stage 2, which nobody has defined",
           judges("R3720-10-03")) {
  start(kAttach);
  auto [initiator, first] = serve_until(any_login);
  Pdu response = without_transit(initiator.login_response(first)).set(field::csg, 2);
  initiator.send(response);
  expect_login_ends(initiator, "CSG 2 is reserved");
}

// ---- negotiations that fail --------------------------------------------------------------------

TSIH_TRIAL(method_not_offered, "An AuthMethod that was not offered ends the login",
           judges("R3720-5.2.1-04") * unh("LP 7.3", "LP 22.1")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kSecurity));
  initiator.send(
      with_keys(without_transit(initiator.login_response(first)),
                {{"TargetPortalGroupTag", "1"}, {"AuthMethod", "Z-org.example.method"}}));
  expect_login_ends(initiator, "AuthMethod=Z-org.example.method was not offered");
}

TSIH_TRIAL(digest_not_offered, "A digest that was not offered ends the login",
           judges("R3720-5.2.1-04") * unh("LP 9.2")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  offered(keys_of(first).has("HeaderDigest"), "HeaderDigest");
  const Pdu good = initiator.login_response(first);
  TextKeys keys = keys_of(good);
  keys.set("HeaderDigest", "Y-org.example.sum");
  initiator.answer_login(with_keys(good, keys));
  expect_login_ends(initiator, "HeaderDigest=Y-org.example.sum was not offered");
}

TSIH_TRIAL(illegal_boolean, "A boolean that is neither Yes nor No",
           judges(should("R3720-6.10-01")) * unh("LP 7.5", "LP 13.3")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  offered(keys_of(first).has("ImmediateData"), "ImmediateData");
  const Pdu good = initiator.login_response(first);
  TextKeys keys = keys_of(good);
  keys.set("ImmediateData", "Maybe");
  initiator.answer_login(with_keys(good, keys));
  expect_login_ends(initiator, "ImmediateData=Maybe means nothing");
}

TSIH_TRIAL(number_above_offer, "A FirstBurstLength above the one that was offered",
           judges(should("R3720-6.10-01")) * unh("LP 7.4", "LP 16.2", "LP 16.3")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  offered(keys_of(first).has("FirstBurstLength"), "FirstBurstLength");
  const Pdu good = initiator.login_response(first);
  TextKeys keys = keys_of(good);
  keys.set("FirstBurstLength", "16777215");
  initiator.answer_login(with_keys(good, keys));
  expect_login_ends(initiator, "the outcome is the lesser of the two values (12.14)");
}

TSIH_TRIAL(declared_twice, "A key that the target declares twice ends the login",
           judges("R3720-5.3-13") * unh("LP 6.2", "LP 6.3")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  const Pdu good = initiator.login_response(first);
  TextKeys keys = keys_of(good);
  keys.append({{"MaxRecvDataSegmentLength", "4096"}, {"MaxRecvDataSegmentLength", "8192"}});
  initiator.answer_login(with_keys(good, keys));
  expect_login_ends(initiator, "MaxRecvDataSegmentLength was declared three times");
}

BOOST_AUTO_TEST_SUITE_END()
