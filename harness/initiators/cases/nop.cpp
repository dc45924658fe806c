// Pings of the target (RFC 3720 10.18, 10.19).
#include "harness/initiators/cases/common.h"

BOOST_AUTO_TEST_SUITE(nop)

TSIH_TRIAL(ping_is_answered, "A ping with a transfer tag is answered, with its tag and its LUN",
           judges("R3720-10.18-01", "R3720-10.18-02", "R3720-10.18.1-02", "R3720-10.18.1-04",
                  "R3720-10.18.2-03", "R3720-3.2.2.1-01") *
               unh("FFP 15.1", "FFP 2.1")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  const std::uint64_t lun = 0x0001000000000000;
  initiator.send(initiator.ping(0xfffffffe).set(field::lun, lun));
  initiator.serve(read);
  const Pdu pong = expect(initiator, request(Opcode::nop_out));
  confirm(describe(pong));
  judging("R3720-10.18-02");
  verify_equal("transfer tag", 0xfffffffe, pong[field::target_transfer_tag]);
  judging("R3720-10.18.1-02");
  verify_equal("task tag", kReservedTag, pong[field::initiator_task_tag]);
  judging("R3720-10.18.1-04");
  verify_equal("I", 1, pong[field::immediate]);
  judging("R3720-3.2.2.1-01");
  verify_equal("CmdSN", initiator.exp_cmd_sn, pong[field::cmd_sn]);
  judging("R3720-10.18.2-03");
  verify_equal("LUN", lun, pong[field::lun]);
}

TSIH_TRIAL(tag_of_zero, "Zero is a transfer tag like any other", judges("R3720-10.18-02")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  initiator.send(initiator.ping(0));
  initiator.serve(read);
  const Pdu pong = expect(initiator, request(Opcode::nop_out));
  verify_equal("transfer tag", 0, pong[field::target_transfer_tag]);
}

TSIH_TRIAL(numbers_only, "A NOP-In without a transfer tag is not answered",
           judges("R3720-10.18.2-01") * unh("FFP 15.3")) {
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  initiator.send(initiator.nop_in());
  for (const Pdu& pdu : up_to_pong(initiator))
    if (pdu.is(Opcode::nop_out) && pdu[field::initiator_task_tag] == kReservedTag)
      fail("no answer", describe(pdu));
  confirm("only the ping after it was answered");
}

TSIH_TRIAL(of_the_initiator, "A ping of the initiator's has a task tag, and no transfer tag",
           judges("R3720-10.18.1-01", "R3720-10.18.2-02") * unh("FFP 15.2")) {
  start(kPing);
  auto [initiator, ping] = serve_until(request(Opcode::nop_out));
  verify(ping[field::initiator_task_tag] != kReservedTag, "a task tag", describe(ping));
  judging("R3720-10.18.2-02");
  verify_equal("transfer tag", kReservedTag, ping[field::target_transfer_tag]);
  initiator.serve(ping);
}

BOOST_AUTO_TEST_SUITE_END()
