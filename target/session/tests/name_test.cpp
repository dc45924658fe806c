// Red when a string that is no iSCSI name is taken for one, or two spellings of one name stay two.
#include "target/session/name.h"

#include <boost/test/unit_test.hpp>

namespace tsihd::session {
namespace {

std::string prepared(std::string_view name) { return prepare_name(name).value_or("none"); }
std::string fault(std::string_view name) {
  const auto result = prepare_name(name);
  return result ? "" : std::string(result.error());
}
bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

const std::string kDomain = "iqn.2001-04.com.example";

BOOST_AUTO_TEST_SUITE(iscsi_names)

// R3720-3.2.6.3, RFC 3980.
BOOST_AUTO_TEST_CASE(forms) {
  for (std::string_view good :
       {"iqn.1993-11.com.disk-vendor:diskarrays.sn.45678", "iqn.2001-04.com.example",
        "eui.020000023b040506", "naa.52004567ba64678d", "naa.62004567ba64678d0123456789abcdef"})
    BOOST_TEST(prepared(good) == good);
  for (std::string_view bad : {"", "iqn", "disk", "iscsi.2001-04.com.example"})
    BOOST_TEST(has(fault(bad), "none of iqn., eui., naa."), bad);
  for (std::string_view bad :
       {"iqn.", "iqn.2001-13.com.example", "iqn.2001-00.com.example", "iqn.2001-04.", "iqn.2001-04",
        "iqn.01-04.com", "iqn.2001-04..com", "iqn.2001-04.:disk"})
    BOOST_TEST(has(fault(bad), "a year, a month"), bad);
  for (std::string_view bad : {"eui.02", "eui.02000002zz040506", "eui.020000023b0405060"})
    BOOST_TEST(has(fault(bad), "16 hexadecimal digits"), bad);
  for (std::string_view bad : {"naa.5200", "naa.52004567ba64678d0", "naa.52004567ba64678g"})
    BOOST_TEST(has(fault(bad), "16 or 32 hexadecimal digits"), bad);
}

// RFC 3722 section 4, tables B.2 (case) and B.1 (mapped to nothing).
BOOST_AUTO_TEST_CASE(case_is_folded) {
  BOOST_TEST(prepared("IQN.2001-04.COM.Example:Disk") == "iqn.2001-04.com.example:disk");
  BOOST_TEST(prepared("EUI.020000023B040506") == "eui.020000023b040506");
  BOOST_TEST(prepared(kDomain + ":\xc3\x84") == kDomain + ":\xc3\xa4");  // Ä, ä
  BOOST_TEST(prepared(kDomain + ":stra\xc3\x9f"
                                "e") == kDomain + ":strasse");           // ß
  BOOST_TEST(prepared(kDomain + ":\xce\xa3") == kDomain + ":\xcf\x83");  // Σ, σ
  BOOST_TEST(prepared(kDomain + ":di\xc2\xadsk") == kDomain + ":disk");  // soft hyphen
}

// RFC 3722 section 5: one name, composed, decomposed or in compatibility characters.
BOOST_AUTO_TEST_CASE(normalization_form_kc) {
  BOOST_TEST(prepared(kDomain + ":a\xcc\x88") == kDomain + ":\xc3\xa4");  // a, diaeresis
  BOOST_TEST(prepared(kDomain + ":\xef\xbd\x84\xef\xbd\x89sk") == kDomain + ":disk");  // full width
  BOOST_TEST(prepared(kDomain + ":\xef\xac\x81le") == kDomain + ":file");  // ligature fi
}

// RFC 3722 section 6, 6.1 and 6.2.
BOOST_AUTO_TEST_CASE(prohibited_characters) {
  for (unsigned c = 1; c < 0x80; ++c) {
    const bool allowed = std::isalnum(static_cast<int>(c)) || c == '-' || c == '.' || c == ':';
    const std::string name = kDomain + ":a" + static_cast<char>(c) + "b";
    BOOST_TEST(prepare_name(name).has_value() == allowed, c);
  }
  BOOST_TEST(has(fault(kDomain + std::string(":a\0b", 4)), "only letters"));
  for (std::string_view bad :
       {"\xe3\x80\x82", "\xef\xbc\x8f", "\xc2\xa0", "\xe2\x80\xa8", "\xee\x80\x80"})
    BOOST_TEST(has(fault(kDomain + ":a" + std::string(bad) + "b"), "only letters"));
}

// RFC 3722 section 7; "iqn" itself reads from left to right.
BOOST_AUTO_TEST_CASE(writing_directions) {
  BOOST_TEST(has(fault(kDomain + ":\xd7\x90\xd7\x91"), "both writing directions"));
}

// RFC 3722 section 8: U+0221 came with Unicode 4.0.
BOOST_AUTO_TEST_CASE(unassigned_code_points) {
  BOOST_TEST(has(fault(kDomain + ":\xc8\xa1"), "Unicode 3.2"));
}

BOOST_AUTO_TEST_CASE(text_that_is_not_utf8) {
  for (std::string_view bad : {"\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80"})
    BOOST_TEST(has(fault(kDomain + ":" + std::string(bad)), "not UTF-8"));
}

// R3720-3.2.6.1-02: 223 bytes, of the name as it is compared.
BOOST_AUTO_TEST_CASE(length) {
  const std::string name = kDomain + ":";
  const auto filled = [&](std::size_t bytes) { return name + std::string(bytes - 24, 'x'); };
  BOOST_TEST(prepared(filled(223)) == filled(223));
  BOOST_TEST(has(fault(filled(224)), "223 bytes"));
  BOOST_TEST(has(fault(std::string(100000, 'x')), "223 bytes"));
  std::string wide = name, narrow = name;  // full width x: three bytes, prepared one
  for (int i = 0; i < 199; ++i) wide += "\xef\xbd\x98", narrow += "x";
  BOOST_TEST(prepared(wide) == narrow);
  std::string growing = name;  // U+FDFA: three bytes, prepared 33, and Arabic
  for (int i = 0; i < 200; ++i) growing += "\xef\xb7\xba";
  BOOST_TEST(!prepare_name(growing));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tsihd::session
