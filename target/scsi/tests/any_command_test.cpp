// Whatever an initiator says, every command ends once, answers no more than was asked for, and the
// unit lives on: each operation with fields and parameter lists made of chance, by fixed seeds.
#include <random>

#include "target/scsi/operations.h"
#include "target/scsi/tests/copy_bench.h"

using namespace tsihd::scsi;
using namespace tsihd::scsi::test;

namespace {

constexpr unsigned kSeeds = 60;
constexpr unsigned kCommands = 150;

/// PARAMETER LIST LENGTH, where SPC-4 4.3 has it.
std::size_t list_length(const Cdb& cdb) {
  constexpr std::uint8_t kPersistentReserveOut = 0x5f;
  if (cdb[0] == kPersistentReserveOut) return get32(&cdb[5]);
  switch (cdb_bytes_of(cdb[0])) {
    case 6:
      return cdb[4];
    case 10:
      return get16(&cdb[7]);
    case 12:
      return get32(&cdb[6]);
    default:
      return get32(&cdb[10]);
  }
}

struct ChanceBench : CopyBench {
  explicit ChanceBench(unsigned seed) : chance(seed) {
    unit->set_port_groups({PortGroup{}, {.name = "second", .id = 6}});
    unit->add_target_port(a->nexus.target_name, 1);
    unit->add_target_port(a->nexus.target_name, 2, "second");
    b->nexus.target_portal_group_tag = 2;
  }
  unsigned below(unsigned limit) { return static_cast<unsigned>(chance() % limit); }
  /// Zero as often as not, small, or anything.
  std::uint8_t byte() {
    const unsigned kind = below(8);
    return static_cast<std::uint8_t>(kind < 4 ? 0 : kind < 7 ? below(9) : below(256));
  }
  Cdb any_cdb(const Operation& operation) {
    Cdb cdb(16);
    cdb[0] = operation.opcode;
    const std::size_t length = cdb_bytes_of(operation.opcode);
    // Bits that the command does not look at, too, once in a while.
    const bool strays = below(8) == 0;
    for (std::size_t i = 1; i + 1 < length; ++i)
      cdb[i] = static_cast<std::uint8_t>(byte() & (strays ? 0xff : operation.usage[i - 1]));
    if (operation.service_action != kNoServiceAction)
      cdb[1] = static_cast<std::uint8_t>((cdb[1] & 0xe0) | operation.service_action);
    if (below(32) == 0) cdb[length - 1] = 0x04;  // NACA
    return cdb;
  }
  /// Parameter lists of the right length reach further than others.
  Bytes any_data(const Cdb& cdb) {
    constexpr std::size_t kMostBytes = 4096;
    const std::size_t asked = list_length(cdb);
    const std::size_t bytes = below(2) == 0 ? asked : below(3) * 512 + below(2) * below(64);
    Bytes data(std::min(bytes, kMostBytes));
    for (std::byte& it : data) it = std::byte{byte()};
    return data;
  }
  const Sent& send_anything() {
    const auto table = operations();
    const Operation& operation = table[below(static_cast<unsigned>(table.size()))];
    const Cdb cdb = any_cdb(operation);
    Initiator& by = below(2) == 0 ? *a : *b;
    const auto attribute = static_cast<TaskAttribute>(below(5));
    return by.send(cdb, any_data(cdb), below(3) * 256 + below(2), attribute,
                   static_cast<std::uint8_t>(below(3)));
  }

  std::mt19937 chance;
};

bool is_sound(const Sent& it) {
  if (!it.done) return true;
  const bool checked = it.command.status == Status::check_condition;
  return it.command.data_in_bytes <= it.command.expected_data_in_bytes &&
         checked == (it.command.sense_bytes > 0);
}

}  // namespace

// Red when a command crashes, hangs or ends twice (Initiator sees that), or when a reset leaves one
// behind.
BOOST_AUTO_TEST_CASE(any_command_ends_once) {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    ChanceBench bench(seed);
    std::vector<const Sent*> sent;
    for (unsigned i = 0; i < kCommands; ++i) {
      sent.push_back(&bench.send_anything());
      bench.turn_until_asleep();
      if (i % 16 == 0) BOOST_TEST(bench.unit->refresh_capacity().has_value());
    }
    for (LogicalUnit* unit : {bench.unit.get(), bench.other.get()}) unit->reset();
    const auto ended = [](const Sent* it) { return (it->done || it->aborted) && is_sound(*it); };
    BOOST_TEST(std::ranges::all_of(sent, ended), "seed " << seed);
    BOOST_TEST(bench.a->send(kTestUnitReady).failed(0x6, 0x2903), "seed " << seed);
  }
}
