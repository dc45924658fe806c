// NOP-Out and NOP-In (10.18, 10.19).
#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(nop)

TSIH_CASE(ping_is_answered, "A ping is answered under its tag, with its data",
          judges("R3720-10.18.1-03", "R3720-10.19-01", "R3720-10.19-02", "R3720-10.19-03") *
              unh("FFP 15.1.3")) {
  auto initiator = log_in();
  const Pdu ping = initiator.nop_out(pattern(512));
  initiator.send(ping);
  const Pdu echo = initiator.expect(Opcode::nop_in);
  confirm(describe(echo));
  judging("R3720-10.19-01");
  verify_equal("task tag", ping[field::initiator_task_tag], echo[field::initiator_task_tag]);
  judging("R3720-10.19-02");
  verify(echo.data == ping.data, "the 512 bytes of the ping", data_words(echo));
  judging("R3720-10.19-03");
  verify_equal("target transfer tag", kReservedTag, echo[field::target_transfer_tag]);
}

TSIH_CASE(ping_without_data, "A ping without data is answered without data",
          judges("R3720-10.19-02", "R3720-10.2.1.6-01")) {
  auto initiator = log_in();
  initiator.send(initiator.nop_out());
  const Pdu echo = initiator.expect(Opcode::nop_in);
  for (const char* clause : {"R3720-10.19-02", "R3720-10.2.1.6-01"}) {
    judging(clause);
    verify_equal("DataSegmentLength", 0, echo[field::data_segment_length]);
  }
}

TSIH_CASE(odd_ping_is_padded, "Five bytes of ping data come back as five, padded with zeros",
          judges("R3720-10.19-02", "R3720-10.1-01")) {
  auto initiator = log_in();
  const Pdu ping = initiator.nop_out({1, 2, 3, 4, 5});
  initiator.send(ping);
  const Pdu echo = initiator.expect(Opcode::nop_in);
  verify(echo.data == ping.data, "5 bytes 0x0102030405", data_words(echo));
  judging("R3720-10.1-01");
  verify(echo.padding_is_zero, "padding of zeros", echo.padding_is_zero ? "zeros" : "other bytes");
}

TSIH_CASE(long_ping_is_cut, "Ping data come back up to the initiator's MaxRecvDataSegmentLength",
          judges("R3720-10.19-02")) {
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "512"}});
  const Pdu ping = initiator.nop_out(pattern(2048));
  initiator.send(ping);
  const Pdu echo = initiator.expect(Opcode::nop_in);
  verify(
      echo.data.size() == 512 && std::equal(echo.data.begin(), echo.data.end(), ping.data.begin()),
      "the first 512 bytes of the ping", data_words(echo));
}

TSIH_CASE(no_answer_wanted, "A NOP-Out without a task tag is no ping: nothing comes back to it",
          judges("R3720-10.19-04")) {
  auto initiator = log_in();
  Pdu quiet = initiator.nop_out(pattern(64));
  quiet.set(field::immediate, 1).set(field::initiator_task_tag, kReservedTag);
  initiator.send(quiet);
  const Pdu ping = initiator.nop_out();
  initiator.send(ping);
  // Straight from the connection: receive() would pass an unasked NOP-In over.
  const auto until = Clock::now() + std::chrono::milliseconds(settings().timeout_ms);
  const Event event = initiator.connection().receive(until);
  if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
  const bool echoed = event.heard == Heard::pdu && event.pdu.is(Opcode::nop_in) &&
                      event.pdu[field::initiator_task_tag] == kReservedTag &&
                      !event.pdu.data.empty();
  verify(!echoed && event.heard == Heard::pdu, "no data under the reserved tag", event.words);
}

TSIH_CASE(reserved_bits_are_ignored, "Bits that no one has defined do not disturb a ping",
          judges("R3720-10-02")) {
  auto initiator = log_in();
  Pdu ping = initiator.nop_out();
  ping.header[1] |= 0x7f;
  for (std::size_t at : {2u, 3u, 32u, 40u, 47u}) ping.header[at] = 0xff;
  initiator.send(ping);
  const Pdu echo = initiator.expect(Opcode::nop_in);
  verify_equal("task tag", ping[field::initiator_task_tag], echo[field::initiator_task_tag]);
}

TSIH_CASE(reserved_fields_are_zero, "Everything undefined in a NOP-In is 0",
          judges("R3720-10-01")) {
  auto initiator = log_in();
  initiator.send(initiator.nop_out());
  const Pdu echo = initiator.expect(Opcode::nop_in);
  verify(reserved_problem(echo).empty(), "0 in every reserved bit", reserved_problem(echo));
  confirm(describe(echo));
}

BOOST_AUTO_TEST_SUITE_END()
