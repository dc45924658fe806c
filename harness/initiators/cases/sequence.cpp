// Numbers and windows (RFC 3720 3.2.2), and the stream that carries them.
#include "harness/initiators/cases/common.h"

namespace {

bool is_numbered(const Pdu& pdu) {
  return !pdu[field::immediate] && !pdu.is(Opcode::data_out) && !pdu.is(Opcode::snack_request);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sequence)

TSIH_TRIAL(commands_rise_by_one,
           "CmdSN rises by one with each numbered request, and by none with "
           "others",
           judges("R3720-3.2.2.1-09", "R3720-3.2.2.1-01") * unh("FFP 1.1", "FFP 2.1")) {
  start(kMany);
  auto [initiator, first] = serve_until(any_command());
  std::uint32_t expected = first.u32(field::cmd_sn) + 1;
  initiator.serve(first);
  judging("R3720-3.2.2.1-01");
  confirm("no immediate request with another number");
  int seen = 0;
  while (auto met = target().next()) {
    if (!met->pdu) continue;
    const Pdu& pdu = *met->pdu;
    if (!pdu.is(Opcode::data_out) && !pdu.is(Opcode::login_request)) {
      judging(is_numbered(pdu) ? "R3720-3.2.2.1-09" : "R3720-3.2.2.1-01");
      verify_equal("CmdSN", expected, pdu[field::cmd_sn]);
      expected += is_numbered(pdu);
      ++seen;
    }
    met->peer->serve(pdu);
  }
  offered(seen > 1, "more than one request");
}

TSIH_TRIAL(expected_length, "The expected length of a read is what its CDB moves",
           judges(should("R3720-10.3.1-01")) * unh("FFP 16.6")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  const auto moved =
      service().disk.carry_out(0, std::span(read.header).subspan(32, 16)).data.size();
  verify_equal("ExpectedDataTransferLength", moved, read[field::expected_data_transfer_length]);
  verify_equal("R", 1, read[field::read]);
}

TSIH_TRIAL(status_numbers_wrap, "ExpStatSN follows StatSN around 2^32",
           judges("R3720-3.2.2.2-03") * unh("LP 4.2", "LP 5.1")) {
  service().first_stat_sn = 0xfffffffd;
  start(kMany);
  auto [initiator, read] = expect_until(read_command());
  expect_goes_on(initiator);
  initiator.serve(read);
  expect_good_end();
}

TSIH_TRIAL(first_status_is_zero, "StatSN may begin at zero",
           judges("R3720-3.2.2.2-03") * unh("LP 4.1", "LP 5.1")) {
  service().first_stat_sn = 0;
  start(kRead);
  auto [initiator, read] = expect_until(read_command());
  expect_goes_on(initiator);
}

TSIH_TRIAL(gap_in_stat_sn, "A status that never came is noticed by the number of the next",
           judges("R3720-6.8-03") * unh("FFP 5.1")) {
  start(kMany);
  auto [initiator, read] = serve_until(read_command());
  const std::uint32_t lost = initiator.stat_sn++;
  initiator.serve(read);
  expect_unacknowledged(initiator, lost);
}

TSIH_TRIAL(closed_window,
           "With MaxCmdSN = ExpCmdSN - 1 no command comes, until a NOP-In opens the "
           "window",
           judges("R3720-3.2.2.1-09") * unh("FFP 3.1", "FFP 3.3")) {
  service().window = 1;
  start(kMany);
  auto [initiator, read] = serve_until(read_command());
  service().window = 0;
  expect_none(initiator, "a command beyond MaxCmdSN", is_numbered);
  service().window = 1;
  initiator.send(initiator.nop_in());
  expect(initiator, read_command());
  confirm("the next command came when there was room");
}

TSIH_TRIAL(closed_by_response, "A SCSI Response that closes the window is heeded",
           judges("R3720-3.2.2.1-09") * unh("FFP 16.5")) {
  service().window = 1;
  start(kMany);
  auto [initiator, read] = serve_until(read_command());
  service().window = 0;
  initiator.serve(read);
  expect_none(initiator, "a command beyond MaxCmdSN", is_numbered);
  service().window = 1;
  initiator.send(initiator.nop_in());
  expect(initiator,
         {"the next request", [](const Peer&, const Pdu& pdu) { return is_numbered(pdu); }});
  confirm("the next command came when there was room");
}

TSIH_TRIAL(widest_window, "A window of 2^31 - 1 commands is a window",
           judges("R3720-3.2.2.1-06") * unh("FFP 3.2")) {
  service().window = 0x7fffffff;
  start(kMany);
  expect_good_end();
}

TSIH_TRIAL(senseless_window, "MaxCmdSN below ExpCmdSN - 1 is passed over, and what is told with it",
           judges("R3720-3.2.2.1-06")) {
  service().window = 1;
  start(kMany);
  auto [initiator, read] = serve_until(read_command());
  service().window = 0;
  Pdu told = initiator.nop_in().set(field::stat_sn, initiator.stat_sn);
  told.set(field::exp_cmd_sn, initiator.exp_cmd_sn + 100);
  told.set(field::max_cmd_sn, initiator.exp_cmd_sn + 98);
  initiator.send_as_is(told);
  expect_none(initiator, "a command that the senseless window let through", is_numbered);
}

TSIH_TRIAL(stream_in_single_bytes, "PDUs come whole out of a stream that was cut after every byte",
           judges("R3720-3.2.2.2-03")) {
  start(kMany);
  auto [initiator, read] = serve_until(read_command());
  const Bytes data = initiator.data_of(read);
  const Bytes first = initiator.encoded(initiator.data_in(read, data, 0, 0, true));
  const Bytes status = initiator.encoded(
      initiator.scsi_response(read, kGood, static_cast<std::uint32_t>(data.size())));
  for (const Bytes* pdu : {&first, &status})
    for (const std::uint8_t byte : *pdu) initiator.connection().send_raw({byte}, {});
  expect_goes_on(initiator);
  expect_good_end();
}

TSIH_TRIAL(stream_in_one_piece, "Data, status and a ping come out of one segment",
           judges("R3720-3.2.2.2-03")) {
  start(kMany);
  auto [initiator, read] = serve_until(read_command());
  const Bytes data = initiator.data_of(read);
  Bytes all = initiator.encoded(initiator.data_in(read, data, 0, 0, true));
  for (const Pdu& pdu :
       {initiator.scsi_response(read, kGood, static_cast<std::uint32_t>(data.size())),
        initiator.nop_in()}) {
    const Bytes bytes = initiator.encoded(pdu);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  initiator.connection().send_raw(all, "Data-In, SCSI Response, NOP-In in one piece");
  expect_goes_on(initiator);
  expect_good_end();
}

BOOST_AUTO_TEST_SUITE_END()
