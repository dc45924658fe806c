// Data-In and status (RFC 3720 10.4, 10.7): rare forms of good ones, and some that are not.
#include "harness/initiators/cases/common.h"

namespace {

std::span<const std::uint8_t> part(const Bytes& data, std::size_t from, std::size_t count) {
  return std::span(data).subspan(from, count);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(data_in)

TSIH_TRIAL(status_in_the_last, "The last Data-In bears the status, and no response follows",
           judges("R3720-10.7-01") * unh("FFP 10.1")) {
  start(kCopy);
  auto [initiator, read] = serve_until(read_command());
  const Bytes data = initiator.data_of(read);
  const std::size_t half = data.size() / 2;
  initiator.send(initiator.data_in(read, part(data, 0, half), 0, 0, false));
  initiator.send(initiator.data_in_with_status(read, part(data, half, data.size() - half), 1,
                                               static_cast<std::uint32_t>(half)));
  expect_copied();
}

TSIH_TRIAL(without_data, "A Data-In without data is taken, before others and between them",
           judges("R3720-10.7.7-01") * unh("FFP 11.1.2")) {
  start(kCopy);
  auto [initiator, read] = serve_until(read_command());
  const Bytes data = initiator.data_of(read);
  initiator.send(initiator.data_in(read, {}, 0, 0, false));
  initiator.send(initiator.data_in(read, part(data, 0, 512), 1, 0, false));
  initiator.send(initiator.data_in(read, {}, 2, 512, false));
  initiator.serve_read(read, 3, 512);
  expect_copied();
}

TSIH_TRIAL(small_pieces, "A read of many small Data-In is whole", judges("R3720-3.2.2.3-01")) {
  service().data_in_bytes = 96;
  start(kCopy);
  expect_copied();
}

TSIH_TRIAL(a_bit_at_level_0, "At ErrorRecoveryLevel 0 the A bit is passed over",
           judges("R3720-10.7.2-03") * unh("FFP 10.2")) {
  start(kCopy);
  auto [initiator, read] = serve_until(read_command());
  offered(initiator.agreed("ErrorRecoveryLevel", 0) == 0, "ErrorRecoveryLevel=0");
  const Bytes data = initiator.data_of(read);
  initiator.send(
      initiator.data_in(read, part(data, 0, 512), 0, 0, false).set(field::acknowledge, 1));
  for (const Pdu& pdu : up_to_pong(initiator))
    if (pdu.is(Opcode::snack_request)) fail("no SNACK", describe(pdu));
  initiator.serve_read(read, 1, 512);
  expect_copied();
}

TSIH_TRIAL(reserved_bits, "Bits that no one has defined disturb neither Data-In nor status",
           judges("R3720-10-02")) {
  start(kCopy);
  auto [initiator, read] = serve_until(read_command());
  const Bytes data = initiator.data_of(read);
  Pdu first = initiator.data_in(read, part(data, 0, 512), 0, 0, false);
  first.header[1] |= 0x38;
  first.header[2] = 0xff;
  initiator.send(first);
  initiator.serve_read(read, 1, 512);
  expect_copied();
}

TSIH_TRIAL(gap_in_data_sn, "A Data-In that never came is noticed by the number of the next",
           judges("R3720-6.8-01") * unh("FFP 13.1")) {
  start(kCopy);
  auto [initiator, read] = serve_until(read_command());
  const Bytes data = initiator.data_of(read);
  initiator.send(initiator.data_in(read, part(data, 0, 512), 0, 0, false));
  const std::uint32_t lost = 512;
  initiator.serve_read(read, 2, 512 + lost);
  expect_not_deceived();
}

TSIH_TRIAL(gap_told_by_status, "A Data-In that never came is noticed by ExpDataSN of the status",
           judges("R3720-6.8-01")) {
  start(kCopy);
  auto [initiator, read] = serve_until(read_command());
  const Bytes data = initiator.data_of(read);
  const std::size_t most = data.size() - 512;
  initiator.send(initiator.data_in(read, part(data, 0, most), 0, 0, true));
  initiator.send(initiator.scsi_response(read, kGood, static_cast<std::uint32_t>(data.size()))
                     .set(field::exp_data_sn, 2));
  expect_not_deceived();
}

TSIH_TRIAL(twice, "A Data-In that comes twice is dropped the second time", judges("R3720-6.8-05")) {
  start(kCopy);
  auto [initiator, read] = serve_until(read_command());
  const Bytes data = initiator.data_of(read);
  initiator.send(initiator.data_in(read, part(data, 0, 512), 0, 0, false));
  const Bytes others(512, 0xee);  // they tell whether the second one was dropped
  initiator.send(initiator.data_in(read, others, 0, 0, false));
  initiator.serve_read(read, 1, 512);
  expect_copied();
}

BOOST_AUTO_TEST_SUITE_END()
