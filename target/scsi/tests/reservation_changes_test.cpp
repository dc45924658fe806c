// APTPL: what a PERSISTENT RESERVE OUT waits for, what is stored, what comes back.
#include "target/scsi/reservation_changes.h"

#include <fmt/format.h>

#include <cerrno>

#include "target/scsi/reservation_image.h"
#include "target/scsi/tests/held_store.h"
#include "target/scsi/tests/reserve_commands.h"

using namespace tsihd;
using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

constexpr std::uint8_t kPersist = 0x01;
const std::string kSerial = "0123-4567-89ab";

struct Kept : Bench {
  Kept() { BOOST_TEST(unit->keep_reservations(store_with("")).has_value()); }
  backstore::OpenedState store_with(std::string content) {
    return {std::make_unique<HeldStore>(&store), std::move(content)};
  }
  Sent& enrol_kept(Initiator& who, std::uint64_t key) {
    return reserve_out(who, 0, 0, key, 0, kPersist);
  }
  std::uint32_t registered() { return get32(&reserve_in(*b, 0)[4]) / 8; }
  /// A registers and reserves; the medium has it.
  void reserve_kept() {
    enrol_kept(*a, kKeyA);
    store->complete();
    reserve(*a, kKeyA, WE);
    store->complete();
  }
  HeldStore* store = nullptr;
};

std::string reason(std::string_view text, const std::string& serial = kSerial) {
  const auto decoded = decode_reservations(text, serial);
  return decoded ? "" : decoded.error().message;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(reservations_kept, Kept)

BOOST_AUTO_TEST_CASE(nothing_counts_before_the_medium_has_it) {
  Sent& sent = enrol_kept(*a, kKeyA);
  BOOST_TEST(!sent.done);
  BOOST_TEST(registered() == 0u);
  store->complete();
  BOOST_TEST(sent.good());
  BOOST_TEST(registered() == 1u);
}

BOOST_AUTO_TEST_CASE(changes_go_one_at_a_time) {
  Sent& first = enrol_kept(*a, kKeyA);
  Sent& second = enrol_kept(*b, kKeyB);
  Sent& legacy = b->send({0x16, 0, 0, 0, 0, 0});
  BOOST_TEST(store->held.size() == 1u);
  store->complete();
  BOOST_TEST(first.good());
  BOOST_TEST((!second.done && !legacy.done));
  store->complete();
  BOOST_TEST(second.good());
  BOOST_TEST(legacy.conflict());
  BOOST_TEST(registered() == 2u);
}

BOOST_AUTO_TEST_CASE(a_medium_that_fails_changes_nothing) {
  Sent& sent = enrol_kept(*a, kKeyA);
  Sent& next = enrol_kept(*b, kKeyB);
  store->complete(EIO);
  BOOST_TEST(sent.failed(0x4, 0x4400));
  BOOST_TEST(registered() == 0u);
  BOOST_TEST(log.back().find("reservations_not_stored") != std::string::npos);
  store->complete();
  BOOST_TEST(next.good());
  // What an error left on the medium is not known: even "nothing" is written again.
  Sent& clear = reserve_out(*b, 3, kKeyB, 0);
  store->complete(EIO);
  BOOST_TEST(clear.failed(0x4, 0x4400));
  BOOST_TEST(registered() == 1u);
  reserve_out(*b, 3, kKeyB, 0);
  BOOST_TEST(store->held.size() == 1u);
  store->complete();
}

BOOST_AUTO_TEST_CASE(an_abort_does_not_part_memory_from_medium) {
  Sent& sent = enrol_kept(*a, kKeyA);
  Sent& waiting = enrol_kept(*b, kKeyB);
  unit->abort(waiting.command);
  BOOST_TEST(waiting.aborted);
  unit->abort(sent.command);
  BOOST_TEST(!sent.aborted);
  store->complete();
  BOOST_TEST(sent.aborted);
  BOOST_TEST(registered() == 1u);
  BOOST_TEST(store->held.empty());
}

BOOST_AUTO_TEST_CASE(only_what_asks_for_it_is_kept) {
  BOOST_TEST(enrol(*a, kKeyA).good());
  BOOST_TEST(reserve(*a, kKeyA, WE).good());
  BOOST_TEST(store->replaced == 0);
  BOOST_TEST((a->send({0x5e, 2, 0, 0, 0, 0, 0, 0, 8, 0}).data().at(3) == std::byte{0x80}));
  reserve_out(*a, 6, 0, kKeyA, 0, kPersist);
  store->complete();
  BOOST_TEST(store->content.find("reservation 1 0\n") != std::string::npos);
  const Bytes report = a->send({0x5e, 2, 0, 0, 0, 0, 0, 0, 8, 0}).data();
  BOOST_TEST((report.at(2) == std::byte{0x1d} && report.at(3) == std::byte{0x81}));
  BOOST_TEST(reserve(*a, kKeyA, WE).good());  // says nothing new
  BOOST_TEST(store->replaced == 1);
  reserve_out(*a, 6, 0, kKeyA);
  store->complete();
  BOOST_TEST(store->content.empty());
  BOOST_TEST(registered() == 1u);
}

BOOST_AUTO_TEST_CASE(every_action_is_stored) {
  reserve_kept();
  enrol_kept(*b, kKeyB);
  store->complete();
  BOOST_TEST(store->replaced == 3);
  for (const std::uint8_t action : Cdb{2, 1, 5, 3}) {
    Initiator& who = action <= 2 ? *a : *b;
    Sent& sent = reserve_out(who, action, action <= 2 ? kKeyA : kKeyB, kKeyA, WE);
    BOOST_TEST(!sent.done);
    const std::string before = store->content;
    store->complete();
    BOOST_TEST(sent.good());
    BOOST_TEST(store->content != before);
  }
  BOOST_TEST(store->content.empty());
}

BOOST_AUTO_TEST_CASE(a_new_process_has_them_again) {
  reserve_kept();
  const std::string content = store->content;
  reserve_out(*a, 3, kKeyA, 0);
  store->complete();
  BOOST_TEST(write(*b).good());
  BOOST_TEST(unit->keep_reservations(store_with(content)).has_value());
  BOOST_TEST(write(*b).conflict());
  BOOST_TEST(write(*a).good());
  const Bytes keys = reserve_in(*a, 0);
  BOOST_TEST(get32(&keys[0]) == 0u);
  BOOST_TEST(get64(&keys[8]) == kKeyA);
  Sent& released = release(*a, kKeyA, WE);
  store->complete();
  BOOST_TEST(released.good());
  BOOST_TEST(write(*b).good());
}

BOOST_AUTO_TEST_CASE(what_is_not_ours_is_refused) {
  reserve_kept();
  const std::string good = store->content;
  BOOST_TEST(reason(good).empty());
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    BOOST_TEST(!reason(flipped).empty());
    BOOST_TEST(!reason(good.substr(0, at)).empty());
  }
  BOOST_TEST(!reason(good + "\n").empty());
  BOOST_TEST(reason(good, "other").find("expected serial number other") != std::string::npos);
  BOOST_TEST(reason("PR_REG_START: 0\n") == "not a file of registrations");
  BOOST_TEST(!unit->keep_reservations(store_with(good.substr(1))).has_value());
}

BOOST_AUTO_TEST_CASE(the_fullest_image_can_be_read_back) {
  Reservations full;
  full.set_persists(true);
  std::vector<PortIdentity> ports(Reservations::kMaxRegistrations);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    ports[i].initiator_name = std::string(223, 'n');
    ports[i].initiator_port_name = fmt::format("{},i,0x{:012x}", ports[i].initiator_name, i);
    ports[i].target_name = std::string(223, 't');
    ports[i].target_portal_group_tag = 0xffff;
  }
  BOOST_TEST((full.register_others(ports, kKeyA).status == scsi::Status::good));
  const std::string image = encode_reservations(full, kSerial);
  BOOST_TEST(image.size() <= backstore::kMaxStateBytes);
  BOOST_TEST(reason(image).empty());
}

BOOST_AUTO_TEST_SUITE_END()
