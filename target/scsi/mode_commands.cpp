// MODE SENSE and MODE SELECT, in both lengths.
#include <algorithm>
#include <vector>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::uint8_t kModeSense6 = 0x1a;
constexpr std::uint8_t kModeSelect6 = 0x15;
constexpr std::uint8_t kSavePages = 0x01;
constexpr std::size_t kShortDescriptorBytes = 8;
constexpr std::size_t kLongDescriptorBytes = 16;

void append_block_descriptor(Bytes& data, const DeviceServer& server, bool long_lba) {
  const std::size_t at = data.size();
  data.resize(at + (long_lba ? kLongDescriptorBytes : kShortDescriptorBytes));
  if (long_lba) {
    put64(&data[at], server.block_count());
    put32(&data[at + 12], server.block_bytes());
  } else {
    put32(&data[at], std::min<std::uint64_t>(server.block_count(), UINT32_MAX));
    put32(&data[at + 4], server.block_bytes());
  }
}

// -- MODE SELECT: read whole, checked whole, then applied

/// The capacity and the block size cannot be changed from here: SBC-3 6.5.2 leaves the present
/// number of blocks, zero (leave it) and all ones (as many as there are).
std::optional<Sense> check_block_descriptor(const DeviceServer& server,
                                            std::span<const std::byte> list, std::size_t at,
                                            std::size_t bytes, bool long_lba) {
  if (bytes == 0) return std::nullopt;
  const auto wrong = [](std::size_t byte) {
    return sense::invalid_parameter(static_cast<std::uint16_t>(byte));
  };
  if (bytes != (long_lba ? kLongDescriptorBytes : kShortDescriptorBytes)) return wrong(at - 1);
  if (list.size() - at < bytes) return sense::kParameterListLength;
  const std::uint64_t most = long_lba ? UINT64_MAX : UINT32_MAX;
  const std::uint64_t blocks = long_lba ? get64(&list[at]) : get32(&list[at]);
  const std::uint64_t present = std::min(server.block_count(), most);
  if (blocks != 0 && blocks != most && blocks != present) return wrong(at);
  const std::size_t size_at = at + (long_lba ? 12 : 5);
  const std::uint32_t block = long_lba ? get32(&list[size_at]) : get24(&list[size_at]);
  if (block != server.block_bytes()) return wrong(size_at);
  return std::nullopt;
}

std::optional<Sense> read_list(const DeviceServer& server, std::span<const std::byte> list,
                               bool six, ModeState& wanted) {
  const std::size_t header = six ? 4 : 8;
  if (list.size() < header) return sense::kParameterListLength;
  const bool long_lba = !six && (list[4] & std::byte{1}) != std::byte{0};
  const std::size_t descriptor = six ? static_cast<std::uint8_t>(list[3]) : get16(&list[6]);
  if (auto why = check_block_descriptor(server, list, header, descriptor, long_lba)) return why;
  return take_mode_pages(list, header + descriptor, server.mode_capabilities(), wanted);
}

void apply(Task& task, const ModeState& wanted) {
  DeviceServer& server = *task.server;
  const bool cache_ends = server.mode().write_cache && !wanted.write_cache;
  if (wanted != server.mode()) {
    server.establish_for_all(UnitAttention::mode_parameters_changed, task.nexus);
    server.set_mode(wanted);
  }
  if (!cache_ends) return task.good();
  task.settle(&Task::good_step);  // what was cached until now
}

void mode_select_now(Task& task) {
  const bool six = task.cdb()[0] == kModeSelect6;
  if (task.data_out().size() < task.command->wanted_data_out_bytes)
    return task.fail(sense::kParameterListLength);
  ModeState wanted = task.server->mode();
  if (const auto why = read_list(*task.server, task.data_out(), six, wanted))
    return task.fail(*why);
  if ((task.cdb()[1] & kSavePages) == 0) return apply(task, wanted);
  task.server->saved_mode().save(task, wanted, apply);
}

const ModeState& shown_state(const DeviceServer& server, PageControl control) {
  if (control == PageControl::defaults) return server.default_mode();
  if (control == PageControl::saved) return server.initial_mode();
  return server.mode();
}

}  // namespace

void mode_sense(Task& task) {
  constexpr std::uint8_t kDbd = 0x08;
  constexpr std::uint8_t kLlbaa = 0x10;
  const std::uint8_t* cdb = task.cdb();
  const bool six = cdb[0] == kModeSense6;
  const auto control = static_cast<PageControl>(cdb[2] >> 6);
  const bool long_lba = !six && (cdb[1] & kLlbaa) != 0;
  const DeviceServer& server = *task.server;
  const bool savable = server.saved_mode().can_save();
  if (control == PageControl::saved && !savable) return task.fail(sense::kSavingNotSupported);

  Bytes data(six ? 4 : 8);
  if ((cdb[1] & kDbd) == 0) append_block_descriptor(data, server, long_lba);
  const std::size_t descriptor_bytes = data.size() - (six ? 4 : 8);
  const auto missing =
      append_mode_pages(data, cdb[2] & 0x3f, cdb[3], shown_state(server, control),
                        server.mode_capabilities(), control == PageControl::changeable, savable);
  if (missing) return task.fail(sense::invalid_cdb_field(*missing));

  const bool protected_now = task.lun_write_protected || server.geometry().read_only ||
                             server.mode().software_write_protect;
  const auto device_specific = std::byte(0x10 | (protected_now ? 0x80 : 0));  // DPOFUA, WP
  if (six) {
    data[0] = static_cast<std::byte>(data.size() - 1);
    data[2] = device_specific;
    data[3] = static_cast<std::byte>(descriptor_bytes);
    return task.reply(data, cdb[4]);
  }
  put16(&data[0], data.size() - 2);
  data[3] = device_specific;
  if (long_lba) data[4] = std::byte{1};
  put16(&data[6], descriptor_bytes);
  task.reply(data, get16(cdb + 7));
}

void mode_select(Task& task) {
  constexpr std::uint8_t kPageFormat = 0x10;
  const std::uint8_t* cdb = task.cdb();
  const std::uint32_t bytes = cdb[0] == kModeSelect6 ? cdb[4] : get16(cdb + 7);
  const bool saves = (cdb[1] & kSavePages) != 0;
  if ((cdb[1] & kPageFormat) == 0 || (saves && !task.server->saved_mode().can_save()))
    return task.fail(sense::invalid_cdb_field(1));
  if (bytes > kMaxModeParameterBytes) return task.fail(sense::kParameterListLength);
  if (bytes == 0) return task.good();  // no parameters: not an error (SPC-4 6.9)
  if (task.command->expected_data_out_bytes == 0) return task.fail(sense::kParameterListLength);
  task.want_data_out(bytes, mode_select_now);
}

}  // namespace tsihd::scsi
