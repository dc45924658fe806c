// Errors of the disk as initiators see them: the right sense data, and a unit that stays up.
#include <cerrno>

#include "target/scsi/tests/bench.h"

using namespace tsihd;
using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

const Cdb kRead = cdb10(0x28, 5, 1);
const Cdb kWrite = cdb10(0x2a, 5, 1);
const Cdb kFlush = cdb10(0x35, 0, 0);
const Cdb kLbaStatus{0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 24, 0, 0};

struct Case {
  const Cdb& cdb;
  int error;
  std::uint8_t key;
  unsigned code;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(each_error_has_its_sense_data_and_the_unit_stays_up, ScriptedBench) {
  const Case cases[] = {
      {kRead, EIO, 0x3, 0x1100},       {kWrite, EIO, 0x3, 0x0c00},
      {kFlush, EIO, 0x3, 0x0c00},      {kLbaStatus, EIO, 0x3, 0x1100},
      {kRead, ENODATA, 0x3, 0x1100},   {kWrite, ENOSPC, 0x7, 0x2707},
      {kWrite, EDQUOT, 0x7, 0x2707},   {kWrite, EFBIG, 0x7, 0x2707},
      {kWrite, EROFS, 0x7, 0x2700},    {kWrite, EBADF, 0x7, 0x2700},
      {kRead, ETIMEDOUT, 0xb, 0x0801}, {kRead, ENODEV, 0x4, 0x0800},
      {kWrite, ENXIO, 0x4, 0x0800},
  };
  for (const Case& it : cases) {
    const bool writes = &it.cdb == &kWrite;
    Sent& sent = a->send(it.cdb, writes ? filled(512, 1) : Bytes(), writes ? 0 : 512);
    disk().complete(0, it.error);
    BOOST_TEST_CONTEXT("opcode " << unsigned{it.cdb[0]} << " errno " << it.error)
    BOOST_TEST(sent.failed(it.key, it.code));
    Sent& next = a->send(kRead, {}, 512);
    disk().complete_all();
    BOOST_TEST(next.good());
  }
}

BOOST_FIXTURE_TEST_CASE(a_medium_error_names_its_block, ScriptedBench) {
  Sent& sent = a->send(kRead, {}, 512);
  disk().complete(0, EIO);
  BOOST_TEST(sent.information() == 5u);
}

BOOST_FIXTURE_TEST_CASE(a_disk_without_memory_is_busy, ScriptedBench) {
  Sent& sent = a->send(kRead, {}, 512);
  disk().complete(0, ENOMEM);
  BOOST_TEST((sent.command.status == Status::busy));
}

// Red when blocks that are gone are called a fault of the medium: an initiator would give up the
// disk and not look at its size.
BOOST_FIXTURE_TEST_CASE(a_disk_that_shrinks_under_a_request_is_out_of_range, ScriptedBench) {
  Sent& write = a->send(cdb10(0x2a, kBlocks - 2, 2), filled(1024, 1), 0);
  Sent& status = a->send(
      {0x9e, 0x12, 0, 0, 0, 0, 0, 0, (kBlocks - 1) >> 8, (kBlocks - 1) & 0xff, 0, 0, 0, 24, 0, 0});
  disk().resize_outside(kSizeBytes - 512);
  disk().complete(0, EIO);
  BOOST_TEST(write.failed(0x5, 0x2100));
  BOOST_TEST(write.information() == kBlocks - 1);
  disk().complete(0, EIO);
  BOOST_TEST(status.failed(0x5, 0x2100));
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2a09));
  BOOST_TEST(b->send(kTestUnitReady).failed(0x6, 0x2a09));
}
