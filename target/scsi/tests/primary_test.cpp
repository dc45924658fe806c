// SPC: who the unit is, what it can, what it says when asked wrongly.
#include "target/scsi/device_server.h"
#include "target/scsi/limits.h"
#include "target/scsi/operations.h"
#include "target/scsi/tests/bench.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

Cdb inquiry_cdb(std::uint8_t page, bool evpd, std::uint16_t allocation = 1024) {
  Cdb cdb{0x12, static_cast<std::uint8_t>(evpd), page, 0, 0, 0};
  put16(&cdb[3], allocation);
  return cdb;
}
Cdb report_codes(std::uint8_t options, std::uint8_t opcode = 0, std::uint16_t action = 0) {
  Cdb cdb(12);
  cdb[0] = 0xa3;
  cdb[1] = 0x0c;
  cdb[2] = options;
  cdb[3] = opcode;
  put16(&cdb[4], action);
  put32(&cdb[6], 65535);
  return cdb;
}
std::string text(const Bytes& data, std::size_t at, std::size_t width) {
  return std::string(reinterpret_cast<const char*>(data.data()) + at, width);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(primary, Bench)

BOOST_AUTO_TEST_CASE(standard_inquiry) {
  const Bytes data = a->send(inquiry_cdb(0, false)).data();
  BOOST_TEST(data.size() == 96u);
  BOOST_TEST((data[0] == std::byte{0}));
  BOOST_TEST((data[4] == std::byte{91}));
  BOOST_TEST(text(data, 8, 8) == "TSIH    ");
  BOOST_TEST(text(data, 16, 16) == "disk0           ");
}

BOOST_AUTO_TEST_CASE(allocation_length_cuts_and_is_not_a_residual) {
  const Sent& it = a->send(inquiry_cdb(0, false, 36), {}, 255);
  BOOST_TEST(it.data().size() == 36u);
  BOOST_TEST(it.command.required_data_in_bytes == 36u);
  const Sent& overflow = a->send(inquiry_cdb(0, false, 96), {}, 10);
  BOOST_TEST(overflow.data().size() == 10u);
  BOOST_TEST(overflow.command.required_data_in_bytes == 96u);
  BOOST_TEST(a->send(inquiry_cdb(0, false, 0)).good());
}

BOOST_AUTO_TEST_CASE(inquiry_refuses_what_is_not_there) {
  BOOST_TEST(a->send(inquiry_cdb(0x80, false)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(inquiry_cdb(0xff, true)).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(every_listed_page_answers_with_its_own_code) {
  const Bytes list = a->send(inquiry_cdb(0, true)).data();
  BOOST_TEST(list.size() == 4u + 11u);
  for (std::size_t i = 4; i < list.size(); ++i) {
    const Bytes page = a->send(inquiry_cdb(static_cast<std::uint8_t>(list[i]), true)).data();
    BOOST_TEST((page.at(1) == list[i]));
    BOOST_TEST(get16(&page[2]) == page.size() - 4);
  }
}

BOOST_AUTO_TEST_CASE(designators_name_the_unit_and_the_port) {
  const Bytes page = a->send(inquiry_cdb(0x83, true)).data();
  BOOST_TEST((page[4] == std::byte{1} && page[5] == std::byte{3} && page[7] == std::byte{16}));
  BOOST_TEST(get64(&page[8]) == 0x6001405012345678u);
  BOOST_TEST(get64(&page[16]) == 0x9ab0000000000000u);
  const std::string all = text(page, 0, page.size());
  BOOST_TEST(all.find("iqn.2024-01.example:disk,t,0x0001") != std::string::npos);
  BOOST_TEST(text(a->send(inquiry_cdb(0x80, true)).data(), 4, 14) == "0123-4567-89ab");
}

BOOST_AUTO_TEST_CASE(report_luns_lists_the_map) {
  luns.entries[7] = {unit, false};
  luns.entries[300] = {unit, false};
  Cdb cdb(12);
  cdb[0] = 0xa0;
  put32(&cdb[6], 4096);
  const Bytes data = a->send(cdb).data();
  BOOST_TEST(get32(&data[0]) == 24u);
  BOOST_TEST(get16(&data[8]) == 0u);
  BOOST_TEST(get16(&data[16]) == 7u);
  BOOST_TEST(get16(&data[24]) == (0x4000u | 300u));
  cdb[2] = 3;
  BOOST_TEST(a->send(cdb).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(an_unmapped_lun_answers_as_spc_says) {
  auto send = [&](const Cdb& cdb) -> Sent& {
    return a->send(cdb, {}, 255, TaskAttribute::simple, 9);
  };
  BOOST_TEST((send(inquiry_cdb(0, false)).data().at(0) == std::byte{0x7f}));
  const Bytes sense = send({0x03, 0, 0, 0, 18, 0}).data();
  BOOST_TEST(get16(&sense.at(12)) == 0x2500u);
  BOOST_TEST(send(kTestUnitReady).failed(0x5, 0x2500));
  BOOST_TEST(send({0xa0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0}).good());
  BOOST_TEST(luns.find({}) == unit.get());
  BOOST_TEST(luns.find({std::byte{0}, std::byte{9}}) == nullptr);
  // Flat addressing of the same LUN; a second level is nobody's.
  BOOST_TEST(luns.find({std::byte{0x40}, std::byte{0}}) == unit.get());
  BOOST_TEST(luns.find({std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}}) == nullptr);
}

BOOST_AUTO_TEST_CASE(unknown_opcodes_and_bad_control_bytes) {
  BOOST_TEST(a->send({0xff, 0, 0, 0, 0, 0}).failed(0x5, 0x2000));
  BOOST_TEST(a->send({0x9e, 0x1f, 0, 0, 0, 0}).failed(0x5, 0x2400));
  BOOST_TEST(a->send(kTestUnitReady, {}, 0, TaskAttribute::aca).failed(0x5, 0x4900));
}

BOOST_AUTO_TEST_CASE(the_field_pointer_names_the_byte) {
  const Sent& it = a->send(inquiry_cdb(0xff, true));
  BOOST_TEST((it.command.sense[15] == std::byte{0xc0}));
  BOOST_TEST(get16(&it.command.sense[16]) == 2u);
}

BOOST_AUTO_TEST_CASE(every_declared_operation_is_reported_and_dispatched) {
  const Bytes all = a->send(report_codes(0)).data();
  BOOST_TEST(get32(&all[0]) == operations().size() * 8);
  for (const Operation& operation : operations()) {
    const bool has_action = operation.service_action != kNoServiceAction;
    const auto action = static_cast<std::uint16_t>(has_action ? operation.service_action : 0);
    const Bytes one = a->send(report_codes(has_action ? 2 : 1, operation.opcode, action)).data();
    BOOST_TEST((one.at(1) == std::byte{3}), operation.name);
    BOOST_TEST(get16(&one[2]) == one.size() - 4);
    BOOST_TEST((one[4] == std::byte{operation.opcode}));
    Cdb cdb(16);
    cdb[0] = operation.opcode;
    cdb[1] = static_cast<std::uint8_t>(action);
    BOOST_TEST(!a->send(cdb).failed(0x5, 0x2000), operation.name);
  }
}

BOOST_AUTO_TEST_CASE(report_supported_operation_codes_checks_its_options) {
  BOOST_TEST((a->send(report_codes(1, 0xff)).data().at(1) == std::byte{1}));
  BOOST_TEST(a->send(report_codes(1, 0x9e)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(report_codes(2, 0x28)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(report_codes(7)).failed(0x5, 0x2400));
  // 3 takes either kind; without service actions only zero is one.
  BOOST_TEST((a->send(report_codes(3, 0x28)).data().at(1) == std::byte{3}));
  BOOST_TEST((a->send(report_codes(3, 0x28, 1)).data().at(1) == std::byte{1}));
  BOOST_TEST((a->send(report_codes(3, 0x9e, 0x10)).data().at(1) == std::byte{3}));
  BOOST_TEST((a->send(report_codes(3, 0x9e, 0x1f)).data().at(1) == std::byte{1}));
  const Bytes timed = a->send(report_codes(0x81, 0x28)).data();
  BOOST_TEST(timed.size() == 4u + 10u + 12u);
}

BOOST_AUTO_TEST_CASE(mode_sense_and_select) {
  const Bytes control = a->send({0x1a, 0x08, 0x0a, 0, 255, 0}).data();
  BOOST_TEST(control.size() == 16u);
  Bytes list(control);
  list[0] = std::byte{0};
  list[6] |= std::byte{0x04};  // D_SENSE
  const Cdb select{0x15, 0x10, 0, 0, 16, 0};
  BOOST_TEST(a->send(select, list).good());
  BOOST_TEST((a->send({0xff}).command.sense[0] == std::byte{0x72}));
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2a01));
  BOOST_TEST(a->send(kTestUnitReady).good());
  list[6] |= std::byte{0x08};  // not changeable
  BOOST_TEST(a->send(select, list).failed(0x5, 0x2600));
  list.resize(10);
  BOOST_TEST(a->send({0x15, 0x10, 0, 0, 10, 0}, list).failed(0x5, 0x1a00));
  BOOST_TEST(a->send({0x15, 0x11, 0, 0, 16, 0}, Bytes(16)).failed(0x5, 0x2400));
  unit->reset();
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2903));
  BOOST_TEST((a->send({0xff}).command.sense[0] == std::byte{0x70}));
}

BOOST_AUTO_TEST_CASE(mode_sense_all_pages_both_lengths) {
  const Bytes six = a->send({0x1a, 0, 0x3f, 0, 255, 0}).data();
  BOOST_TEST(static_cast<std::size_t>(six[0]) == six.size() - 1);
  const Bytes ten = a->send({0x5a, 0x10, 0x3f, 0, 0, 0, 0, 1, 0, 0}).data();
  BOOST_TEST(get16(&ten[0]) == ten.size() - 2);
  BOOST_TEST(get64(&ten[8]) == kBlocks);
  BOOST_TEST(get32(&ten[20]) == 512u);
  BOOST_TEST(a->send({0x1a, 0, 0xff, 0, 255, 0}).failed(0x5, 0x3900));  // saved values
  BOOST_TEST(a->send({0x1a, 0, 0x05, 0, 255, 0}).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(log_pages) {
  const Bytes pages = a->send({0x4d, 0, 0, 0, 0, 0, 0, 0, 255, 0}).data();
  BOOST_TEST((pages == Bytes{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{2}, std::byte{0},
                             std::byte{0x2f}}));
  const Bytes subpages = a->send({0x4d, 0, 0, 0xff, 0, 0, 0, 0, 255, 0}).data();
  BOOST_TEST((subpages.at(0) == std::byte{0x40} && subpages.at(1) == std::byte{0xff}));
  BOOST_TEST(get16(&subpages[2]) == subpages.size() - 4);
  const Bytes exceptions = a->send({0x4d, 0, 0x6f, 0, 0, 0, 0, 0, 255, 0}).data();
  BOOST_TEST(get16(&exceptions[2]) == 8u);
  BOOST_TEST(get16(&exceptions[8]) == 0u);  // ASC and ASCQ
  BOOST_TEST(a->send({0x4d, 0, 0x2f, 0, 0, 0, 0, 0, 5, 0}).data().size() == 5u);
  BOOST_TEST(a->send({0x4d, 1, 0x2f, 0, 0, 0, 0, 0, 255, 0}).failed(0x5, 0x2400));  // SP
  BOOST_TEST(a->send({0x4d, 0, 0x2f, 0, 0, 0, 1, 0, 255, 0}).failed(0x5, 0x2400));
  const Sent& subpage = a->send({0x4d, 0, 0x2f, 7, 0, 0, 0, 0, 255, 0});
  BOOST_TEST(subpage.failed(0x5, 0x2400));
  BOOST_TEST(get16(&subpage.command.sense[16]) == 3u);
  const Sent& page = a->send({0x4d, 0, 0x0d, 0, 0, 0, 0, 0, 255, 0});
  BOOST_TEST(page.failed(0x5, 0x2400));
  BOOST_TEST(get16(&page.command.sense[16]) == 2u);
}

BOOST_AUTO_TEST_CASE(software_write_protect) {
  Bytes list = a->send({0x1a, 0x08, 0x0a, 0, 255, 0}).data();
  list[8] |= std::byte{0x08};
  BOOST_TEST(a->send({0x15, 0x10, 0, 0, 16, 0}, list).good());
  BOOST_TEST(a->send(cdb10(0x2a, 0, 1), Bytes(512)).failed(0x7, 0x2702));
  BOOST_TEST(
      ((a->send({0x1a, 0x08, 0x0a, 0, 255, 0}).data().at(2) & std::byte{0x80}) != std::byte{0}));
  list[8] &= ~std::byte{0x08};
  BOOST_TEST(a->send({0x15, 0x10, 0, 0, 16, 0}, list).good());
  BOOST_TEST(a->send(cdb10(0x2a, 0, 1), Bytes(512)).good());
}

BOOST_AUTO_TEST_CASE(unit_attention_waits_behind_inquiry_and_luns_and_is_told_once) {
  unit->reset();
  BOOST_TEST(a->send(inquiry_cdb(0, false)).good());
  BOOST_TEST(a->send({0xa0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0}).good());
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2903));
  BOOST_TEST(a->send(kTestUnitReady).good());
  const Bytes sense = b->send({0x03, 0, 0, 0, 255, 0}).data();
  BOOST_TEST((sense.at(2) == std::byte{6}));
  BOOST_TEST(get16(&sense.at(12)) == 0x2903u);
  BOOST_TEST(b->send(kTestUnitReady).good());
  BOOST_TEST((b->send({0x03, 0, 0, 0, 255, 0}).data().at(2) == std::byte{0}));
}

// Red when REPORT LUNS, which says what has changed, does not take the attention that told of it
// (SPC-4 6.33).
BOOST_AUTO_TEST_CASE(report_luns_answers_the_attention_about_luns) {
  unit->device_server().establish_for_all(UnitAttention::reported_luns_changed, nullptr);
  BOOST_TEST(a->send({0xa0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0}).good());
  BOOST_TEST(a->send(kTestUnitReady).good());
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x3f0e));
}

BOOST_AUTO_TEST_CASE(a_removed_nexus_takes_its_attentions_with_it) {
  unit->reset();
  unit->detach(a->nexus);
  unit->attach(a->nexus);
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2900));
  BOOST_TEST(a->send(kTestUnitReady).good());
}

BOOST_AUTO_TEST_CASE(nexuses_are_bounded) {
  std::vector<Nexus> crowd(kMaxNexuses);
  for (Nexus& nexus : crowd) unit->attach(nexus);
  Initiator late(luns, 99);
  BOOST_TEST((late.send(kTestUnitReady).command.status == Status::busy));
  BOOST_TEST(a->send(kTestUnitReady).good());
  for (Nexus& nexus : crowd) unit->detach(nexus);
  late.settle();
}

BOOST_AUTO_TEST_CASE(a_mode_parameter_list_is_bounded) {
  Cdb cdb(10);
  cdb[0] = 0x55;
  cdb[1] = 0x10;
  put16(&cdb[7], kMaxModeParameterBytes + 1);
  BOOST_TEST(a->send(cdb, Bytes(kMaxModeParameterBytes + 1)).failed(0x5, 0x1a00));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(buffers_are_recycled_aligned_and_bounded) {
  BufferPool pool(3 * 4096, 4096);
  std::byte* first = nullptr;
  {
    Buffer one = pool.take(1);
    first = one.data();
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(first) % 4096 == 0u);
    BOOST_TEST(one.capacity_bytes() == 4096u);
    Buffer two = pool.take(4097);
    BOOST_TEST(two.capacity_bytes() == 8192u);
    BOOST_TEST(!pool.take(1));  // the limit of what is lent
  }
  BOOST_TEST(pool.lent_bytes() == 0u);
  BOOST_TEST(pool.cached_bytes() == 4096u);  // the larger one was given back to the system
  BOOST_TEST((pool.take(4096).data() == first));
  BOOST_TEST(!pool.take(BufferPool::kLargestBytes + 1));
}

// Red when an initiator is told of our limits and not of what the device behind likes.
BOOST_AUTO_TEST_CASE(block_limits_are_those_of_the_device) {
  auto disk = std::make_unique<ScriptedDisk>(Bench::kSizeBytes);
  auto& geometry = disk->described();
  geometry.physical_block_bytes = 4096;
  geometry.minimum_io_bytes = 65536;
  geometry.optimal_io_bytes = 1u << 20;
  geometry.discard_granularity_bytes = 32768;
  geometry.discard_alignment_bytes = 32768 + 4096;
  Bench bench(std::move(disk));
  const Bytes page = bench.a->send({0x12, 1, 0xb0, 0, 64, 0}, {}, 64).data();
  BOOST_TEST_REQUIRE(page.size() == 64u);
  BOOST_TEST(get16(&page[6]) == 128u);
  BOOST_TEST(get32(&page[12]) == 2048u);
  BOOST_TEST(get32(&page[28]) == 64u);
  BOOST_TEST(get32(&page[32]) == (0x80000000u | 8));
}
