// EXTENDED COPY: what it moves, what it refuses, and what it does when the ground moves beneath it.
#include <cerrno>

#include "target/scsi/limits.h"
#include "target/scsi/tests/copy_bench.h"
#include "target/scsi/tests/reserve_commands.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;
namespace backstore = tsihd::backstore;

BOOST_FIXTURE_TEST_SUITE(copy, CopyBench)

BOOST_AUTO_TEST_CASE(segments_are_copied_in_their_order) {
  const Bytes data = filled(8 * 512, 3);
  a->send(cdb10(0x2a, 10, 8), data);
  const Bytes list = copy_list(
      {cscd(*unit), cscd(*other)},
      {Segment{.blocks = 8, .source_lba = 10, .destination_lba = 100}.bytes(),
       Segment{
           .source = 1, .destination = 1, .blocks = 4, .source_lba = 100, .destination_lba = 200}
           .bytes()});
  BOOST_TEST(extended_copy(*a, list).good());
  BOOST_TEST((read_other(100, 8) == data));
  BOOST_TEST((read_other(200, 4) == Bytes(data.begin(), data.begin() + 4 * 512)));
  BOOST_TEST(a->send(copy_out(0x00, 0)).good());  // no list, nothing to do
  const Bytes nothing = copy_list({cscd(*unit), cscd(*other)}, {Segment{.blocks = 0}.bytes()});
  BOOST_TEST(extended_copy(*a, nothing).good());
}

BOOST_AUTO_TEST_CASE(the_long_form_and_the_unit_itself) {
  const Bytes data = filled(2 * 512, 5);
  a->send(cdb10(0x2a, 0, 2), data);
  Bytes list(48);
  list[0] = std::byte{0x01};
  put16(&list[2], 32);
  list[16] = std::byte{0xff};
  put32(&list[20], 0x12345678);
  append(list, cscd(*other));
  append(list, Segment{.source = 0xffff, .destination = 0, .blocks = 2}.bytes());
  put16(&list[42], 32);
  put16(&list[44], 28);
  BOOST_TEST(a->send(copy_out(0x01, list.size()), list).good());
  BOOST_TEST((read_other(0, 2) == data));
  for (const std::size_t at : {0u, 3u, 16u}) {
    Bytes wrong = list;
    wrong[at] ^= std::byte{0x40};
    const Sent& it = a->send(copy_out(0x01, wrong.size()), wrong);
    BOOST_TEST(it.failed(0x5, 0x2600));
    BOOST_TEST(pointer(it) == (at == 3 ? 2 : at));
  }
}

/// Red when a chunk is written before what it covers has been read.
BOOST_AUTO_TEST_CASE(overlapping_ranges_come_out_as_if_read_first) {
  constexpr std::uint32_t kBlocksMoved = 3 * kChunkBytes / 512 + 5;
  BOOST_TEST(unit->resize(8u << 20).has_value());
  a->send(kTestUnitReady);
  for (const auto& [from, to] : {std::pair{0u, 7u}, {7u, 0u}, {0u, 3000u}, {5u, 5u}}) {
    const Bytes data = filled(std::size_t{kBlocksMoved} * 512, from + to);
    a->send(cdb16(0x8a, from, kBlocksMoved), data);
    const Bytes list = copy_list(
        {cscd(*unit)},
        {Segment{
            .destination = 0, .blocks = kBlocksMoved, .source_lba = from, .destination_lba = to}
             .bytes()});
    const Sent& it = extended_copy(*a, list);
    turn_until_asleep();
    BOOST_TEST(it.good());
    BOOST_TEST((a->send(cdb16(0x88, to, kBlocksMoved)).data() == data));
  }
}

/// Red when one copy keeps the event loop to itself.
BOOST_AUTO_TEST_CASE(a_turn_is_bounded) {
  BOOST_TEST(unit->resize(32u << 20).has_value());
  a->send(kTestUnitReady);
  const std::uint16_t blocks = 10 * kChunkBytes / 512;
  const Sent& it = extended_copy(
      *a,
      copy_list(
          {cscd(*unit)},
          {Segment{.destination = 0, .blocks = blocks, .destination_lba = 2 * blocks}.bytes()}));
  BOOST_TEST(!it.done);
  BOOST_TEST(copies_woken == 1);
  const Bytes status = a->send(receive(0x00, 1)).data();
  BOOST_TEST((status.at(4) == std::byte{0}));  // in progress
  BOOST_TEST(get32(&status[8]) == kCopyBytesPerTurn);
  BOOST_TEST(extended_copy(*a, copy_list({}, {})).failed(0x5, 0x0016));  // the same identifier
  turn_until_asleep();
  BOOST_TEST(it.good());
}

BOOST_AUTO_TEST_CASE(copies_at_a_time_are_bounded) {
  BOOST_TEST(unit->resize(32u << 20).has_value());
  a->send(kTestUnitReady);
  const std::uint16_t blocks = 3 * kChunkBytes / 512;
  auto begin = [&](Initiator& by, std::uint8_t identifier) -> Sent& {
    return extended_copy(
        by,
        copy_list({cscd(*unit)},
                  {Segment{.destination = 0, .blocks = blocks, .destination_lba = blocks}.bytes()},
                  identifier));
  };
  b->send(kTestUnitReady);
  for (std::uint8_t i = 0; i < kMaxCopiesOfNexus; ++i) BOOST_TEST(!begin(*a, i).done);
  BOOST_TEST((begin(*a, 99).command.status == Status::busy));
  BOOST_TEST(!begin(*b, 0).done);  // another nexus, another copy
  turn_until_asleep();
  const Sent& last = begin(*a, 99);
  turn_until_asleep();
  BOOST_TEST(last.good());
}

BOOST_AUTO_TEST_CASE(lists_that_are_wrong_copy_nothing) {
  const Bytes good = copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes()});
  auto sends = [&](std::size_t at, std::uint8_t value) -> Sent& {
    Bytes list = good;
    list[at] = std::byte{value};
    return extended_copy(*a, list);
  };
  a->send(cdb10(0x2a, 0, 1), filled(512, 9));
  BOOST_TEST(sends(1, 0x08).failed(0x5, 0x2600));  // LIST ID USAGE 01b
  BOOST_TEST(sends(1, 0x18).failed(0x5, 0x2600));  // 11b, and a list identifier
  BOOST_TEST(sends(3, 65).failed(0x5, 0x1a00));    // more descriptors than bytes
  BOOST_TEST(sends(3, 63).failed(0x5, 0x2600));    // half a CSCD descriptor
  BOOST_TEST(sends(11, 27).failed(0x5, 0x2600));   // half a segment descriptor
  BOOST_TEST(sends(15, 1).failed(0x5, 0x260b));    // inline data
  const Sent& cscd_type = sends(16 + 32, 0xe0);
  BOOST_TEST(cscd_type.failed(0x5, 0x2607));
  BOOST_TEST(pointer(cscd_type) == 48u);
  const Sent& segment_type = sends(16 + 64, 0x03);
  BOOST_TEST(segment_type.failed(0x5, 0x2609));
  BOOST_TEST(pointer(segment_type) == 80u);
  BOOST_TEST(sends(16 + 64 + 3, 23).failed(0x5, 0x2600));  // DESCRIPTOR LENGTH
  BOOST_TEST(sends(16 + 30, 4).failed(0x5, 0x2600));       // DISK BLOCK LENGTH of 1024
  for (std::size_t bytes : {1u, 15u, 16u + 31u, 16u + 64u + 27u})
    BOOST_TEST(a->send(copy_out(0x00, bytes), good).failed(0x5, 0x1a00));
  BOOST_TEST(a->send(copy_out(0x00, good.size()), Bytes(20)).failed(0x5, 0x1a00));
  BOOST_TEST(a->send(copy_out(0x02, good.size()), good).failed(0x5, 0x2400));
  BOOST_TEST((read_other(0, 1) == Bytes(512)));
}

BOOST_AUTO_TEST_CASE(descriptors_are_counted) {
  const std::vector<Bytes> cscds(kMaxCscdDescriptors, cscd(*unit));
  const std::vector<Bytes> segments(kMaxSegmentDescriptors, Segment{.destination = 2}.bytes());
  BOOST_TEST(extended_copy(*a, copy_list(cscds, segments)).good());
  auto one_more = [](std::vector<Bytes> list) { return list.push_back(list[0]), list; };
  BOOST_TEST(extended_copy(*a, copy_list(one_more(cscds), {})).failed(0x5, 0x2606));
  BOOST_TEST(extended_copy(*a, copy_list({cscds[0]}, one_more(segments))).failed(0x5, 0x2608));
  BOOST_TEST(extended_copy(*a, copy_list(cscds, one_more(segments))).failed(0x5, 0x1a00));
  BOOST_TEST(a->send(copy_out(0x00, UINT32_MAX)).failed(0x5, 0x1a00));
}

/// What precedes the segment at fault is done, and the sense data says which it is.
BOOST_AUTO_TEST_CASE(segments_that_cannot_be_done) {
  struct Case {
    Segment segment;
    unsigned code;
    unsigned pointer;
  };
  Bytes elsewhere = cscd(*unit);
  elsewhere[20] ^= std::byte{1};
  Bytes tape = cscd(*unit);
  tape[1] = std::byte{0x01};
  const std::vector<Bytes> cscds{cscd(*unit), cscd(*other), elsewhere, tape};
  const unsigned at = 16 + 4 * 32 + 28;
  for (const Case& it : std::initializer_list<Case>{
           {{.destination = 9}, 0x0804, at + 6},
           {{.source = 2}, 0x0d02, at + 4},
           {{.destination = 3}, 0x0d03, at + 6},
           {{.source_lba = kBlocks}, 0x0000, at + 12},
           {{.blocks = 2, .destination_lba = kBlocks - 1}, 0x0000, at + 20}}) {
    const Bytes data = filled(512, it.code & 0xff);
    a->send(cdb10(0x2a, 3, 1), data);
    const Sent& sent =
        extended_copy(*a, copy_list(cscds, {Segment{.source_lba = 3}.bytes(), it.segment.bytes()}));
    BOOST_TEST(sent.failed(0xa, it.code));
    BOOST_TEST(pointer(sent) == it.pointer);
    BOOST_TEST(segment_number(sent) == 1u);
    BOOST_TEST((read_other(0, 1) == data));
  }
}

/// Red when an initiator copies what its LUN map does not show it.
BOOST_AUTO_TEST_CASE(a_unit_that_is_not_mapped_is_not_reached) {
  const Bytes list = copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes()});
  luns.entries.erase(1);
  BOOST_TEST(extended_copy(*a, list).failed(0xa, 0x0d02));
}

BOOST_AUTO_TEST_CASE(write_protection_holds_for_copies) {
  const Bytes list = copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes()});
  luns.entries[1].write_protected = true;
  const Sent& it = extended_copy(*a, list);
  BOOST_TEST(it.failed(0xa, 0x0d01));
  // Byte 9: where the destination's status and sense data begin.
  const auto at = static_cast<std::size_t>(it.command.sense[9]);
  BOOST_TEST((it.command.sense[at] == std::byte{0x02}));
  BOOST_TEST((it.command.sense[at + 3] == std::byte{0x07}));
  BOOST_TEST(get16(&it.command.sense[at + 13]) == 0x2700u);
  luns.entries[0].write_protected = true;  // only the copy manager and the source
  luns.entries[1].write_protected = false;
  BOOST_TEST(extended_copy(*a, list).good());
}

/// Red when a copy reads or writes where its nexus must not.
BOOST_AUTO_TEST_CASE(reservations_hold_for_source_and_destination) {
  const Bytes list = copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes()});
  const auto forwarded = [](const Sent& it, std::size_t which) {
    return it.command.sense[static_cast<std::size_t>(it.command.sense[which])];
  };
  Initiator third(luns, 3);
  for (const std::uint8_t lun : {std::uint8_t{0}, std::uint8_t{1}})
    third.send(kTestUnitReady, {}, kPlenty, TaskAttribute::simple, lun);
  // RESERVE(6) of LUN 1 by b: the destination conflicts.
  BOOST_TEST(to_other(*b, {0x16, 0, 0, 0, 0, 0}).good());
  const Sent& no_write = extended_copy(*a, list);
  BOOST_TEST(no_write.failed(0xa, 0x0d01));
  BOOST_TEST((forwarded(no_write, 9) == std::byte{0x18}));
  BOOST_TEST(extended_copy(*b, list).good());
  // And as the source.
  const Bytes back = copy_list({cscd(*other), cscd(*unit)}, {Segment{}.bytes()});
  const Sent& no_read = extended_copy(*a, back);
  BOOST_TEST(no_read.failed(0xa, 0x0d01));
  BOOST_TEST((forwarded(no_read, 8) == std::byte{0x18}));
  BOOST_TEST(to_other(*b, {0x17, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(extended_copy(*a, back).good());
  // The unit that takes the command is reserved: the command itself conflicts.
  BOOST_TEST(b->send({0x16, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(extended_copy(*a, list).conflict());
}

BOOST_AUTO_TEST_CASE(a_unit_attention_stays_with_its_nexus) {
  other->reset();
  BOOST_TEST(extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes()})).good());
  BOOST_TEST(to_other(*a, kTestUnitReady).failed(0x6, 0x2903));
}

BOOST_AUTO_TEST_CASE(verify_segments_look_at_the_unit) {
  Bytes verify(12);
  verify[0] = std::byte{0x07};
  put16(&verify[2], 8);
  put16(&verify[4], 1);
  verify[8] = std::byte{0x01};
  BOOST_TEST(extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {verify})).good());
  verify[8] = std::byte{0x00};
  BOOST_TEST(extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {verify})).good());
  put16(&verify[4], 2);
  BOOST_TEST(extended_copy(*a, copy_list({cscd(*unit)}, {verify})).failed(0xa, 0x0804));
}

BOOST_AUTO_TEST_CASE(descriptor_format_sense_names_the_segment) {
  Bytes mode = a->send({0x1a, 0x08, 0x0a, 0, 255, 0}).data();
  mode[0] = std::byte{0};
  mode[6] |= std::byte{0x04};  // D_SENSE
  BOOST_TEST(a->send({0x15, 0x10, 0, 0, 16, 0}, mode).good());
  luns.entries[1].write_protected = true;
  const Sent& it = extended_copy(*a, copy_list({cscd(*unit), cscd(*other)},
                                               {Segment{.blocks = 0}.bytes(), Segment{}.bytes()}));
  BOOST_TEST(it.failed(0xa, 0x0d01));
  const std::byte* sense = it.command.sense.data();
  BOOST_TEST((sense[8] == std::byte{0x02} && sense[16] == std::byte{0x01}));
  BOOST_TEST(get16(sense + 26) == 1u);
  BOOST_TEST((sense[28] == std::byte{0x0c} && sense[30] == std::byte{0x02}));
  BOOST_TEST((sense[31] == std::byte{0x02}));  // CHECK CONDITION
  BOOST_TEST(std::size_t{it.command.sense_bytes} == 8u + static_cast<std::size_t>(sense[7]));
  BOOST_TEST(std::size_t{it.command.sense_bytes} == 28u + 2u + static_cast<std::size_t>(sense[29]));
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

struct MixedBench : CopyBench {
  MixedBench()
      : CopyBench(
            backstore::open_ramdisk({.size_bytes = kSizeBytes}).value(),
            backstore::open_ramdisk({.size_bytes = kSizeBytes, .block_size_bytes = 4096}).value()) {
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(copy_between_block_sizes, MixedBench)

BOOST_AUTO_TEST_CASE(whole_blocks_of_both_are_converted) {
  const Bytes data = filled(16 * 512, 3);
  a->send(cdb10(0x2a, 8, 16), data);
  const Segment there{.blocks = 16, .source_lba = 8, .destination_lba = 5};
  BOOST_TEST(extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {there.bytes()})).good());
  BOOST_TEST((read_other(5, 2) == data));
  constexpr std::uint8_t kDc = 0x02;  // the destination's blocks are counted
  const Segment back{.source = 1,
                     .destination = 0,
                     .blocks = 16,
                     .source_lba = 5,
                     .destination_lba = 100,
                     .flags = kDc};
  BOOST_TEST(extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {back.bytes()})).good());
  BOOST_TEST((a->send(cdb10(0x28, 100, 16)).data() == data));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_needs_pad) {
  const Bytes data = filled(9 * 512, 3);
  a->send(cdb10(0x2a, 0, 9), data);
  to_other(*a, cdb16(0x8a, 0, 2), Bytes(8192, std::byte{0xee}));
  const Bytes segment = Segment{.blocks = 9}.bytes();
  BOOST_TEST(
      extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {segment})).failed(0xa, 0x260a));
  BOOST_TEST((read_other(0, 2) == Bytes(8192, std::byte{0xee})));
  BOOST_TEST(extended_copy(*a, copy_list({cscd(*unit), cscd(*other, true)}, {segment})).good());
  Bytes padded = data;
  padded.resize(8192);
  BOOST_TEST((read_other(0, 2) == padded));
  // Nine small blocks out of large ones: the rest of the second is left behind.
  const Segment back{
      .source = 1, .destination = 0, .blocks = 9, .destination_lba = 50, .flags = 0x02};
  a->send(cdb10(0x2a, 59, 1), filled(512, 77));
  BOOST_TEST(
      extended_copy(*a, copy_list({cscd(*unit), cscd(*other, true)}, {back.bytes()})).good());
  BOOST_TEST((a->send(cdb10(0x28, 50, 9)).data() == data));
  BOOST_TEST((a->send(cdb10(0x28, 59, 1)).data() == filled(512, 77)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(copy_meanwhile, ScriptedCopyBench)

BOOST_AUTO_TEST_CASE(an_abort_stops_it_after_the_request_that_is_out) {
  Sent& it = extended_copy(
      *a, copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes(), Segment{}.bytes()}));
  BOOST_TEST(source().held.size() == 1u);
  source().complete(0);
  BOOST_TEST(destination().held.size() == 1u);
  unit->abort(it.command);
  BOOST_TEST(!it.aborted);  // its write may still land
  destination().complete(0);
  BOOST_TEST(it.aborted);
  BOOST_TEST(source().held.empty());
  turn_until_asleep();
  const Bytes status = a->send(receive(0x05, 1)).data();
  BOOST_TEST((status.at(5) == std::byte{0x60}));  // aborted
}

/// Red when a write that follows a read out of the page cache is begun twice.
BOOST_AUTO_TEST_CASE(a_read_that_is_done_at_once_has_one_write) {
  source().holding = false;
  const Bytes data = filled(512, 3);
  a->send(cdb10(0x2a, 0, 1), data);
  const Sent& it = extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes()}));
  BOOST_TEST(destination().held.size() == 1u);
  destination().complete_all();
  BOOST_TEST(it.good());
  destination().holding = false;
  BOOST_TEST((read_other(0, 1) == data));
  turn_until_asleep();
}

BOOST_AUTO_TEST_CASE(a_reset_of_either_unit_stops_it) {
  const Bytes list = copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes(), Segment{}.bytes()});
  const Sent& by_own = extended_copy(*a, list);
  unit->reset();
  source().complete(0);
  BOOST_TEST(by_own.aborted);
  turn_until_asleep();
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2903));
  const Sent& by_other = extended_copy(*a, list);
  source().complete(0);
  other->reset();
  destination().complete(0);
  BOOST_TEST(by_other.failed(0xa, 0x0d01));
  turn_until_asleep();
}

/// Red when the session is told that all of its commands are back while one can still write.
BOOST_AUTO_TEST_CASE(the_loss_of_the_nexus_stops_it) {
  const Sent& it = extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes()}));
  source().complete(0);
  unit->detach(a->nexus);
  other->detach(a->nexus);
  BOOST_TEST(!it.aborted);
  destination().complete(0);
  BOOST_TEST(it.aborted);
}

BOOST_AUTO_TEST_CASE(a_lun_that_goes_is_missed_but_not_crashed_over) {
  const Sent& it = extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes()}));
  luns.entries.erase(1);
  other->detach(a->nexus);
  other->detach(b->nexus);
  other.reset();
  source().complete(0);
  BOOST_TEST(it.failed(0xa, 0x0d01));
  turn_until_asleep();
}

BOOST_AUTO_TEST_CASE(a_unit_that_shrinks_is_not_written_beyond_its_end) {
  const Sent& it =
      extended_copy(*a, copy_list({cscd(*unit), cscd(*other)},
                                  {Segment{.blocks = 8, .destination_lba = kBlocks - 8}.bytes()}));
  BOOST_TEST(other->resize(kSizeBytes / 2).has_value());
  source().complete(0);
  BOOST_TEST(destination().held.empty());
  BOOST_TEST(it.failed(0xa, 0x0d01));
  const auto at = static_cast<std::size_t>(it.command.sense[9]);
  BOOST_TEST(get16(&it.command.sense[at + 13]) == 0x2100u);
  turn_until_asleep();
}

BOOST_AUTO_TEST_CASE(a_disk_error_is_passed_on) {
  const Sent& it = extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes()}));
  source().complete(0, EIO);
  BOOST_TEST(it.failed(0xa, 0x0d01));
  const auto at = static_cast<std::size_t>(it.command.sense[8]);
  BOOST_TEST(get16(&it.command.sense[at + 13]) == 0x1100u);
  const Bytes details = a->send(receive(0x04, 1)).data();
  BOOST_TEST(get16(&details.at(58)) == details.size() - 60);
  BOOST_TEST(std::ranges::equal(std::span(details).subspan(60),
                                std::span(it.command.sense).first(it.command.sense_bytes)));
  turn_until_asleep();
}

BOOST_AUTO_TEST_CASE(sanitize_ends_it) {
  const Sent& it = extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes()}));
  to_other(*b, {0x48, 0x82, 0, 0, 0, 0, 0, 0, 0, 0});  // BLOCK ERASE, IMMED
  source().complete(0);
  BOOST_TEST(it.failed(0xa, 0x0d01));
  destination().complete_all();
  turn_until_asleep();
}

/// Red when a part waits for a command that waits for its copy, or the other way round.
BOOST_AUTO_TEST_CASE(ordered_commands_wait_for_the_copy_and_exchanges_do_not) {
  const Bytes list = copy_list(
      {cscd(*unit)}, {Segment{.destination = 0}.bytes(), Segment{.destination = 0}.bytes()});
  const Sent& copy = extended_copy(*a, list);
  const Sent& ordered = b->send(cdb10(0x28, 0, 1), {}, kPlenty, TaskAttribute::ordered);
  Cdb exchange = cdb16(0x89, 0, 0);
  exchange[13] = 1;
  const Sent& alone = b->send(exchange, Bytes(1024));
  source().complete(0);
  BOOST_TEST(source().held.size() == 1u);  // the write of the copy: the exchange waits for ORDERED
  source().complete_all();
  BOOST_TEST(copy.good());
  BOOST_TEST(ordered.good());
  BOOST_TEST(alone.good());
  turn_until_asleep();
  const Sent& second = extended_copy(*a, list);
  const Sent& exchanged = b->send(exchange, Bytes(1024));
  source().complete(0);  // the first part; the exchange goes before the second
  source().complete(0);
  source().complete(0);
  BOOST_TEST(exchanged.good());
  BOOST_TEST(!second.done);
  source().complete_all();
  BOOST_TEST(second.good());
  turn_until_asleep();
}

BOOST_AUTO_TEST_CASE(copy_operation_abort_ends_it) {
  Cdb abort{0x83, 0x1c, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  BOOST_TEST(a->send(abort).failed(0x5, 0x2400));
  const Sent& it = extended_copy(*a, copy_list({cscd(*unit), cscd(*other)}, {Segment{}.bytes()}));
  BOOST_TEST(b->send(abort).failed(0x5, 0x2400));  // the identifier is another nexus's
  BOOST_TEST(a->send(abort).good());
  source().complete(0);
  BOOST_TEST(it.failed(0xa, 0x0000));
  BOOST_TEST(destination().held.empty());
  turn_until_asleep();
}

BOOST_AUTO_TEST_SUITE_END()
