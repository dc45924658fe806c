// Stages, bits, numbers and limits of the login phase (RFC 3720 5.3, 10.12, 10.13).
#include <fmt/format.h>

#include "target/session/tests/login_support.h"

namespace tsihd::session {
namespace {

BOOST_FIXTURE_TEST_SUITE(login_stages, LoginFixture)

// R3720-5.3-11, R3720-10.13.3-01, R3720-5.3.1-01. Red when the final response lacks T, NSG, TSIH.
BOOST_AUTO_TEST_CASE(straight_to_full_feature) {
  BOOST_TEST((operational({}).state == LoginState::awaiting_admission));
  const Reply reply = admit(0x4242);
  BOOST_TEST((reply.state == LoginState::established));
  BOOST_TEST(reply.status() == 0);
  BOOST_TEST(reply.transit());
  BOOST_TEST((reply.next() == Stage::full_feature));
  BOOST_TEST((LoginFlags::current(reply.bhs.flags) == Stage::operational));
  BOOST_TEST(reply.bhs.tsih == 0x4242);
  BOOST_TEST((reply.value("TargetPortalGroupTag") == "7"));
  BOOST_TEST((reply.value("MaxRecvDataSegmentLength") == "262144"));
  BOOST_TEST((login->identity().tsih == 0x4242));
  BOOST_TEST((login->identity().portal_group == group));
  BOOST_TEST(!login->identity().authenticated);
}

// R3720-10.13.4, R3720-10.12.8-01: StatSN counts from the first response, ExpCmdSN is the first
// request's CmdSN, MaxCmdSN the queue depth's.
BOOST_AUTO_TEST_CASE(numbers) {
  group->attributes.default_cmdsn_depth = 32;
  Reply reply = request(Stage::security, Stage::operational, names());
  const std::uint32_t start = reply.bhs.stat_sn;
  BOOST_TEST(reply.bhs.exp_cmd_sn == 100u);
  BOOST_TEST(reply.bhs.max_cmd_sn == 131u);
  header.cmd_sn = 105;  // the first request's counts
  reply = request(Stage::operational, std::nullopt, {"ImmediateData=Yes"});
  BOOST_TEST(reply.bhs.stat_sn == start + 1);
  BOOST_TEST(reply.bhs.exp_cmd_sn == 100u);
  request(Stage::operational, Stage::full_feature);
  reply = admit();
  BOOST_TEST(reply.bhs.stat_sn == start + 2);
  BOOST_TEST(login->next_stat_sn() == start + 3);
  BOOST_TEST(login->exp_cmd_sn() == 100u);
}

BOOST_AUTO_TEST_CASE(security_then_operational_then_full_feature) {
  Reply reply =
      request(Stage::security, Stage::operational, names() + text_of({"AuthMethod=None"}));
  BOOST_TEST(reply.transit());
  BOOST_TEST((reply.next() == Stage::operational));
  BOOST_TEST(reply.bhs.tsih == 0);
  BOOST_TEST((reply.value("AuthMethod") == "None"));
  BOOST_TEST((reply.value("TargetPortalGroupTag") == "7"));
  reply = request(Stage::operational, Stage::full_feature, {"MaxBurstLength=16776192"});
  BOOST_TEST((reply.state == LoginState::awaiting_admission));
  reply = admit();
  BOOST_TEST((reply.value("MaxBurstLength") == "262144"));
  BOOST_TEST(!reply.value("TargetPortalGroupTag"));  // in the first response only
}

// R3720-5.3.2-03: full feature straight from the security stage.
BOOST_AUTO_TEST_CASE(security_to_full_feature) {
  BOOST_TEST((request(Stage::security, Stage::full_feature, names()).state ==
              LoginState::awaiting_admission));
  const Reply reply = admit();
  BOOST_TEST((LoginFlags::current(reply.bhs.flags) == Stage::security));
  BOOST_TEST((reply.next() == Stage::full_feature));
  BOOST_TEST(reply.bhs.tsih == 77);
}

// R3720-10.13.6-02: no T bit in answer to a request without one.
BOOST_AUTO_TEST_CASE(no_transit_unasked) {
  Reply reply = request(Stage::security, std::nullopt, names() + text_of({"AuthMethod=None"}));
  BOOST_TEST(!reply.transit());
  reply = request(Stage::security, Stage::operational);
  BOOST_TEST(reply.transit());
  for (int i = 0; i < 3; ++i) BOOST_TEST(!request(Stage::operational, std::nullopt).transit());
  BOOST_TEST(
      (request(Stage::operational, Stage::full_feature).state == LoginState::awaiting_admission));
}

// R3720-10.12.3, R3720-10.12.2-01 and the table of 5.3: what no initiator may ask for.
BOOST_AUTO_TEST_CASE(impossible_stages) {
  const std::uint8_t bad[] = {
      LoginFlags::stages(Stage::reserved, Stage::security),
      LoginFlags::stages(Stage::full_feature, Stage::security),
      LoginFlags::kTransit | LoginFlags::stages(Stage::security, Stage::security),
      LoginFlags::kTransit | LoginFlags::stages(Stage::security, Stage::reserved),
      LoginFlags::kTransit | LoginFlags::stages(Stage::operational, Stage::operational),
      LoginFlags::kTransit | LoginFlags::stages(Stage::operational, Stage::security),
      LoginFlags::kTransit | LoginFlags::kContinue |
          LoginFlags::stages(Stage::security, Stage::operational),
  };
  for (const std::uint8_t flags : bad) {
    begin();
    header.flags = flags;
    const Reply reply = send_pdu(header, names());
    BOOST_TEST(reply.status() == LoginStatus::initiator_error);
    BOOST_TEST((reply.state == LoginState::failed));
    BOOST_TEST(reply.bhs.stat_sn == 0u);  // the numbers are valid with class 0 only
  }
}

BOOST_AUTO_TEST_CASE(stage_that_is_not_the_current_one) {
  request(Stage::security, Stage::operational, names());
  BOOST_TEST(request(Stage::security, Stage::operational).status() == LoginStatus::initiator_error);
  begin();
  request(Stage::security, std::nullopt, names());
  BOOST_TEST(request(Stage::operational, Stage::full_feature).status() ==
             LoginStatus::initiator_error);
}

// R3720-10.12.4-01, R3720-10.13.2: 0 must be within the initiator's range; the answer's versions
// are 0 in any case (check_header looks).
BOOST_AUTO_TEST_CASE(versions) {
  header.specific_2 = 1;  // Version-max
  BOOST_TEST((operational({}).state == LoginState::awaiting_admission));
  for (const auto& [highest, lowest] : {std::pair(1, 1), std::pair(255, 1), std::pair(0, 1)}) {
    begin();
    header.specific_2 = static_cast<std::uint8_t>(highest);
    header.specific_3 = static_cast<std::uint8_t>(lowest);
    BOOST_TEST(operational({}).status() == LoginStatus::unsupported_version);
  }
}

// Section 10: reserved bits and fields are ignored, and they are not echoed (check_header looks).
BOOST_AUTO_TEST_CASE(reserved_bits_and_fields) {
  const auto spoil = [&] {
    header.reserved_22 = 0xffff;
    header.reserved_32.fill(std::byte{0xff});
  };
  constexpr std::uint8_t kReservedFlags = 0x30, kReservedNext = 2;
  spoil();
  header.flags = LoginFlags::stages(Stage::security, Stage::security) | kReservedFlags |
                 kReservedNext;  // NSG is reserved without the T bit
  Reply reply = send_pdu(header, names());
  BOOST_TEST(reply.status() == 0);
  header.flags = LoginFlags::stages(Stage::security, Stage::full_feature) | LoginFlags::kTransit |
                 kReservedFlags;
  header.opcode_byte &= 0x3f;  // the I bit: Login Requests are always immediate (10.12)
  reply = send_pdu(header, "");
  BOOST_TEST((reply.state == LoginState::awaiting_admission));
}

// Section 10: reserved codes in defined fields are errors; T of the ISID has one (10.12.5).
BOOST_AUTO_TEST_CASE(isid_types) {
  for (const unsigned type : {0u, 1u, 2u, 3u}) {
    begin();
    header.isid[0] = static_cast<std::uint8_t>(type << 6);
    const Reply reply = operational({});
    BOOST_TEST(reply.status() == (type == 3 ? LoginStatus::initiator_error : 0));
  }
}

// R3720-10.12.4.1-01, R3720-10.12.6-03, R3720-10.12.7-01; 5.3: one Initiator Task Tag.
BOOST_AUTO_TEST_CASE(requests_that_change_their_identity) {
  const auto refused_after = [&](auto change) {
    begin();
    request(Stage::security, Stage::operational, names());
    const wire::LoginRequestBhs first = header;
    change(header);
    header.flags =
        LoginFlags::kTransit | LoginFlags::stages(Stage::operational, Stage::full_feature);
    std::vector<std::byte> bytes, response;
    wire::append_pdu(bytes, header);
    const LoginState state = login->on_pdu({bytes, {}, true}, response);
    header = first;  // the answer bears the first request's
    return take_apart(state, response).status() == LoginStatus::initiator_error;
  };
  BOOST_TEST(refused_after([](auto& bhs) { bhs.initiator_task_tag = 5; }));
  BOOST_TEST(refused_after([](auto& bhs) { bhs.cid = 9; }));
  BOOST_TEST(refused_after([](auto& bhs) { bhs.isid[5] ^= 1; }));
  BOOST_TEST(refused_after([](auto& bhs) { bhs.tsih = 3; }));
  BOOST_TEST(refused_after([](auto& bhs) { bhs.specific_2 = 3; }));
}

// R3720-3.2.3-05: not a word to one that never began a login.
BOOST_AUTO_TEST_CASE(other_pdu_first) {
  const Reply reply = send_pdu(wire::NopOutBhs{}, "");
  BOOST_TEST((reply.state == LoginState::failed));
  BOOST_TEST(!reply.any);
}

// R3720-3.2.3-06: "invalid during login" once it has begun.
BOOST_AUTO_TEST_CASE(other_pdu_in_between) {
  request(Stage::security, std::nullopt, names());
  const Reply reply = send_pdu(wire::ScsiCommandBhs{}, "");
  BOOST_TEST((reply.state == LoginState::failed));
  BOOST_TEST(reply.status() == LoginStatus::invalid_during_login);
}

BOOST_AUTO_TEST_CASE(request_while_admission_is_awaited) {
  operational({});
  const Reply reply = request(Stage::operational, Stage::full_feature);
  BOOST_TEST(reply.status() == LoginStatus::initiator_error);
  BOOST_TEST((login->admit(1, *std::make_unique<std::vector<std::byte>>()) == LoginState::failed));
}

BOOST_AUTO_TEST_CASE(refused_by_the_caller) {
  operational({});
  std::vector<std::byte> response;
  const LoginState state = login->refuse(0x0302, response, "the guard says no");
  const Reply reply = take_apart(state, response);
  BOOST_TEST((reply.state == LoginState::failed));
  BOOST_TEST(reply.status() == 0x0302);
  BOOST_TEST(reply.text.empty());
  BOOST_TEST(log.find("status=0302 reason=\"the guard says no\"") != std::string::npos);
}

// R3720-5.2-02: each part is answered empty; the whole counts as one text. Split at every byte.
BOOST_AUTO_TEST_CASE(keys_split_over_requests) {
  const std::string text = names() + text_of({"HeaderDigest=CRC32C", "MaxBurstLength=65536"});
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    begin();
    const Reply empty = part(Stage::operational, text.substr(0, cut));
    BOOST_REQUIRE(empty.status() == 0);
    BOOST_REQUIRE(empty.text.empty());
    BOOST_REQUIRE(!empty.transit());
    BOOST_REQUIRE(!empty.continues());
    const Reply reply = request(Stage::operational, Stage::full_feature, text.substr(cut));
    BOOST_REQUIRE((reply.state == LoginState::awaiting_admission));
    BOOST_REQUIRE(login->parameters().header_digest);
    BOOST_REQUIRE(login->parameters().max_burst_length_bytes == 65536u);
  }
}

BOOST_AUTO_TEST_CASE(one_byte_a_request) {
  const std::string text = names();
  for (char c : text) BOOST_REQUIRE(part(Stage::operational, std::string(1, c)).status() == 0);
  BOOST_TEST(
      (request(Stage::operational, Stage::full_feature).state == LoginState::awaiting_admission));
}

// R3720-10.13.7-01, R3720-5.2-03: an answer longer than 8192 bytes goes out in parts.
BOOST_AUTO_TEST_CASE(long_answers) {
  std::string text = names();
  for (int i = 0; i < 125; ++i) text += fmt::format("X-{:0>60}=1", i) + std::string(1, '\0');
  part(Stage::operational, text.substr(0, 5000));
  Reply reply = request(Stage::operational, Stage::full_feature, text.substr(5000));
  BOOST_TEST(reply.continues());
  BOOST_TEST(reply.text.size() == 8192u);
  std::string answer = reply.text;
  reply = request(Stage::operational, Stage::full_feature);
  BOOST_TEST((reply.state == LoginState::awaiting_admission));
  answer += admit().text;
  std::size_t count = 0;
  for (std::size_t at = 0; (at = answer.find("=NotUnderstood", at)) != std::string::npos; ++at)
    ++count;
  BOOST_TEST(count == 125u);
  // Text where an empty request is due.
  begin();
  part(Stage::operational, text.substr(0, 5000));
  BOOST_TEST(request(Stage::operational, Stage::full_feature, text.substr(5000)).continues());
  BOOST_TEST(request(Stage::operational, Stage::full_feature, {"ImmediateData=No"}).status() ==
             LoginStatus::initiator_error);
}

BOOST_AUTO_TEST_CASE(malformed_texts) {
  using namespace std::string_literals;
  for (const std::string& text : {"no equals sign\0"s, "Unterminated=1"s, "\0"s, "lower=1\0"s,
                                  std::string(64, 'K') + "=1\0"s}) {
    begin();
    BOOST_TEST(request(Stage::operational, Stage::full_feature, names() + text).status() ==
               LoginStatus::initiator_error);
  }
}

BOOST_AUTO_TEST_CASE(additional_header_segment) {
  header.total_ahs_words = 1;
  header.flags = LoginFlags::stages(Stage::security, Stage::security);
  std::vector<std::byte> bytes, response;
  wire::append_pdu(bytes, header);
  bytes.resize(52);
  const Reply reply = take_apart(login->on_pdu({bytes, {}, true}, response), response);
  BOOST_TEST(reply.status() == LoginStatus::initiator_error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tsihd::session
