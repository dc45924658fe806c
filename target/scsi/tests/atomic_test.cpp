// WRITE ATOMIC on a disk that has a journal for it: alone on its unit, aborted as a whole, with the
// sense data of what failed.
#include <signal.h>
#include <sys/resource.h>

#include "target/scsi/tests/bench.h"
#include "target/scsi/tests/journal.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;
namespace backstore = tsihd::backstore;

namespace {

constexpr std::uint64_t kDiskBytes = 4u << 20;

std::unique_ptr<ScriptedDisk> plain_disk() {
  auto disk = std::make_unique<ScriptedDisk>(kDiskBytes);
  disk->described().max_atomic_write_bytes = 0;
  disk->holding = false;
  return disk;
}

Cdb write_atomic(std::uint64_t lba, std::uint16_t blocks) { return cdb16(0x9c, lba, blocks); }

struct Journaled : Bench {
  Journaled() : Bench(plain_disk()) { journal.offer(*unit); }

  ScriptedDisk& disk() { return static_cast<ScriptedDisk&>(unit->backstore()); }
  std::uint32_t limit_blocks() { return get32(&a->send({0x12, 1, 0xb0, 0, 255, 0}).data().at(44)); }
  /// ONE COMMAND of REPORT SUPPORTED OPERATION CODES: 3, supported as the standard says.
  int support() {
    const Bytes data = a->send({0xa3, 0x0c, 1, 0x9c, 0, 0, 0, 0, 0, 64, 0, 0}).data();
    return static_cast<int>(data.at(1) & std::byte{7});
  }
  void settle() { journal.settle(); }
  /// An atomic write that has come as far as its data being on its way to the disk.
  Sent& write_up_to_the_disk(const Bytes& data) {
    disk().holding = true;
    Sent& sent = a->send(write_atomic(8, static_cast<std::uint16_t>(data.size() / 512)), data);
    disk().complete(0);  // flush
    disk().complete(0);  // read
    settle();
    BOOST_TEST_REQUIRE(disk().held.size() == 1u);
    BOOST_TEST((disk().held[0]->op == backstore::Op::write));
    return sent;
  }

  Journal journal;
};

struct WithoutJournal : Bench {
  WithoutJournal() : Bench(plain_disk()) {}
};

/// While it lives, no file can be written.
class NoFileMayGrow {
 public:
  NoFileMayGrow() {
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit none{0, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  ~NoFileMayGrow() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

const Bytes kData = filled(2048, 3);

}  // namespace

BOOST_AUTO_TEST_SUITE(atomic)

BOOST_FIXTURE_TEST_CASE(a_disk_with_neither_promise_nor_journal_refuses_it, WithoutJournal) {
  BOOST_TEST(a->send(write_atomic(8, 4), kData).failed(0x5, 0x2000));
  BOOST_TEST(get32(&a->send({0x12, 1, 0xb0, 0, 255, 0}).data().at(44)) == 0u);
}

BOOST_FIXTURE_TEST_CASE(with_a_journal_it_is_offered_and_its_limit_kept, Journaled) {
  BOOST_TEST(support() == 3);
  BOOST_TEST(limit_blocks() == backstore::kMaxAtomicWriteBytes / 512);
  const Bytes longest = filled(backstore::kMaxAtomicWriteBytes, 1);
  const Sent& sent = a->send(write_atomic(0, 2048), longest);
  settle();
  BOOST_TEST(sent.good());
  BOOST_TEST((a->send(cdb10(0x28, 0, 2048)).data() == longest));
  BOOST_TEST(a->send(write_atomic(0, 2049), Bytes(2049 * 512)).failed(0x5, 0x2400));
  BOOST_TEST(a->send(write_atomic(kDiskBytes / 512, 0)).good());
  BOOST_TEST(a->send(write_atomic(kDiskBytes / 512, 1), Bytes(512)).failed(0x5, 0x2100));
}

// Red when somebody reads or writes between the first step of an atomic write and its last.
BOOST_FIXTURE_TEST_CASE(nobody_comes_between, Journaled) {
  Sent& sent = write_up_to_the_disk(kData);
  const Sent& reads = b->send(cdb10(0x28, 8, 4));
  const Sent& writes = b->send(cdb10(0x2a, 10, 1), filled(512, 9));
  const Sent& second = b->send(write_atomic(9, 4), kData);
  BOOST_TEST(disk().held.size() == 1u);
  disk().complete(0);
  BOOST_TEST(!sent.done);  // the journal is not clear yet
  BOOST_TEST(disk().held.empty());
  settle();
  BOOST_TEST(sent.good());
  disk().complete_all();
  settle();
  disk().complete_all();
  settle();
  BOOST_TEST((reads.data() == kData));
  BOOST_TEST((writes.good() && second.good()));
}

// Red when an abort is reported while the write can still land.
BOOST_FIXTURE_TEST_CASE(an_abort_waits_for_the_last_step, Journaled) {
  Sent& sent = write_up_to_the_disk(kData);
  unit->abort(sent.command);
  disk().complete(0);
  BOOST_TEST(!sent.aborted);
  settle();
  BOOST_TEST((sent.aborted && !sent.done));
  disk().holding = false;
  BOOST_TEST((b->send(cdb10(0x28, 8, 4)).data() == kData));
}

BOOST_FIXTURE_TEST_CASE(an_error_of_the_disk_is_told_with_its_place, Journaled) {
  for (const auto& [error, key, code] :
       {std::tuple{EIO, 0x3, 0x0c00}, {ENOSPC, 0x7, 0x2707}, {ENODEV, 0x4, 0x0800}}) {
    const Sent& sent = write_up_to_the_disk(kData);
    disk().complete(0, error);
    disk().complete_all();  // the range is read again
    settle();
    BOOST_TEST(sent.failed(static_cast<std::uint8_t>(key), static_cast<unsigned>(code)));
    if (error == EIO) BOOST_TEST(sent.information() == 8u);
    disk().holding = false;
    BOOST_TEST((b->send(cdb10(0x28, 8, 4)).data() == Bytes(2048)));
  }
}

// Red when a flush that failed on the way of this command stays its own affair: what it lost may be
// anybody's.
BOOST_FIXTURE_TEST_CASE(an_error_of_the_first_flush_concerns_everybody, Journaled) {
  disk().holding = true;
  const Sent& sent = a->send(write_atomic(8, 4), kData);
  disk().complete(0, EIO);
  BOOST_TEST(sent.failed(0x3, 0x0c00));
  disk().holding = false;
  BOOST_TEST(b->send(cdb10(0x35, 0, 0)).failed(0x3, 0x0c00));
  BOOST_TEST(b->send(cdb10(0x35, 0, 0)).good());
}

BOOST_FIXTURE_TEST_CASE(blocks_that_cannot_be_read_cannot_be_written_atomically, Journaled) {
  disk().holding = true;
  const Sent& sent = a->send(write_atomic(8, 4), kData);
  disk().complete(0);
  disk().complete(0, EIO);
  BOOST_TEST(sent.failed(0x3, 0x1100));
  BOOST_TEST(sent.information() == 8u);
}

// Red when a range that a shrink took away is called a fault of the medium, or stops all writes.
BOOST_FIXTURE_TEST_CASE(a_shrink_in_the_middle_is_out_of_range, Journaled) {
  const Sent& sent = write_up_to_the_disk(kData);
  disk().resize_outside(10 * 512);
  disk().complete(0);
  disk().complete_all();
  settle();
  BOOST_TEST(sent.failed(0x5, 0x2100));
  disk().holding = false;
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2a09));
  BOOST_TEST((a->send(cdb10(0x28, 8, 2)).data() == Bytes(1024)));
  BOOST_TEST(a->send(cdb10(0x2a, 8, 2), filled(1024, 1)).good());
}

BOOST_FIXTURE_TEST_CASE(an_error_of_the_journal_is_ours_and_stops_writes, Journaled) {
  {
    const NoFileMayGrow full;
    const Sent& sent = a->send(write_atomic(8, 4), kData);
    settle();
    BOOST_TEST(sent.failed(0x4, 0x4400));
  }
  BOOST_TEST((b->send(cdb10(0x28, 8, 4)).data() == Bytes(2048)));
  BOOST_TEST(b->send(cdb10(0x2a, 8, 4), kData).failed(0x7, 0x2700));
}

BOOST_AUTO_TEST_SUITE_END()
