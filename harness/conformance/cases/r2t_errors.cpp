// Data-Out that is not what an R2T asked for (6.3, 10.4.2, 10.4.7.2, 10.8, 10.17.1). The cases
// write to the first 64 blocks of the logical unit.
#include "harness/conformance/cases/common.h"

namespace {

/// What a target that heard nonsense may do instead of going on (6.1.4.4, 6.6).
[[noreturn]] void gave_up() { throw Unsupported{"to go on: it closed the connection"}; }

/// How a write ends whose data went wrong. R2Ts are answered as they come.
struct WriteEnd {
  bool complained = false;      ///< a Reject, a SCSI Response of failure, or a close
  std::optional<Pdu> response;  ///< nothing: the connection was closed
  std::string words;
};

WriteEnd end_of(Initiator& initiator, const Pdu& command, const Bytes& data) {
  WriteEnd end;
  while (!end.response) {
    const Event event = next_event(initiator);
    end.complained |= is_refusal(event);
    end.words += (end.words.empty() ? "" : "; ") + event.words;
    if (event.heard != Heard::pdu) return end;
    if (event.pdu.is(Opcode::r2t)) initiator.answer_r2t(command, event.pdu, data);
    if (event.pdu.is(Opcode::scsi_response)) end.response = event.pdu;
  }
  return end;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(r2t)

TSIH_CASE(more_than_asked_for, "More data than an R2T asked for are not taken without a word",
          judges(should("R3720-3.2.4.2-01"), should("R3720-6.6-01")) * unh("FFP 7.1") *
              writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only({{"MaxBurstLength", fmt::format("{}", block_bytes())}}));
  initiator.ready();
  const Bytes data = pattern(4 * block_bytes());
  const Pdu command = initiator.scsi_command(write_blocks(0, 4));
  initiator.send(command);
  const Pdu r2t = next_pdu(initiator);
  offered(r2t.is(Opcode::r2t) && r2t[field::desired_length] == block_bytes(), "an R2T for a block");
  initiator.send(initiator.data_out(command, r2t.u32(field::target_transfer_tag), 0,
                                    std::span(data).first(2 * block_bytes()), 0, true));
  const WriteEnd end = end_of(initiator, command, data);
  verify(end.complained, "a failure, a Reject, or a close", end.words);
  judging("R3720-6.6-01");
  // Only a CHECK CONDITION says why (10.4.7.2).
  const bool explained = !end.response || end.response->data.empty() ||
                         sense_of(*end.response) == kIncorrectAmountOfData ||
                         sense_of(*end.response) == kUnexpectedData;
  verify(explained, "sense 0b/0c/0d or 0b/0c/0c", end.response ? sense_words(*end.response) : "");
  confirm(end.words);
}

TSIH_CASE(
    data_for_no_task,
    "A Data-Out for no task disturbs no write: a Reject of it, if any, is well formed, and the "
    "status waits for the last data",
    judges("R3720-10.17.1-02", "R3720-6.3-01", "R3720-3.2.2.2-03", should("R3720-10-01")) *
        unh("FFP 14.1") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const Bytes data = pattern(2 * block_bytes());
  const Pdu command = initiator.scsi_command(write_blocks(0, 2));
  initiator.send(command);
  const Pdu r2t = next_pdu(initiator);
  offered(r2t.is(Opcode::r2t) && r2t[field::desired_length] == data.size(),
          "one R2T for the write");
  const auto tag = r2t.u32(field::target_transfer_tag);
  const auto stray = initiator.data_out(command, tag, 0, data, 0, false)
                         .set(field::initiator_task_tag, initiator.next_tag());
  const auto stat_sn = initiator.exp_stat_sn;
  initiator.send(stray);
  const Fence fence = initiator.fence(true);
  if (!fence.answer) gave_up();
  std::uint32_t rejects = 0;
  for (const Pdu& pdu : fence.before) {
    judging("R3720-10.17.1-02");
    verify(!pdu.is(Opcode::scsi_response), "no status before the last data", describe(pdu));
    judging("R3720-10-01");
    if (pdu.is(Opcode::reject) && ++rejects > 0)
      verify(reject_problem(pdu, stray).empty(), "a well formed Reject",
             reject_problem(pdu, stray));
  }
  judging("R3720-10-01");
  confirm(fmt::format("{} Rejects, well formed", rejects));
  judging("R3720-10.17.1-02");
  confirm("no status before the last data");
  judging("R3720-6.3-01");
  initiator.answer_r2t(command, r2t, data);
  const WriteEnd end = end_of(initiator, command, data);
  verify(end.response && is_good(*end.response), "GOOD", end.words);
  judging("R3720-3.2.2.2-03");
  verify_equal("StatSN after Rejects and a ping", static_cast<std::uint32_t>(stat_sn + rejects + 1),
               end.response->u32(field::stat_sn));
}

TSIH_CASE(
    error_waits_for_the_last_data,
    "When a Data-Out of four went wrong the status waits for the last of them, and is not GOOD",
    judges("R3720-10.17.1-02", "R3720-10.4.2-01", "R3720-3.2.4.3-01") * unh("FFP 16.5") *
        writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const Bytes data = pattern(4 * block_bytes());
  const Pdu command = initiator.scsi_command(write_blocks(0, 4));
  initiator.send(command);
  const Pdu r2t = next_pdu(initiator);
  offered(r2t.is(Opcode::r2t) && r2t[field::desired_length] == data.size(),
          "one R2T for the write");
  for (std::uint32_t i = 0; i < 4; ++i) {
    Pdu data_out =
        initiator.data_out(command, r2t.u32(field::target_transfer_tag), i * block_bytes(),
                           std::span(data).subspan(i * block_bytes(), block_bytes()), i, i == 3);
    if (i == 0) data_out.set(field::initiator_task_tag, initiator.next_tag());
    if (i == 3) {
      const Fence fence = initiator.fence(true);
      if (!fence.answer) gave_up();
      judging_all({"R3720-10.17.1-02", "R3720-10.4.2-01"});
      for (const Pdu& pdu : fence.before)
        verify(!pdu.is(Opcode::scsi_response), "no status before the last data", describe(pdu));
      confirm("no status before the last data");
    }
    initiator.send(data_out);
  }
  judging("R3720-3.2.4.3-01");
  Event event = next_event(initiator);
  while (event.heard == Heard::pdu && event.pdu.is(Opcode::reject)) event = next_event(initiator);
  verify(!(event.heard == Heard::pdu && is_good(event.pdu)), "no GOOD: a block never came",
         event.words);
}

BOOST_AUTO_TEST_SUITE_END()
