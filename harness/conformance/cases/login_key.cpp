// Operational keys, one by one: that they are answered, and with a value that their rule allows
// (5.2.1, 5.2.2, 12). Every case offers one value and looks at the answer.
#include "harness/conformance/cases/common.h"

namespace {

enum class Rule { minimum, maximum };

// One key with a number for its value.
struct NumericKey {
  const char* key;
  Rule rule;
  std::uint64_t least;
  std::uint64_t most;
};

// Offers this key, and what else it needs to be relevant; returns the answer to it.
std::string negotiate(Initiator& initiator, CaseContext& context, const TextKeys& keys) {
  initiator.authenticate();
  const Answer answer = initiator.expect_negotiation(keys);
  const std::string key = keys.pairs().front().first;
  if (answer.pdu[field::status] != 0)
    context.fail(fmt::format("an answer to {}", keys.describe()), describe(answer.pdu));
  const auto value = answer.keys.value(key);
  if (!value)
    context.fail(fmt::format("an answer to {}", keys.describe()),
                 fmt::format("none among {}", answer.keys.describe()));
  return *value;
}

bool is_admissible(const NumericKey& key, std::uint64_t offered, std::uint64_t answered) {
  if (answered < key.least || answered > key.most) return false;
  return key.rule == Rule::minimum ? answered <= offered : answered >= offered;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(login)
BOOST_AUTO_TEST_SUITE(key)

// The body of a case about one number: answered under its key, known, and within its rule.
#define NUMERIC_CASE(case_name, key_text, rule_word, least_value, most_value, offered_value)       \
  TSIH_CASE(case_name,                                                                             \
            key_text " is answered with a number that its rule (" #rule_word                       \
                     ") allows, when " #offered_value " is offered",                               \
            judges("R3720-5.2-11", "R3720-5.2-10", "R3720-5.2.2-01", "R3720-5.2.2-l01")) {         \
    const NumericKey key{key_text, Rule::rule_word, least_value, most_value};                      \
    auto initiator = connect();                                                                    \
    const std::string value = negotiate(initiator, context(), {{key_text, #offered_value}});       \
    const auto number = tsih::wire::parse_number(value);                                           \
    verify(value != "NotUnderstood", "any other answer", key_text "=" + value);                    \
    judging("R3720-5.2-10");                                                                       \
    verify(value != "Reject", "an answer to a value within the bounds", key_text "=" + value);     \
    judging_all({"R3720-5.2.2-01", "R3720-5.2.2-l01"});                                            \
    verify(number&& is_admissible(key, tsih::wire::parse_number(#offered_value).value(), *number), \
           fmt::format("a number from {} to {} by the rule {} with " #offered_value, key.least,    \
                       key.most, #rule_word),                                                      \
           key_text "=" + value);                                                                  \
  }

NUMERIC_CASE(max_connections, "MaxConnections", minimum, 1, 65535, 1)
NUMERIC_CASE(max_connections_many, "MaxConnections", minimum, 1, 65535, 65535)
NUMERIC_CASE(max_burst_length_least, "MaxBurstLength", minimum, 512, 16777215, 512)
NUMERIC_CASE(max_burst_length_most, "MaxBurstLength", minimum, 512, 16777215, 16777215)
NUMERIC_CASE(max_burst_length_hexadecimal, "MaxBurstLength", minimum, 512, 16777215, 0x1000)
NUMERIC_CASE(default_time2wait_least, "DefaultTime2Wait", maximum, 0, 3600, 0)
NUMERIC_CASE(default_time2wait_most, "DefaultTime2Wait", maximum, 0, 3600, 3600)
NUMERIC_CASE(default_time2retain_least, "DefaultTime2Retain", minimum, 0, 3600, 0)
NUMERIC_CASE(default_time2retain_most, "DefaultTime2Retain", minimum, 0, 3600, 3600)
NUMERIC_CASE(max_outstanding_r2t, "MaxOutstandingR2T", minimum, 1, 65535, 1)
NUMERIC_CASE(error_recovery_level_zero, "ErrorRecoveryLevel", minimum, 0, 2, 0)
NUMERIC_CASE(error_recovery_level_two, "ErrorRecoveryLevel", minimum, 0, 2, 2)

TSIH_CASE(first_burst_length,
          "FirstBurstLength is answered by its rule when unsolicited data is "
          "possible",
          judges("R3720-5.2.2-01", "R3720-5.2-11")) {
  auto initiator = connect();
  const std::string value = negotiate(
      initiator, context(),
      {{"FirstBurstLength", "512"}, {"ImmediateData", "Yes"}, {"MaxBurstLength", "65536"}});
  judging("R3720-5.2-11");
  verify(value != "NotUnderstood", "any other answer", "FirstBurstLength=" + value);
  judging("R3720-5.2.2-01");
  const bool irrelevant =
      value == "Irrelevant" && initiator.negotiated().value("ImmediateData") == "No";
  verify(value == "512" || irrelevant, "512, the only number that is not above the offer",
         "FirstBurstLength=" + value);
}

TSIH_CASE(first_burst_within_max_burst, "FirstBurstLength does not end up above MaxBurstLength",
          judges("R3720-12.14-01", "R3720-5.2-14")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer = initiator.expect_negotiation(
      {{"MaxBurstLength", "4096"}, {"FirstBurstLength", "8192"}, {"ImmediateData", "Yes"}});
  const auto most = tsih::wire::parse_number(answer.keys.value("MaxBurstLength").value_or(""));
  const auto first = tsih::wire::parse_number(answer.keys.value("FirstBurstLength").value_or(""));
  const bool both_agreed = answer.pdu[field::status] == 0 && most && first;
  judging_all({"R3720-12.14-01", "R3720-5.2-14"});
  verify(!both_agreed || *first <= *most,
         "FirstBurstLength no greater than MaxBurstLength, or no agreement",
         fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe()));
}

TSIH_CASE(
    first_burst_before_max_burst,
    "A FirstBurstLength beyond the default MaxBurstLength is no error while the login goes on: "
    "MaxBurstLength may follow",
    judges("R3720-5.2-l06")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer first = initiator.expect_login_answer(initiator.login_request(
      kOperational, std::nullopt, {{"ImmediateData", "Yes"}, {"FirstBurstLength", "524288"}}));
  verify(first.pdu[field::status] == 0, "a login that goes on", describe(first.pdu));
  const Answer last = initiator.expect_login_answer(
      initiator.login_request(kOperational, kFullFeature, {{"MaxBurstLength", "1048576"}}));
  verify(last.pdu[field::status] == 0, "a login that goes on", describe(last.pdu));
}

TSIH_CASE(outside_the_bounds,
          "MaxBurstLength=511, one below the bounds, is rejected or put within them",
          judges(should("R3720-5.2.2-02"))) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer = initiator.expect_negotiation({{"MaxBurstLength", "511"}});
  const auto value = answer.keys.value("MaxBurstLength");
  const auto number = tsih::wire::parse_number(value.value_or(""));
  verify(answer.pdu[field::status] != 0 || value == "Reject" ||
             (number && *number >= 512 && *number <= 16777215),
         "Reject, a value within the bounds, or the end of the login",
         fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe()));
}

TSIH_CASE(no_number, "MaxBurstLength=many, which is no number, is rejected or put right",
          judges(should("R3720-5.2.2-02"))) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer = initiator.expect_negotiation({{"MaxBurstLength", "many"}});
  const auto value = answer.keys.value("MaxBurstLength");
  const auto number = tsih::wire::parse_number(value.value_or(""));
  verify(answer.pdu[field::status] != 0 || value == "Reject" ||
             (number && *number >= 512 && *number <= 16777215),
         "Reject, a value within the bounds, or the end of the login",
         fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe()));
}

// ---- booleans: an answer is owed where the offer does not settle the outcome -------------------

#define BOOLEAN_CASE(case_name, key_text, offered_value)                                      \
  TSIH_CASE(case_name,                                                                        \
            key_text "=" offered_value " does not settle the outcome: Yes or No is answered", \
            judges("R3720-5.2.2-03", "R3720-5.2.2-05", "R3720-5.2-11")) {                     \
    auto initiator = connect();                                                               \
    const std::string value = negotiate(initiator, context(), {{key_text, offered_value}});   \
    confirm(key_text "=" + value);                                                            \
    judging("R3720-5.2-11");                                                                  \
    verify(value != "NotUnderstood", "any other answer", key_text "=" + value);               \
    judging("R3720-5.2.2-05");                                                                \
    verify(value == "Yes" || value == "No", "Yes or No", key_text "=" + value);               \
  }

BOOLEAN_CASE(initial_r2t_no, "InitialR2T", "No")
BOOLEAN_CASE(immediate_data_yes, "ImmediateData", "Yes")
BOOLEAN_CASE(data_pdu_in_order_no, "DataPDUInOrder", "No")
BOOLEAN_CASE(data_sequence_in_order_no, "DataSequenceInOrder", "No")

// ---- booleans: where the offer settles it, no answer may contradict ----------------------------

#define SETTLED_CASE(case_name, key_text, offered_value, of_its_function)                    \
  TSIH_CASE(case_name, key_text "=" offered_value " settles the outcome: no answer differs", \
            judges("R3720-5.2.2-05", "R3720-5.2-11", of_its_function)) {                     \
    auto initiator = connect();                                                              \
    initiator.authenticate();                                                                \
    const Answer answer = initiator.expect_negotiation({{key_text, offered_value}});         \
    verify(answer.pdu[field::status] == 0, "a login that succeeds", describe(answer.pdu));   \
    const std::string value = answer.keys.value(key_text).value_or(offered_value);           \
    judging_all({"R3720-5.2.2-05", of_its_function});                                        \
    verify(value == offered_value, key_text "=" offered_value " or no answer",               \
           key_text "=" + value);                                                            \
    judging("R3720-5.2-11");                                                                 \
    verify(value != "NotUnderstood", "any other answer", key_text "=" + value);              \
  }

SETTLED_CASE(initial_r2t_yes, "InitialR2T", "Yes", "R3720-12-l02")
SETTLED_CASE(immediate_data_no, "ImmediateData", "No", "R3720-12-l01")

// ---- lists
// ---------------------------------------------------------------------------------------

#define LIST_CASE(case_name, description_text, clause, key_text, offered_value, wanted_value) \
  TSIH_CASE(case_name, description_text, judges(clause)) {                                    \
    auto initiator = connect();                                                               \
    const std::string value = negotiate(initiator, context(), {{key_text, offered_value}});   \
    verify(value == wanted_value, key_text "=" wanted_value, key_text "=" + value);           \
  }

LIST_CASE(header_digest_none, "HeaderDigest=None alone is answered with None", "R3720-5.2.1-01",
          "HeaderDigest", "None", "None")
LIST_CASE(data_digest_none, "DataDigest=None alone is answered with None", "R3720-5.2.1-01",
          "DataDigest", "None", "None")

// A target may be set up without CRC32C: then it says Reject, and nothing can be told about what is
// implemented. None is no answer to CRC32C alone.
#define CRC32C_CASE(case_name, key_text)                                                       \
  TSIH_CASE(case_name, key_text "=CRC32C alone is answered with CRC32C, which is implemented", \
            judges("R3720-5.2.1-01", "R3720-12.1-01")) {                                       \
    auto initiator = connect();                                                                \
    const std::string value = negotiate(initiator, context(), {{key_text, "CRC32C"}});         \
    verify(value == "CRC32C" || value == "Reject", key_text "=CRC32C (or Reject)",             \
           key_text "=" + value);                                                              \
    judging("R3720-12.1-01");                                                                  \
    offered(value == "CRC32C", "CRC32C (it may be switched off)");                             \
    confirm(key_text "=CRC32C");                                                               \
  }

CRC32C_CASE(header_digest_crc32c, "HeaderDigest")
CRC32C_CASE(data_digest_crc32c, "DataDigest")

TSIH_CASE(digest_first_wins, "Of CRC32C,None the first is chosen by a target that supports it",
          judges("R3720-5.2.1-01")) {
  auto alone = connect();
  std::string value;
  given("CRC32C alone", [&] { value = negotiate(alone, context(), {{"HeaderDigest", "CRC32C"}}); });
  offered(value == "CRC32C", "CRC32C");
  auto initiator = connect();
  value = negotiate(initiator, context(), {{"HeaderDigest", "CRC32C,None"}});
  verify(value == "CRC32C", "HeaderDigest=CRC32C", "HeaderDigest=" + value);
}

LIST_CASE(digest_first_wins_none, "Of None,CRC32C the first is chosen", "R3720-5.2.1-01",
          "HeaderDigest", "None,CRC32C", "None")
LIST_CASE(digest_unknown_skipped, "A digest that nobody knows is skipped in the list",
          "R3720-5.2.1-03", "HeaderDigest", "Y-example.tsih.sum,None", "None")

TSIH_CASE(digest_not_offered, "From a list of digests that nobody knows none is made up",
          judges("R3720-5.2.1-01")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer = initiator.expect_negotiation({{"HeaderDigest", "Y-example.tsih.sum"}});
  const auto value = answer.keys.value("HeaderDigest");
  verify(answer.pdu[field::status] != 0 || value == "Reject",
         "HeaderDigest=Reject or the end of the login (None was not offered)",
         fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe()));
}

TSIH_CASE(all_keys_at_once, "Every key of chapter 12 is known to the target",
          judges("R3720-10.13.8-02", "R3720-5.2-10", "R3720-10.12.10-02")) {
  const TextKeys all{{"HeaderDigest", "None"},
                     {"DataDigest", "None"},
                     {"MaxConnections", "1"},
                     {"InitialR2T", "No"},
                     {"ImmediateData", "Yes"},
                     {"MaxRecvDataSegmentLength", "8192"},
                     {"MaxBurstLength", "65536"},
                     {"FirstBurstLength", "8192"},
                     {"DefaultTime2Wait", "2"},
                     {"DefaultTime2Retain", "0"},
                     {"MaxOutstandingR2T", "1"},
                     {"DataPDUInOrder", "Yes"},
                     {"DataSequenceInOrder", "Yes"},
                     {"ErrorRecoveryLevel", "0"},
                     {"OFMarker", "No"},
                     {"IFMarker", "No"},
                     {"InitiatorAlias", "tsih"}};
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer = initiator.expect_negotiation(all);
  judging_all({"R3720-10.13.8-02", "R3720-5.2-10", "R3720-10.12.10-02"});
  verify(answer.pdu[field::status] == 0, "a login that succeeds", describe(answer.pdu));
  for (const auto& [key, value] : answer.keys.pairs())
    verify(value != "NotUnderstood", "every key understood", key + "=" + value);
  confirm(answer.keys.describe());
}

TSIH_CASE(no_recovery_is_for_everyone, "ErrorRecoveryLevel=0 is what everyone can do",
          judges("R3720-6.1.5-04")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer answer = initiator.expect_negotiation(
      {{"ErrorRecoveryLevel", "0"}, {"MaxRecvDataSegmentLength", "8192"}});
  verify(initiator.established() && agreed_number(initiator, "ErrorRecoveryLevel", 0) == 0,
         "a session at ErrorRecoveryLevel 0", describe(answer.pdu) + ", " + answer.keys.describe());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
