// The medium as a whole: its capacity, its cache, its motor and its door.
#include <algorithm>
#include <array>
#include <bit>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/operations.h"

namespace tsihd::scsi {

namespace {

/// Who asks for the size is told the size of now, not of the last look: an initiator that rescans
/// right after `lvresize` must find the new one. A disk that cannot be looked at keeps its old
/// size.
void look_again(Task& task) { static_cast<void>(task.server->refresh_capacity()); }

}  // namespace

void read_capacity_10(Task& task) {
  constexpr std::uint8_t kPmi = 0x01;  // obsolete, and with it the LBA field
  if ((task.cdb()[8] & kPmi) != 0) return task.fail(sense::invalid_cdb_field(8));
  if (get32(task.cdb() + 2) != 0) return task.fail(sense::invalid_cdb_field(2));
  look_again(task);
  std::array<std::byte, 8> data{};
  const std::uint64_t last = std::max<std::uint64_t>(task.server->block_count(), 1) - 1;
  put32(data.data(), std::min<std::uint64_t>(last, UINT32_MAX));
  put32(data.data() + 4, task.server->block_bytes());
  task.reply(data, data.size());
}

void read_capacity_16(Task& task) {
  look_again(task);
  const auto& geometry = task.server->geometry();
  std::array<std::byte, 32> data{};
  put64(data.data(), std::max<std::uint64_t>(task.server->block_count(), 1) - 1);
  put32(data.data() + 8, geometry.block_size_bytes);
  // LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT
  data[13] =
      std::byte(std::bit_width(geometry.physical_block_bytes / geometry.block_size_bytes) - 1);
  if (task.server->thin()) {
    constexpr std::byte kLbpme{0x80}, kLbprz{0x40};
    data[14] = task.server->discard_zeroes() ? kLbpme | kLbprz : kLbpme;
  }
  task.reply(data, get32(task.cdb() + 10));
}

void synchronize_cache(Task& task) {
  if (!check_range(task, decode_range(task.cdb()))) return;
  // IMMED only allows to answer early. Nobody gains by it here, and an error would be lost.
  task.when_enabled([](Task& it) {
    if (!it.server->geometry().write_cache) return it.good();
    it.settle(&Task::good_step);
  });
}

void prefetch(Task& task) {
  BlockRange range = decode_range(task.cdb());
  if (!check_range(task, range)) return;
  // GOOD, not CONDITION MET: nothing is promised to stay in a cache.
  task.good();
}

/// A file or a block device shows no defects: both lists are there and empty, in every format.
void read_defect_data(Task& task) {
  constexpr std::uint8_t kReadDefectData10 = 0x37;
  constexpr std::uint8_t kLists = 0x18;  // REQ_PLIST, REQ_GLIST and in the answer PLISTV, GLISTV
  constexpr std::uint8_t kReservedFormat = 7;
  const std::uint8_t* cdb = task.cdb();
  const bool ten = cdb[0] == kReadDefectData10;
  const std::uint16_t at = ten ? 2 : 1;
  if ((cdb[at] & 0x07) == kReservedFormat) return task.fail(sense::invalid_cdb_field(at));
  std::array<std::byte, 8> header{};
  header[1] = static_cast<std::byte>(cdb[at] & (kLists | 0x07));
  if (ten) return task.reply(std::span(header).first(4), get16(cdb + 7));
  task.reply(header, get32(cdb + 6));
}

namespace {

void stop(Task& task) {
  task.server->set_stopped(true);
  task.good();
}

}  // namespace

void start_stop_unit(Task& task) {
  constexpr std::uint8_t kStart = 0x01;
  constexpr std::uint8_t kLoej = 0x02;
  constexpr std::uint8_t kNoFlush = 0x04;
  const std::uint8_t flags = task.cdb()[4];
  const std::uint8_t power_condition = flags >> 4;
  const bool known = power_condition <= 3 || power_condition == 7 || power_condition == 0xa ||
                     power_condition == 0xb;
  if (!known) return task.fail(sense::invalid_cdb_field(4));
  // The medium is not removable: there is nothing to load or eject.
  if (power_condition == 0 && (flags & kLoej) != 0) return task.fail(sense::invalid_cdb_field(4));
  const bool stops = power_condition == 0 && (flags & kStart) == 0;
  const bool starts = power_condition == 1 || (power_condition == 0 && (flags & kStart) != 0);
  if (starts) task.server->set_stopped(false);
  // Idle and standby serve at once: a unit in them is as good as active (SBC-3 4.20).
  if (!stops) return task.good();
  if ((flags & kNoFlush) != 0 || !task.server->geometry().write_cache) return stop(task);
  task.when_enabled([](Task& it) { it.settle(stop); });
}

/// The medium is not removable: to prevent its removal nothing has to be kept in mind.
void prevent_allow_medium_removal(Task& task) {
  const std::uint8_t prevent = task.cdb()[4] & 0x03;
  if (prevent > 1) return task.fail(sense::invalid_cdb_field(4));
  task.good();
}

}  // namespace tsihd::scsi
