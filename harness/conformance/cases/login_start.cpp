// The beginning of a login: what may come first, and what may not (3.2.3, 5.3, 5.3.1).
#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(login)
BOOST_AUTO_TEST_SUITE(start)

TSIH_CASE(ping_before_login, "A ping before any Login Request ends the connection",
          judges("R3720-3.2.3-05")) {
  auto initiator = connect();
  initiator.send(initiator.nop_out());
  initiator.expect_close();
  confirm("the connection was closed");
}

TSIH_CASE(command_before_login, "A SCSI command before any Login Request ends the connection",
          judges("R3720-3.2.3-05")) {
  auto initiator = connect();
  initiator.send(initiator.scsi_command({.cdb = Bytes(6, 0)}));
  initiator.expect_close();
  confirm("the connection was closed");
}

TSIH_CASE(ping_during_login,
          "A ping in the middle of the login gets the status 0x020b (invalid during login) and the "
          "end of the connection",
          judges("R3720-3.2.3-06")) {
  auto initiator = connect();
  initiator.authenticate();
  given("a login that stays open", [&] {
    const Answer answer =
        initiator.expect_login_answer(initiator.login_request(kOperational, std::nullopt));
    verify_equal("status", 0, answer.pdu[field::status]);
  });
  initiator.send(initiator.nop_out());
  const Pdu reject = initiator.expect(Opcode::login_response);
  verify(reject[field::status] == 0x020b, "a Login Response with status 0x020b", describe(reject));
  initiator.expect_close();
  confirm("status 0x020b, then a close");
}

TSIH_CASE(portal_group_tag, "The answer to the first complete Login Request names the portal group",
          judges("R3720-5.3.1-01", "R3720-10.13.8-01", "R3720-2.1-l02")) {
  judging_all({"R3720-5.3.1-01", "R3720-2.1-l02"});
  auto initiator = connect();
  const Answer answer = initiator.expect_login_answer(initiator.login_request(
      settings().user.empty() ? kOperational : kSecurity, std::nullopt,
      settings().user.empty() ? TextKeys{} : TextKeys{{"AuthMethod", "CHAP"}}));
  verify(answer.pdu[field::status] == 0, "a login that goes on", describe(answer.pdu));
  const auto tag = answer.keys.value("TargetPortalGroupTag");
  verify(tag && tsih::wire::parse_number(*tag).value_or(65536) < 65536,
         "TargetPortalGroupTag with a number of 16 bits", answer.keys.describe());
  judging("R3720-10.13.8-01");
  verify(settings().user.empty() || answer.keys.has("AuthMethod"),
         "the portal group, and in the security stage the choice of AuthMethod",
         answer.keys.describe());
}

TSIH_CASE(portal_group_tag_after_continued_text,
          "A first request whose text goes on (C) is answered without text; the portal group comes "
          "after its end",
          judges("R3720-5.2-02", "R3720-5.3.1-01", "R3720-5.2-01")) {
  auto initiator = connect();
  const Stage stage = settings().user.empty() ? kOperational : kSecurity;
  Pdu first = initiator.login_request(stage, std::nullopt);
  first.set(field::continues, 1);
  // The cut goes through the middle of a pair: a pair may span PDUs.
  const std::size_t half = first.data.size() / 2;
  Pdu rest = first;
  rest.set(field::continues, 0);
  rest.data.erase(rest.data.begin(), rest.data.begin() + static_cast<std::ptrdiff_t>(half));
  first.data.resize(half);

  initiator.send(first);
  const Pdu empty = initiator.expect(Opcode::login_response);
  if (empty[field::status] != 0)
    throw Inconclusive{"the target does not wait for the rest of the text: " + describe(empty)};
  verify(empty.data.empty(), "a Login Response without data", describe(empty));
  judging("R3720-5.2-01");
  verify(!empty[field::transit] || !empty[field::continues], "not both T and C", describe(empty));
  judging("R3720-5.3.1-01");
  const Answer answer = initiator.expect_login_answer(rest);
  verify(answer.pdu[field::status] == 0 && answer.keys.has("TargetPortalGroupTag"),
         "TargetPortalGroupTag once the text is complete",
         fmt::format("{}, {}", describe(answer.pdu), answer.keys.describe()));
}

TSIH_CASE(session_type_has_a_default,
          "A login that says nothing of SessionType asks for a normal "
          "session",
          judges(should("R3720-5.2-10"))) {
  auto initiator = connect();
  const Stage stage = settings().user.empty() ? kOperational : kSecurity;
  Pdu request = initiator.login_request(stage, std::nullopt);
  TextKeys names = initiator.names();
  names.remove("SessionType");
  request.data = tsih::wire::encode_text(names);
  const Answer answer = initiator.expect_login_answer(request);
  verify(answer.pdu[field::status] == 0, "a login that goes on", describe(answer.pdu));
}

TSIH_CASE(snack_during_login,
          "Before full feature phase nothing is recovered: a SNACK brings no status again",
          judges("R3720-6.1.4-03")) {
  auto initiator = connect();
  initiator.authenticate();
  Answer answer;
  given("a login that stays open", [&] {
    answer = initiator.expect_login_answer(initiator.login_request(kOperational, std::nullopt));
    verify_equal("status", 0, answer.pdu[field::status]);
  });
  initiator.send(initiator.snack_request(kStatus, answer.pdu.u32(field::stat_sn), 1));
  confirm(initiator.expect_refusal().words);
}

TSIH_CASE(redirection, "A login that is redirected names a new address, without a portal group",
          judges("R3720-10.13.5-01", "R3720-12.8-01")) {
  auto initiator = connect();
  const Answer answer = initiator.expect_login();
  offered(answer.pdu[field::status] >> 8 == 1, "redirection of this target");
  const auto addresses = answer.keys.values("TargetAddress");
  verify(!addresses.empty(), "TargetAddress", answer.keys.describe());
  judging("R3720-12.8-01");
  for (const std::string& address : addresses)
    verify(address.find(',') == std::string::npos, "an address without a portal group tag",
           "TargetAddress=" + address);
}

TSIH_CASE(first_values_hold,
          "What later requests say of versions and CID changes nothing: the first ones count",
          judges("R3720-10.12.4.1-02", "R3720-10.12.4.2-02", "R3720-10.12.7-02")) {
  auto initiator = connect();
  initiator.authenticate();
  const Answer first =
      initiator.expect_login_answer(initiator.login_request(kOperational, std::nullopt));
  offered(first.pdu[field::status] == 0, "a login of two requests");
  const Answer last = initiator.expect_login_answer(
      initiator.login_request(kOperational, kFullFeature, {{"MaxRecvDataSegmentLength", "8192"}})
          .set(field::version_max, 9)
          .set(field::version_min, 9)
          .set(field::cid, initiator.cid + 1u));
  const auto status = last.pdu[field::status];
  constexpr std::uint16_t kUnsupportedVersion = 0x0205;
  judging_all({"R3720-10.12.4.1-02", "R3720-10.12.4.2-02"});
  // To refuse a change as such is a target's right: all requests have to carry the same.
  verify(status != kUnsupportedVersion && last.pdu[field::version_active] == 0,
         "version 0, as the first request had it", describe(last.pdu));
  judging("R3720-10.12.7-02");
  offered(status == 0, "a login that goes on with another CID in a later request");
  initiator.enter_full_feature_phase(last);
  initiator.send(initiator.logout_request(kCloseConnection));
  const Pdu response = initiator.expect(Opcode::logout_response);
  verify_equal("response to the logout of the first CID", 0, response[field::response]);
}

TSIH_CASE(refused_login_closes, "A login status other than success is followed by a close",
          judges("R3720-10.13.5-05", "R3720-7.1.4-T7", "R3720-7.3.2-N9")) {
  judging_all({"R3720-10.13.5-05", "R3720-7.1.4-T7", "R3720-7.3.2-N9"});
  auto initiator = connect();
  Pdu request = initiator.login_request(kOperational, kFullFeature);
  TextKeys names = initiator.names();
  names.set("TargetName", "iqn.2026-01.example.tsih:no-such-target");
  request.data = tsih::wire::encode_text(names);
  initiator.send(request);
  const Refusal refusal = initiator.expect_refusal();
  if (refusal.pdu) initiator.expect_close();
  confirm(refusal.words + ", then a close");
}

TSIH_CASE(long_initiator_name, "An initiator's name may be 223 bytes long",
          judges("R3720-3.2.6.1-02")) {
  auto initiator = connect();
  initiator.initiator_name = "iqn.2026-01.example.tsih:" + std::string(198, 'n');
  const Stage stage = settings().user.empty() ? kOperational : kSecurity;
  const Answer answer = initiator.expect_login_answer(initiator.login_request(stage, std::nullopt));
  const auto status = answer.pdu[field::status];
  offered(status != 0x0201 && status != 0x0202,
          "an unknown initiator is not admitted here, whatever the length of its name");
  verify(status == 0, "a login that goes on", describe(answer.pdu));
}

TSIH_CASE(reserved_bits_are_ignored, "Bits that no one has defined do not disturb a login",
          judges("R3720-10-02")) {
  auto initiator = connect();
  initiator.authenticate();
  Pdu request = initiator.login_request(kOperational, std::nullopt);
  request.header[1] |= 0x30;
  for (std::size_t at : {22u, 23u, 33u, 39u, 47u}) request.header[at] = 0xff;
  const Answer answer = initiator.expect_login_answer(request);
  verify(answer.pdu[field::status] == 0, "a login that goes on", describe(answer.pdu));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
