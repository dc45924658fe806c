// Header and data digests (6.7, 10.2.3, 12.1).
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

BOOST_AUTO_TEST_SUITE_END()
