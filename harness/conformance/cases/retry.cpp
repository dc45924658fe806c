// Commands that are sent again (3.2.2.1, 6.2.1, 6.3, 6.7).
#include "harness/conformance/cases/recovery.h"

BOOST_AUTO_TEST_SUITE(retry)

namespace {

const TextKeys kWithDigests{
    {"HeaderDigest", "CRC32C"}, {"DataDigest", "CRC32C"}, {"ErrorRecoveryLevel", "1"}};

void agreed_digests(const Initiator& initiator) {
  if (initiator.negotiated().value("HeaderDigest") != "CRC32C" ||
      initiator.negotiated().value("DataDigest") != "CRC32C")
    throw Unsupported{"CRC32C for both digests"};
}

}  // namespace

TSIH_CASE(of_a_running_write,
          "A write that is sent again while it waits for its data is executed once",
          judges("R3720-3.2.2.1-08", "R3720-3.2.2.1-10") * writes_lun() * unh("ERT 1.1")) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const PendingWrite write = start_write(initiator, write_blocks(0, 1));
  initiator.send(write.command);
  const Fence fence = initiator.fence(true);
  verify(is_quiet(fence), "nothing for the second copy", words(fence));
  send_data(initiator, write, pattern(block_bytes()));
  const Pdu status = initiator.expect(Opcode::scsi_response);
  verify(is_good(status) && belongs_to(status, write.command), "GOOD", describe(status));
  judging("R3720-3.2.2.1-10");
  const Fence after = initiator.fence();
  verify(is_quiet(after), "one status and no more", words(after));
  confirm("the copy was passed over, the write ended with one GOOD");
}

TSIH_CASE(after_a_wrong_data_digest,
          "A write whose immediate data were spoiled leaves its number open, and is sent again",
          judges("R3720-6.7-02", "R3720-6.3-02", "R3720-3.2.2.1-04") * writes_lun() *
              unh("FFP 5.1", "ERT 1.2")) {
  needs_disk(64);
  TextKeys keys = kWithDigests;
  keys.append({{"ImmediateData", "Yes"}, {"InitialR2T", "Yes"}});
  auto initiator = log_in(keys);
  agreed_digests(initiator);
  offered(initiator.negotiated().value("ImmediateData") == "Yes", "ImmediateData=Yes");
  initiator.ready();
  Pdu write = initiator.scsi_command(write_blocks(0, 1));
  write.data = pattern(block_bytes());
  initiator.send(write, false, true);
  const Event event = initiator.receive();
  // Either side may take a digest error for the end of the session (6.7).
  offered(event.heard != Heard::closed, "a session that goes on after a digest error");
  verify(event.heard == Heard::pdu && event.pdu.is(Opcode::reject) &&
             event.pdu[field::reject_reason] == 2,
         "a Reject with reason 2", event.words);
  judging("R3720-6.3-02");
  const Pdu later = initiator.nop_out();
  initiator.send(later);
  const Fence fence = initiator.fence(true);
  verify(fence.answer.has_value(), "a session that goes on", "a close");
  verify_equal("ExpCmdSN", write.u32(field::cmd_sn), fence.answer->u32(field::exp_cmd_sn));
  judging("R3720-3.2.2.1-04");
  verify(fence.before.empty(), "no answer to the next command before the gap is filled",
         words(fence));
  initiator.send(write);
  const Pdu status = initiator.expect_one_of({Opcode::scsi_response, Opcode::nop_in});
  const Pdu other = initiator.expect_one_of({Opcode::scsi_response, Opcode::nop_in});
  verify(is_good(status.is(Opcode::scsi_response) ? status : other),
         "GOOD for the write that was sent again", describe(status) + "; " + describe(other));
}

TSIH_CASE(after_a_wrong_header_digest,
          "A command whose header was spoiled leaves its number open, and is sent again",
          judges("R3720-6.7-01", "R3720-3.2.2.1-09")) {
  auto initiator = log_in(kWithDigests);
  agreed_digests(initiator);
  const Pdu ping = initiator.nop_out();
  initiator.send(ping, true, false);
  const Fence fence = initiator.fence(true);
  offered(fence.answer.has_value(), "a session that goes on after a header digest error");
  for (const Pdu& pdu : fence.before)
    verify(!belongs_to(pdu, ping), "no answer to the spoiled ping", describe(pdu));
  confirm("it was passed over");
  judging("R3720-3.2.2.1-09");
  verify_equal("ExpCmdSN", ping.u32(field::cmd_sn), fence.answer->u32(field::exp_cmd_sn));
  initiator.send(ping);
  const Pdu echo = initiator.expect(Opcode::nop_in);
  verify(belongs_to(echo, ping), "an answer to the ping that was sent again", describe(echo));
}

BOOST_AUTO_TEST_SUITE_END()
