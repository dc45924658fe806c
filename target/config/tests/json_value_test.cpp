// Red when bad JSON gets through the door, or a refusal does not say where it stands.
#include "target/config/json_value.h"

#include <boost/test/unit_test.hpp>

using namespace tsihd::config;

BOOST_AUTO_TEST_SUITE(json_value)

BOOST_AUTO_TEST_CASE(a_syntax_error_is_named_by_line_and_column) {
  auto parsed = parse_json("{\n  \"a\": 1,\n  \"b\": x\n}");
  BOOST_TEST_REQUIRE(!parsed.has_value());
  BOOST_TEST(parsed.error().message.find("line 3 column 8") != std::string::npos,
             parsed.error().message);
  BOOST_TEST(!parse_json("").has_value());
  BOOST_TEST(!parse_json("{} {}").has_value());
}

BOOST_AUTO_TEST_CASE(a_member_that_stands_twice_is_refused) {
  auto parsed = parse_json(R"({"a": {"tag": 1, "tag": 2}})");
  BOOST_TEST_REQUIRE(!parsed.has_value());
  BOOST_TEST(parsed.error().message.find("\"tag\" appears twice") != std::string::npos);
  BOOST_TEST(parse_json(R"([{"tag": 1}, {"tag": 1}])").has_value());
}

BOOST_AUTO_TEST_CASE(depth_and_length_are_bounded) {
  std::string deep(40, '[');
  BOOST_TEST(!parse_json(deep + std::string(40, ']')).has_value());
  BOOST_TEST(parse_json(std::string(20, '[') + std::string(20, ']')).has_value());
  std::string hostile(1u << 20, '[');
  BOOST_TEST(!parse_json(hostile).has_value());
  BOOST_TEST(!parse_json(std::string(kMaxConfigBytes + 1, ' ')).has_value());
}

BOOST_AUTO_TEST_CASE(unknown_members_are_refused_with_the_nearest_name) {
  Refusals refusals;
  auto document = parse_json(R"({"max_sesions": 1, "zzz": 2})").value();
  Object object(Value(document, "tpgs[0].attributes", refusals));
  object.take("max_sessions");
  object.take("session_guard");
  object.finish("attribute");
  BOOST_TEST_REQUIRE(refusals.lines().size() == 2u);
  BOOST_TEST(refusals.lines()[0] ==
             "tpgs[0].attributes.max_sesions: no such attribute is known; did you mean "
             "\"max_sessions\"?");
  BOOST_TEST(refusals.lines()[1] ==
             "tpgs[0].attributes.zzz: no such attribute is known; remove it");
}

BOOST_AUTO_TEST_CASE(numbers_in_range_and_as_configfs_takes_them) {
  Refusals refusals;
  auto document = parse_json(R"([1, "2", "2x", 1.5, -1, 99, true, 18446744073709551615])").value();
  auto values = Value(document, "list", refusals).elements(8);
  BOOST_TEST(values.at(0).number(0, 9).value() == 1);
  BOOST_TEST(values.at(1).number(0, 9).value() == 2);
  for (std::size_t bad = 2; bad < values.size(); ++bad) {
    BOOST_TEST(!values[bad].number(0, 9).has_value());
  }
  BOOST_TEST(refusals.lines().size() == 6u);
  BOOST_TEST(refusals.lines()[0] == "list[2]: expected a whole number from 0 to 9, got \"2x\"");
  BOOST_TEST(Value(document, "list", refusals).elements(7).empty());
}

BOOST_AUTO_TEST_SUITE_END()
