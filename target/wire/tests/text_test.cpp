// Text syntax (R3720-5.1): what is a pair, and every limit.
#include "target/wire/text.h"

#include <boost/test/unit_test.hpp>
#include <optional>

namespace tsihd::wire {
namespace {

using Kind = TextError::Kind;
using namespace std::string_literals;

std::optional<Kind> error_of(std::string_view text, const TextLimits& limits = {}) {
  const auto parsed = parse_text(text, limits);
  if (parsed) return std::nullopt;
  return parsed.error().kind;
}

BOOST_AUTO_TEST_CASE(pairs) {
  const std::string text = "A=1\0Key2=a=b\0Empty=\0"s;
  const auto parsed = parse_text(text);
  BOOST_REQUIRE(parsed.has_value());
  BOOST_REQUIRE(parsed->size() == 3u);
  BOOST_TEST(((*parsed)[0] == KeyValue{"A", "1"}));
  BOOST_TEST(((*parsed)[1] == KeyValue{"Key2", "a=b"}));  // the value is all after the first =
  BOOST_TEST(((*parsed)[2] == KeyValue{"Empty", ""}));
  BOOST_TEST(parse_text("")->empty());
}

// R3720-5.1-01, R3720-5.1-02.
BOOST_AUTO_TEST_CASE(syntax_errors) {
  BOOST_TEST((error_of("A=1"s) == Kind::not_terminated));
  BOOST_TEST((error_of("A=1\0B=2"s) == Kind::not_terminated));
  BOOST_TEST((error_of("A\0"s) == Kind::no_equals_sign));
  BOOST_TEST((error_of("A=1\0\0"s) == Kind::no_equals_sign));
  BOOST_TEST((error_of("=1\0"s) == Kind::bad_key));
  BOOST_TEST((error_of("a=1\0"s) == Kind::bad_key));
  BOOST_TEST((error_of("A b=1\0"s) == Kind::bad_key));
  BOOST_TEST((error_of("\xff=1\0"s) == Kind::bad_key));
}

BOOST_AUTO_TEST_CASE(limits) {
  BOOST_TEST(!error_of(std::string(63, 'K') + "=1\0"s));
  BOOST_TEST((error_of(std::string(64, 'K') + "=1\0"s) == Kind::bad_key));
  BOOST_TEST(!error_of("A=" + std::string(8192, 'v') + "\0"s));
  BOOST_TEST((error_of("A=" + std::string(8193, 'v') + "\0"s) == Kind::value_too_long));
  std::string many;
  for (int i = 0; i < 128; ++i) many += "A=1\0"s;
  BOOST_TEST(!error_of(many));
  BOOST_TEST((error_of(many + "A=1\0"s) == Kind::too_many_pairs));
  BOOST_TEST((error_of(many, {.total_bytes = 511}) == Kind::too_long));
  BOOST_TEST(!error_of(many, {.total_bytes = 512}));
}

BOOST_AUTO_TEST_CASE(key_names) {
  BOOST_TEST(is_key_name("MaxRecvDataSegmentLength"));
  BOOST_TEST(is_key_name("X-com.example.do_something"));
  BOOST_TEST(is_key_name("X#Registered"));
  BOOST_TEST(is_key_name("CHAP_A"));
  BOOST_TEST(!is_key_name("Y#Registered"));
  BOOST_TEST(!is_key_name(""));
}

BOOST_AUTO_TEST_CASE(written_text_reads_back) {
  std::string text;
  append_text(text, "TargetName", "iqn.2001-04.com.example:a");
  append_text(text, "Empty", "");
  BOOST_TEST(text == "TargetName=iqn.2001-04.com.example:a\0Empty=\0"s);
  BOOST_TEST(parse_text(text)->size() == 2u);
}

}  // namespace
}  // namespace tsihd::wire
