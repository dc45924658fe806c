// A unit behind which stands a real SCSI device: what is passed, what comes back, and what the
// target keeps for itself.
#include "target/backstore/tests/scripted_device.h"
#include "target/scsi/tests/bench.h"

using namespace tsihd;
using namespace tsihd::scsi;
using namespace tsihd::scsi::test;
using backstore::ScsiExchange;
using backstore::test::Script;
using backstore::test::ScriptedDevice;

namespace {

/// LUN 0 over a scripted device, LUN 1 the same unit, write-protected.
struct Fixture {
  explicit Fixture(bool takes_reservations = false) {
    luns.entries[0] = {unit = make_unit(takes_reservations), false};
    luns.entries[1] = {unit, true};
    a = std::make_unique<Initiator>(luns, 1);
    b = std::make_unique<Initiator>(luns, 2);
    a->settle();
    b->settle();
  }
  ~Fixture() { pool->wait_idle(); }

  std::shared_ptr<LogicalUnit> make_unit(bool takes_reservations) {
    auto disk = backstore::open_pscsi(*pool, std::make_unique<ScriptedDevice>(script),
                                      {.device = "dev", .takes_reservations = takes_reservations});
    return std::make_shared<LogicalUnit>(Identity{.name = "passed", .serial = "1"},
                                         std::move(*disk), Log());
  }
  Sent& send(Initiator& from, const Cdb& cdb, Bytes data_out = {}, std::uint32_t expected_in = 0,
             std::uint8_t lun = 0) {
    Sent& sent = from.send(cdb, std::move(data_out), expected_in, TaskAttribute::simple, lun);
    pool->wait_idle();
    BOOST_TEST(sent.done);
    return sent;
  }
  void answer(std::uint8_t opcode, Script::Answer how) {
    const std::lock_guard lock(script->mutex);
    script->answers[opcode] = std::move(how);
  }
  std::size_t passed(std::uint8_t opcode) { return script->seen_of(opcode).size(); }

  std::unique_ptr<backstore::IoPool> pool = backstore::IoPool::create(2).value();
  std::shared_ptr<Script> script = std::make_shared<Script>();
  std::shared_ptr<LogicalUnit> unit;
  LunMap luns;
  std::unique_ptr<Initiator> a;
  std::unique_ptr<Initiator> b;
};

struct OwnReservationsOfTheDevice : Fixture {
  OwnReservationsOfTheDevice() : Fixture(true) {}
};

Script::Answer says(std::initializer_list<unsigned> bytes) {
  return [bytes = std::vector<unsigned>(bytes)](ScsiExchange& exchange, std::span<std::byte> data) {
    const std::size_t count = std::min(bytes.size(), data.size());
    for (std::size_t i = 0; i < count; ++i) data[i] = static_cast<std::byte>(bytes[i]);
    exchange.transferred_bytes = static_cast<std::uint32_t>(count);
    return 0;
  };
}

Script::Answer fails(std::uint8_t key, unsigned code) {
  return [=](ScsiExchange& exchange, std::span<std::byte>) {
    backstore::test::check_condition(exchange, key, code);
    exchange.transferred_bytes = 0;
    return 0;
  };
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_read_brings_what_the_device_has, Fixture) {
  answer(0x28, [](ScsiExchange&, std::span<std::byte> data) {
    std::ranges::copy(filled(data.size(), 3), data.begin());
    return 0;
  });
  const Cdb cdb = cdb10(0x28, 7, 4, 0x08);
  Sent& read = send(*a, cdb, {}, 2048);
  BOOST_TEST(read.good());
  BOOST_TEST((read.data() == filled(2048, 3)));
  BOOST_TEST(read.command.required_data_in_bytes == 2048u);
  const Script::Cdb seen = script->seen_of(0x28).at(0);
  BOOST_TEST(std::equal(cdb.begin(), cdb.end(), seen.begin()));
}

// Red when the buffer is only as long as the initiator expects: an adapter fails what does not fit.
BOOST_FIXTURE_TEST_CASE(a_read_beyond_what_is_expected_has_an_overflow, Fixture) {
  for (std::uint32_t expected : {512u, 0u}) {
    Sent& read = send(*a, cdb10(0x28, 0, 2), {}, expected);
    BOOST_TEST(read.good());
    BOOST_TEST(read.command.data_in_bytes == expected);
    BOOST_TEST(read.command.required_data_in_bytes == 1024u);
  }
  BOOST_TEST(script->data_bytes.back() == 1024u);
  Sent& shorter = send(*a, cdb10(0x28, 0, 1), {}, 4096);
  BOOST_TEST(shorter.command.required_data_in_bytes == 512u);
}

BOOST_FIXTURE_TEST_CASE(a_write_carries_its_data, Fixture) {
  Bytes got;
  answer(0x8a, [&got](ScsiExchange&, std::span<std::byte> data) {
    got.assign(data.begin(), data.end());
    return 0;
  });
  const Bytes data = filled(1024, 9);
  BOOST_TEST(send(*a, cdb16(0x8a, 1, 2), data).good());
  BOOST_TEST((got == data));
}

// Red when a CDB that calls for more than came reaches the device: its adapter would send garbage
// or fail.
BOOST_FIXTURE_TEST_CASE(a_write_of_which_a_part_came_writes_whole_blocks, Fixture) {
  Sent& part = send(*a, cdb10(0x2a, 0, 4), filled(1100, 1));
  BOOST_TEST(part.good());
  BOOST_TEST(part.command.required_data_out_bytes == 2048u);
  BOOST_TEST(script->data_bytes.back() == 1024u);
  BOOST_TEST(get16(&script->seen_of(0x2a).at(0)[7]) == 2u);
  Sent& nothing = send(*a, cdb10(0x2a, 0, 4), {});
  BOOST_TEST(nothing.good());
  BOOST_TEST(nothing.command.required_data_out_bytes == 2048u);
  BOOST_TEST(passed(0x2a) == 1u);
}

// Red when what the adapter carries at a time is the most that an initiator may ask for.
BOOST_FIXTURE_TEST_CASE(a_long_transfer_passes_in_pieces, Fixture) {
  constexpr std::uint32_t kPieceBlocks = ScriptedDevice::kMaxTransferBytes / 512;
  constexpr std::uint32_t kBlocks = 2 * kPieceBlocks + 3;
  answer(0x28, [](ScsiExchange& exchange, std::span<std::byte> data) {
    data.back() = static_cast<std::byte>(get32(exchange.cdb.data() + 2) >> 8);
    return 0;
  });
  Sent& read = send(*a, cdb10(0x28, 0x100, kBlocks), {}, kBlocks * 512);
  BOOST_TEST(read.good());
  BOOST_TEST(read.command.data_in_bytes == kBlocks * 512);
  for (std::uint32_t piece : {0u, 1u, 2u}) {
    const std::uint32_t end = std::min(kBlocks, (piece + 1) * kPieceBlocks) * 512;
    const std::uint32_t lba = 0x100 + piece * kPieceBlocks;
    BOOST_TEST((read.data()[end - 1] == static_cast<std::byte>(lba >> 8)));
    BOOST_TEST(get32(script->seen_of(0x28).at(piece).data() + 2) == lba);
  }
  Bytes got;
  answer(0xae, [&got](ScsiExchange&, std::span<std::byte> data) {
    got.insert(got.end(), data.begin(), data.end());
    return 0;
  });
  const Bytes data = filled(kBlocks * 512 - 7, 5);  // the last block is not whole
  Sent& write = send(*a, {0xae, 0, 0, 0, 0, 9, 0, 0, kBlocks >> 8, kBlocks & 0xff, 0, 0}, data);
  BOOST_TEST(write.good());
  BOOST_TEST((got == Bytes(data.begin(), data.begin() + (kBlocks - 1) * 512)));
  BOOST_TEST(write.command.required_data_out_bytes == kBlocks * 512);
}

BOOST_FIXTURE_TEST_CASE(a_piece_that_fails_ends_the_transfer, Fixture) {
  answer(0x28, [](ScsiExchange& exchange, std::span<std::byte>) {
    if (get32(exchange.cdb.data() + 2) == 0) return 0;
    backstore::test::check_condition(exchange, 3, 0x1100);
    exchange.transferred_bytes = 512;
    return 0;
  });
  constexpr std::uint32_t kPieceBytes = ScriptedDevice::kMaxTransferBytes;
  Sent& read = send(*a, cdb10(0x28, 0, 3 * kPieceBytes / 512), {}, 3 * kPieceBytes);
  BOOST_TEST(read.failed(3, 0x1100));
  BOOST_TEST(passed(0x28) == 2u);
  BOOST_TEST(read.command.data_in_bytes == kPieceBytes + 512);
  // All of its data came, and yet it is not good.
  answer(0x28, [](ScsiExchange& exchange, std::span<std::byte>) {
    return backstore::test::check_condition(exchange, 1, 0x1701), 0;
  });
  BOOST_TEST(
      send(*a, cdb10(0x28, 0, 3 * kPieceBytes / 512), {}, 3 * kPieceBytes).failed(1, 0x1701));
  BOOST_TEST(passed(0x28) == 3u);
}

// Red when a device that looks past WRPROTECT writes blocks whose length nobody has agreed on.
BOOST_FIXTURE_TEST_CASE(protection_that_the_device_has_not_is_refused, Fixture) {
  for (const std::uint8_t opcode :
       std::initializer_list<std::uint8_t>{0x28, 0x2a, 0x2e, 0x2f, 0x41})
    BOOST_TEST(send(*a, cdb10(opcode, 0, 1, 0x20), filled(512, 1)).failed(5, 0x2400));
  BOOST_TEST(passed(0x41) == 0u);
  // Byte 1 of READ(6) has no such bits.
  BOOST_TEST(send(*a, {0x08, 0x20, 0, 0, 1, 0}, {}, 512).good());
}

// Red when it passes: a device that adds LBA and length finds a small number, and reads what is not
// its own.
BOOST_FIXTURE_TEST_CASE(a_range_that_wraps_is_out_of_range, Fixture) {
  for (const std::uint8_t opcode : std::initializer_list<std::uint8_t>{0x88, 0x8a, 0x8f, 0x93}) {
    BOOST_TEST(send(*a, cdb16(opcode, UINT64_MAX, 1), filled(512, 1)).failed(5, 0x2100));
    BOOST_TEST(passed(opcode) == 0u);
    BOOST_TEST(send(*a, cdb16(opcode, UINT64_MAX, 0), {}).failed(5, 0x2100));
    BOOST_TEST(passed(opcode) == 0u);
    BOOST_TEST(send(*a, cdb16(opcode, UINT64_MAX - 2, 2), filled(1024, 1)).good());
  }
  Cdb lba_status = cdb16(0x9e, UINT64_MAX, 24);
  lba_status[1] = 0x12;
  BOOST_TEST(send(*a, lba_status, {}, 24).failed(5, 0x2100));
  lba_status[1] = 0x10;  // READ CAPACITY(16) has no LBA
  BOOST_TEST(send(*a, lba_status, {}, 24).good());
}

struct WithProtection : Fixture {
  WithProtection() {
    answer(0x12, says({0, 0, 6, 2, 31, 0x01}));
    luns.entries[0].unit = unit = make_unit(false);
    a = std::make_unique<Initiator>(luns, 3);
    a->settle();
  }
};
BOOST_FIXTURE_TEST_CASE(protection_that_the_device_has_passes, WithProtection) {
  BOOST_TEST(send(*a, cdb10(0x41, 0, 1, 0x20), filled(520, 1)).good());
  BOOST_TEST(passed(0x41) == 1u);
}

BOOST_FIXTURE_TEST_CASE(sense_data_and_status_come_back_unchanged, Fixture) {
  answer(0x28, fails(3, 0x1104));
  Sent& read = send(*a, cdb10(0x28, 0, 1), {}, 512);
  BOOST_TEST(read.failed(3, 0x1104));
  BOOST_TEST(read.command.sense_bytes == 18);
  answer(0x28, [](ScsiExchange& exchange, std::span<std::byte>) {
    exchange.status = 0x28;  // TASK SET FULL
    return 0;
  });
  BOOST_TEST((send(*a, cdb10(0x28, 0, 1), {}, 512).command.status == Status::task_set_full));
}

BOOST_FIXTURE_TEST_CASE(a_device_without_an_answer_is_a_communication_failure, Fixture) {
  answer(0x28, [](ScsiExchange&, std::span<std::byte>) { return ETIMEDOUT; });
  BOOST_TEST(send(*a, cdb10(0x28, 0, 1), {}, 512).failed(0xb, 0x0801));
  answer(0x28, [](ScsiExchange&, std::span<std::byte>) { return ENODEV; });
  BOOST_TEST(send(*a, cdb10(0x28, 0, 1), {}, 512).failed(0x4, 0x0800));
  answer(0x28, says({1, 2, 3}));
  BOOST_TEST(send(*a, cdb10(0x28, 0, 1), {}, 512).good());
}

// Red when only the command that came first hears of the device's reset.
BOOST_FIXTURE_TEST_CASE(a_unit_attention_of_the_device_reaches_every_nexus, Fixture) {
  answer(0x00, fails(6, 0x2903));
  BOOST_TEST(send(*a, kTestUnitReady).failed(6, 0x2903));
  answer(0x00, says({}));
  BOOST_TEST(send(*b, kTestUnitReady).failed(6, 0x2903));
  BOOST_TEST(send(*b, kTestUnitReady).good());
  BOOST_TEST(send(*a, kTestUnitReady).good());
}

// Red when only the one whose flush failed knows that the device lost writes of all.
BOOST_FIXTURE_TEST_CASE(a_failed_flush_of_the_device_reaches_every_nexus, Fixture) {
  const Cdb flush = cdb10(0x35, 0, 0);
  answer(0x35, fails(3, 0x0c02));
  BOOST_TEST(send(*a, flush).failed(3, 0x0c02));
  answer(0x35, fails(6, 0x2a01));  // no answer to the question
  BOOST_TEST(send(*b, flush).failed(6, 0x2a01));
  answer(0x35, says({}));
  BOOST_TEST(send(*b, flush).failed(3, 0x0c00));
  BOOST_TEST(send(*b, flush).good());
  BOOST_TEST(send(*a, flush).failed(6, 0x2a01));
  BOOST_TEST(send(*a, flush).good());
}

// Red when a deferred error is taken for one of the command that it came with: initiators do that
// command again, and the loss is forgotten.
BOOST_FIXTURE_TEST_CASE(a_deferred_error_of_the_device_reaches_every_flush, Fixture) {
  answer(0x28, [](ScsiExchange& exchange, std::span<std::byte>) {
    backstore::test::check_condition(exchange, 3, 0x0c00);
    exchange.sense[0] = std::byte{0x71};
    return 0;
  });
  BOOST_TEST(send(*a, cdb10(0x28, 0, 1), {}, 512).failed(3, 0x0c00));
  BOOST_TEST(send(*a, cdb16(0x91, 0, 0)).failed(3, 0x0c00));
  BOOST_TEST(send(*b, cdb16(0x91, 0, 0)).failed(3, 0x0c00));
  BOOST_TEST(send(*a, cdb16(0x91, 0, 0)).good());
}

BOOST_FIXTURE_TEST_CASE(a_new_capacity_reaches_every_nexus, Fixture) {
  answer(0x00, fails(6, 0x2a09));
  answer(0x25, says({0, 0, 0x0f, 0xff, 0, 0, 2, 0}));
  BOOST_TEST(send(*a, kTestUnitReady).failed(6, 0x2a09));
  answer(0x00, says({}));
  BOOST_TEST(unit->refresh_capacity().value());
  BOOST_TEST(unit->size_bytes() == 4096u * 512);
  BOOST_TEST(send(*b, kTestUnitReady).failed(6, 0x2a09));
}

BOOST_FIXTURE_TEST_CASE(commands_that_nobody_knows_pass_too, Fixture) {
  BOOST_TEST(send(*a, {0xc1, 1, 2, 3, 4, 5, 6, 7, 8, 9}, filled(100, 1)).good());
  BOOST_TEST(script->data_bytes.back() == 100u);
  BOOST_TEST(send(*a, {0x5d, 0, 0, 0, 0, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(passed(0x5d) == 1u);
  // Of the group without a fixed length only 7Fh says how long it is.
  BOOST_TEST(send(*a, {0x60}).failed(5, 0x2000));
  BOOST_TEST(passed(0x60) == 0u);
}

BOOST_FIXTURE_TEST_CASE(what_cannot_pass_is_refused, Fixture) {
  BOOST_TEST(send(*a, cdb10(0x28, 0, 0xffff), {}, 0xffff * 512).failed(5, 0x2400));
  BOOST_TEST(passed(0x28) == 0u);
  BOOST_TEST(send(*a, {0xc1}, filled(512, 1), 512).failed(5, 0x2400));  // both directions
  BOOST_TEST(passed(0xc1) == 0u);
}

// Red when the device has an ACA condition of its own, which nobody here could clear.
BOOST_FIXTURE_TEST_CASE(naca_is_for_the_target, Fixture) {
  answer(0x28, fails(3, 0x1100));
  BOOST_TEST(send(*a, {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0x04}, {}, 512).failed(3, 0x1100));
  BOOST_TEST((script->seen_of(0x28).at(0)[9] == 0));
  BOOST_TEST((send(*a, cdb10(0x28, 0, 1), {}, 512).command.status == Status::aca_active));
  unit->reset();
}

BOOST_FIXTURE_TEST_CASE(what_is_the_targets_own_does_not_pass, Fixture) {
  Sent& luns_sent = send(*a, {0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0}, {}, 64);
  BOOST_TEST(luns_sent.good());
  BOOST_TEST(get32(luns_sent.data().data()) == 16u);  // two LUNs
  BOOST_TEST(passed(0xa0) == 0u);
  unit->reset();
  Sent& sense = send(*a, {0x03, 0, 0, 0, 252, 0}, {}, 252);
  BOOST_TEST(get16(sense.data().data() + 12) == 0x2903u);
  BOOST_TEST(passed(0x03) == 0u);
  send(*a, {0x03, 0, 0, 0, 252, 0}, {}, 252);
  BOOST_TEST(passed(0x03) == 1u);
}

// Red when the block limits of the device go out although the host's adapter carries less.
BOOST_FIXTURE_TEST_CASE(inquiry_is_the_devices_but_for_what_the_target_bounds, Fixture) {
  Sent& standard = send(*a, {0x12, 0, 0, 0, 36, 0}, {}, 36);
  BOOST_TEST((standard.data()[3] == std::byte{0x22}));  // NORMACA: the target has it
  answer(0x12, says({0, 0xb0, 0, 60, 0, 0, 0, 8, 0, 0, 0x40, 0, 0, 0, 0x20, 0}));
  Sent& limits = send(*a, {0x12, 1, 0xb0, 0, 64, 0}, {}, 64);
  BOOST_TEST(get32(limits.data().data() + 8) == 0x4000u);  // the device's own, and 8 MiB
  BOOST_TEST(get32(limits.data().data() + 12) == ScriptedDevice::kMaxTransferBytes / 512);
}

BOOST_FIXTURE_TEST_CASE(a_write_protected_lun_says_so_and_refuses, Fixture) {
  answer(0x1a, says({3, 0, 0x10, 0}));
  BOOST_TEST((send(*a, {0x1a, 8, 0x3f, 0, 4, 0}, {}, 4).data()[2] == std::byte{0x10}));
  BOOST_TEST((send(*a, {0x1a, 8, 0x3f, 0, 4, 0}, {}, 4, 1).data()[2] == std::byte{0x90}));
  BOOST_TEST(send(*a, cdb10(0x2a, 0, 1), filled(512, 1), 0, 1).failed(7, 0x2700));
  BOOST_TEST(send(*a, {0xc1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, filled(8, 1), 0, 1).failed(7, 0x2700));
  BOOST_TEST(send(*a, cdb10(0x28, 0, 1), {}, 512, 1).good());
  BOOST_TEST(passed(0x2a) == 0u);
}

// Red when reservations pass: the device takes all initiators for one and keeps nobody out.
BOOST_FIXTURE_TEST_CASE(reservations_keep_other_initiators_out, Fixture) {
  BOOST_TEST(send(*a, {0x16, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(passed(0x16) == 0u);
  BOOST_TEST(send(*b, cdb10(0x28, 0, 1), {}, 512).conflict());
  BOOST_TEST(send(*b, {0xc1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, filled(8, 1)).conflict());
  BOOST_TEST(send(*a, cdb10(0x28, 0, 1), {}, 512).good());
  BOOST_TEST(passed(0x28) == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_backstore_that_takes_reservations_gets_them, OwnReservationsOfTheDevice) {
  BOOST_TEST(send(*a, {0x16, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(send(*a, {0x5e, 0, 0, 0, 0, 0, 0, 0, 8, 0}, {}, 8).good());
  BOOST_TEST(passed(0x16) == 1u);
  BOOST_TEST(passed(0x5e) == 1u);
  BOOST_TEST(send(*b, cdb10(0x28, 0, 1), {}, 512).good());
}

// Red when an abort is reported while the device may still write.
BOOST_FIXTURE_TEST_CASE(an_abort_waits_for_the_device, Fixture) {
  {
    const std::lock_guard lock(script->mutex);
    script->holding = true;
  }
  Sent& write = a->send(cdb10(0x2a, 0, 1), filled(512, 1), 0);
  pool->flush_submissions();
  script->await(0x2a);
  unit->abort(write.command);
  pool->drain();
  BOOST_TEST(!write.aborted);
  script->release();
  pool->wait_idle();
  BOOST_TEST(write.aborted);
  BOOST_TEST(!write.done);
}
