// pscsi over a device that answers by script: what is passed, what is told of it, and that a device
// without an answer is an error and no more.
#include <boost/test/unit_test.hpp>
#include <cerrno>

#include "target/backstore/open.h"
#include "target/backstore/tests/scripted_device.h"

using namespace tsihd;
using namespace tsihd::backstore;
using namespace tsihd::backstore::test;

namespace {

struct Fixture {
  std::unique_ptr<IoPool> pool = IoPool::create(2).value();
  std::shared_ptr<Script> script = std::make_shared<Script>();

  Result<std::unique_ptr<Backstore>> try_open() {
    return open_pscsi(*pool, std::make_unique<ScriptedDevice>(script), {.device = "1:0:0:0"});
  }
  std::unique_ptr<Backstore> open() { return try_open().value(); }

  int run(Backstore& disk, ScsiExchange& exchange, std::span<std::byte> data = {}) {
    int calls = 0;
    Io io;
    io.op = Op::scsi;
    io.scsi = &exchange;
    io.data = data;
    io.owner = &calls;
    io.done = [](Io& done) { ++*static_cast<int*>(done.owner); };
    disk.submit(io);
    pool->wait_idle();
    BOOST_TEST(calls == 1);
    return io.error;
  }
};

ScsiExchange command(std::initializer_list<std::uint8_t> cdb) {
  ScsiExchange exchange;
  std::ranges::copy(cdb, exchange.cdb.begin());
  exchange.cdb_bytes = static_cast<std::uint8_t>(cdb.size());
  exchange.direction = ScsiExchange::Direction::from_device;
  return exchange;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_disk_says_its_size_and_takes_commands_only, Fixture) {
  auto disk = open();
  const Geometry& geometry = disk->geometry();
  BOOST_TEST(disk->type() == "pscsi");
  BOOST_TEST(geometry.takes_scsi_commands);
  BOOST_TEST(geometry.size_bytes == ScriptedDevice::kBlocks * 512u);
  BOOST_TEST(geometry.max_transfer_bytes == ScriptedDevice::kMaxTransferBytes);
  Io io;
  io.done = [](Io&) {};
  disk->submit(io);
  BOOST_TEST(io.error == EOPNOTSUPP);
  BOOST_TEST(!disk->resize(1 << 20).has_value());
}

// Red when the start takes a device's first word, 29/00 after its reset, for its last.
BOOST_FIXTURE_TEST_CASE(unit_attentions_do_not_stop_the_start, Fixture) {
  int asked = 0;
  script->answers[0x25] = [&asked](ScsiExchange& exchange, std::span<std::byte> data) {
    if (++asked <= 2) return check_condition(exchange, 6, 0x2900), 0;
    put(data, {0, 0, 0, 0xff, 0, 0, 0x10, 0});
    return 0;
  };
  auto disk = open();
  BOOST_TEST(disk->geometry().size_bytes == 256u * 4096);
  BOOST_TEST(disk->geometry().block_size_bytes == 4096u);
}

BOOST_FIXTURE_TEST_CASE(a_disk_of_more_than_two_tebibytes_is_asked_again, Fixture) {
  script->answers[0x25] = [](ScsiExchange&, std::span<std::byte> data) {
    put(data, {0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0});
    return 0;
  };
  script->answers[0x9e] = [](ScsiExchange&, std::span<std::byte> data) {
    put(data, {0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0});
    return 0;
  };
  auto disk = open();
  BOOST_TEST(disk->geometry().size_bytes == (std::uint64_t{512} << 33));
}

BOOST_FIXTURE_TEST_CASE(a_device_without_blocks_has_no_size, Fixture) {
  script->answers[0x12] = [](ScsiExchange&, std::span<std::byte> data) {
    put(data, {0x08});  // a medium changer
    return 0;
  };
  auto disk = open();
  BOOST_TEST(disk->geometry().size_bytes == 0u);
  BOOST_TEST(script->seen_of(0x25).empty());
}

BOOST_FIXTURE_TEST_CASE(no_device_is_one_line, Fixture) {
  script->answers[0x12] = [](ScsiExchange&, std::span<std::byte>) { return ENODEV; };
  auto opened = try_open();
  BOOST_TEST_REQUIRE(!opened.has_value());
  BOOST_TEST(opened.error().message ==
             "1:0:0:0: the device does not answer INQUIRY: No such device");
  script->answers[0x12] = [](ScsiExchange&, std::span<std::byte> data) {
    put(data, {0x7f});
    return 0;
  };
  opened = try_open();
  BOOST_TEST_REQUIRE(!opened.has_value());
  BOOST_TEST(opened.error().message.starts_with("1:0:0:0: no device is connected"));
}

BOOST_FIXTURE_TEST_CASE(paths_that_are_no_scsi_device_are_one_line, Fixture) {
  for (const auto& [device, words] : {std::pair{"/nowhere/sda", "no such device"},
                                      {"/dev/null", "not a SCSI device"},
                                      {"250:0:0:0", "no such SCSI device"}}) {
    const auto opened = open_pscsi(*pool, {.device = device});
    BOOST_TEST_REQUIRE(!opened.has_value());
    BOOST_TEST(opened.error().message.find(words) != std::string::npos);
  }
}

BOOST_FIXTURE_TEST_CASE(the_answer_comes_back_as_it_is, Fixture) {
  auto disk = open();
  script->answers[0x28] = [](ScsiExchange& exchange, std::span<std::byte>) {
    check_condition(exchange, 3, 0x1100);
    exchange.transferred_bytes = 512;
    return 0;
  };
  auto exchange = command({0x28, 0, 0, 0, 0, 7, 0, 0, 2, 0});
  std::array<std::byte, 1024> data{};
  BOOST_TEST(run(*disk, exchange, data) == 0);
  BOOST_TEST(exchange.status == 2);
  BOOST_TEST(exchange.sense_bytes == 18);
  BOOST_TEST(exchange.transferred_bytes == 512u);
  BOOST_TEST((script->seen_of(0x28).at(0) == exchange.cdb));
}

BOOST_FIXTURE_TEST_CASE(a_device_that_does_not_answer_is_an_error_and_is_asked_again, Fixture) {
  auto disk = open();
  for (int error : {ETIMEDOUT, ENODEV, EIO}) {
    script->answers[0x00] = [error](ScsiExchange&, std::span<std::byte>) { return error; };
    auto exchange = command({0, 0, 0, 0, 0, 0});
    BOOST_TEST(run(*disk, exchange) == error);
  }
  script->answers.erase(0x00);
  auto exchange = command({0, 0, 0, 0, 0, 0});
  BOOST_TEST(run(*disk, exchange) == 0);
}

// Red when a host hears HARDWARE ERROR for a command that the device merely has not: the adapter of
// virtio-scsi fails it before the device has seen it.
BOOST_FIXTURE_TEST_CASE(a_command_that_the_adapter_does_not_know_is_one_that_the_device_lacks,
                        Fixture) {
  auto disk = open();
  bool has_it = false;
  script->answers[0x89] = [&](ScsiExchange& exchange, std::span<std::byte> data) {
    if (!data.empty()) return EIO;
    if (!has_it) check_condition(exchange, 5, 0x2000);
    return 0;
  };
  auto exchange = command({0x89, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0});
  std::array<std::byte, 1024> data{};
  BOOST_TEST(run(*disk, exchange, data) == 0);
  BOOST_TEST((sense_code(exchange)->code == 0x2000));
  const auto asked = script->seen_of(0x89);
  BOOST_TEST_REQUIRE(asked.size() == 2u);
  BOOST_TEST((asked[1] == Script::Cdb{0x89}));
  has_it = true;
  BOOST_TEST(run(*disk, exchange, data) == EIO);
  // It has the command, and does not like its CDB.
  script->answers[0x89] = [](ScsiExchange& answer, std::span<std::byte> sent) {
    if (!sent.empty()) return EIO;
    return check_condition(answer, 5, 0x2400), 0;
  };
  BOOST_TEST(run(*disk, exchange, data) == EIO);
  // A zeroed CDB of FORMAT UNIT would format: those are not asked for.
  script->answers[0x04] = [](ScsiExchange&, std::span<std::byte>) { return EIO; };
  auto format = command({0x04, 0x10, 0, 0, 0, 0});
  BOOST_TEST(run(*disk, format, data) == EIO);
  BOOST_TEST(script->seen_of(0x04).size() == 1u);
}

BOOST_AUTO_TEST_CASE(both_formats_of_sense_data_are_read) {
  ScsiExchange answer;
  answer.status = 0x02;
  answer.sense_bytes = 18;
  put(answer.sense, {0xf0, 0, 0x26, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0x03});  // fixed, VALID, ILI
  BOOST_TEST((sense_code(answer)->key == 6 && sense_code(answer)->code == 0x2903));
  put(answer.sense, {0x72, 0x05, 0x24, 0x01, 0, 0, 0, 0});  // descriptors
  BOOST_TEST((sense_code(answer)->key == 5 && sense_code(answer)->code == 0x2401));
  answer.sense_bytes = 3;
  BOOST_TEST(!sense_code(answer).has_value());
  answer.sense_bytes = 18;
  answer.status = 0x00;
  BOOST_TEST(!sense_code(answer).has_value());
}

// Red when a growth that the device tells of goes unseen: tsihctl would show the old size.
BOOST_FIXTURE_TEST_CASE(a_new_capacity_is_seen_when_the_device_tells_of_it, Fixture) {
  auto disk = open();
  BOOST_TEST(!disk->refresh_size().value());
  script->answers[0x25] = [](ScsiExchange&, std::span<std::byte> data) {
    put(data, {0, 0, 0x0f, 0xff, 0, 0, 2, 0});
    return 0;
  };
  BOOST_TEST(!disk->refresh_size().value());
  script->answers[0x00] = [](ScsiExchange& exchange, std::span<std::byte>) {
    return check_condition(exchange, 6, 0x2a09), 0;
  };
  auto exchange = command({0, 0, 0, 0, 0, 0});
  BOOST_TEST(run(*disk, exchange) == 0);
  BOOST_TEST(disk->refresh_size().value());
  BOOST_TEST(disk->geometry().size_bytes == 4096u * 512);
  BOOST_TEST(!disk->refresh_size().value());
}

// Red when the pool is not given room: a device that hangs would stop the disks beside it.
BOOST_FIXTURE_TEST_CASE(a_device_that_hangs_leaves_threads_to_others, Fixture) {
  auto disk = open();
  script->holding = true;
  std::array<ScsiExchange, 20> exchanges;
  std::array<Io, 20> ios;
  for (std::size_t i = 0; i < ios.size(); ++i) {
    exchanges[i] = command({0, 0, 0, 0, 0, 0});
    ios[i].op = Op::scsi;
    ios[i].scsi = &exchanges[i];
    ios[i].done = [](Io&) {};
    disk->submit(ios[i]);
  }
  pool->flush_submissions();
  script->await(0x00);
  IoLane other([](void*, Io*) {}, nullptr, 1, 1);
  bool done = false;
  Io io;
  io.owner = &done;
  io.done = [](Io& it) { *static_cast<bool*>(it.owner) = true; };
  pool->submit(other, io);
  pool->flush_submissions();
  while (!done) pool->drain();
  BOOST_TEST(pool->outstanding() == ios.size());
  script->release();
  pool->wait_idle();
}
