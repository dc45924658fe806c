// Numbering of commands and statuses (3.2.2.1, 3.2.2.2). Absence is proven by fences: what has not
// come before the answer to a later ping is not coming.
#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(sequence)

TSIH_CASE(acknowledged_with_the_answer, "The answer to a command acknowledges its CmdSN",
          judges("R3720-3.2.2.1-12", "R3720-3.2.2.1-09")) {
  auto initiator = log_in();
  const auto number = initiator.cmd_sn;
  initiator.send(initiator.nop_out());
  const Pdu answer = initiator.expect(Opcode::nop_in);
  judging_all({"R3720-3.2.2.1-12", "R3720-3.2.2.1-09"});
  verify_equal("ExpCmdSN", static_cast<std::uint32_t>(number + 1), answer.u32(field::exp_cmd_sn));
}

TSIH_CASE(immediate_does_not_advance, "An immediate command takes no place in the numbering",
          judges("R3720-3.2.2.1-09")) {
  auto initiator = log_in();
  const auto number = initiator.cmd_sn;
  const Fence fence = initiator.fence(true);
  verify(fence.answer.has_value(), "an answer to the immediate ping", "a closed connection");
  verify_equal("ExpCmdSN", number, fence.answer->u32(field::exp_cmd_sn));
}

TSIH_CASE(window_is_sane, "MaxCmdSN is never below ExpCmdSN - 1", judges("R3720-3.2.2.1-07")) {
  auto initiator = log_in();
  for (int i = 0; i < 5; ++i) {
    initiator.send(initiator.nop_out());
    const Pdu answer = initiator.expect(Opcode::nop_in);
    const auto room =
        static_cast<std::int32_t>(answer.u32(field::max_cmd_sn) - answer.u32(field::exp_cmd_sn));
    verify(room >= -1, "MaxCmdSN of at least ExpCmdSN - 1", describe(answer));
  }
}

TSIH_CASE(number_wraps_around, "Command numbers go on over 2^32", judges("R3720-3.2.2.1-06")) {
  auto initiator = connect();
  initiator.cmd_sn = 0xfffffffe;
  initiator.log_in();
  for (std::uint32_t expected : {0xffffffffu, 0u, 1u, 2u}) {
    initiator.send(initiator.nop_out());
    const Pdu answer = initiator.expect(Opcode::nop_in);
    verify_equal("ExpCmdSN", expected, answer.u32(field::exp_cmd_sn));
  }
}

TSIH_CASE(gap_holds_later_commands_back, "A command after a gap waits until the gap is filled",
          judges("R3720-3.2.2.1-04", "R3720-3.2.2.1-09")) {
  auto initiator = log_in();
  const auto first_number = initiator.cmd_sn;
  const Pdu later = initiator.nop_out().set(field::cmd_sn, first_number + 1);
  initiator.send(later);
  const Fence fence = initiator.fence(true);
  verify(fence.answer.has_value(), "an answer to an immediate ping", "a closed connection");
  verify(fence.before.empty(), "no answer before the gap is filled", names_of(fence.before));
  judging("R3720-3.2.2.1-09");
  verify_equal("ExpCmdSN while there is a gap", first_number, fence.answer->u32(field::exp_cmd_sn));
  judging("R3720-3.2.2.1-04");
  const Pdu first = initiator.nop_out();
  initiator.send(first);
  const Pdu one = initiator.expect(Opcode::nop_in);
  const Pdu two = initiator.expect(Opcode::nop_in);
  verify((belongs_to(one, first) && belongs_to(two, later)) ||
             (belongs_to(one, later) && belongs_to(two, first)),
         "answers to both", describe(one) + "; " + describe(two));
}

TSIH_CASE(old_number_is_ignored, "A command with a number that is past is passed over in silence",
          judges("R3720-3.2.2.1-08")) {
  auto initiator = log_in();
  given("a first command", [&] { initiator.fence(); });
  const Pdu old = initiator.nop_out().set(field::cmd_sn, initiator.cmd_sn - 1);
  initiator.send(old);
  const Fence fence = initiator.fence();
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  verify(fence.before.empty(), "no answer", names_of(fence.before));
  confirm("nothing came before the answer to a later ping");
}

TSIH_CASE(number_beyond_the_window_is_ignored,
          "A command with a number beyond MaxCmdSN is passed over in silence",
          judges("R3720-3.2.2.1-08")) {
  auto initiator = log_in();
  std::uint32_t beyond = 0;
  given("the window", [&] {
    const Fence fence = initiator.fence();
    if (!fence.answer) fail("an answer to a ping", "a closed connection");
    beyond = fence.answer->u32(field::max_cmd_sn) + 1000;
  });
  initiator.send(initiator.nop_out().set(field::cmd_sn, beyond));
  const Fence fence = initiator.fence();
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  verify(fence.before.empty(), "no answer", names_of(fence.before));
  confirm("nothing came before the answer to a later ping");
}

TSIH_CASE(duplicate_in_the_window_is_ignored,
          "Of two commands with the same number, both ahead of a gap, only one is executed",
          judges("R3720-3.2.2.1-08")) {
  auto initiator = log_in();
  const auto gap = initiator.cmd_sn;
  const Pdu one = initiator.nop_out().set(field::cmd_sn, gap + 1);
  const Pdu two = initiator.nop_out().set(field::cmd_sn, gap + 1);
  initiator.send(one);
  initiator.send(two);
  const Pdu filler = initiator.nop_out();
  initiator.send(filler);
  initiator.cmd_sn = gap + 2;
  const Fence fence = initiator.fence();
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  int executed = 0;
  for (const Pdu& pdu : fence.before) executed += belongs_to(pdu, one) || belongs_to(pdu, two);
  verify(executed == 1, "an answer to one of the two", names_of(fence.before));
}

TSIH_CASE(immediate_of_each_kind,
          "One immediate task management and one other immediate command "
          "are handled at a time",
          judges("R3720-3.2.2.1-03")) {
  auto initiator = log_in();
  const Pdu ping = initiator.nop_out().set(field::immediate, 1);
  const Pdu management = initiator.task_management_request(1, initiator.next_tag())
                             .set(field::ref_cmd_sn, initiator.cmd_sn);
  initiator.send(management);
  initiator.send(ping);
  bool pinged = false, managed = false;
  for (int i = 0; i < 2; ++i) {
    const Event event = initiator.receive();
    if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
    pinged |= event.heard == Heard::pdu && event.pdu.is(Opcode::nop_in);
    managed |= event.heard == Heard::pdu && event.pdu.is(Opcode::task_management_response);
    verify(event.heard == Heard::pdu && !event.pdu.is(Opcode::reject), "two answers", event.words);
  }
  verify(pinged && managed, "an answer to each",
         pinged ? "no task management response" : "no ping");
  confirm("both were answered");
}

TSIH_CASE(status_numbers_rise_by_one, "Each response has the next StatSN",
          judges("R3720-3.2.2.2-03")) {
  auto initiator = log_in();
  initiator.send(initiator.nop_out());
  Pdu answer = initiator.expect(Opcode::nop_in);
  for (int i = 0; i < 4; ++i) {
    const auto before = answer.u32(field::stat_sn);
    initiator.send(initiator.nop_out());
    answer = initiator.expect(Opcode::nop_in);
    verify_equal("StatSN", static_cast<std::uint32_t>(before + 1), answer.u32(field::stat_sn));
  }
}

BOOST_AUTO_TEST_SUITE_END()
