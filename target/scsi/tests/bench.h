// What the device server's tests stand on: initiators that speak in CDBs, and a disk whose
// completions the test gives out by hand.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "target/backstore/open.h"
#include "target/scsi/bytes.h"
#include "target/scsi/copy_manager.h"
#include "target/scsi/logical_unit.h"

namespace tsihd::scsi::test {

using Bytes = std::vector<std::byte>;
using Cdb = std::vector<std::uint8_t>;

inline Bytes filled(std::size_t bytes, unsigned seed) {
  Bytes data(bytes);
  for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>(seed + i * 3 + i / 253);
  return data;
}

/// A ramdisk whose requests stay open until the test completes them, in any order.
class ScriptedDisk final : public backstore::Backstore {
 public:
  explicit ScriptedDisk(std::uint64_t size_bytes)
      : memory_(backstore::open_ramdisk({.size_bytes = size_bytes}).value()),
        geometry_(memory_->geometry()) {
    geometry_.write_cache = true;
  }
  std::string_view type() const override { return "scripted"; }
  const backstore::Geometry& geometry() const override { return geometry_; }
  void submit(backstore::Io& io) override {
    if (holding)
      held.push_back(&io);
    else
      memory_->submit(io);
  }
  std::optional<backstore::SpaceUse> space_use() const override { return space; }
  Result<bool> refresh_size() override {
    const bool changed = geometry_.size_bytes != memory_->geometry().size_bytes;
    geometry_.size_bytes = memory_->geometry().size_bytes;
    return changed;
  }
  Result<void> resize(std::uint64_t size_bytes) override {
    auto done = memory_->resize(size_bytes);
    if (done) geometry_.size_bytes = size_bytes;
    return done;
  }
  void refuse_changes() override { geometry_.read_only = true; }
  /// The size changes as it does when an LVM volume grows: nobody here was told.
  void resize_outside(std::uint64_t size_bytes) {
    BOOST_TEST(memory_->resize(size_bytes).has_value());
  }

  void complete(std::size_t index, int error = 0) {
    backstore::Io& io = *held.at(index);
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(index));
    if (error == 0) return memory_->submit(io);
    io.error = error;
    io.done(io);
  }
  void complete_all() {
    while (!held.empty()) complete(0);
  }

  /// What the disk says of itself; before a unit stands on it.
  backstore::Geometry& described() { return geometry_; }

  bool holding = true;
  std::optional<backstore::SpaceUse> space;
  std::deque<backstore::Io*> held;

 private:
  std::unique_ptr<backstore::Backstore> memory_;
  backstore::Geometry geometry_;
};

/// A command and what became of it.
struct Sent {
  Command command;
  Bytes data_out;
  bool done = false;
  bool aborted = false;

  bool good() const { return done && command.status == Status::good; }
  bool failed(std::uint8_t key, unsigned code) const {
    const bool check = done && command.status == Status::check_condition;
    if (!check) return false;
    const bool descriptor = command.sense[0] == std::byte{0x72};
    const auto got_key = static_cast<unsigned>(command.sense[descriptor ? 1 : 2]) & 0xf;
    const unsigned got_code = get16(&command.sense[descriptor ? 2 : 12]);
    if (got_key != key || got_code != code)
      BOOST_TEST_MESSAGE("sense " << std::hex << got_key << " " << got_code);
    return got_key == key && got_code == code;
  }
  bool conflict() const { return done && command.status == Status::reservation_conflict; }
  std::uint32_t information() const { return get32(&command.sense[3]); }
  Bytes data() const {
    const std::byte* from = command.data_in.data();
    return from == nullptr ? Bytes() : Bytes(from, from + command.data_in_bytes);
  }
};

inline constexpr std::uint32_t kPlenty = 1u << 24;

class Initiator final : public CommandOwner {
 public:
  Initiator(LunMap& luns, std::uint64_t id) : luns_(luns) {
    nexus.id = id;
    nexus.initiator_name = "iqn.2024-01.example:host" + std::to_string(id);
    nexus.initiator_port_name = nexus.initiator_name + ",i,0x00023d000000";
    nexus.target_name = "iqn.2024-01.example:disk";
    for (auto& [number, entry] : luns_.entries) entry.unit->attach(nexus);
  }
  ~Initiator() {
    for (auto& [number, entry] : luns_.entries) entry.unit->detach(nexus);
  }

  /// Sends a command; the data-out phase is answered at once, with all of `data_out`.
  Sent& send(const Cdb& cdb, Bytes data_out = {}, std::uint32_t expected_in = kPlenty,
             TaskAttribute attribute = TaskAttribute::simple, std::uint8_t lun = 0) {
    Sent& it = prepare(cdb, std::move(data_out), expected_in, attribute, lun);
    luns_.start(it.command);
    if (!it.done && it.command.wanted_data_out_bytes > 0) give_data(it);
    return it;
  }
  /// The same, but the data does not come before give_data().
  Sent& send_without_data(const Cdb& cdb, Bytes data_out,
                          TaskAttribute attribute = TaskAttribute::simple) {
    Sent& it = prepare(cdb, std::move(data_out), 0, attribute, 0);
    luns_.start(it.command);
    return it;
  }
  void give_data(Sent& it) {
    it.command.data_out = it.data_out;
    LunMap::data_out_ready(it.command);
  }
  /// Takes the unit attention of the attachment.
  void settle() { BOOST_TEST(send({0x00, 0, 0, 0, 0, 0}).failed(0x6, 0x2900)); }

  void command_done(Command& command) override { find(command).done = true; }
  void command_aborted(Command& command) override { find(command).aborted = true; }

  Nexus nexus;

 private:
  Sent& prepare(const Cdb& cdb, Bytes data_out, std::uint32_t expected_in, TaskAttribute attribute,
                std::uint8_t lun) {
    sent_.emplace_back();
    Sent& it = sent_.back();
    it.data_out = std::move(data_out);
    it.command.owner = this;
    it.command.nexus = &nexus;
    it.command.lun[1] = std::byte{lun};
    std::ranges::copy(cdb, it.command.cdb.begin());
    it.command.attribute = attribute;
    it.command.expected_data_in_bytes = expected_in;
    it.command.expected_data_out_bytes = static_cast<std::uint32_t>(it.data_out.size());
    return it;
  }
  Sent& find(Command& command) {
    for (Sent& it : sent_)
      if (&it.command == &command) {
        BOOST_TEST((!it.done && !it.aborted), "a command ended twice");
        return it;
      }
    throw std::logic_error("a command that nobody sent");
  }

  LunMap& luns_;
  std::deque<Sent> sent_;
};

// -- CDBs

inline Cdb cdb10(std::uint8_t opcode, std::uint64_t lba, std::uint32_t blocks,
                 std::uint8_t flags = 0) {
  Cdb cdb(10);
  cdb[0] = opcode;
  cdb[1] = flags;
  put32(&cdb[2], lba);
  put16(&cdb[7], blocks);
  return cdb;
}
inline Cdb cdb16(std::uint8_t opcode, std::uint64_t lba, std::uint32_t blocks,
                 std::uint8_t flags = 0) {
  Cdb cdb(16);
  cdb[0] = opcode;
  cdb[1] = flags;
  put64(&cdb[2], lba);
  put32(&cdb[10], blocks);
  return cdb;
}
inline const Cdb kTestUnitReady{0, 0, 0, 0, 0, 0};

/// LUN 0 over a disk, and two initiators that have seen their first unit attention.
struct Bench {
  static constexpr std::uint64_t kSizeBytes = 1u << 20;
  static constexpr std::uint64_t kBlocks = kSizeBytes / 512;

  explicit Bench(std::unique_ptr<backstore::Backstore> disk =
                     backstore::open_ramdisk({.size_bytes = kSizeBytes}).value(),
                 const Attributes& attributes = {})
      : unit(std::make_shared<LogicalUnit>(
            Identity{.name = "disk0", .serial = "0123-4567-89ab"}, std::move(disk),
            Log([this](Severity, std::string_view line) { log.emplace_back(line); }), attributes)) {
    luns.entries[0] = {unit, false};
    unit->offer_copies(copies);
    a = std::make_unique<Initiator>(luns, 1);
    b = std::make_unique<Initiator>(luns, 2);
    a->settle();
    b->settle();
  }

  std::vector<std::string> log;
  /// Random bytes that the test can tell in advance.
  static void fill_with_fives(std::span<std::byte> bytes) {
    std::ranges::fill(bytes, std::byte{0x55});
  }
  int copies_woken = 0;
  CopyManager copies{fill_with_fives, [this] { ++copies_woken; }};
  std::shared_ptr<LogicalUnit> unit;
  LunMap luns;
  std::unique_ptr<Initiator> a;
  std::unique_ptr<Initiator> b;
};

struct ScriptedBench : Bench {
  ScriptedBench() : Bench(std::make_unique<ScriptedDisk>(kSizeBytes)) {}
  ScriptedDisk& disk() { return static_cast<ScriptedDisk&>(unit->backstore()); }
};

}  // namespace tsihd::scsi::test
