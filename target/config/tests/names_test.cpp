// Red when a wrong iSCSI name or portal is taken, a right one refused, or two spellings of one name
// stay two.
#include "target/config/names.h"

#include <boost/test/unit_test.hpp>

using namespace tsihd::config;

BOOST_AUTO_TEST_SUITE(names)

BOOST_AUTO_TEST_CASE(right_names_in_normal_form) {
  BOOST_TEST(normal_iscsi_name("iqn.2026-11.ORG.Example:Disk").value() ==
             "iqn.2026-11.org.example:disk");
  BOOST_TEST(normal_iscsi_name("iqn.1993-08.org.debian:01:c0ffee").has_value());
  BOOST_TEST(normal_iscsi_name("eui.02004567A425678D").value() == "eui.02004567a425678d");
  BOOST_TEST(normal_iscsi_name("naa.52004567BA64678D").value() == "naa.52004567ba64678d");
  BOOST_TEST(normal_iscsi_name("naa.62004567BA64678D0123456789ABCDEF").has_value());
  BOOST_TEST(normal_iscsi_name("iqn.2026-11.org.example:\xc3\xa4").has_value());
  BOOST_TEST(normal_iscsi_name("iqn.2026-11." + std::string(211, 'a')).has_value());
}

BOOST_AUTO_TEST_CASE(wrong_names) {
  for (std::string name :
       {"", "disk", "iqn.", "iqn.2026-13.org.example", "iqn.2026-00.org.example", "iqn.26-11.org.x",
        "iqn.2026-11.", "iqn.2026-11.:disk", "iqn.2026-11.org.example:a_b", "iqn.2026-11.org.a b",
        "eui.02004567A425678", "eui.02004567A425678G", "naa.52004567BA64678D0"}) {
    BOOST_TEST(!normal_iscsi_name(name).has_value(), name);
  }
  BOOST_TEST(!normal_iscsi_name("iqn.2026-11." + std::string(212, 'a')).has_value());
}

BOOST_AUTO_TEST_CASE(portals) {
  auto portal = parse_portal("127.0.0.1:3261");
  BOOST_TEST_REQUIRE(portal.has_value());
  BOOST_TEST(portal->address == "127.0.0.1");
  BOOST_TEST(portal->port == 3261);
  BOOST_TEST(parse_portal("0.0.0.0").value().port == 3260);
  BOOST_TEST(parse_portal("[::1]:0").value().address == "::1");
  BOOST_TEST(parse_portal("[::1]:0").value().port == 0);
  BOOST_TEST(parse_portal("[fe80::1]").value().port == 3260);
  for (const char* text : {"", ":3260", "localhost:3260", "127.0.0.1:", "127.0.0.1:65536",
                           "127.0.0.1:3260x", "127.0.0.1:-1", "::1:3260x", "[::1]:", "1.2.3:1"}) {
    BOOST_TEST(!parse_portal(text).has_value(), text);
  }
  BOOST_TEST(show_portal("::1", 3260) == "[::1]:3260");
  BOOST_TEST(show_portal("127.0.0.1", 3260) == "127.0.0.1:3260");
}

// RFC 3720 12.8.
BOOST_AUTO_TEST_CASE(addresses_that_redirect) {
  for (const char* good : {"192.0.2.1", "192.0.2.1:3261", "[fd00::1]", "[fd00::1]:860",
                           "store.example.org", "store-1.example.org:65535"}) {
    BOOST_TEST(parse_target_address(good).value_or("none") == good);
  }
  for (const char* bad :
       {"", ":3260", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:3260,1",
        "192.0.2.1,1", "fd00::1", "[fd00::1", "[fd00::1]x", "[192.0.2.1]", "[]", "two words",
        "a_b.example.org", "-a.example.org", ".example.org", "host:3260:1"}) {
    BOOST_TEST(!parse_target_address(bad).has_value(), bad);
  }
  BOOST_TEST(!parse_target_address(std::string(254, 'a')).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
