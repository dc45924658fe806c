// Digests (RFC 3720 6.7, 12.1): agreed ones, and wrong ones.
#include "harness/initiators/cases/common.h"

BOOST_AUTO_TEST_SUITE(digest)

TSIH_TRIAL(on_every_pdu, "Agreed digests are on every PDU, and right",
           judges("R3720-12.1-02", "R3720-12.1-04", "R3720-12.1-01") * unh("LP 9.1", "LP 9.3")) {
  wish("HeaderDigest", "CRC32C,None");
  wish("DataDigest", "CRC32C,None");
  start(kCopy);
  auto [initiator, first] = serve_until(any_command());
  const bool data = initiator.said("DataDigest") == "CRC32C";
  offered(initiator.said("HeaderDigest") == "CRC32C" || data, "a CRC32C digest");
  judging("R3720-12.1-01");
  confirm("CRC32C was taken");
  for (Met met{&initiator, first, {}}; met.pdu; met = target().next_of(initiator)) {
    judging("R3720-12.1-04");
    verify(met.pdu->header_digest_ok, "a right header digest", describe(*met.pdu));
    verify(met.pdu->data_digest_ok, "a right data digest", describe(*met.pdu));
    met.peer->serve(*met.pdu);
  }
  judging("R3720-12.1-02");
  verify(initiator.logged_out, "digests up to the logout", "the connection ended before it");
}

TSIH_TRIAL(wrong_in_header, "A Data-In with a wrong header digest is not taken",
           judges("R3720-6.7-01")) {
  wish("HeaderDigest", "CRC32C,None");
  start(kCopy);
  auto [initiator, read] = serve_until(read_command());
  offered(initiator.said("HeaderDigest") == "CRC32C", "HeaderDigest=CRC32C");
  const Bytes wrong(512, 0xee);
  initiator.send(initiator.data_in(read, wrong, 0, 0, false), {.spoil_header = true});
  initiator.serve_read(read, 1, 512);
  expect_not_deceived();
}

TSIH_TRIAL(wrong_in_data, "A Data-In with a wrong data digest is not taken, and not forgotten",
           judges("R3720-6.7-05", "R3720-6.7-06")) {
  wish("DataDigest", "CRC32C,None");
  start(kCopy);
  auto [initiator, read] = serve_until(read_command());
  offered(initiator.said("DataDigest") == "CRC32C", "DataDigest=CRC32C");
  const Bytes wrong(512, 0xee);
  initiator.send(initiator.data_in(read, wrong, 0, 0, false), {.spoil_data = true});
  initiator.serve_read(read, 1, 512);
  expect_not_deceived();
  judging("R3720-6.7-06");
  confirm("nothing wrong was taken for good");
}

TSIH_TRIAL(wrong_in_status, "A SCSI Response with a wrong data digest is not passed over",
           judges("R3720-6.7-10")) {
  wish("DataDigest", "CRC32C,None");
  start(kRead);
  auto [initiator, read] = serve_until(read_command());
  offered(initiator.said("DataDigest") == "CRC32C", "DataDigest=CRC32C");
  const std::uint32_t lost = initiator.stat_sn;
  initiator.send(initiator.scsi_response(read, kCheckCondition, 0, fixed_sense(0x03, 0x11, 0)),
                 {.spoil_data = true});
  expect_unacknowledged(initiator, lost);
}

BOOST_AUTO_TEST_SUITE_END()
