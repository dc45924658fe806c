// PERSISTENT RESERVE OUT with more than the basic list: ALL_TG_PT, SPEC_I_PT, REGISTER AND MOVE.
#include <fmt/format.h>

#include "target/scsi/limits.h"
#include "target/scsi/reservations.h"
#include "target/scsi/tests/reserve_commands.h"
#include "target/scsi/transport_id.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

constexpr std::uint8_t kAllTargetPorts = 0x04;
constexpr std::uint8_t kSpecify = 0x08;
constexpr std::uint8_t kUnreg = 0x02;
constexpr std::uint8_t kMove = 7;

/// Two portal groups of the initiators' target, and one of another.
struct Ports : Bench {
  Ports() {
    unit->add_target_port(a->nexus.target_name, 1);
    unit->add_target_port(a->nexus.target_name, 2);
    unit->add_target_port("iqn.2024-01.example:other", 3);
  }
  /// A third nexus: this initiator port at that target port.
  std::unique_ptr<Initiator> nexus(const std::string& initiator, const std::string& port,
                                   std::uint16_t tag) {
    auto it = std::make_unique<Initiator>(luns, 3);
    unit->detach(it->nexus);
    it->nexus.initiator_name = initiator;
    it->nexus.initiator_port_name = port;
    it->nexus.target_portal_group_tag = tag;
    unit->attach(it->nexus);
    it->settle();
    return it;
  }
  std::unique_ptr<Initiator> a_at_port_2() {
    return nexus(a->nexus.initiator_name, a->nexus.initiator_port_name, 2);
  }
};

/// One full status descriptor, as far as the tests look.
struct Descriptor {
  std::uint64_t key;
  bool holds;
  std::uint16_t port;
  std::string name;
};
std::vector<Descriptor> full_status(Initiator& who) {
  const Bytes data = reserve_in(who, 3);
  BOOST_TEST(get32(&data.at(4)) == data.size() - 8);
  std::vector<Descriptor> all;
  for (std::size_t at = 8; at < data.size(); at += 24 + get32(&data.at(at + 20))) {
    std::span<const std::byte> rest = std::span(data).subspan(at + 24, get32(&data.at(at + 20)));
    const auto id = take_transport_id(rest);
    BOOST_TEST(rest.empty());
    all.push_back({get64(&data[at]), (data[at + 12] & std::byte{1}) != std::byte{0},
                   get16(&data[at + 18]), id.value().initiator_port_name});
  }
  return all;
}
std::uint32_t generation(Initiator& who) { return get32(&reserve_in(who, 0)[0]); }

Bytes with_transport_ids(Bytes list, const std::vector<std::string>& names) {
  Bytes ids;
  for (const std::string& name : names) append_transport_id(ids, name);
  list.resize(list.size() + 4);
  put32(&list[list.size() - 4], ids.size());
  list.insert(list.end(), ids.begin(), ids.end());
  return list;
}
Sent& enrol_with(Initiator& who, const std::vector<std::string>& names, std::uint8_t action = 0,
                 std::uint8_t flags = kSpecify) {
  return reserve_out(who, action, 0, with_transport_ids(keys(0, kKeyA, flags), names));
}
Bytes move_list(std::uint64_t key, std::uint64_t new_key, const std::string& to,
                std::uint8_t flags = 0, std::uint16_t port = 1) {
  Bytes list = keys(key, new_key);
  list.resize(20);
  list[17] = std::byte{flags};
  put16(&list[18], port);
  return with_transport_ids(std::move(list), {to});
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(reserve_out_lists, Ports)

BOOST_AUTO_TEST_CASE(all_target_ports_registers_at_each_of_the_target) {
  BOOST_TEST(reserve_out(*a, 0, 0, kKeyA, 0, kAllTargetPorts).good());
  BOOST_TEST(generation(*a) == 1u);
  const auto status = full_status(*a);
  BOOST_REQUIRE(status.size() == 2u);
  BOOST_TEST((status[0].port == 1 && status[1].port == 2));
  for (const Descriptor& it : status) {
    BOOST_TEST(it.key == kKeyA);
    BOOST_TEST(it.name == a->nexus.initiator_port_name);
  }
  reserve(*a, kKeyA, WERO);
  const auto second = a_at_port_2();
  BOOST_TEST(write(*second).good());
  // The other way: one command takes the registrations of both ports away.
  BOOST_TEST(reserve_out(*second, 0, kKeyA, 0, 0, kAllTargetPorts).good());
  BOOST_TEST(full_status(*b).empty());
  BOOST_TEST(write(*b).good());
}

BOOST_AUTO_TEST_CASE(all_target_ports_or_none) {
  const auto second = a_at_port_2();
  BOOST_TEST(enrol(*second, kKeyB).good());
  BOOST_TEST(reserve_out(*a, 0, 0, kKeyA, 0, kAllTargetPorts).conflict());
  BOOST_TEST(full_status(*a).size() == 1u);
  BOOST_TEST(reserve_out(*a, 6, 0, kKeyA, 0, kAllTargetPorts).good());
  const auto status = full_status(*a);
  BOOST_REQUIRE(status.size() == 2u);
  BOOST_TEST((status[0].key == kKeyA && status[1].key == kKeyA));
}

BOOST_AUTO_TEST_CASE(specified_initiator_ports_are_registered_too) {
  const std::string absent = "iqn.2024-01.example:absent,i,0x00023d000009";
  BOOST_TEST(enrol_with(*a, {b->nexus.initiator_port_name, absent}).good());
  BOOST_TEST(generation(*a) == 1u);
  const auto status = full_status(*b);
  BOOST_REQUIRE(status.size() == 3u);
  BOOST_TEST(status[1].name == b->nexus.initiator_port_name);
  BOOST_TEST(status[2].name == absent);
  BOOST_TEST(status[2].key == kKeyA);
  reserve(*a, kKeyA, EARO);
  BOOST_TEST(write(*b).good());
}

BOOST_AUTO_TEST_CASE(a_specified_node_means_its_sessions) {
  const std::string& node = b->nexus.initiator_name;
  const auto more = nexus(node, node + ",i,0x00023d000002", 1);
  BOOST_TEST(enrol_with(*a, {node}, 0, kSpecify | kAllTargetPorts).good());
  BOOST_TEST(full_status(*a).size() == 6u);
  reserve_out(*a, 3, kKeyA, 0);
  BOOST_TEST(enrol_with(*a, {"iqn.2024-01.example:absent"}).failed(0x5, 0x2600));
  BOOST_TEST(full_status(*a).empty());
}

BOOST_AUTO_TEST_CASE(where_initiator_ports_cannot_be_specified) {
  const std::string other = b->nexus.initiator_port_name;
  BOOST_TEST(enrol_with(*a, {other}, 6).failed(0x5, 0x1a00));
  BOOST_TEST(reserve_out(*a, 6, 0, kKeyA, 0, kSpecify).failed(0x5, 0x2600));
  BOOST_TEST(reserve_out(*a, 0, 0, kKeyA, 0, kSpecify).failed(0x5, 0x2600));  // no list
  Bytes list = with_transport_ids(keys(0, kKeyA, kSpecify), {other});
  put32(&list[24], get32(&list[24]) + 4);
  BOOST_TEST(reserve_out(*a, 0, 0, list).failed(0x5, 0x2600));
  list = with_transport_ids(keys(0, kKeyA), {other});  // a list, and no SPEC_I_PT
  BOOST_TEST(reserve_out(*a, 0, 0, list).failed(0x5, 0x1a00));
  BOOST_TEST(reserve_out(*a, 0, 0, Bytes(kMaxReserveOutBytes + 4)).failed(0x5, 0x1a00));
  BOOST_TEST(full_status(*a).empty());
  enrol(*a, kKeyA);
  BOOST_TEST(enrol_with(*a, {other}).conflict());
  list = with_transport_ids(keys(kKeyA, kKeyB, kSpecify), {other});
  BOOST_TEST(reserve_out(*a, 0, 0, list).failed(0x5, 0x2600));
  BOOST_TEST(full_status(*a).size() == 1u);
}

BOOST_AUTO_TEST_CASE(specified_ports_count_against_the_limit) {
  std::size_t made = 0;
  Sent* last = nullptr;
  while (made <= Reservations::kMaxRegistrations) {
    std::vector<std::string> names;
    for (int i = 0; i < 63; ++i)
      names.push_back(fmt::format("iqn.2024-01.example:n,i,0x{:012x}", made + i));
    last = &enrol_with(*a, names);
    if (!last->good()) break;
    made += names.size();
    BOOST_TEST(reserve_out(*a, 0, kKeyA, 0).good());
  }
  BOOST_TEST(last->failed(0x5, 0x5504));
  BOOST_TEST(made == Reservations::kMaxRegistrations / 63 * 63);
  const Bytes all = reserve_in(*a, 0);
  BOOST_TEST(get32(&all[4]) == 8 * made);  // the one that failed made none
}

BOOST_AUTO_TEST_CASE(register_and_move_hands_the_reservation_over) {
  enrol(*a, kKeyA);
  reserve(*a, kKeyA, WE);
  const auto to = b->nexus.initiator_port_name;
  BOOST_TEST(reserve_out(*a, kMove, 0, move_list(kKeyA, kKeyB, to)).good());
  BOOST_TEST(generation(*a) == 2u);
  auto status = full_status(*b);
  BOOST_REQUIRE(status.size() == 2u);
  BOOST_TEST((!status[0].holds && status[1].holds));
  BOOST_TEST(status[1].key == kKeyB);
  BOOST_TEST(write(*b).good());
  BOOST_TEST(write(*a).conflict());
  // Back, to the other target port, to a registration that is gone with it.
  const auto back = move_list(kKeyB, 0xcc, a->nexus.initiator_port_name, kUnreg, 2);
  BOOST_TEST(reserve_out(*b, kMove, 0, back).good());
  status = full_status(*b);
  BOOST_REQUIRE(status.size() == 2u);
  BOOST_TEST((status[1].holds && status[1].port == 2 && status[1].key == 0xcc));
  BOOST_TEST((write(*a).conflict() && write(*b).conflict()));
}

BOOST_AUTO_TEST_CASE(register_and_move_to_a_registrant_replaces_its_key) {
  enrol(*a, kKeyA);
  enrol(*b, kKeyB);
  reserve(*a, kKeyA, EA);
  BOOST_TEST(
      reserve_out(*a, kMove, 0, move_list(kKeyA, 0xcc, b->nexus.initiator_port_name)).good());
  const auto status = full_status(*b);
  BOOST_REQUIRE(status.size() == 2u);
  BOOST_TEST((status[1].holds && status[1].key == 0xcc));
}

BOOST_AUTO_TEST_CASE(what_register_and_move_refuses) {
  const auto to = b->nexus.initiator_port_name;
  const auto good = move_list(kKeyA, kKeyB, to);
  BOOST_TEST(reserve_out(*a, kMove, 0, good).conflict());  // not registered
  enrol(*a, kKeyA);
  BOOST_TEST(reserve_out(*a, kMove, 0, good).failed(0x5, 0x2400));  // nothing reserved
  enrol(*b, kKeyB);
  reserve(*b, kKeyB, WERO);
  BOOST_TEST(reserve_out(*a, kMove, 0, good).failed(0x5, 0x2400));  // not the holder
  release(*b, kKeyB, WERO);
  a->send(kTestUnitReady);  // 2A/04
  reserve(*a, kKeyA, WEAR);
  BOOST_TEST(reserve_out(*a, kMove, 0, good).conflict());  // held by all
  release(*a, kKeyA, WEAR);
  b->send(kTestUnitReady);
  reserve(*a, kKeyA, WE);
  BOOST_TEST(reserve_out(*a, kMove, 0, move_list(kKeyB, kKeyB, to)).conflict());
  const auto refused = [&](const Bytes& list) { return &reserve_out(*a, kMove, 0, list); };
  BOOST_TEST(refused(move_list(kKeyA, 0, to))->failed(0x5, 0x2600));
  BOOST_TEST(refused(move_list(kKeyA, kKeyB, to, 0, 3))->failed(0x5, 0x2600));
  BOOST_TEST(refused(move_list(kKeyA, kKeyB, b->nexus.initiator_name))->failed(0x5, 0x2600));
  BOOST_TEST(refused(move_list(kKeyA, kKeyB, a->nexus.initiator_port_name))->failed(0x5, 0x2600));
  Bytes longer = good;
  longer.resize(good.size() + 4);
  BOOST_TEST(refused(longer)->failed(0x5, 0x1a00));
  BOOST_TEST(refused(keys(kKeyA, kKeyB))->failed(0x5, 0x2600));  // port 0, no TransportID
  const auto status = full_status(*a);
  BOOST_REQUIRE(status.size() == 2u);
  BOOST_TEST((status[0].holds && status[1].key == kKeyB));
}

BOOST_AUTO_TEST_SUITE_END()
