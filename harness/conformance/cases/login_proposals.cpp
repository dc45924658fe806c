// What a target proposes by itself: it may begin a negotiation as well as the initiator
// (5.2, 11.1), and is held to its own lists and numbers then.
#include "harness/conformance/cases/recovery.h"
#include "harness/suite/labels.h"

using tsih::suite::Label;
using tsih::suite::label_problem;

BOOST_AUTO_TEST_SUITE(login)
BOOST_AUTO_TEST_SUITE(proposals)

namespace {

// The answer to a login that neither offers anything nor asks to go on.
Answer proposals(Initiator& initiator, Stage stage = kOperational) {
  const Answer answer = initiator.expect_login_answer(initiator.login_request(stage, std::nullopt));
  if (answer.pdu[field::status] != 0)
    throw Inconclusive{"the login does not stay open: " + describe(answer.pdu)};
  return answer;
}

std::vector<std::string> items(const std::string& list) {
  std::vector<std::string> found(1);
  for (const char c : list)
    if (c == ',')
      found.emplace_back();
    else
      found.back() += c;
  return found;
}

// The list that the target proposes under one of these keys, which has an extension in it: an item
// that begins with `prefix`.
std::vector<std::string> list_with_extension(const Answer& answer, char prefix,
                                             std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto list = items(answer.keys.value(key).value_or(""));
    for (const std::string& item : list)
      if (item.starts_with(prefix)) return list;
  }
  throw Unsupported{"a proposal of an extension, by itself"};
}

bool contains(const std::vector<std::string>& list, const char* wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

// Z-reversed.dns.name or Z#registered-string, and what follows is a standard-label.
std::string extension_problem(const std::string& item) {
  if (item.size() < 3 || (item[1] != '-' && item[1] != '#')) return item + " has no - or # second";
  return label_problem(item.substr(2), Label::extension);
}

}  // namespace

TSIH_CASE(a_choice_outside_the_list,
          "What the target did not put into its list may not be chosen from it: a protocol error",
          judges("R3720-5.2.1-04")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer = proposals(initiator);
  const char* key = answer.keys.has("HeaderDigest") ? "HeaderDigest" : "DataDigest";
  offered(answer.keys.has(key), "a list of digests, proposed by the target");
  initiator.send(
      initiator.login_request(kOperational, kFullFeature, {{key, "Y-example.tsih.sum"}}));
  confirm(initiator.expect_refusal().words);
}

TSIH_CASE(a_recovery_level_is_meant,
          "A target that proposes ErrorRecoveryLevel 1 or 2 sends a status again",
          judges("R3720-6.1.5-01")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer first = proposals(initiator);
  const std::string level = first.keys.value("ErrorRecoveryLevel").value_or("0");
  offered(level == "1" || level == "2", "ErrorRecoveryLevel above 0, proposed by the target");
  given("that level agreed upon", [&] {
    const Answer last = initiator.expect_login_answer(initiator.login_request(
        kOperational, kFullFeature,
        {{"ErrorRecoveryLevel", level}, {"MaxRecvDataSegmentLength", "8192"}}));
    verify(last.pdu[field::transit], "full feature phase", describe(last.pdu));
    initiator.enter_full_feature_phase(last);
  });
  Fence ping;
  given("a ping", [&] { ping = initiator.fence(); });
  const Pdu lost = ping.answer.value_or(Pdu{});
  initiator.lose(lost);
  initiator.send(initiator.snack_request(kStatus, lost.u32(field::stat_sn), 1));
  const Pdu again = initiator.expect(Opcode::nop_in);
  verify_equal("StatSN", lost[field::stat_sn], again[field::stat_sn]);
}

TSIH_CASE(
    extension_digests,
    "A digest that the target's list has beyond the standard is well named, and stands beside "
    "CRC32C and without None",
    judges("R3720-12.1-07", "R3720-12.1-09", "R3720-12.1-06")) {
  auto initiator = connect();
  initiator.authenticate();
  const auto list = list_with_extension(proposals(initiator), 'Y', {"HeaderDigest", "DataDigest"});
  judging_all({"R3720-12.1-07", "R3720-12.1-09"});
  for (const std::string& item : list)
    if (item.starts_with('Y'))
      verify(extension_problem(item).empty(), "Y- or Y#, then a standard-label",
             extension_problem(item));
  confirm(fmt::format("{} digests", list.size()));
  judging("R3720-12.1-06");
  verify(contains(list, "CRC32C") && !contains(list, "None"), "CRC32C in the list, None not",
         fmt::format("{}", fmt::join(list, ",")));
}

TSIH_CASE(extension_methods,
          "An authentication method that the target's list has beyond the standard is well named, "
          "and stands beside CHAP and without None",
          judges("R3720-11.1-07", "R3720-11.1-10", "R3720-11.1-06")) {
  auto initiator = connect();
  const auto list = list_with_extension(proposals(initiator, kSecurity), 'Z', {"AuthMethod"});
  judging_all({"R3720-11.1-07", "R3720-11.1-10"});
  for (const std::string& item : list)
    if (item.starts_with('Z'))
      verify(extension_problem(item).empty(), "Z- or Z#, then a standard-label",
             extension_problem(item));
  confirm(fmt::format("{} methods", list.size()));
  judging("R3720-11.1-06");
  verify(contains(list, "CHAP") && !contains(list, "None"), "CHAP in the list, None not",
         fmt::format("{}", fmt::join(list, ",")));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
