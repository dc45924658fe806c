// What the tests of third-party copies stand on: two units, and lists of descriptors in few words.
#pragma once

#include <algorithm>

#include "target/scsi/copy_list.h"
#include "target/scsi/copy_manager.h"
#include "target/scsi/device_server.h"
#include "target/scsi/tests/bench.h"

namespace tsihd::scsi::test {

/// LUN 0 and LUN 1, the second with blocks and a disk of its own.
struct CopyBench : Bench {
  explicit CopyBench(std::unique_ptr<backstore::Backstore> first =
                         backstore::open_ramdisk({.size_bytes = kSizeBytes}).value(),
                     std::unique_ptr<backstore::Backstore> second =
                         backstore::open_ramdisk({.size_bytes = kSizeBytes}).value())
      : Bench(std::move(first)) {
    other = std::make_shared<LogicalUnit>(Identity{.name = "disk1", .serial = "beef"},
                                          std::move(second), Log());
    luns.entries[1] = {other, false};
    other->offer_copies(copies);
    for (Initiator* it : {a.get(), b.get()}) {
      other->attach(it->nexus);
      BOOST_TEST(to_other(*it, kTestUnitReady).failed(0x6, 0x2900));
    }
  }
  Sent& to_other(Initiator& by, const Cdb& cdb, Bytes data = {}) {
    return by.send(cdb, std::move(data), kPlenty, TaskAttribute::simple, 1);
  }
  /// What the blocks of LUN 1 hold.
  Bytes read_other(std::uint64_t lba, std::uint32_t blocks) {
    return to_other(*a, cdb16(0x88, lba, blocks)).data();
  }
  /// The turns of the event loop that a copy asks for.
  void turn_until_asleep() {
    while (std::exchange(copies_woken, 0) > 0) copies.advance();
  }

  std::shared_ptr<LogicalUnit> other;
};

/// Both disks complete only what the test completes.
struct ScriptedCopyBench : CopyBench {
  ScriptedCopyBench()
      : CopyBench(std::make_unique<ScriptedDisk>(kSizeBytes),
                  std::make_unique<ScriptedDisk>(kSizeBytes)) {}
  ScriptedDisk& source() { return static_cast<ScriptedDisk&>(unit->backstore()); }
  ScriptedDisk& destination() { return static_cast<ScriptedDisk&>(other->backstore()); }
};

inline Bytes cscd(LogicalUnit& unit, bool pad = false) {
  Bytes it(kCscdDescriptorBytes);
  put_cscd_descriptor(std::span(it).first<kCscdDescriptorBytes>(), unit.device_server());
  if (pad) it[28] = std::byte{0x04};
  return it;
}

struct Segment {
  std::uint16_t source = 0;
  std::uint16_t destination = 1;
  std::uint16_t blocks = 1;
  std::uint64_t source_lba = 0;
  std::uint64_t destination_lba = 0;
  std::uint8_t flags = 0;

  Bytes bytes() const {
    Bytes it(28);
    it[0] = std::byte{0x02};
    it[1] = std::byte{flags};
    put16(&it[2], 24);
    put16(&it[4], source);
    put16(&it[6], destination);
    put16(&it[10], blocks);
    put64(&it[12], source_lba);
    put64(&it[20], destination_lba);
    return it;
  }
};

inline void append(Bytes& to, const Bytes& what) { to.insert(to.end(), what.begin(), what.end()); }

/// LID1, LIST ID USAGE 00b.
inline Bytes copy_list(const std::vector<Bytes>& cscds, const std::vector<Bytes>& segments,
                       std::uint8_t list_identifier = 1) {
  Bytes list(16);
  list[0] = std::byte{list_identifier};
  for (const Bytes& it : cscds) append(list, it);
  const std::size_t cscd_bytes = list.size() - 16;
  for (const Bytes& it : segments) append(list, it);
  put16(&list[2], cscd_bytes);
  put32(&list[8], list.size() - 16 - cscd_bytes);
  return list;
}

inline Cdb copy_out(std::uint8_t service_action, std::size_t list_bytes,
                    std::uint32_t list_identifier = 0) {
  Cdb cdb(16);
  cdb[0] = 0x83;
  cdb[1] = service_action;
  put32(&cdb[6], list_identifier);
  put32(&cdb[10], list_bytes);
  return cdb;
}
inline Cdb receive(std::uint8_t service_action, std::uint32_t list_identifier,
                   std::uint32_t allocation_bytes = 4096) {
  Cdb cdb(16);
  cdb[0] = 0x84;
  cdb[1] = service_action;
  if (service_action == 0x00 || service_action == 0x04)
    cdb[2] = static_cast<std::uint8_t>(list_identifier);
  else
    put32(&cdb[2], list_identifier);
  put32(&cdb[10], allocation_bytes);
  return cdb;
}
inline Sent& extended_copy(Initiator& by, const Bytes& list) {
  return by.send(copy_out(0x00, list.size()), list);
}

/// The segment pointer, or the field pointer into the parameter list, of fixed format sense data.
inline unsigned pointer(const Sent& it) { return get16(&it.command.sense[16]); }
inline unsigned segment_number(const Sent& it) { return get16(&it.command.sense[10]); }

}  // namespace tsihd::scsi::test
