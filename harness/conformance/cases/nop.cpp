// NOP-Out and NOP-In (10.18, 10.19).
#include "harness/conformance/cases/common.h"

namespace {

constexpr std::size_t kLimitPingBytes = 256 << 10;
constexpr std::uint64_t kLimitWindow = 1024;  // commands sent at a time

// TEST UNIT READY, whatever it says.
std::uint32_t status_number_of_a_command(Initiator& initiator) {
  return status_of(initiator.transfer({.cdb = Bytes(6, 0)})).u32(field::stat_sn);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nop)

TSIH_CASE(ping_is_answered, "A ping, immediate or not, is answered under its tag, with its data",
          judges("R3720-10.18.1-03", "R3720-10.19-01", "R3720-10.19-02", "R3720-10.19-03",
                 "R3720-3.2.2.2-03", "R3720-10.19.1-01") *
              unh("FFP 15.1.3", "FFP 15.1.4")) {
  auto initiator = log_in();
  for (const bool immediate : {false, true}) {
    const Pdu ping = initiator.nop_out(pattern(512)).set(field::immediate, immediate);
    initiator.send(ping);
    judging("R3720-10.18.1-03");
    const Pdu echo = initiator.expect(Opcode::nop_in);
    confirm(describe(echo));
    judging("R3720-10.19-01");
    verify_equal("task tag", ping[field::initiator_task_tag], echo[field::initiator_task_tag]);
    judging("R3720-10.19-02");
    verify(echo.data == ping.data, "the 512 bytes of the ping", data_words(echo));
    judging_all({"R3720-10.19-03", "R3720-10.19.1-01"});
    verify_equal("target transfer tag", kReservedTag, echo[field::target_transfer_tag]);
    judging("R3720-3.2.2.2-03");
    verify_equal("StatSN of the next status", echo.u32(field::stat_sn) + 1u,
                 status_number_of_a_command(initiator));
  }
}

TSIH_CASE(ping_without_data, "A ping without data, immediate or not, is answered without data",
          judges("R3720-10.19-02", "R3720-10.2.1.6-01", "R3720-10.19-01", "R3720-10.19-03",
                 "R3720-3.2.2.2-03") *
              unh("FFP 15.1.1", "FFP 15.1.2")) {
  auto initiator = log_in();
  for (const bool immediate : {true, false}) {
    const Pdu ping = initiator.nop_out().set(field::immediate, immediate);
    initiator.send(ping);
    const Pdu echo = initiator.expect(Opcode::nop_in);
    judging_all({"R3720-10.19-02", "R3720-10.2.1.6-01"});
    verify_equal("DataSegmentLength", 0, echo[field::data_segment_length]);
    judging("R3720-10.19-01");
    verify_equal("task tag", ping[field::initiator_task_tag], echo[field::initiator_task_tag]);
    judging("R3720-10.19-03");
    verify_equal("target transfer tag", kReservedTag, echo[field::target_transfer_tag]);
    judging("R3720-3.2.2.2-03");
    verify_equal("StatSN of the next status", echo.u32(field::stat_sn) + 1u,
                 status_number_of_a_command(initiator));
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

TSIH_CASE(long_ping_is_cut,
          "The data of the longest ping come back up to the initiator's MaxRecvDataSegmentLength",
          judges("R3720-10.19-02") * unh("FFP 15.1.5", "FFP 15.1.6")) {
  auto initiator = log_in({{"MaxRecvDataSegmentLength", "512"}});
  const auto longest = agreed_number(initiator, "MaxRecvDataSegmentLength", 8192);
  offered(longest > 512, "MaxRecvDataSegmentLength above 512");
  for (const bool immediate : {true, false}) {
    const Pdu ping = initiator.nop_out(pattern(std::min<std::size_t>(longest, kLimitPingBytes)))
                         .set(field::immediate, immediate);
    initiator.send(ping);
    const Pdu echo = initiator.expect(Opcode::nop_in);
    verify(echo.data.size() == 512 &&
               std::equal(echo.data.begin(), echo.data.end(), ping.data.begin()),
           "the first 512 bytes of the ping", data_words(echo));
  }
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

TSIH_CASE(ping_of_the_target, "A ping of the target bears no data and takes no StatSN",
          judges("R3720-10.19-04", "R3720-3.2.2.2-03", "R3720-10.19.3-01") * unh("FFP 15.2")) {
  auto initiator = log_in();
  const auto stat_sn = initiator.exp_stat_sn;
  // Straight from the connection: receive() would answer the ping and pass it over.
  const auto until = Clock::now() + std::chrono::milliseconds(settings().timeout_ms);
  const Event event = initiator.connection().receive(until);
  offered(event.heard == Heard::pdu && event.pdu.is(Opcode::nop_in) &&
              event.pdu[field::target_transfer_tag] != kReservedTag,
          "pings of an idle initiator within the time limit (" + event.words + ")");
  verify(event.pdu[field::initiator_task_tag] == kReservedTag && event.pdu.data.empty(),
         "the reserved task tag and no data", event.words);
  judging("R3720-3.2.2.2-03");
  initiator.send(initiator.pong(event.pdu));
  const Fence fence = initiator.fence();
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  verify_equal("StatSN of the next status", stat_sn, fence.answer->u32(field::stat_sn));
  judging("R3720-10.19.3-01");
  constexpr Sense kNotSupported{0x05, 0x25, 0x00};  // LOGICAL UNIT NOT SUPPORTED
  const Pdu question = initiator.scsi_command({.cdb = Bytes(6, 0)});
  initiator.send(Pdu(question).set(field::lun, event.pdu[field::lun]));
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(sense_of(response) != kNotSupported, "the LUN of a logical unit that is there",
         event.words + ", then " + sense_words(response));
}

TSIH_CASE(window_told_by_itself,
          "A NOP-In that only tells the command window bears no data and takes no StatSN",
          judges("R3720-10.19-04", "R3720-3.2.2.2-03") * unh("FFP 15.3")) {
  needs_disk(64);
  auto initiator = log_in();
  initiator.ready();
  const Fence now = initiator.fence();
  offered(now.answer.has_value(), "answers to pings");
  const std::uint64_t room = now.answer->u32(field::max_cmd_sn) - initiator.cmd_sn + 1;
  offered(room > 0 && room <= kLimitWindow, fmt::format("a window of at most {}", kLimitWindow));
  for (std::uint64_t i = 0; i < room; ++i)
    initiator.send(initiator.scsi_command(read_blocks(0, 1)));
  std::uint64_t told = 0;
  std::uint32_t stat_sn = initiator.exp_stat_sn;
  for (std::uint64_t ended = 0; ended < room;) {
    const auto until = Clock::now() + std::chrono::milliseconds(settings().timeout_ms);
    const Event event = initiator.connection().receive(until);
    if (event.heard != Heard::pdu) throw Inconclusive{"reads were not finished: " + event.words};
    if (event.pdu.is(Opcode::scsi_response) || event.pdu[field::has_status]) ++ended, ++stat_sn;
    const bool tells =
        event.pdu.is(Opcode::nop_in) && event.pdu[field::target_transfer_tag] == kReservedTag;
    if (!tells) continue;
    ++told;
    judging("R3720-10.19-04");
    verify(event.pdu[field::initiator_task_tag] == kReservedTag && event.pdu.data.empty(),
           "the reserved task tag and no data", event.words);
    judging("R3720-3.2.2.2-03");
    verify_equal("StatSN", stat_sn, event.pdu.u32(field::stat_sn));
  }
  offered(told > 0, "a NOP-In that only tells the window: statuses told it in time");
  confirm(fmt::format("{} NOP-Ins without a transfer tag", told));
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
