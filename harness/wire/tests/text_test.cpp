// Red when: a pair, a zero byte or a number form of section 5.1 is read or written wrongly.
#include "harness/wire/text.h"

#include <boost/test/unit_test.hpp>

using namespace tsih::wire;

namespace {
Bytes bytes_of(std::string_view text) { return Bytes(text.begin(), text.end()); }
}  // namespace

BOOST_AUTO_TEST_SUITE(text)

BOOST_AUTO_TEST_CASE(pairs_keep_order_and_repetition) {
  TextKeys keys{{"TargetName", "iqn.a"}, {"TargetAddress", "1"}, {"TargetAddress", "2"}};
  const auto parsed = parse_text(encode_text(keys));
  BOOST_TEST(parsed.problems.empty());
  BOOST_TEST(parsed.keys.values("TargetAddress") == (std::vector<std::string>{"1", "2"}));
  BOOST_TEST(parsed.keys.value("TargetName").value() == "iqn.a");
}

BOOST_AUTO_TEST_CASE(a_value_may_hold_equals_and_may_be_empty) {
  const auto parsed = parse_text(bytes_of(std::string_view("A==b\0C=\0", 8)));
  BOOST_TEST(parsed.keys.value("A").value() == "=b");
  BOOST_TEST(parsed.keys.value("C").value().empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_pair_is_named) {
  BOOST_TEST(parse_text(bytes_of(std::string_view("nonsense\0", 9))).problems.size() == 1u);
  BOOST_TEST(parse_text(bytes_of(std::string_view("=v\0", 3))).problems.size() == 1u);
  BOOST_TEST(parse_text(bytes_of("A=b")).problems.size() == 1u);
  BOOST_TEST(parse_text(bytes_of("A=b")).keys.value("A").value() == "b");
}

BOOST_AUTO_TEST_CASE(set_replaces_and_remove_removes) {
  TextKeys keys{{"A", "1"}};
  keys.set("A", "2");
  keys.set("B", "3");
  BOOST_TEST(keys.describe() == "A=2 B=3");
  keys.remove("A");
  BOOST_TEST(keys.describe() == "B=3");
}

BOOST_AUTO_TEST_CASE(numbers) {
  BOOST_TEST(parse_number("0").value() == 0u);
  BOOST_TEST(parse_number("262144").value() == 262144u);
  BOOST_TEST(parse_number("0x1000").value() == 4096u);
  BOOST_TEST(parse_number("18446744073709551615").has_value());
  for (const char* bad : {"", "01", "-1", "1 ", "0x", "18446744073709551616", "Yes"})
    BOOST_TEST(!parse_number(bad).has_value(), bad);
}

BOOST_AUTO_TEST_CASE(binary_values) {
  BOOST_TEST(parse_binary("0x0102ff").value() == (Bytes{1, 2, 0xff}));
  BOOST_TEST(parse_binary("0x102").value() == (Bytes{1, 2}));
  BOOST_TEST(parse_binary("0bAQL/").value() == (Bytes{1, 2, 0xff}));
  BOOST_TEST(parse_binary("0bAQI=").value() == (Bytes{1, 2}));
  for (const char* bad : {"", "0x", "0xzz", "0b", "0bA", "12"})
    BOOST_TEST(!parse_binary(bad).has_value(), bad);
  BOOST_TEST(encode_binary(Bytes{1, 2, 0xff}) == "0x0102ff");
  BOOST_TEST(encode_base64(Bytes{1, 2, 0xff}) == "0bAQL/");
  BOOST_TEST(encode_base64(Bytes{1, 2}) == "0bAQI=");
  BOOST_TEST(encode_base64(Bytes{1}) == "0bAQ==");
}

BOOST_AUTO_TEST_SUITE_END()
