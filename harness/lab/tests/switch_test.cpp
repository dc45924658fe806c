// The switch on a virtual clock: where frames go, what a cut, a delay and a loss do, and the
// limits.
#include "harness/lab/switch.h"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace {
using namespace tsih::lab;
using std::chrono::milliseconds;

constexpr Mac broadcast = {255, 255, 255, 255, 255, 255};

Mac mac_of(std::uint8_t host) { return {0x52, 0x54, 0, 0x77, 0, host}; }

/// `tag` is the payload that tells frames apart.
Frame frame(const Mac& to, const Mac& from, std::uint8_t tag, std::size_t size = 60) {
  Bytes bytes(size, 0);
  std::copy(to.begin(), to.end(), bytes.begin());
  std::copy(from.begin(), from.end(), bytes.begin() + 6);
  bytes[14] = tag;
  return std::make_shared<const Bytes>(std::move(bytes));
}

/// A switch with links a (1), b (2) and c (3) whose guests write down what they get.
struct World {
  World() {
    for (const char* link : {"a", "b", "c"}) connect(link);
    network.observe([this](const std::string&, const Frame&, const std::string& lost) {
      comments.push_back(lost);
    });
  }
  void connect(const std::string& link) {
    network.connect(link, [this, link](const Frame& got) {
      if (refusing == link) return false;
      inbox[link] += std::to_string((*got)[14]) + " ";
      return true;
    });
  }
  void send(const std::string& link, const Mac& to, std::uint8_t host, std::uint8_t tag) {
    network.receive(link, frame(to, mac_of(host), tag), now);
  }
  void pass(milliseconds time) {
    now += time;
    network.advance(now);
  }
  /// Everybody has spoken once, so that all are known.
  void introduce() {
    send("a", broadcast, 1, 0);
    send("b", broadcast, 2, 0);
    send("c", broadcast, 3, 0);
    inbox.clear();
    comments.clear();
  }

  Switch network;
  Instant now{};
  std::map<std::string, std::string> inbox;
  std::vector<std::string> comments;
  std::string refusing;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(floods_what_it_does_not_know, World) {
  send("a", mac_of(2), 1, 7);
  BOOST_TEST(inbox["b"] == "7 ");
  BOOST_TEST(inbox["c"] == "7 ");
  BOOST_TEST(inbox["a"] == "");
}

BOOST_FIXTURE_TEST_CASE(sends_to_the_one_it_knows, World) {
  introduce();
  send("a", mac_of(2), 1, 7);
  BOOST_TEST(inbox["b"] == "7 ");
  BOOST_TEST(inbox["c"] == "");
}

BOOST_FIXTURE_TEST_CASE(never_sends_a_frame_back, World) {
  introduce();
  send("a", mac_of(1), 1, 7);
  BOOST_TEST(inbox.empty());
}

BOOST_FIXTURE_TEST_CASE(an_address_that_moves_is_learnt_anew, World) {
  introduce();
  send("c", broadcast, 2, 1);
  inbox.clear();
  send("a", mac_of(2), 1, 7);
  BOOST_TEST(inbox["c"] == "7 ");
  BOOST_TEST(inbox["b"] == "");
}

BOOST_FIXTURE_TEST_CASE(a_cut_from_the_guest_loses_and_says_so, World) {
  introduce();
  network.set_cut("a", Direction::from_guest, true);
  send("a", mac_of(2), 1, 7);
  send("b", mac_of(1), 2, 8);
  BOOST_TEST(inbox["b"] == "");
  BOOST_TEST(inbox["a"] == "8 ");
  BOOST_TEST(comments.at(0) == "lost: a is cut");
  BOOST_TEST(comments.at(1) == "");
  BOOST_TEST(network.links().at("a").counters.dropped_cut == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_cut_to_the_guest_loses_the_other_way, World) {
  introduce();
  network.set_cut("a", Direction::to_guest, true);
  send("a", mac_of(2), 1, 7);
  send("b", mac_of(1), 2, 8);
  BOOST_TEST(inbox["b"] == "7 ");
  BOOST_TEST(inbox["a"] == "");
  BOOST_TEST(comments.at(1) == "lost: a is cut");
}

BOOST_FIXTURE_TEST_CASE(healing_brings_both_directions_back, World) {
  introduce();
  network.set_cut("a", std::nullopt, true);
  send("a", mac_of(2), 1, 1);
  network.set_cut("a", std::nullopt, false);
  send("a", mac_of(2), 1, 2);
  send("b", mac_of(1), 2, 3);
  BOOST_TEST(inbox["b"] == "2 ");
  BOOST_TEST(inbox["a"] == "3 ");
}

BOOST_FIXTURE_TEST_CASE(a_cut_guest_teaches_nothing, World) {
  introduce();
  network.set_cut("c", std::nullopt, true);
  send("c", broadcast, 2, 1);  // claims b's address
  send("a", mac_of(2), 1, 7);
  BOOST_TEST(inbox["b"] == "7 ");
}

BOOST_FIXTURE_TEST_CASE(a_delay_holds_frames_and_keeps_their_order, World) {
  introduce();
  network.shape("b", Direction::to_guest, 10, 0.0, 1);
  send("a", mac_of(2), 1, 1);
  BOOST_TEST((network.next_deadline() == now + milliseconds(10)));
  pass(milliseconds(9));
  BOOST_TEST(inbox["b"] == "");
  // The delay ends, and a frame that comes now still waits behind the one under way.
  network.shape("b", std::nullopt, 0, 0.0, 1);
  send("a", mac_of(2), 1, 2);
  BOOST_TEST(inbox["b"] == "");
  pass(milliseconds(1));
  BOOST_TEST(inbox["b"] == "1 2 ");
  BOOST_TEST(!network.next_deadline());
}

BOOST_FIXTURE_TEST_CASE(delays_of_both_cables_add_up, World) {
  introduce();
  network.shape("a", Direction::from_guest, 5, 0.0, 1);
  network.shape("b", Direction::to_guest, 7, 0.0, 1);
  send("a", mac_of(2), 1, 1);
  BOOST_TEST((network.next_deadline() == now + milliseconds(12)));
}

BOOST_FIXTURE_TEST_CASE(a_cut_loses_what_is_under_way, World) {
  introduce();
  network.shape("b", std::nullopt, 10, 0.0, 1);
  send("a", mac_of(2), 1, 1);
  network.set_cut("b", std::nullopt, true);
  network.set_cut("b", std::nullopt, false);
  pass(milliseconds(20));
  BOOST_TEST(inbox["b"] == "");
  BOOST_TEST(network.links().at("b").counters.dropped_cut == 1u);
}

BOOST_AUTO_TEST_CASE(loss_is_the_same_for_the_same_seed) {
  const auto run = [](std::uint32_t seed) {
    World world;
    world.introduce();
    world.network.shape("a", Direction::from_guest, 0, 0.5, seed);
    for (std::uint8_t tag = 0; tag < 40; ++tag) world.send("a", mac_of(2), 1, tag);
    return world.inbox["b"];
  };
  BOOST_TEST(run(1) == run(1));
  BOOST_TEST(run(1) != run(2));
}

BOOST_FIXTURE_TEST_CASE(full_loss_loses_all, World) {
  introduce();
  network.shape("b", Direction::to_guest, 0, 1.0, 1);
  send("a", mac_of(2), 1, 7);
  BOOST_TEST(inbox["b"] == "");
  BOOST_TEST(network.links().at("b").counters.dropped_loss == 1u);
  BOOST_TEST(comments.at(0) == "lost: by chance at b");
}

BOOST_FIXTURE_TEST_CASE(a_guest_that_does_not_read_loses_only_its_own, World) {
  introduce();
  refusing = "b";
  send("a", broadcast, 1, 7);
  BOOST_TEST(inbox["c"] == "7 ");
  BOOST_TEST(inbox["b"] == "");
  BOOST_TEST(network.links().at("b").counters.dropped_queue == 1u);
  BOOST_TEST(comments.at(0) == "lost: b does not read");
}

BOOST_FIXTURE_TEST_CASE(what_waits_in_a_delay_has_a_limit, World) {
  introduce();
  network.shape("b", std::nullopt, 60'000, 0.0, 1);
  const auto big = frame(mac_of(2), mac_of(1), 1, 60'000);
  for (std::size_t i = 0; i < limits::link_queue_bytes / 60'000 + 5; ++i)
    network.receive("a", big, now);
  const auto& link = network.links().at("b");
  BOOST_TEST(link.delayed_bytes <= limits::link_queue_bytes);
  BOOST_TEST(link.counters.dropped_queue == 5u);
}

BOOST_FIXTURE_TEST_CASE(a_guest_with_many_addresses_does_not_grow_the_table, World) {
  for (unsigned i = 0; i < limits::mac_table_entries + 100; ++i) {
    const Mac from = {
        0x02, 0, 0, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)};
    network.receive("a", frame(broadcast, from, 1), now);
  }
  BOOST_TEST(network.learnt() == limits::mac_table_entries);
  inbox.clear();
  // b is not learnt any more, and is still reached: by flooding.
  send("b", broadcast, 2, 1);
  inbox.clear();
  send("a", mac_of(2), 1, 7);
  BOOST_TEST(inbox["b"] == "7 ");
}

BOOST_FIXTURE_TEST_CASE(a_link_that_left_is_forgotten_and_may_come_back, World) {
  introduce();
  network.set_cut("b", Direction::from_guest, true);
  network.disconnect("b");
  send("a", mac_of(2), 1, 7);
  BOOST_TEST(inbox["c"] == "7 ");  // flooded: nobody knows where 2 is
  connect("b");
  BOOST_TEST(network.links().at("b").from_guest.cut);
  BOOST_CHECK_EXCEPTION(connect("b"), Failure,
                        [](const Failure& f) { return f.code() == "exists"; });
}

BOOST_AUTO_TEST_CASE(links_have_a_limit_and_names) {
  Switch network;
  for (std::size_t i = 0; i < limits::links; ++i)
    network.connect(fmt::format("l{}", i), [](const Frame&) { return true; });
  BOOST_CHECK_EXCEPTION(network.connect("more", [](const Frame&) { return true; }), Failure,
                        [](const Failure& f) { return f.code() == "limit"; });
  BOOST_CHECK_EXCEPTION(network.set_cut("none", std::nullopt, true), Failure,
                        [](const Failure& f) { return f.code() == "no_such"; });
}
