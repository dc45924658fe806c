// What a volatile cache must not hide: FUA, VERIFY, and WCE switched off.
#include <cerrno>

#include "target/scsi/tests/bench.h"

using namespace tsihd;
using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

struct CacheBench : ScriptedBench {
  /// Completes the one request that the disk has.
  void expect(backstore::Op op) {
    BOOST_TEST_REQUIRE(disk().held.size() == 1u);
    BOOST_TEST((disk().held[0]->op == op));
    disk().complete(0);
  }
  const Sent& switch_write_cache_off() {
    constexpr std::size_t kFlags = 4 + 2;
    Bytes list = a->send({0x1a, 0x08, 0x08, 0, 255, 0}).data();
    list[0] = list[2] = std::byte{0};
    list.at(kFlags) &= ~std::byte{0x04};  // WCE
    const Sent& done = a->send({0x15, 0x10, 0, 0, static_cast<std::uint8_t>(list.size()), 0}, list);
    expect(backstore::Op::flush);
    return done;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(volatile_cache, CacheBench)

// Red when a read with FUA shows what a power cut could take away again.
BOOST_AUTO_TEST_CASE(a_read_with_fua_is_on_the_medium) {
  const Sent& fua = a->send(cdb10(0x28, 0, 1, 0x08));
  expect(backstore::Op::read);
  BOOST_TEST(!fua.done);
  expect(backstore::Op::flush);
  BOOST_TEST(fua.good());
  BOOST_TEST(fua.data().size() == 512u);
  const Sent& plain = a->send(cdb10(0x28, 0, 1, 0x10));  // DPO
  expect(backstore::Op::read);
  BOOST_TEST(plain.good());
}

// Red when a bit of the LBA of READ(6) is taken for FUA.
BOOST_AUTO_TEST_CASE(the_short_read_has_no_fua) {
  BOOST_TEST(unit->resize(512u << 20).has_value());
  a->send(kTestUnitReady);
  const Sent& it = a->send({0x08, 0x08, 0, 0, 1, 0});
  expect(backstore::Op::read);
  BOOST_TEST(it.good());
}

// Red when a write with FUA, or every write once WCE is off, may still be volatile.
BOOST_AUTO_TEST_CASE(fua_reaches_the_disk) {
  const Bytes unmap_list = [] {
    Bytes list(24);
    put16(&list[2], 16);
    put32(&list[16], 1);
    return list;
  }();
  const auto is_forced = [&](const Cdb& cdb, const Bytes& data) {
    const Sent& it = a->send(cdb, data);
    BOOST_TEST_REQUIRE(disk().held.size() == 1u);
    const bool forced = disk().held[0]->force_unit_access;
    disk().complete_all();
    BOOST_TEST(it.good());
    return forced;
  };
  const Cdb zeroes = cdb16(0x93, 0, 8, 0x01), pattern = cdb16(0x93, 0, 8);
  const Cdb unmap = cdb10(0x42, 0, 24);
  BOOST_TEST(!is_forced(cdb10(0x2a, 0, 1), Bytes(512)));
  BOOST_TEST(is_forced(cdb10(0x2a, 0, 1, 0x08), Bytes(512)));
  BOOST_TEST(!is_forced({0x0a, 0, 0, 0, 1, 0}, Bytes(512)));
  BOOST_TEST(!is_forced(zeroes, {}));
  BOOST_TEST(!is_forced(unmap, unmap_list));
  BOOST_TEST(switch_write_cache_off().good());
  BOOST_TEST(is_forced(cdb10(0x2a, 0, 1), Bytes(512)));
  BOOST_TEST(is_forced(zeroes, {}));
  BOOST_TEST(is_forced(pattern, filled(512, 1)));
  BOOST_TEST(is_forced(unmap, unmap_list));
}

// Red when the end of the cache is said to have gone well, and writes were lost before it.
BOOST_AUTO_TEST_CASE(the_end_of_the_cache_answers_for_what_was_in_it) {
  b->send(cdb10(0x35, 0, 0));
  disk().complete(0, EIO);
  BOOST_TEST(switch_write_cache_off().failed(0x3, 0x0c00));
}

// Red when VERIFY looks at a cache instead of the medium.
BOOST_AUTO_TEST_CASE(verify_settles_the_cache_first) {
  for (const std::uint8_t check : std::to_array<std::uint8_t>({0x00, 0x02, 0x06})) {
    const Sent& it = a->send(cdb10(0x2f, 0, 1, check), check == 0 ? Bytes() : Bytes(512));
    expect(backstore::Op::flush);
    expect(backstore::Op::read);
    BOOST_TEST(it.good());
  }
  BOOST_TEST(a->send(cdb10(0x2f, 0, 0)).good());
  BOOST_TEST(disk().held.empty());
}

// Red when WRITE AND VERIFY compares with what has not reached the medium.
BOOST_AUTO_TEST_CASE(write_and_verify_forces_its_write) {
  const Sent& it = a->send(cdb10(0x2e, 0, 1, 0x02), filled(512, 1));
  BOOST_TEST_REQUIRE(disk().held.size() == 1u);
  BOOST_TEST(disk().held[0]->force_unit_access);
  expect(backstore::Op::write);
  expect(backstore::Op::read);
  BOOST_TEST(it.good());
}

BOOST_AUTO_TEST_SUITE_END()
