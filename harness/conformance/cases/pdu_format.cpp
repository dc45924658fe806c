// What holds for every PDU of a target (10.2).
#include "harness/conformance/cases/common.h"

BOOST_AUTO_TEST_SUITE(format)

TSIH_CASE(of_every_pdu,
          "PDUs of a target have its opcodes, no additional headers, and padding of zeros",
          judges("R3720-10.2.1.2-01", "R3720-10.2.1.5-01", "R3720-10.2-04")) {
  constexpr std::uint8_t kFirstOfTargets = 0x20;
  auto initiator = connect();
  given("a login", [&] { initiator.authenticate(); });
  const Answer answer = initiator.expect_negotiation({{"MaxRecvDataSegmentLength", "8192"}});
  if (!initiator.established()) throw Inconclusive{"no login: " + describe(answer.pdu)};
  std::vector<Pdu> pdus{answer.pdu};
  for (const std::size_t bytes : {1u, 2u, 3u, 4u}) {
    initiator.send(initiator.nop_out(pattern(bytes)));
    pdus.push_back(next_pdu(initiator));
  }
  const ScsiCommand inquiry{.cdb = {0x12, 0, 0, 0, 5, 0}, .read_bytes = 5};
  const Transfer transfer = initiator.transfer(inquiry);
  pdus.insert(pdus.end(), transfer.data_in.begin(), transfer.data_in.end());
  if (transfer.response) pdus.push_back(*transfer.response);
  for (const Pdu& pdu : pdus) {
    judging("R3720-10.2.1.2-01");
    verify(pdu.opcode() >= kFirstOfTargets, "an opcode of a target", describe(pdu));
    judging("R3720-10.2.1.5-01");
    verify_equal("TotalAHSLength", 0, pdu[field::total_ahs_length]);
    judging("R3720-10.2-04");
    verify(pdu.padding_is_zero, "padding of zeros", describe(pdu));
  }
}

TSIH_CASE(padding_under_a_digest, "Padding that a data digest covers is zero",
          judges("R3720-12.1-03")) {
  auto initiator = log_in({{"DataDigest", "CRC32C"}});
  offered(initiator.negotiated().value("DataDigest") == "CRC32C", "DataDigest=CRC32C");
  initiator.send(initiator.nop_out(pattern(5)));
  const Pdu echo = initiator.expect(Opcode::nop_in);
  verify(echo.data_digest_ok && echo.padding_is_zero, "a right digest over padding of zeros",
         data_words(echo));
}

BOOST_AUTO_TEST_SUITE_END()
