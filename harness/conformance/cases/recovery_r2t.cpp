// Written data that were lost or spoiled on their way: recovery R2Ts, or the end of the task (6.7,
// 6.8, 10.8, 10.17.1). Every case here writes to the first block of the logical unit, in halves.
#include "harness/conformance/cases/recovery.h"

BOOST_AUTO_TEST_SUITE(recovery_r2t)

namespace {

TextKeys solicited_with_digests(unsigned level) {
  return solicited_only({{"HeaderDigest", "CRC32C"},
                         {"DataDigest", "CRC32C"},
                         {"ErrorRecoveryLevel", std::to_string(level)}});
}

void agreed_digests(const Initiator& initiator) {
  if (initiator.negotiated().value("HeaderDigest") != "CRC32C" ||
      initiator.negotiated().value("DataDigest") != "CRC32C")
    throw Unsupported{"CRC32C for both digests"};
}

// One of the two halves of the block: the first without, the second with F.
Pdu half(Initiator& initiator, const PendingWrite& write, const Bytes& data, unsigned which) {
  const std::size_t bytes = data.size() / 2;
  return initiator.data_out(write.command, write.r2t.u32(field::target_transfer_tag),
                            static_cast<std::uint32_t>(which * bytes),
                            std::span(data).subspan(which * bytes, bytes), which, which == 1);
}

// What a target makes of data that it did not get, once F has come.
struct Ending {
  std::vector<Pdu> rejects;
  std::vector<Pdu> r2ts;  ///< each was answered
  std::optional<Pdu> status;
  bool closed = false;
};

Ending expect_ending(Initiator& initiator, const PendingWrite& write, const Bytes& data,
                     std::vector<Pdu> seen = {}) {
  Ending ending;
  for (int i = 0; i < 16; ++i) {
    Pdu pdu;
    if (!seen.empty()) {
      pdu = seen.front();
      seen.erase(seen.begin());
    } else {
      const Event event = initiator.receive();
      if (event.heard == Heard::closed) {
        ending.closed = true;
        return ending;
      }
      if (event.heard != Heard::pdu) return ending;
      pdu = event.pdu;
    }
    if (pdu.is(Opcode::reject)) ending.rejects.push_back(pdu);
    if (pdu.is(Opcode::r2t)) {
      ending.r2ts.push_back(pdu);
      const std::size_t offset = pdu[field::buffer_offset], bytes = pdu[field::desired_length];
      if (offset + bytes > data.size())
        throw Inconclusive{"an R2T asks for more than the write has: " + describe(pdu)};
      initiator.send(initiator.data_out(write.command, pdu.u32(field::target_transfer_tag),
                                        static_cast<std::uint32_t>(offset),
                                        std::span(data).subspan(offset, bytes), 0, true));
    }
    if (pdu.is(Opcode::scsi_response)) {
      ending.status = pdu;
      return ending;
    }
  }
  return ending;
}

std::string words(const Ending& ending) {
  std::string text = fmt::format("{} Rejects, {} R2Ts", ending.rejects.size(), ending.r2ts.size());
  if (ending.status)
    text += fmt::format(", {} {}", describe(*ending.status), sense_words(*ending.status));
  return text + (ending.closed ? ", a close" : "");
}

// Recovered by R2T, or ended with CHECK CONDITION, or escalated to session recovery.
bool addressed(const Ending& ending) {
  if (!ending.status) return ending.closed;
  return is_good(*ending.status) ? !ending.r2ts.empty() : true;
}

}  // namespace

TSIH_CASE(after_a_wrong_data_digest,
          "Data with a wrong digest are asked for again, and then the write is whole",
          judges("R3720-6.7-02", "R3720-6.7-03", "R3720-3.2.2.3-01", "R3720-6.3-04") *
              writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_with_digests(1));
  agreed_digests(initiator);
  initiator.ready();
  const Bytes data = pattern(block_bytes());
  const PendingWrite write = start_write(initiator, write_blocks(0, 1));
  initiator.send(half(initiator, write, data, 0), false, true);
  initiator.send(half(initiator, write, data, 1));
  const Ending ending = expect_ending(initiator, write, data);
  offered(!ending.closed, "a session that goes on after a digest error");
  verify(ending.rejects.size() == 1 && ending.rejects.front()[field::reject_reason] == 2,
         "one Reject, with reason 2", words(ending));
  judging("R3720-6.7-03");
  verify(addressed(ending), "a recovery R2T or CHECK CONDITION", words(ending));
  offered(!ending.r2ts.empty(), "recovery R2Ts");
  judging("R3720-3.2.2.3-01");
  verify_equal("R2TSN", write.r2t.u32(field::r2t_sn) + 1, ending.r2ts.front().u32(field::r2t_sn));
  // The second half was in its order, for the Reject counted the first one.
  judging("R3720-6.3-04");
  verify(is_good(*ending.status), "GOOD", words(ending));
  const Transfer read = initiator.transfer(read_blocks(0, 1));
  verify(read.data == data, "a read of what was written", "other bytes");
  confirm(words(ending) + ", and a read returns the same bytes");
}

TSIH_CASE(the_end_waits_for_the_final_data,
          "A write with spoiled data that is given up ends after its last Data-Out only",
          judges("R3720-6.7-04", "R3720-10.17.1-02", "R3720-6.3-01", "R3720-10.17.1-01") *
              writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_with_digests(0));
  agreed_digests(initiator);
  initiator.ready();
  const Bytes data = pattern(block_bytes());
  const PendingWrite write = start_write(initiator, write_blocks(0, 1));
  initiator.send(half(initiator, write, data, 0), false, true);
  const Fence fence = initiator.fence(true);
  offered(fence.answer.has_value(), "a session that goes on after a digest error");
  judging_all({"R3720-10.17.1-02", "R3720-6.7-04"});
  for (const Pdu& pdu : fence.before)
    verify(!pdu.is(Opcode::scsi_response), "no SCSI Response before F", describe(pdu));
  confirm("no SCSI Response came before F");
  initiator.send(half(initiator, write, data, 1));
  const Ending ending = expect_ending(initiator, write, data, fence.before);
  judging_all({"R3720-6.3-01", "R3720-10.17.1-01"});
  verify(ending.status.has_value(), "a SCSI Response for the write", words(ending));
  verify(is_good(*ending.status) || sense_of(*ending.status) == kProtocolServiceCrcError,
         "sense 0b/47/05, or a recovered write", words(ending));
}

TSIH_CASE(after_a_lost_data_out,
          "A gap in the numbers of Data-Out is handled like the digest error behind it",
          judges("R3720-6.8-02") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only({{"ErrorRecoveryLevel", "1"}}));
  initiator.ready();
  const Bytes data = pattern(block_bytes());
  const PendingWrite write = start_write(initiator, write_blocks(0, 1));
  initiator.send(half(initiator, write, data, 1));  // DataSN 1, and F
  const Ending ending = expect_ending(initiator, write, data);
  verify(addressed(ending), "a recovery R2T, CHECK CONDITION, or a close", words(ending));
  if (!ending.status || !is_good(*ending.status)) return;
  const Transfer read = initiator.transfer(read_blocks(0, 1));
  verify(read.data == data, "a read of what was written", "other bytes");
  confirm(words(ending) + ", and a read returns the same bytes");
}

TSIH_CASE(after_a_wrong_header_digest,
          "A Data-Out whose header was spoiled is missed, and asked for again or the write fails",
          judges("R3720-6.7-01", "R3720-6.8-02") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_with_digests(1));
  agreed_digests(initiator);
  initiator.ready();
  const Bytes data = pattern(block_bytes());
  const PendingWrite write = start_write(initiator, write_blocks(0, 1));
  initiator.send(half(initiator, write, data, 0), true, false);
  initiator.send(half(initiator, write, data, 1));
  const Ending ending = expect_ending(initiator, write, data);
  verify(addressed(ending), "a recovery R2T, CHECK CONDITION, or a close", words(ending));
  judging("R3720-6.8-02");
  if (ending.closed) {
    confirm("the connection was closed");
    return;
  }
  verify(addressed(ending), "a recovery R2T or CHECK CONDITION", words(ending));
  if (!is_good(*ending.status)) return;
  const Transfer read = initiator.transfer(read_blocks(0, 1));
  verify(read.data == data, "a read of what was written", "other bytes");
}

TSIH_CASE(one_at_a_time,
          "Above ErrorRecoveryLevel 0 with sequences in order there is one R2T outstanding",
          judges("R3720-12.19-02") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in_at_level(1, solicited_only({{"DataSequenceInOrder", "Yes"},
                                                      {"MaxOutstandingR2T", "4"},
                                                      {"MaxBurstLength", "512"}}));
  offered(initiator.negotiated().value("DataSequenceInOrder") == "Yes", "DataSequenceInOrder=Yes");
  initiator.ready();
  const auto blocks = static_cast<std::uint16_t>(4096 / block_bytes() + 1);
  const Pdu write = initiator.scsi_command(write_blocks(0, blocks));
  initiator.send(write);
  initiator.expect(Opcode::r2t);
  const Fence fence = initiator.fence(true);
  verify(is_quiet(fence), "no second R2T before the data of the first have come", ::words(fence));
}

BOOST_AUTO_TEST_SUITE_END()
