// Header and data digests (6.7, 10.2.3, 12.1).
#include <algorithm>

#include "harness/conformance/cases/common.h"

namespace {

const TextKeys kBoth{{"HeaderDigest", "CRC32C"}, {"DataDigest", "CRC32C"}};

bool agreed(const Initiator& initiator) {
  return initiator.negotiated().value("HeaderDigest") == "CRC32C" &&
         initiator.negotiated().value("DataDigest") == "CRC32C";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(digest)

TSIH_CASE(on_every_pdu, "Agreed digests are on every PDU, and right",
          judges("R3720-12.1-02", "R3720-12.1-04")) {
  auto initiator = log_in(kBoth);
  offered(agreed(initiator), "CRC32C for both digests");
  for (std::size_t size : {0u, 4u, 513u}) {
    const Pdu ping = initiator.nop_out(pattern(size));
    initiator.send(ping);
    const Pdu echo = initiator.expect(Opcode::nop_in);
    judging("R3720-12.1-02");
    verify(echo.data == ping.data, "the data of the ping", data_words(echo));
    judging("R3720-12.1-04");
    verify(
        echo.header_digest_ok && echo.data_digest_ok, "right digests",
        fmt::format("header digest {}, data digest {}", echo.header_digest_ok ? "right" : "wrong",
                    echo.data_digest_ok ? "right" : "wrong"));
  }
}

TSIH_CASE(data_in_with_digests, "Read data come with right digests",
          judges("R3720-12.1-02", "R3720-12.1-04")) {
  needs_disk(64);
  auto initiator = log_in(kBoth);
  offered(agreed(initiator), "CRC32C for both digests");
  initiator.ready();
  const Transfer transfer = initiator.transfer(read_blocks(0, 8));
  verify(transfer.data.size() == 8ull * block_bytes(), "8 blocks",
         fmt::format("{} bytes", transfer.data.size()));
  judging("R3720-12.1-04");
  for (const Pdu& pdu : transfer.data_in)
    verify(pdu.header_digest_ok && pdu.data_digest_ok, "right digests", describe(pdu));
}

TSIH_CASE(header_only, "A header digest alone: headers have it, data do not",
          judges("R3720-12.1-02")) {
  auto initiator = log_in({{"HeaderDigest", "CRC32C"}, {"DataDigest", "None"}});
  offered(initiator.negotiated().value("HeaderDigest") == "CRC32C", "HeaderDigest=CRC32C");
  const Pdu ping = initiator.nop_out(pattern(100));
  initiator.send(ping);
  const Pdu echo = initiator.expect(Opcode::nop_in);
  verify(echo.header_digest_ok && echo.data == ping.data,
         "the data of the ping under a right header digest", data_words(echo));
}

TSIH_CASE(wrong_header_digest, "A PDU with a wrong header digest is not acted upon",
          judges("R3720-6.7-01")) {
  auto initiator = log_in(kBoth);
  offered(agreed(initiator), "CRC32C for both digests");
  const Pdu spoiled = initiator.nop_out().set(field::immediate, 1);
  initiator.send(spoiled, true, false);
  const Fence fence = initiator.fence(true);
  for (const Pdu& pdu : fence.before)
    verify(pdu[field::initiator_task_tag] != spoiled[field::initiator_task_tag],
           "no answer to the spoiled ping", describe(pdu));
  confirm(fence.answer ? "it was passed over" : "the connection was closed");
}

TSIH_CASE(wrong_data_digest, "A ping with a wrong data digest is rejected for it",
          judges("R3720-6.7-02")) {
  auto initiator = log_in(kBoth);
  offered(agreed(initiator), "CRC32C for both digests");
  initiator.send(initiator.nop_out(pattern(64)).set(field::immediate, 1), false, true);
  const Event event = initiator.receive();
  if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
  // Either side may take a digest error for the end of the session (6.7).
  verify(
      event.heard == Heard::closed || (event.heard == Heard::pdu && event.pdu.is(Opcode::reject) &&
                                       event.pdu[field::reject_reason] == 2),
      "a Reject with reason 2, or a close", event.words);
}

TSIH_CASE(wrong_digest_of_written_data,
          "Written data with a wrong digest are rejected, and asked for again or the write fails",
          judges("R3720-6.7-02", "R3720-6.7-03") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only(kBoth));
  offered(agreed(initiator), "CRC32C for both digests");
  initiator.ready();
  const Pdu command = initiator.scsi_command(write_blocks(0, 1));
  Pdu r2t;
  given("an R2T", [&] {
    initiator.send(command);
    r2t = initiator.expect(Opcode::r2t);
  });
  initiator.send(initiator.data_out(command, r2t.u32(field::target_transfer_tag), 0,
                                    pattern(block_bytes()), 0, true),
                 false, true);
  const Event event = initiator.receive();
  if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
  const bool closed = event.heard == Heard::closed;
  verify(closed || (event.heard == Heard::pdu && event.pdu.is(Opcode::reject) &&
                    event.pdu[field::reject_reason] == 2),
         "a Reject with reason 2, or a close", event.words);
  judging("R3720-6.7-03");
  if (closed) {
    confirm("the session was given up");
    return;
  }
  const Event next = initiator.receive();
  verify(next.heard == Heard::closed ||
             (next.heard == Heard::pdu && (is_failure(next.pdu) || next.pdu.is(Opcode::r2t))),
         "a recovery R2T, or a SCSI Response of failure", next.words);
}

TSIH_CASE(wrong_header_digest_of_a_write, "A write with a wrong header digest is not acted upon",
          judges("R3720-6.7-01") * unh("FFP 18.1.1") * writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only(kBoth));
  offered(agreed(initiator), "CRC32C for both digests");
  initiator.ready();
  const auto number = initiator.cmd_sn;
  const Pdu write = initiator.scsi_command(write_blocks(0, 1));
  initiator.send(write, true, false);
  initiator.cmd_sn = number;  // still to come
  const Fence fence = initiator.fence(true);
  for (const Pdu& pdu : fence.before)
    verify(!belongs_to(pdu, write), "no R2T and no status for the spoiled write", describe(pdu));
  confirm(fence.answer ? "it was passed over" : "the connection was closed");
}

TSIH_CASE(
    wrong_digest_of_immediate_data,
    "A write whose immediate data have a wrong digest is rejected and not acted upon; another "
    "takes its number",
    judges("R3720-6.7-02", "R3720-6.3-02", "R3720-6.3-l02") * unh("FFP 18.2.1") * writes_lun()) {
  needs_disk(64);
  TextKeys keys = kBoth;
  keys.append({{"ImmediateData", "Yes"}, {"InitialR2T", "Yes"}});
  auto initiator = log_in(keys);
  offered(agreed(initiator), "CRC32C for both digests");
  offered(initiator.negotiated().value("ImmediateData") == "Yes", "ImmediateData=Yes");
  initiator.ready();
  const Bytes data = pattern(2 * block_bytes());
  const auto number = initiator.cmd_sn;
  Pdu spoiled = initiator.scsi_command(write_blocks(0, 2));
  spoiled.data.assign(data.begin(), data.begin() + block_bytes());
  initiator.send(spoiled, false, true);
  const Event event = next_event(initiator);
  const bool rejected = event.heard == Heard::pdu && event.pdu.is(Opcode::reject) &&
                        event.pdu[field::reject_reason] == 2;
  verify(rejected || event.heard == Heard::closed, "a Reject with reason 2, or a close",
         event.words);
  judging_all({"R3720-6.3-02", "R3720-6.3-l02"});
  offered(rejected, "to go on: it closed the connection");
  initiator.cmd_sn = number;
  const Pdu write = initiator.scsi_command(write_blocks(0, 2));
  initiator.send(write);
  Pdu answer;
  while (!answer.is(Opcode::scsi_response)) {
    answer = next_pdu(initiator);
    verify(belongs_to(answer, write), "nothing for the spoiled write", describe(answer));
    if (answer.is(Opcode::r2t)) initiator.answer_r2t(write, answer, data);
  }
  verify(is_good(answer), "GOOD", describe(answer));
}

TSIH_CASE(
    wrong_digest_amid_written_data,
    "After a Data-Out with a wrong digest the target asks for it again, or fails the write once "
    "the last data have come",
    judges("R3720-6.7-02", "R3720-6.7-04", "R3720-6.7-03", "R3720-6.3-l01") * unh("FFP 18.2.2") *
        writes_lun()) {
  needs_disk(64);
  auto initiator = log_in(solicited_only(kBoth));
  offered(agreed(initiator), "CRC32C for both digests");
  initiator.ready();
  const Bytes data = pattern(4 * block_bytes());
  const Pdu write = initiator.scsi_command(write_blocks(0, 4));
  initiator.send(write);
  const Pdu r2t = next_pdu(initiator);
  offered(r2t.is(Opcode::r2t) && r2t[field::desired_length] == data.size(),
          "one R2T for the write");
  const auto block = [&](std::uint32_t number) {
    return initiator.data_out(write, r2t.u32(field::target_transfer_tag), number * block_bytes(),
                              std::span(data).subspan(number * block_bytes(), block_bytes()),
                              number, number == 3);
  };
  initiator.send(block(0), false, true);
  for (std::uint32_t number : {1u, 2u}) initiator.send(block(number));
  const Fence fence = initiator.fence(true);
  const auto is_reject = [](const Pdu& pdu) {
    return pdu.is(Opcode::reject) && pdu[field::reject_reason] == 2;
  };
  verify(!fence.answer || std::ranges::any_of(fence.before, is_reject),
         "a Reject with reason 2, or a close", names_of(fence.before));
  offered(fence.answer.has_value(), "to go on: it closed the connection");
  judging("R3720-6.7-04");
  std::vector<Pdu> asked_again;
  for (const Pdu& pdu : fence.before) {
    verify(!pdu.is(Opcode::scsi_response), "no status before the last data", describe(pdu));
    if (pdu.is(Opcode::r2t)) asked_again.push_back(pdu);
  }
  confirm("no status before the last data");
  judging("R3720-6.3-l01");
  initiator.send(block(3));
  for (const Pdu& again : asked_again) initiator.answer_r2t(write, again, data);
  const Transfer transfer = initiator.expect_finish(write, data);
  confirm("the write went on to its status");
  judging("R3720-6.7-03");
  const bool recovered = transfer.good() && asked_again.size() + transfer.r2ts.size() > 0;
  verify(recovered || sense_of(status_of(transfer)) == kProtocolServiceCrcError,
         "a recovery R2T, or sense 0b/47/05", sense_words(status_of(transfer)));
}

BOOST_AUTO_TEST_SUITE_END()
