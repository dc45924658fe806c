// Data that no R2T asked for (RFC 3720 3.2.4.2, 10.3.4, 12.10 to 12.14).
#include "harness/initiators/cases/common.h"

namespace {

constexpr std::uint32_t kFirstBurst = 8192, kMost = 2048;

bool is_unsolicited(const Pdu& pdu) {
  return pdu.is(Opcode::data_out) && pdu[field::target_transfer_tag] == kReservedTag;
}

const Want unsolicited_data_out{"unsolicited Data-Out",
                                [](const Peer&, const Pdu& pdu) { return is_unsolicited(pdu); }};

std::string form_of(const Pdu& command) {
  return fmt::format("{} bytes, F={}", command.data.size(), command[field::final]);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(unsolicited)

TSIH_TRIAL(none, "With InitialR2T=Yes and ImmediateData=No nothing comes by itself",
           judges("R3720-12.11-01") * unh("FFP 8.2", "FFP 16.1.2", "FFP 16.2.2", "FFP 16.3.1")) {
  wish("ImmediateData", "No");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  verify(write.data.empty() && write[field::final], "a command without data, F=1", form_of(write));
  expect_none(initiator, "Data-Out that no R2T asked for", is_unsolicited);
}

TSIH_TRIAL(immediate_only, "Immediate data stays within FirstBurstLength, and is all that comes",
           judges("R3720-12.12-01", "R3720-10.8-01") *
               unh("FFP 8.1", "FFP 16.1.1", "FFP 16.3.1", "LP 16.1")) {
  wish("FirstBurstLength", "2048");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  offered(initiator.said("ImmediateData") == "Yes", "ImmediateData=Yes");
  verify(write.data.size() <= 2048, "at most 2048 bytes", form_of(write));
  judging("R3720-10.8-01");
  verify_equal("F", 1, write[field::final]);
  expect_none(initiator, "Data-Out that no R2T asked for", is_unsolicited);
}

TSIH_TRIAL(immediate_within_segment, "Immediate data stays within MaxRecvDataSegmentLength",
           judges("R3720-10.7.1-02") * unh("FFP 11.1.1", "LP 14.1")) {
  wish("MaxRecvDataSegmentLength", "1024");
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  offered(initiator.said("ImmediateData") == "Yes", "ImmediateData=Yes");
  verify(write.data.size() <= 1024, "at most 1024 bytes", form_of(write));
}

TSIH_TRIAL(all_of_it, "A command whose immediate data is the whole write has F",
           judges("R3720-10.3.4-02") * unh("FFP 16.2.1")) {
  wish("FirstBurstLength", "262144");
  wish("InitialR2T", "No");
  start(kCopy);
  auto [initiator, write] = serve_until(write_command());
  const auto total = write.u32(field::expected_data_transfer_length);
  offered(write.data.size() == total, "a write that is all immediate data");
  verify_equal("F", 1, write[field::final]);
}

TSIH_TRIAL(data_out_only,
           "Unsolicited Data-Out comes to FirstBurstLength, ends with F, and the "
           "command brings none",
           judges("R3720-12.11-02", "R3720-12.12-01", "R3720-3.2.4.2-05", "R3720-10.7.1-02",
                  "R3720-3.2.2.3-01") *
               unh("FFP 8.3", "FFP 11.2.1", "FFP 16.2.3")) {
  wish("InitialR2T", "No");
  wish("ImmediateData", "No");
  wish("FirstBurstLength", std::to_string(kFirstBurst));
  wish("MaxRecvDataSegmentLength", std::to_string(kMost));
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  offered(initiator.said("InitialR2T") == "No", "InitialR2T=No");
  verify(write.data.empty(), "a command without data", form_of(write));
  offered(!write[field::final], "unsolicited Data-Out");
  std::uint32_t bytes = 0;
  for (std::uint32_t data_sn = 0;; ++data_sn) {
    judging("R3720-12.12-01");
    const Pdu pdu = expect(initiator, unsolicited_data_out);
    bytes += static_cast<std::uint32_t>(pdu.data.size());
    verify(bytes <= kFirstBurst, fmt::format("at most {} bytes", kFirstBurst), describe(pdu));
    judging("R3720-10.7.1-02");
    verify(pdu.data.size() <= kMost, fmt::format("at most {} bytes", kMost), describe(pdu));
    judging("R3720-3.2.2.3-01");
    verify_equal("DataSN", data_sn, pdu[field::data_sn]);
    if (pdu[field::final]) break;
  }
  judging("R3720-3.2.4.2-05");
  verify_equal("bytes", kFirstBurst, bytes);
}

TSIH_TRIAL(both, "Immediate data and unsolicited Data-Out come to FirstBurstLength together",
           judges("R3720-3.2.4.2-05", "R3720-12.12-01", "R3720-12.11-03") * unh("FFP 16.2.4")) {
  wish("InitialR2T", "No");
  wish("FirstBurstLength", std::to_string(kFirstBurst));
  wish("MaxRecvDataSegmentLength", std::to_string(kMost));
  start(kWrite);
  auto [initiator, write] = serve_until(write_command());
  offered(initiator.said("InitialR2T") == "No", "InitialR2T=No");
  auto bytes = static_cast<std::uint32_t>(write.data.size());
  offered(!write[field::final], "unsolicited Data-Out");
  for (bool more = true; more;) {
    const Pdu pdu = expect(initiator, unsolicited_data_out);
    bytes += static_cast<std::uint32_t>(pdu.data.size());
    more = !pdu[field::final];
  }
  judging("R3720-12.11-03");
  confirm(fmt::format("{} bytes without an R2T", bytes));
  judging("R3720-12.12-01");
  verify(bytes <= kFirstBurst, fmt::format("at most {} bytes", kFirstBurst), std::to_string(bytes));
  judging("R3720-3.2.4.2-05");
  verify_equal("bytes", kFirstBurst, bytes);
}

BOOST_AUTO_TEST_SUITE_END()
