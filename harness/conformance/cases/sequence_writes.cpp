// Numbering over a series of commands, as an initiator at work sends them (3.2.2, 6.2.1). The cases
// write to the first 64 blocks of the logical unit.
#include "harness/conformance/cases/common.h"

namespace {

TextKeys small_pieces() { return solicited_only({{"MaxRecvDataSegmentLength", "1024"}}); }

/// Everything that came back for one command; its status last.
using Answers = std::vector<Pdu>;

Answers carry_out(Initiator& initiator, const ScsiCommand& command, const Bytes& data = {}) {
  const Transfer transfer = initiator.transfer(command, data);
  Answers answers = transfer.r2ts;
  answers.insert(answers.end(), transfer.data_in.begin(), transfer.data_in.end());
  if (transfer.response) answers.push_back(*transfer.response);
  return answers;
}

/// INQUIRY, TEST UNIT READY, READ CAPACITY and ten writes.
std::vector<Answers> usual_work(Initiator& initiator, const ScsiCommand& write, const Bytes& data) {
  std::vector<Answers> all;
  all.push_back(carry_out(initiator, {.cdb = {0x12, 0, 0, 0, 36, 0}, .read_bytes = 36}));
  all.push_back(carry_out(initiator, {.cdb = Bytes(6, 0)}));
  all.push_back(carry_out(initiator, {.cdb = {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, .read_bytes = 8}));
  for (int i = 0; i < 10; ++i) all.push_back(carry_out(initiator, write, data));
  return all;
}

bool all_good(Initiator& initiator, int times, const ScsiCommand& write, const Bytes& data) {
  for (int i = 0; i < times; ++i)
    if (!initiator.transfer(write, data).good()) return false;
  return true;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sequence)

TSIH_CASE(window_over_ten_writes, "MaxCmdSN is never below ExpCmdSN - 1 while commands come and go",
          judges("R3720-3.2.2.1-07") * unh("FFP 1.1") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(small_pieces());
  std::uint32_t expected = initiator.cmd_sn;  // the highest ExpCmdSN so far
  for (const Answers& answers :
       usual_work(initiator, write_blocks(0, 2), pattern(2 * block_bytes())))
    for (const Pdu& pdu : answers) {
      if (static_cast<std::int32_t>(pdu.u32(field::exp_cmd_sn) - expected) > 0)
        expected = pdu.u32(field::exp_cmd_sn);
      const auto room = static_cast<std::int32_t>(pdu.u32(field::max_cmd_sn) - expected);
      verify(room >= -1, fmt::format("MaxCmdSN of at least {}", expected - 1), describe(pdu));
    }
}

TSIH_CASE(status_numbers_from_the_login_on, "The StatSN of the login goes on in full feature phase",
          judges("R3720-3.2.2.2-03") * unh("FFP 2.1") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(small_pieces());
  std::uint32_t expected = initiator.exp_stat_sn;
  for (const Answers& answers :
       usual_work(initiator, write_blocks(0, 2), pattern(2 * block_bytes())))
    verify_equal("StatSN", expected++, answers.back().u32(field::stat_sn));
}

TSIH_CASE(write_beyond_the_window,
          "A write with a number beyond MaxCmdSN is passed over in silence",
          judges("R3720-3.2.2.1-08") * unh("FFP 1.2") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(small_pieces());
  initiator.ready();
  const Bytes data = pattern(2 * block_bytes());
  offered(all_good(initiator, 6, write_blocks(0, 2), data), "writes of two blocks");
  const Fence now = initiator.fence();
  offered(now.answer.has_value(), "answers to pings");
  initiator.send(initiator.scsi_command(write_blocks(0, 2))
                     .set(field::cmd_sn, now.answer->u32(field::max_cmd_sn) + 1));
  const Fence fence = initiator.fence();
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  verify(fence.before.empty(), "no answer", names_of(fence.before));
  verify(all_good(initiator, 4, write_blocks(0, 2), data), "GOOD for later writes", "an error");
  confirm("no answer, and later writes were carried out");
}

TSIH_CASE(write_with_a_used_number,
          "A write with the number of the one before it is passed over in silence",
          judges("R3720-3.2.2.1-08") * unh("FFP 1.3") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(small_pieces());
  initiator.ready();
  const Bytes data = pattern(2 * block_bytes());
  offered(all_good(initiator, 6, write_blocks(0, 2), data), "writes of two blocks");
  initiator.send(
      initiator.scsi_command(write_blocks(0, 2)).set(field::cmd_sn, initiator.cmd_sn - 1));
  const Fence fence = initiator.fence();
  verify(fence.answer.has_value(), "a session that goes on", "a closed connection");
  verify(fence.before.empty(), "no answer", names_of(fence.before));
  verify(all_good(initiator, 4, write_blocks(0, 2), data), "GOOD for later writes", "an error");
  confirm("no answer, and later writes were carried out");
}

TSIH_CASE(write_again_amid_its_data,
          "A write that is sent again while its data are on their way is passed over in silence",
          judges("R3720-3.2.2.1-08", "R3720-3.2.2.1-10") * unh("FFP 16.4.1") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const Bytes data = pattern(2 * block_bytes());
  const Pdu command = initiator.scsi_command(write_blocks(0, 2));
  const auto half = [&](const Pdu& r2t, std::uint32_t number) {
    return initiator.data_out(command, r2t.u32(field::target_transfer_tag), number * block_bytes(),
                              std::span(data).subspan(number * block_bytes(), block_bytes()),
                              number, number == 1);
  };
  initiator.send(command);
  const Pdu r2t = next_pdu(initiator);
  offered(r2t.is(Opcode::r2t) && r2t[field::desired_length] == data.size(),
          "one R2T for the write");
  initiator.send(half(r2t, 0));
  initiator.send(command);
  initiator.send(half(r2t, 1));
  const Pdu response = initiator.expect(Opcode::scsi_response);
  verify(is_good(response), "GOOD", describe(response));
  judging("R3720-3.2.2.1-10");
  const Fence fence = initiator.fence();
  verify(fence.answer && fence.before.empty(), "one answer to the command",
         fence.answer ? names_of(fence.before) : "a closed connection");
}

TSIH_CASE(write_again_after_its_r2t,
          "A write that is sent again when its data were asked for is passed over in silence",
          judges("R3720-3.2.2.1-08", "R3720-3.2.2.1-10") * unh("FFP 16.4.2") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only());
  initiator.ready();
  const Bytes data = pattern(2 * block_bytes());
  const Pdu command = initiator.scsi_command(write_blocks(0, 2));
  initiator.send(command);
  const Pdu r2t = next_pdu(initiator);
  offered(r2t.is(Opcode::r2t), "an R2T for the write");
  initiator.send(command);
  Fence fence = initiator.fence();
  verify(fence.answer && fence.before.empty(), "no answer to the second",
         fence.answer ? names_of(fence.before) : "a closed connection");
  initiator.answer_r2t(command, r2t, data);
  const Transfer transfer = initiator.finish(command, data);
  verify(transfer.good(), "GOOD", fmt::format("status 0x{:02x}", transfer.status));
  judging("R3720-3.2.2.1-10");
  fence = initiator.fence();
  verify(fence.answer && fence.before.empty(), "one answer to the command",
         fence.answer ? names_of(fence.before) : "a closed connection");
}

BOOST_AUTO_TEST_SUITE_END()
