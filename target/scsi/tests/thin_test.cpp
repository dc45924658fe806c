// Thin provisioning as initiators are told of it: the switches of the configuration, the counts of
// log page 0Ch, the thresholds of mode page 1Ch/02h and what comes when one is reached.
#include "target/scsi/tests/bench.h"

using namespace tsihd;
using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

constexpr std::uint64_t kSet = 1u << 20;
const Cdb kProvisioningLog{0x4d, 0, 0x4c, 0, 0, 0, 0, 0, 255, 0};
const Cdb kProvisioningPage{0x5a, 0x08, 0x1c, 0x02, 0, 0, 0, 0, 255, 0};

struct ThinBench : ScriptedBench {
  ThinBench() {
    disk().holding = false;
    disk().space = backstore::SpaceUse{.used_bytes = 3 * kSet + 1, .available_bytes = 10 * kSet};
  }
  /// One threshold: 0 is the least available, 1 the most used.
  void arm(std::size_t which, std::uint32_t sets) {
    Bytes list = a->send(kProvisioningPage).data();
    list[0] = list[1] = list[3] = std::byte{0};
    const std::size_t at = 8 + 16 + 8 * which;
    list[at] |= std::byte{0x80};
    put32(&list[at + 4], sets);
    const auto bytes = static_cast<std::uint8_t>(list.size());
    BOOST_TEST(a->send({0x55, 0x10, 0, 0, 0, 0, 0, 0, bytes, 0}, list).good());
    BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2a01));
  }
  void look() { BOOST_TEST(unit->refresh_capacity().has_value()); }
  void expect_told(bool told) {
    for (Initiator* it : {a.get(), b.get()}) {
      const Sent& ready = it->send(kTestUnitReady);
      if (told) BOOST_TEST(ready.failed(0x6, 0x3807));
      if (!told) BOOST_TEST(ready.good());
    }
  }
};

std::byte provisioning_flags(Initiator& by) {
  return by.send({0x12, 1, 0xb2, 0, 255, 0}).data().at(5);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(thin, ThinBench)

// Red when counts are in other units than VPD B2h says, or not in that page's order.
BOOST_AUTO_TEST_CASE(the_log_counts_in_threshold_sets) {
  BOOST_TEST((a->send({0x12, 1, 0xb2, 0, 255, 0}).data().at(4) == std::byte{11}));
  const Bytes page = a->send(kProvisioningLog).data();
  BOOST_TEST(get16(&page.at(2)) == 24u);
  BOOST_TEST(get16(&page.at(4)) == 1u);
  BOOST_TEST(get32(&page.at(8)) == 10u);
  BOOST_TEST(get16(&page.at(16)) == 2u);
  BOOST_TEST(get32(&page.at(20)) == 4u);
  Cdb second = kProvisioningLog;
  second[6] = 2;  // PARAMETER POINTER
  BOOST_TEST(get16(&a->send(second).data().at(4)) == 2u);
  second[6] = 3;
  BOOST_TEST(a->send(second).failed(0x5, 0x2400));
}

// Red when a disk that cannot tell claims to.
BOOST_AUTO_TEST_CASE(without_an_account_there_are_no_thresholds) {
  disk().space.reset();
  BOOST_TEST((a->send({0x12, 1, 0xb2, 0, 255, 0}).data().at(4) == std::byte{0}));
  BOOST_TEST(a->send(kProvisioningLog).failed(0x5, 0x2400));
  BOOST_TEST(a->send(kProvisioningPage).failed(0x5, 0x2400));
}

// Red when the attention is missing, comes again every second, or not again after a recovery.
BOOST_AUTO_TEST_CASE(a_threshold_tells_once_until_it_is_left) {
  arm(0, 5);
  look();
  expect_told(false);
  disk().space->available_bytes = 5 * kSet;
  look();
  look();
  expect_told(true);
  expect_told(false);
  look();
  expect_told(false);
  disk().space->available_bytes = 6 * kSet;
  look();
  disk().space->available_bytes = 4 * kSet;
  look();
  expect_told(true);
}

BOOST_AUTO_TEST_CASE(the_other_threshold_rises) {
  arm(1, 5);
  look();
  expect_told(false);
  disk().space->used_bytes = 4 * kSet + 1;
  look();
  expect_told(true);
}

// LBPERE (SBC-3 6.5.8). Red when it is not looked at.
BOOST_AUTO_TEST_CASE(without_error_reporting_nobody_is_told) {
  Bytes list = a->send({0x5a, 0x08, 0x01, 0, 0, 0, 0, 0, 255, 0}).data();
  list[0] = list[1] = list[3] = std::byte{0};
  list[8 + 7] = std::byte{0};
  BOOST_TEST(a->send({0x55, 0x10, 0, 0, 0, 0, 0, 0, 20, 0}, list).good());
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2a01));
  arm(0, 50);
  look();
  expect_told(false);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(attributes)

struct Switched : Bench {
  explicit Switched(const Attributes& attributes)
      : Bench(backstore::open_ramdisk({.size_bytes = kSizeBytes}).value(), attributes) {}
};

// Red when emulate_tpu or emulate_tpws does not change what is offered and what is said.
BOOST_AUTO_TEST_CASE(unmap_switches) {
  Cdb same = cdb10(0x41, 0, 1, 0x08);
  const Cdb unmap{0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  {
    Switched bench({.unmap = false});
    BOOST_TEST(bench.a->send(unmap).failed(0x5, 0x2000));
    BOOST_TEST(bench.a->send(same, Bytes(512)).good());
    BOOST_TEST((provisioning_flags(*bench.a) == std::byte{0x64}));
    BOOST_TEST(get32(&bench.a->send({0x12, 1, 0xb0, 0, 255, 0}).data().at(20)) == 0u);
  }
  {
    Switched bench({.unmap_by_write_same = false});
    BOOST_TEST(bench.a->send(unmap).good());
    BOOST_TEST(bench.a->send(same, Bytes(512)).failed(0x5, 0x2400));
    BOOST_TEST((provisioning_flags(*bench.a) == std::byte{0x84}));
  }
  Switched bench({.unmap = false, .unmap_by_write_same = false});
  BOOST_TEST((provisioning_flags(*bench.a) == std::byte{0}));
  Cdb capacity(16);
  capacity[0] = 0x9e;
  capacity[1] = 0x10;
  capacity[13] = 32;
  BOOST_TEST((bench.a->send(capacity).data().at(14) == std::byte{0}));  // LBPME
}

// Red when a limit that LIO saved is stated and not kept, kept and not stated, or loosens ours.
BOOST_AUTO_TEST_CASE(limits_of_the_configuration) {
  const auto page_of = [](Bench& bench) {
    return bench.a->send({0x12, 1, 0xb0, 0, 255, 0}).data();
  };
  {
    Switched bench({.max_unmap_blocks = 8,
                    .max_unmap_descriptors = 2,
                    .max_write_same_blocks = 5,
                    .optimal_transfer_blocks = 64,
                    .unmap_granularity_blocks = 16,
                    .unmap_alignment_blocks = 35});
    const Bytes page = page_of(bench);
    BOOST_TEST((get32(&page.at(20)) == 8u && get32(&page.at(24)) == 2u));
    BOOST_TEST(get64(&page.at(36)) == 5u);
    BOOST_TEST(get32(&page.at(12)) == 64u);
    BOOST_TEST((get32(&page.at(28)) == 16u && get32(&page.at(32)) == (0x80000000u | 3u)));
    BOOST_TEST(bench.a->send(cdb16(0x93, 0, 5, 0x01)).good());
    BOOST_TEST(bench.a->send(cdb16(0x93, 0, 6, 0x01)).failed(0x5, 0x2400));
    Bytes list(8 + 3 * 16);
    put16(&list[2], 2 * 16);
    put32(&list[16], 4);
    put32(&list[32], 4);
    BOOST_TEST(bench.a->send(cdb10(0x42, 0, 56), list).good());
    put32(&list[32], 5);
    BOOST_TEST(bench.a->send(cdb10(0x42, 0, 56), list).failed(0x5, 0x2600));
    put16(&list[2], 3 * 16);
    put32(&list[32], 0);
    BOOST_TEST(bench.a->send(cdb10(0x42, 0, 56), list).failed(0x5, 0x2600));
  }
  Switched plain({});
  Switched loose({.max_unmap_blocks = UINT32_MAX,
                  .max_unmap_descriptors = UINT32_MAX,
                  .max_write_same_blocks = UINT32_MAX,
                  .optimal_transfer_blocks = UINT32_MAX});
  BOOST_TEST((page_of(loose) == page_of(plain)));
}

// Red when a disk whose discards leave anything behind promises zeroes, or takes WRITE SAME's
// UNMAP, which promises what is read afterwards.
BOOST_FIXTURE_TEST_CASE(unmapped_blocks_that_may_read_as_anything, ThinBench) {
  disk().described().discard_zeroes = false;
  Cdb capacity = cdb16(0x9e, 0, 32, 0x10);
  BOOST_TEST((a->send(capacity).data().at(14) == std::byte{0x80}));  // LBPME
  BOOST_TEST((provisioning_flags(*a) == std::byte{0x80}));           // LBPU
  BOOST_TEST((a->send({0x12, 1, 0xb1, 0, 255, 0}).data().at(7) == std::byte{0}));
  BOOST_TEST(a->send(cdb16(0x93, 0, 1, 0x09)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(cdb16(0x93, 0, 1, 0x01)).good());
  BOOST_TEST(a->send({0x48, 0x02, 0, 0, 0, 0, 0, 0, 0, 0}).failed(0x5, 0x2400));  // BLOCK ERASE
  Bytes list(24);
  put16(&list[2], 16);
  put32(&list[16], 1);
  disk().holding = true;
  const Sent& unmap = a->send(cdb10(0x42, 0, 24), list);
  BOOST_TEST_REQUIRE(disk().held.size() == 1u);
  BOOST_TEST((disk().held[0]->op == backstore::Op::discard));
  disk().complete(0);
  BOOST_TEST(unmap.good());
}

// Red when a command that is switched off still answers, or is still reported.
BOOST_AUTO_TEST_CASE(switched_off_commands_are_not_there) {
  Switched bench({.compare_and_write = false, .reservations = false, .operation_codes = false});
  for (const std::uint8_t opcode :
       std::initializer_list<std::uint8_t>{0x89, 0x5e, 0x5f, 0x16, 0x57}) {
    Cdb cdb(16);
    cdb[0] = opcode;
    BOOST_TEST(bench.a->send(cdb).failed(0x5, 0x2000), "opcode " << int{opcode});
  }
  BOOST_TEST(bench.a->send({0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}).failed(0x5, 0x2400));
  BOOST_TEST((bench.a->send({0x12, 1, 0xb0, 0, 255, 0}).data().at(5) == std::byte{0}));
}

// Red when a default of the control mode page does not come from the configuration.
BOOST_AUTO_TEST_CASE(defaults_of_the_control_mode_page) {
  Switched bench({.task_aborted_status = true,
                  .restricted_reordering = true,
                  .attention_interlock = 3,
                  .rotational = true});
  bench.a->send({0x03, 0, 0, 0, 18, 0});  // with interlock an attention stays until this
  const Bytes page = bench.a->send({0x1a, 0x08, 0x8a, 0, 255, 0}).data();
  BOOST_TEST((page.at(4 + 3) == std::byte{0x00}));
  BOOST_TEST((page.at(4 + 4) == std::byte{0x30}));
  BOOST_TEST((page.at(4 + 5) == std::byte{0x40}));
  BOOST_TEST(get16(&bench.a->send({0x12, 1, 0xb1, 0, 255, 0}).data().at(4)) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
