// Target port groups: what is reported of them, what each state lets through, and SET TARGET PORT
// GROUPS.
#include "target/scsi/limits.h"
#include "target/scsi/tests/copy_bench.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

const Cdb kModeSense{0x1a, 0, 0x3f, 0, 255, 0};
const Cdb kReadKeys{0x5e, 0, 0, 0, 0, 0, 0, 1, 0, 0};
const Cdb kReportSupportedOpcodes{0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0};

Cdb inquiry_cdb(std::uint8_t page = 0) {
  return {0x12, static_cast<std::uint8_t>(page != 0 ? 1 : 0), page, 1, 0, 0};
}
Cdb report_groups(std::uint8_t format = 0) {
  return {0xa3, static_cast<std::uint8_t>(format << 5 | 0x0a), 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
}

/// Port 1 is in group 5, port 2 in group 6; initiator A comes through the first, B the second.
struct GroupBench : CopyBench {
  GroupBench() {
    unit->set_port_groups(
        {PortGroup{.name = "first", .id = 5},
         {.name = "second", .id = 6, .preferred = true, .implicit_transition_s = 9},
         {.name = "elsewhere", .id = 7}});
    unit->add_target_port(a->nexus.target_name, 1, "first");
    unit->add_target_port(a->nexus.target_name, 2, "second");
    unit->add_target_port("iqn.2024-01.example:other", 3, "elsewhere");
    b->nexus.target_portal_group_tag = 2;
  }
  Sent& set(Initiator& by, std::uint16_t id, std::uint8_t state) {
    Bytes list(8);
    list[4] = std::byte{state};
    put16(&list[6], id);
    return by.send({0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0}, list);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(port_groups, GroupBench)

// Red when a descriptor of SPC-4 6.37 has another form, when a port is in the wrong group, or when
// a group is listed that has no port here.
BOOST_AUTO_TEST_CASE(the_report_has_every_group_and_its_ports) {
  const Bytes data = a->send(report_groups()).data();
  BOOST_TEST_REQUIRE(data.size() == 4u + 12 + 12);
  BOOST_TEST(get32(&data[0]) == 24u);
  BOOST_TEST((data[4] == std::byte{0} && data[5] == std::byte{0x0f}));
  BOOST_TEST((get16(&data[6]) == 5u && data[11] == std::byte{1} && get16(&data[14]) == 1u));
  BOOST_TEST((data[16] == std::byte{0x80}));  // PREF
  BOOST_TEST((get16(&data[18]) == 6u && data[23] == std::byte{1} && get16(&data[26]) == 2u));
  const Bytes extended = a->send(report_groups(1)).data();
  BOOST_TEST(extended.size() == data.size() + 4);
  BOOST_TEST((extended[4] == std::byte{0x10} && extended[5] == std::byte{9}));
  BOOST_TEST(a->send(report_groups(2)).failed(0x5, 0x2400));
  BOOST_TEST((a->send(inquiry_cdb()).data().at(5) == std::byte{0x38}));  // TPGS, 3PC
}

// Red when more ports than TARGET PORT COUNT can say wrap it, or the ports page its PAGE LENGTH.
BOOST_AUTO_TEST_CASE(a_target_of_very_many_ports) {
  for (std::uint16_t tag = 10; tag < 2000; ++tag)
    unit->add_target_port(a->nexus.target_name, tag, "first");
  const Bytes data = a->send(report_groups()).data();
  BOOST_TEST((data.at(11) == std::byte{255}));
  BOOST_TEST(data.size() == 4u + 8 + 4 * 255 + 12);
  const Bytes page = a->send({0x12, 1, 0x88, 0xff, 0xff, 0}).data();
  BOOST_TEST(get16(&page.at(2)) == page.size() - 4);
  BOOST_TEST(page.size() > 60000u);
}

// Red when a state is not looked at, lets more or less through than SPC-4 5.15.2.4 says, or holds
// for the ports of another group.
BOOST_AUTO_TEST_CASE(each_state_lets_through_what_it_may) {
  struct Row {
    std::uint8_t state;
    unsigned code;
    bool standby;
  };
  for (const Row& row : {Row{2, 0x040b, true}, Row{3, 0x040c, false}}) {
    BOOST_TEST(set(*a, 6, row.state).good());
    BOOST_TEST(b->send(kModeSense).failed(0x6, 0x2a06));
    for (const Cdb& cdb : {kTestUnitReady, cdb10(0x28, 0, 1), cdb10(0x2a, 0, 0),
                           kReportSupportedOpcodes, Cdb{0x1b, 0, 0, 0, 1, 0}})
      BOOST_TEST(b->send(cdb).failed(0x2, row.code));
    for (const Cdb& cdb :
         {kModeSense, kReadKeys, cdb10(0x25, 0, 0), Cdb{0x9e, 0x10, 0, 0, 0, 0, 0}})
      BOOST_TEST((row.standby ? b->send(cdb).good() : b->send(cdb).failed(0x2, row.code)));
    for (const Cdb& cdb :
         {inquiry_cdb(0x83), Cdb{0x03, 0, 0, 0, 96, 0}, Cdb{0xa0, 0, 0, 0, 0, 0, 0}})
      BOOST_TEST(b->send(cdb).good());
    BOOST_TEST(
        (b->send(inquiry_cdb()).data().at(0) == (row.standby ? std::byte{0} : std::byte{0x20})));
    BOOST_TEST(
        (b->send(report_groups()).data().at(16) == (std::byte{0x80} | std::byte{row.state})));
    BOOST_TEST((b->send(report_groups()).data().at(16 + 5) == std::byte{1}));  // STATUS CODE
    BOOST_TEST(a->send(cdb10(0x28, 0, 1)).good());
    BOOST_TEST((a->send(inquiry_cdb()).data().at(0) == std::byte{0}));
  }
  // What is not served through one group is brought back through the same.
  BOOST_TEST(set(*b, 6, 1).good());
  BOOST_TEST(b->send(cdb10(0x28, 0, 1)).good());
  BOOST_TEST(a->send(kTestUnitReady).failed(0x6, 0x2a06));
  BOOST_TEST(set(*b, 6, 1).good());  // no change, nobody is told
  BOOST_TEST(a->send(kTestUnitReady).good());
}

// Red when the commands of a copy, which no session sent, are not held to the group of the nexus in
// whose name they run.
BOOST_AUTO_TEST_CASE(a_copy_goes_through_the_group_of_who_asked) {
  BOOST_TEST(set(*a, 6, 2).good());
  const Bytes list = copy_list({cscd(*unit), cscd(*other)}, {Segment{.blocks = 4}.bytes()});
  BOOST_TEST(extended_copy(*a, list).good());
  const Bytes back =
      copy_list({cscd(*unit), cscd(*other)}, {Segment{.source = 1, .destination = 0}.bytes()});
  const Sent& refused =
      b->send(copy_out(0x00, back.size()), back, kPlenty, TaskAttribute::simple, 1);
  BOOST_TEST(refused.failed(0xa, 0x0d01));  // the destination's answer is COPY ABORTED's reason
}

// Red when a wrong list changes anything, or is not pointed at.
BOOST_AUTO_TEST_CASE(lists_that_are_refused) {
  for (const std::uint16_t id :
       std::to_array<std::uint16_t>({8, 7})) {  // unknown; of another target's ports
    const Sent& unknown = set(*a, id, 2);
    BOOST_TEST(unknown.failed(0x5, 0x2600));
    BOOST_TEST(get16(&unknown.command.sense[16]) == 6u);
  }
  for (const std::uint8_t state :
       std::to_array<std::uint8_t>({4, 0xe, 0xf})) {  // LBA dependent, offline, transitioning
    const Sent& refused = set(*a, 6, state);
    BOOST_TEST(refused.failed(0x5, 0x2600));
    BOOST_TEST(get16(&refused.command.sense[16]) == 4u);
  }
  // The first descriptor is good, the second not: neither counts.
  Bytes list(12);
  list[4] = std::byte{2};
  put16(&list[6], 6);
  put16(&list[10], 8);
  BOOST_TEST(a->send({0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0}, list).failed(0x5, 0x2600));
  BOOST_TEST(a->send({0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0}, Bytes(7)).failed(0x5, 0x1a00));
  BOOST_TEST(a->send({0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0}, Bytes(8)).failed(0x5, 0x1a00));
  Cdb too_long{0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  put32(&too_long[6], kMaxPortGroupListBytes + 4);
  BOOST_TEST(a->send(too_long, Bytes(kMaxPortGroupListBytes + 4)).failed(0x5, 0x1a00));
  BOOST_TEST(a->send({0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}).good());
  BOOST_TEST(b->send(kTestUnitReady).good());
}

// Red when a group is put in a state that it cannot be in, or that only it may choose.
BOOST_AUTO_TEST_CASE(groups_that_cannot_or_must_not_be_set) {
  unit->set_port_groups({PortGroup{.name = "first", .id = 5, .explicit_access = false},
                         {.name = "second", .id = 6, .supported = 0x05}});
  BOOST_TEST(set(*a, 5, 1).failed(0x5, 0x2600));
  BOOST_TEST(set(*a, 6, 1).failed(0x5, 0x2600));
  BOOST_TEST(set(*a, 6, 2).good());
  unit->set_port_groups({PortGroup{.name = "first", .id = 5, .explicit_access = false}});
  BOOST_TEST(set(*a, 5, 1).failed(0x5, 0x2000));
  BOOST_TEST((a->send(inquiry_cdb()).data().at(5) == std::byte{0x18}));
}

// Red when referrals, which are not supported (R_SUP is 0 in VPD 86h), are not refused.
BOOST_AUTO_TEST_CASE(no_referrals) {
  BOOST_TEST((a->send(inquiry_cdb(0x86)).data().at(8) == std::byte{0}));
  Cdb cdb(16);
  cdb[0] = 0x9e;
  cdb[1] = 0x13;
  BOOST_TEST(a->send(cdb).failed(0x5, 0x2400));
}

// Red when a port is missing, or its name and number stand at another place (SPC-4 7.8.15).
BOOST_AUTO_TEST_CASE(the_ports_page_names_each_port) {
  const Bytes page = a->send(inquiry_cdb(0x88)).data();
  BOOST_TEST(get16(&page.at(6)) == 1u);
  BOOST_TEST((page.at(16) == std::byte{0x53} && page.at(17) == std::byte{0x98}));  // iSCSI, a name
  const std::size_t second = 4 + 12 + get16(&page.at(14));
  BOOST_TEST(get16(&page.at(second + 2)) == 2u);
  BOOST_TEST(second + 12 + get16(&page.at(second + 10)) == page.size());
}

// Red when the port's group is missing among the designators, or is another port's.
BOOST_AUTO_TEST_CASE(the_identification_page_names_the_port_s_group) {
  const Bytes page = b->send(inquiry_cdb(0x83)).data();
  const std::array group{std::byte{0x51}, std::byte{0x95}, std::byte{0}, std::byte{4},
                         std::byte{0},    std::byte{0},    std::byte{0}, std::byte{6}};
  BOOST_TEST(!std::ranges::search(page, group).empty());
}

// Red when a management address is made up, or mode pages are said to be other than shared.
BOOST_AUTO_TEST_CASE(pages_without_much_in_them) {
  BOOST_TEST((a->send(inquiry_cdb(0x85)).data() ==
              Bytes{std::byte{0}, std::byte{0x85}, std::byte{0}, std::byte{0}}));
  const Bytes policy = a->send(inquiry_cdb(0x87)).data();
  BOOST_TEST_REQUIRE(policy.size() == 8u);
  BOOST_TEST((policy[4] == std::byte{0x3f} && policy[5] == std::byte{0xff}));
  BOOST_TEST((policy[6] == std::byte{0} && policy[7] == std::byte{0}));
}

BOOST_AUTO_TEST_SUITE_END()

// Red when alua_support 0 leaves a trace.
BOOST_AUTO_TEST_CASE(no_port_groups) {
  Bench bench(tsihd::backstore::open_ramdisk({.size_bytes = Bench::kSizeBytes}).value(),
              Attributes{.port_groups = false});
  BOOST_TEST(bench.a->send(report_groups()).failed(0x5, 0x2400));
  BOOST_TEST((bench.a->send(inquiry_cdb()).data().at(5) == std::byte{0x08}));
  const Bytes page = bench.a->send(inquiry_cdb(0x83)).data();
  const std::array group{std::byte{0x51}, std::byte{0x95}};
  BOOST_TEST(std::ranges::search(page, group).empty());
}
