// Red when: a key of LADDER.md is missing, or bytes from the wire break the JSON.
#include "harness/wire/ladder.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "harness/wire/text.h"

using namespace tsih::wire;

BOOST_AUTO_TEST_SUITE(ladder)

BOOST_AUTO_TEST_CASE(a_login_shows_its_text) {
  Pdu pdu(Opcode::login_request);
  pdu.set(field::isid, 0x800000000001);
  pdu.data = encode_text({{"InitiatorName", "iqn.x"}, {"Bad", "\xff\x01"}});
  const auto line = nlohmann::json::parse(ladder_line({.t_ms = 1.5,
                                                       .from = From::initiator,
                                                       .connection = 2,
                                                       .event = "pdu",
                                                       .pdu = &pdu,
                                                       .note = {},
                                                       .frame = 9}));
  BOOST_TEST(line["from"] == "initiator");
  BOOST_TEST(line["connection"] == 2);
  BOOST_TEST(line["frame"] == 9);
  BOOST_TEST(line["name"] == "Login Request");
  BOOST_TEST(line["fields"]["ISID"] == "0x800000000001");
  BOOST_TEST(line["text"][0][1] == "iqn.x");
  BOOST_TEST(line["text"][1][1] == "??");
}

BOOST_AUTO_TEST_CASE(data_is_cut) {
  Pdu pdu(Opcode::data_in);
  pdu.data.assign(1000, 0xab);
  pdu.data_digest_ok = false;
  const auto line = nlohmann::json::parse(ladder_line({.t_ms = 0,
                                                       .from = From::target,
                                                       .connection = 1,
                                                       .event = "pdu",
                                                       .pdu = &pdu,
                                                       .note = {},
                                                       .frame = 0}));
  BOOST_TEST(line["data_bytes"] == 1000);
  BOOST_TEST(line["data_hex"].get<std::string>().size() == 128u);
  BOOST_TEST(line["data_digest"] == "wrong");
  BOOST_TEST(!line.contains("frame"));
}

BOOST_AUTO_TEST_CASE(a_close_has_words_and_no_fields) {
  const auto line = nlohmann::json::parse(ladder_line({.t_ms = 0,
                                                       .from = From::target,
                                                       .connection = 1,
                                                       .event = "close",
                                                       .pdu = nullptr,
                                                       .note = "FIN",
                                                       .frame = 0}));
  BOOST_TEST(line["note"] == "FIN");
  BOOST_TEST(!line.contains("fields"));
}

BOOST_AUTO_TEST_SUITE_END()
