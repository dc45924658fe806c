// Red when a size that a person writes becomes another number of bytes, or nonsense becomes a size.
#include "target/config/size.h"

#include <boost/test/unit_test.hpp>

using namespace tsihd::config;

BOOST_AUTO_TEST_SUITE(size)

BOOST_AUTO_TEST_CASE(units_are_powers_of_1024) {
  BOOST_TEST(parse_size_bytes("512").value() == 512u);
  BOOST_TEST(parse_size_bytes("512B").value() == 512u);
  BOOST_TEST(parse_size_bytes("64k").value() == 65536u);
  BOOST_TEST(parse_size_bytes("64KiB").value() == 65536u);
  BOOST_TEST(parse_size_bytes("3M").value() == 3u << 20);
  BOOST_TEST(parse_size_bytes("2g").value() == 2ull << 30);
  BOOST_TEST(parse_size_bytes("1TB").value() == 1ull << 40);
  BOOST_TEST(parse_size_bytes("4P").value() == 4ull << 50);
}

BOOST_AUTO_TEST_CASE(nonsense_is_refused_by_name) {
  for (const char* text :
       {"", "G", "-1G", "+1", " 1G", "1 G", "1.5G", "1X", "1GG", "1GiBx", "0", "0G", "8192P",
        "99999999999999999999999", "0x10", "9223372036854775808"}) {
    auto size = parse_size_bytes(text);
    BOOST_TEST(!size.has_value(), text);
    if (!size) {
      BOOST_TEST(size.error().message.find('"' + std::string(text) + '"') != std::string::npos);
    }
  }
  BOOST_TEST(parse_size_bytes("9223372036854775807").value() == 9223372036854775807ull);
}

BOOST_AUTO_TEST_CASE(shown_exactly) {
  BOOST_TEST(show_size_bytes(1ull << 30) == "1 GiB");
  BOOST_TEST(show_size_bytes(1536) == "1536 B");
  BOOST_TEST(show_size_bytes(1536ull << 20) == "1536 MiB");
  BOOST_TEST(show_size_bytes(0) == "0 B");
}

BOOST_AUTO_TEST_SUITE_END()
