// TransportIDs of initiators: both formats, and everything that is none.
#include "target/scsi/transport_id.h"

#include <boost/test/unit_test.hpp>
#include <cstring>

#include "target/scsi/bytes.h"

using namespace tsihd::scsi;

namespace {

using Bytes = std::vector<std::byte>;
const std::string kNode = "iqn.2024-01.example:host";
const std::string kPort = kNode + ",i,0x00023d000001";

Bytes raw(std::uint8_t format, const std::string& text, std::size_t field_bytes) {
  Bytes data(4 + field_bytes);
  data[0] = std::byte{format};
  put16(&data[2], field_bytes);
  std::memcpy(&data[4], text.data(), std::min(text.size(), field_bytes));
  return data;
}
bool taken(const Bytes& data) {
  std::span<const std::byte> rest = data;
  return take_transport_id(rest).has_value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(transport_id)

BOOST_AUTO_TEST_CASE(both_formats_come_back_as_they_went) {
  for (const std::string& name : {kPort, kNode}) {
    BOOST_TEST_CONTEXT(name) {
      Bytes data;
      append_transport_id(data, name);
      BOOST_TEST((data[0] == std::byte(name == kPort ? 0x45 : 0x05)));
      BOOST_TEST(data.size() % 4 == 0u);
      BOOST_TEST(data.size() == 4u + get16(&data[2]));
      BOOST_TEST((data.back() == std::byte{0}));
      data.push_back(std::byte{0x77});
      std::span<const std::byte> rest = data;
      const auto id = take_transport_id(rest);
      BOOST_REQUIRE(id.has_value());
      BOOST_TEST(rest.size() == 1u);
      BOOST_TEST(id->initiator_name == kNode);
      BOOST_TEST(id->initiator_port_name == (name == kPort ? kPort : ""));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_short_name_is_padded_to_24_bytes) {
  Bytes data;
  append_transport_id(data, "iqn.x");
  BOOST_TEST(data.size() == 24u);
  BOOST_TEST(taken(data));
}

BOOST_AUTO_TEST_CASE(names_are_compared_in_lower_case) {
  const Bytes data = raw(0x45, "IQN.2024-01.Example:Host,I,0X00023D000001", 48);
  std::span<const std::byte> rest = data;
  const auto id = take_transport_id(rest);
  BOOST_REQUIRE(id.has_value());
  BOOST_TEST(id->initiator_port_name == kPort);
}

BOOST_AUTO_TEST_CASE(cut_off_anywhere_it_is_none) {
  Bytes whole;
  append_transport_id(whole, kPort);
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    std::span<const std::byte> rest = std::span(whole).first(bytes);
    BOOST_TEST(!take_transport_id(rest).has_value());
    BOOST_TEST(rest.size() == bytes);
  }
}

BOOST_AUTO_TEST_CASE(what_no_initiator_is_called) {
  BOOST_TEST(taken(raw(0x05, kNode, 28)));
  BOOST_TEST(!taken(raw(0x05, kNode, 24)));              // no null
  BOOST_TEST(!taken(raw(0x05, kNode, 27)));              // not a multiple of four
  BOOST_TEST(!taken(raw(0x06, kNode, 28)));              // SAS
  BOOST_TEST(!taken(raw(0x85, kNode, 28)));              // format 10b
  BOOST_TEST(!taken(raw(0x05, "", 28)));                 // no name
  BOOST_TEST(!taken(raw(0x05, "iqn.a b", 28)));          // a space
  BOOST_TEST(!taken(raw(0x05, "iqn.a\nb", 28)));         // a line's end
  BOOST_TEST(!taken(raw(0x05, kPort, 48)));              // an ISID in format 00b
  BOOST_TEST(!taken(raw(0x45, kNode, 48)));              // none in format 01b
  BOOST_TEST(!taken(raw(0x45, kNode + ",i,0x12", 48)));  // not 48 bits
  BOOST_TEST(!taken(raw(0x45, kNode + ",i,0x00023d00000g", 48)));
  BOOST_TEST(taken(raw(0x05, std::string(223, 'n'), 224)));
  BOOST_TEST(!taken(raw(0x05, std::string(224, 'n'), 228)));
}

BOOST_AUTO_TEST_SUITE_END()
