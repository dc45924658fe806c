// ROD tokens: what they stand for, for how long, and for whom; and what is told of copies.
#include <chrono>

#include "target/scsi/limits.h"
#include "target/scsi/tests/copy_bench.h"
#include "target/scsi/tests/journal.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;
namespace backstore = tsihd::backstore;

namespace {

constexpr std::uint32_t kAccessUponReference = 0x00010000;
constexpr std::uint32_t kChangeVulnerable = 0x00800001;

struct Range {
  std::uint64_t lba;
  std::uint32_t blocks;
};

void append_ranges(Bytes& list, const std::vector<Range>& ranges) {
  put16(&list[list.size() - 2], ranges.size() * 16);
  for (const Range& it : ranges) {
    Bytes range(16);
    put64(&range[0], it.lba);
    put32(&range[8], it.blocks);
    append(list, range);
  }
  put16(&list[0], list.size() - 2);
}

/// With type 0 the choice is left to the target.
Bytes populate_list(const std::vector<Range>& ranges, std::uint32_t type = 0,
                    std::uint32_t timeout_s = 0) {
  Bytes list(16);
  list[2] = std::byte{type == 0 ? std::uint8_t{0} : std::uint8_t{0x02}};  // RTV
  put32(&list[4], timeout_s);
  put32(&list[8], type);
  append_ranges(list, ranges);
  return list;
}

Bytes write_list(const Bytes& token, const std::vector<Range>& ranges, std::uint64_t offset = 0,
                 std::uint8_t flags = 0) {
  Bytes list(536);
  list[2] = std::byte{flags};
  put64(&list[8], offset);
  std::ranges::copy(token, list.begin() + 16);
  append_ranges(list, ranges);
  return list;
}

Bytes zero_token() {
  Bytes token(512);
  put32(&token[0], 0xffff0001);
  put16(&token[6], 504);
  return token;
}

struct TokenBench : CopyBench {
  using CopyBench::CopyBench;

  Sent& populate(Initiator& by, const Bytes& list, std::uint32_t identifier = 7) {
    return by.send(copy_out(0x10, list.size(), identifier), list);
  }
  /// The token that a POPULATE TOKEN of LUN 0 left to be fetched.
  Bytes fetch(Initiator& by, std::uint32_t identifier = 7) {
    const Bytes data = by.send(receive(0x07, identifier)).data();
    const std::size_t at = 32 + static_cast<std::size_t>(data.at(13));
    if (get32(&data.at(at)) != 514) return {};
    return Bytes(data.begin() + static_cast<std::ptrdiff_t>(at) + 6, data.end());
  }
  Bytes make_token(const std::vector<Range>& ranges, std::uint32_t type = 0,
                   std::uint32_t timeout_s = 0) {
    BOOST_TEST(populate(*a, populate_list(ranges, type, timeout_s)).good());
    return fetch(*a);
  }
  /// WRITE USING TOKEN to LUN 1.
  Sent& use(Initiator& by, const Bytes& list) {
    Sent& it = to_other(by, copy_out(0x11, list.size(), 8), list);
    turn_until_asleep();
    return it;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(copy_tokens, TokenBench)

BOOST_AUTO_TEST_CASE(ranges_of_the_token_fill_ranges_of_the_list) {
  const Bytes data = filled(8 * 512, 3);
  a->send(cdb10(0x2a, 10, 8), data);
  const Bytes token = make_token({{10, 3}, {50, 0}, {13, 5}});
  BOOST_TEST(token.size() == 512u);
  BOOST_TEST(get32(&token[0]) == kChangeVulnerable);
  BOOST_TEST(get64(&token[56]) == 8u * 512);
  BOOST_TEST(use(*a, write_list(token, {{100, 2}, {200, 6}})).good());
  BOOST_TEST((read_other(100, 2) == Bytes(data.begin(), data.begin() + 1024)));
  BOOST_TEST((read_other(200, 6) == Bytes(data.begin() + 1024, data.end())));
  BOOST_TEST(use(*a, write_list(token, {{300, 2}}, 4)).good());  // from the fifth block on
  BOOST_TEST((read_other(300, 2) == Bytes(data.begin() + 4 * 512, data.begin() + 6 * 512)));
  BOOST_TEST(use(*b, write_list(token, {{400, 8}})).good());  // a token may be handed on
  BOOST_TEST((read_other(400, 8) == data));
  const Bytes status = to_other(*b, receive(0x07, 8)).data();
  BOOST_TEST((status.at(4) == std::byte{0x11} && status.at(5) == std::byte{0x01}));
  BOOST_TEST((status.at(15) == std::byte{0xf1}));
  BOOST_TEST(get64(&status[16]) == 8u);
  BOOST_TEST(get32(&status[32]) == 0u);  // no token came of it
}

BOOST_AUTO_TEST_CASE(the_zero_token_needs_no_source) {
  to_other(*a, cdb10(0x2a, 0, 4), filled(2048, 3));
  BOOST_TEST(use(*a, write_list(zero_token(), {{0, 2}, {3, 1}})).good());
  BOOST_TEST((read_other(0, 2) == Bytes(1024)));
  BOOST_TEST((read_other(2, 1) != Bytes(512)));
  BOOST_TEST((read_other(3, 1) == Bytes(512)));
}

/// Red when a point in time shows data of another.
BOOST_AUTO_TEST_CASE(a_change_voids_the_point_in_time) {
  const std::vector<std::pair<Cdb, Bytes>> changes{
      {cdb10(0x2a, 12, 1), Bytes(512)},
      {cdb16(0x93, 10, 4), Bytes(512)},
      {cdb16(0x93, 13, 4, 0x08), Bytes(512)},            // UNMAP
      {{0x48, 0x02, 0, 0, 0, 0, 0, 0, 0, 0}, Bytes()}};  // SANITIZE
  for (const auto& [cdb, list] : changes) {
    const Bytes token = make_token({{10, 4}});
    const Bytes reference = make_token({{10, 4}}, kAccessUponReference);
    BOOST_TEST(a->send(cdb10(0x2a, 14, 1), Bytes(512)).good());  // beside it
    BOOST_TEST(use(*a, write_list(token, {{0, 4}})).good());
    BOOST_TEST(a->send(cdb, list).good());
    const Sent& it = use(*a, write_list(token, {{0, 4}}));
    BOOST_TEST(it.failed(0x5, 0x2304));
    BOOST_TEST(pointer(it) == 16u);
    BOOST_TEST(use(*a, write_list(reference, {{0, 4}})).good());
    BOOST_TEST((read_other(0, 4) == a->send(cdb10(0x28, 10, 4)).data()));
  }
  const Bytes token = make_token({{kBlocks - 1, 1}});
  BOOST_TEST(unit->resize(kSizeBytes / 2).has_value());
  BOOST_TEST(use(*a, write_list(token, {{0, 1}})).failed(0x5, 0x2304));
}

BOOST_AUTO_TEST_CASE(an_atomic_write_by_a_journal_voids_it_too) {
  Journal journal;
  journal.offer(*unit);
  const Bytes token = make_token({{10, 4}});
  const Sent& write = a->send(cdb16(0x9c, 12, 1), Bytes(512));
  journal.settle();
  BOOST_TEST(write.good());
  BOOST_TEST(use(*a, write_list(token, {{0, 4}})).failed(0x5, 0x2304));
}

BOOST_AUTO_TEST_CASE(a_reset_voids_tokens_and_records) {
  const Bytes token = make_token({{10, 4}}, kAccessUponReference);
  unit->reset();
  a->send(kTestUnitReady);
  BOOST_TEST(use(*a, write_list(token, {{0, 4}})).failed(0x5, 0x2304));
  BOOST_TEST(a->send(receive(0x07, 7)).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(a_token_lives_as_long_as_it_is_used) {
  using std::chrono::seconds;
  tsihd::Instant now{};
  copies.tick(now);
  const Bytes token = make_token({{10, 4}}, 0, 5);
  copies.tick(now += seconds(5));
  BOOST_TEST(use(*a, write_list(token, {{0, 4}})).good());
  copies.tick(now += seconds(5));
  BOOST_TEST(use(*a, write_list(token, {{0, 4}})).good());
  copies.tick(now += seconds(6));
  BOOST_TEST(use(*a, write_list(token, {{0, 4}})).failed(0x5, 0x2304));
  const Bytes usual = make_token({{10, 4}});
  copies.tick(now += seconds(kDefaultTokenTimeout_s));
  BOOST_TEST(copies.tokens().size() == 1u);
  copies.tick(now += seconds(1));
  BOOST_TEST(copies.tokens().size() == 0u);
}

BOOST_AUTO_TEST_CASE(del_tkn_voids_it_when_the_copy_has_ended) {
  const Bytes token = make_token({{10, 4}});
  BOOST_TEST(use(*a, write_list(token, {{0, 4}}, 0, 0x02)).good());
  BOOST_TEST(use(*a, write_list(token, {{0, 4}})).failed(0x5, 0x2304));
}

/// Red when a token that was never made is taken for one that was.
BOOST_AUTO_TEST_CASE(tokens_cannot_be_made_up) {
  const Bytes token = make_token({{10, 4}});
  for (const std::size_t at : {8u, 40u, 400u, 511u}) {
    Bytes forged = token;
    forged[at] ^= std::byte{0x01};
    BOOST_TEST(use(*a, write_list(forged, {{0, 4}})).failed(0x5, 0x2304));
  }
  BOOST_TEST((token[511] == std::byte{0x55}));  // what the random source gave
  Bytes cut = token;
  put16(&cut[6], 503);
  BOOST_TEST(use(*a, write_list(cut, {{0, 4}})).failed(0x5, 0x230a));
}

BOOST_AUTO_TEST_CASE(the_lun_may_go_while_the_list_comes) {
  const Bytes list = populate_list({{10, 4}});
  Sent& populates = a->send_without_data(copy_out(0x10, list.size()), list);
  const Bytes zeroes = write_list(zero_token(), {{0, 1}});
  Sent& writes = a->send_without_data(copy_out(0x11, zeroes.size()), zeroes);
  const auto kept = luns.entries[0];
  luns.entries.erase(0);
  a->give_data(populates);
  a->give_data(writes);
  luns.entries[0] = kept;
  BOOST_TEST(populates.failed(0x5, 0x2500));
  BOOST_TEST(writes.failed(0x5, 0x2500));
}

/// Red when a token opens a unit that the nexus cannot see.
BOOST_AUTO_TEST_CASE(a_token_does_not_widen_the_lun_map) {
  const Bytes token = make_token({{10, 4}});
  const auto kept = luns.entries[0];
  luns.entries.erase(0);
  BOOST_TEST(use(*a, write_list(token, {{0, 4}})).failed(0xa, 0x0d02));
  luns.entries[0] = kept;
  BOOST_TEST(use(*a, write_list(token, {{0, 4}})).good());
}

BOOST_AUTO_TEST_CASE(reservations_hold_for_tokens) {
  const Bytes token = make_token({{10, 4}});
  BOOST_TEST(b->send({0x16, 0, 0, 0, 0, 0}).good());  // the source
  BOOST_TEST(populate(*a, populate_list({{10, 4}})).conflict());
  BOOST_TEST(use(*a, write_list(token, {{0, 4}})).failed(0xa, 0x0d01));
  BOOST_TEST(b->send({0x17, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(to_other(*b, {0x16, 0, 0, 0, 0, 0}).good());  // the destination
  BOOST_TEST(use(*a, write_list(token, {{0, 4}})).conflict());
  BOOST_TEST(to_other(*b, {0x17, 0, 0, 0, 0, 0}).good());
  luns.entries[1].write_protected = true;
  BOOST_TEST(use(*a, write_list(token, {{0, 4}})).failed(0x7, 0x2700));
}

BOOST_AUTO_TEST_CASE(lists_that_are_wrong) {
  auto refused = [&](const Bytes& list, unsigned code, unsigned at) {
    const Sent& it = populate(*a, list);
    BOOST_TEST(it.failed(0x5, code));
    BOOST_TEST(pointer(it) == at);
  };
  refused(populate_list({}), 0x2600, 14);
  refused(populate_list({{0, 4}, {3, 1}}), 0x2600, 16);  // they overlap
  refused(populate_list({{0, 1}}, 0x00800000), 0x2301, 8);
  refused(populate_list({{0, 1}}, 0, kMaxTokenTimeout_s + 1), 0x2600, 4);
  Bytes longer = populate_list({{0, 1}});
  put16(&longer[0], 14);
  refused(longer, 0x2600, 0);
  longer = populate_list({{0, 1}});
  put16(&longer[14], 32);
  put16(&longer[0], 46);
  BOOST_TEST(populate(*a, longer).failed(0x5, 0x1a00));
  const Sent& beyond = populate(*a, populate_list({{kBlocks - 1, 2}}));
  BOOST_TEST(beyond.failed(0x5, 0x2100));
  BOOST_TEST(beyond.information() == kBlocks);
  BOOST_TEST(populate(*a, populate_list(std::vector<Range>(65, {0, 0}))).failed(0x5, 0x1a00));
  BOOST_TEST(a->send(copy_out(0x10, 16, 7), Bytes(8)).failed(0x5, 0x1a00));
  BOOST_TEST(a->send(copy_out(0x10, 15, 7), Bytes(15)).failed(0x5, 0x1a00));
  BOOST_TEST(a->send(copy_out(0x10, 0)).good());
  const Bytes token = make_token({{10, 4}});
  const Sent& offset = use(*a, write_list(token, {{0, 1}}, 4));
  BOOST_TEST(offset.failed(0x5, 0x2600));
  BOOST_TEST(pointer(offset) == 8u);
  BOOST_TEST(use(*a, write_list(token, {{0, 5}})).failed(0x5, 0x2600));  // more than it stands for
}

BOOST_AUTO_TEST_CASE(tokens_are_bounded) {
  for (std::uint32_t i = 0; i < kMaxTokensOfInitiator; ++i)
    BOOST_TEST(populate(*a, populate_list({{i, 1}}), i).good());
  BOOST_TEST(populate(*a, populate_list({{0, 1}})).failed(0x5, 0x550d));
  BOOST_TEST(populate(*b, populate_list({{0, 1}})).good());
  copies.tick(tsihd::Instant{} + std::chrono::seconds(kDefaultTokenTimeout_s + 1));
  BOOST_TEST(populate(*a, populate_list({{0, 1}})).good());
  BOOST_TEST(unit->resize(2 * kMaxTokenBytes).has_value());
  a->send(kTestUnitReady);
  const std::uint32_t most = kMaxTokenBytes / 512;
  BOOST_TEST(populate(*a, populate_list({{0, most}})).good());
  BOOST_TEST(populate(*a, populate_list({{0, most}, {most, 1}})).failed(0x5, 0x2600));
}

BOOST_AUTO_TEST_CASE(records_are_bounded_and_their_nexus_s_own) {
  for (std::uint32_t i = 0; i <= kMaxCopyRecords; ++i)
    BOOST_TEST(a->send(copy_out(0x11, write_list(zero_token(), {{0, 1}}).size(), i),
                       write_list(zero_token(), {{0, 1}}))
                   .good());
  BOOST_TEST(a->send(receive(0x05, 0)).failed(0x5, 0x2400));  // the oldest is forgotten
  BOOST_TEST(a->send(receive(0x05, kMaxCopyRecords)).good());
  BOOST_TEST(b->send(receive(0x05, kMaxCopyRecords)).failed(0x5, 0x2400));
  BOOST_TEST(to_other(*a, receive(0x05, kMaxCopyRecords)).failed(0x5, 0x2400));
  unit->detach(a->nexus);
  unit->attach(a->nexus);
  a->settle();
  BOOST_TEST(a->send(receive(0x05, kMaxCopyRecords)).failed(0x5, 0x2400));
}

BOOST_AUTO_TEST_CASE(operating_parameters_and_the_page_tell_the_limits) {
  const Bytes data = a->send(receive(0x03, 0)).data();
  BOOST_TEST(get32(&data[0]) == data.size() - 4);
  BOOST_TEST(get16(&data[8]) == kMaxCscdDescriptors);
  BOOST_TEST(get16(&data[10]) == kMaxSegmentDescriptors);
  BOOST_TEST(get32(&data[12]) == kMaxDescriptorListBytes);
  const Bytes page = a->send({0x12, 0x01, 0x8f, 0x04, 0, 0}).data();
  std::vector<unsigned> types;
  std::size_t at = 4;
  for (; at < page.size(); at += 4u + get16(&page[at + 2])) types.push_back(get16(&page[at]));
  BOOST_TEST(at == page.size());
  BOOST_TEST((types == std::vector<unsigned>{0x0000, 0x0001, 0x0004, 0x0008, 0x000c, 0x0106, 0x0108,
                                             0x8001}));
  BOOST_TEST((a->send({0x12, 0, 0, 0, 96, 0}).data().at(5) == std::byte{0x38}));  // 3PC
}

BOOST_AUTO_TEST_CASE(a_unit_may_offer_none_of_it) {
  auto plain = std::make_shared<LogicalUnit>(
      Identity{.name = "plain", .serial = "1", .third_party_copy = false},
      backstore::open_ramdisk({.size_bytes = kSizeBytes}).value(), tsihd::Log());
  plain->offer_copies(copies);
  luns.entries[2] = {plain, false};
  auto send = [&](const Cdb& cdb, const Bytes& data = {}) -> Sent& {
    return a->send(cdb, data, kPlenty, TaskAttribute::simple, 2);
  };
  send(kTestUnitReady);
  BOOST_TEST(send(copy_out(0x00, 0)).failed(0x5, 0x2000));
  BOOST_TEST(send(receive(0x03, 0)).failed(0x5, 0x2000));
  BOOST_TEST((send({0x12, 0, 0, 0, 96, 0}).data().at(5) == std::byte{0x30}));
  BOOST_TEST(send({0x12, 0x01, 0x8f, 0x04, 0, 0}).failed(0x5, 0x2400));
  // As the source or the destination of a copy it is a unit like others.
  const Bytes list = copy_list({cscd(*unit), cscd(*plain)}, {Segment{}.bytes()});
  BOOST_TEST(extended_copy(*a, list).good());
  plain->detach(a->nexus);
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

struct ScriptedTokenBench : TokenBench {
  ScriptedTokenBench()
      : TokenBench(std::make_unique<ScriptedDisk>(kSizeBytes),
                   std::make_unique<ScriptedDisk>(kSizeBytes)) {}
  ScriptedDisk& source() { return static_cast<ScriptedDisk&>(unit->backstore()); }
  ScriptedDisk& destination() { return static_cast<ScriptedDisk&>(other->backstore()); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(copy_tokens_meanwhile, ScriptedTokenBench)

/// Red when a copy mixes what was there before a write and after it.
BOOST_AUTO_TEST_CASE(a_write_under_the_copy_revokes_its_token) {
  const Bytes token = make_token({{0, 1}, {8, 1}});
  const Sent& it = use(*a, write_list(token, {{0, 2}}));
  BOOST_TEST(source().held.size() == 1u);
  b->send(cdb10(0x2a, 8, 1), Bytes(512));
  source().complete(0);
  destination().complete(0);
  BOOST_TEST(it.failed(0x5, 0x2306));
  BOOST_TEST(destination().held.empty());
  source().complete_all();
  turn_until_asleep();
}

BOOST_AUTO_TEST_SUITE_END()
