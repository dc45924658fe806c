#include "target/scsi/mode_pages.h"

#include <algorithm>
#include <array>
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
constexpr std::byte kWce{0x04};
constexpr std::byte kDSense{0x04};
constexpr std::byte kSwp{0x08};

struct ModePage {
  std::uint8_t code;
  std::uint8_t bytes;  ///< with the two of the header
  /// Fills in the values, or in changeable form a one for every bit that MODE SELECT may change.
  void (*fill)(const ModeState& state, bool changeable, std::byte* page);
};

void read_write_error_recovery(const ModeState&, bool, std::byte*) {}

void caching(const ModeState& state, bool changeable, std::byte* page) {
  if (changeable ? state.volatile_cache : state.write_cache) page[2] = kWce;
}

void control(const ModeState& state, bool changeable, std::byte* page) {
  if (changeable || state.descriptor_sense) page[2] |= kDSense;
  if (changeable || state.software_write_protect) page[4] |= kSwp;
  if (changeable) return;
  page[3] = std::byte{0x10};  // unrestricted reordering; QErr 0: others go on
  put16(page + 8, 0xffff);    // BUSY TIMEOUT PERIOD: unlimited
}

void informational_exceptions(const ModeState&, bool, std::byte*) {}

constexpr std::array<ModePage, 4> kPages{{{0x01, 12, read_write_error_recovery},
                                          {0x08, 20, caching},
                                          {0x0a, 12, control},
                                          {0x1c, 12, informational_exceptions}}};
constexpr std::uint8_t kAllPages = 0x3f;

void append_page(Bytes& data, const ModePage& page, const ModeState& state, bool changeable) {
  const std::size_t at = data.size();
  data.resize(at + page.bytes);
  page.fill(state, changeable, &data[at]);
  data[at] = std::byte{page.code};
  data[at + 1] = static_cast<std::byte>(page.bytes - 2);
}

void append_block_descriptor(Bytes& data, const DeviceServer& server, bool long_lba) {
  const std::size_t at = data.size();
  data.resize(at + (long_lba ? 16 : 8));
  if (long_lba) {
    put64(&data[at], server.block_count());
    put32(&data[at + 12], server.block_bytes());
  } else {
    put32(&data[at], std::min<std::uint64_t>(server.block_count(), UINT32_MAX));
    put32(&data[at + 4], server.block_bytes());
  }
}

// -- MODE SELECT: read whole, checked whole, then applied

struct Selection {
  ModeState wanted;
  Sense error = sense::kNone;

  bool fail(const Sense& why) {
    error = why;
    return false;
  }
};

void apply(const ModePage& page, const std::byte* values, ModeState& state) {
  if (page.code == 0x08) state.write_cache = (values[2] & kWce) != std::byte{0};
  if (page.code == 0x0a) {
    state.descriptor_sense = (values[2] & kDSense) != std::byte{0};
    state.software_write_protect = (values[4] & kSwp) != std::byte{0};
  }
}

/// Every bit that is not changeable must have its present value.
bool take_page(Selection& selection, const ModeState& present, std::span<const std::byte> list,
               std::size_t at) {
  const auto code = static_cast<std::uint8_t>(list[at] & std::byte{0x3f});
  const bool subpage = (list[at] & std::byte{0x40}) != std::byte{0};
  const auto it = std::ranges::find(kPages, code, &ModePage::code);
  const auto offset = static_cast<std::uint16_t>(at);
  if (it == kPages.end() || subpage) return selection.fail(sense::invalid_parameter(offset));
  if (static_cast<std::uint8_t>(list[at + 1]) + 2u != it->bytes)
    return selection.fail(sense::invalid_parameter(static_cast<std::uint16_t>(offset + 1)));
  if (list.size() - at < it->bytes) return selection.fail(sense::kParameterListLength);
  std::array<std::byte, 32> now{};
  std::array<std::byte, 32> changeable{};
  it->fill(present, false, now.data());
  it->fill(present, true, changeable.data());
  for (std::size_t i = 2; i < it->bytes; ++i)
    if (((list[at + i] ^ now[i]) & ~changeable[i]) != std::byte{0})
      return selection.fail(sense::invalid_parameter(static_cast<std::uint16_t>(at + i)));
  apply(*it, &list[at], selection.wanted);
  return true;
}

bool take_block_descriptor(Selection& selection, const DeviceServer& server,
                           std::span<const std::byte> list, std::size_t at, std::size_t bytes,
                           bool long_lba) {
  if (bytes == 0) return true;
  if (bytes != (long_lba ? 16u : 8u))
    return selection.fail(sense::invalid_parameter(static_cast<std::uint16_t>(at - 1)));
  if (list.size() - at < bytes) return selection.fail(sense::kParameterListLength);
  // The block size stays; the number of blocks is not looked at (SBC: it changes nothing here).
  const std::uint32_t block = long_lba ? get32(&list[at + 12]) : get24(&list[at + 5]);
  if (block == server.block_bytes()) return true;
  return selection.fail(sense::invalid_parameter(static_cast<std::uint16_t>(at + 5)));
}

bool read_list(Selection& selection, const DeviceServer& server, std::span<const std::byte> list,
               bool six) {
  const std::size_t header = six ? 4 : 8;
  if (list.size() < header) return selection.fail(sense::kParameterListLength);
  const bool long_lba = !six && (list[4] & std::byte{1}) != std::byte{0};
  const std::size_t descriptor = six ? static_cast<std::uint8_t>(list[3]) : get16(&list[6]);
  if (!take_block_descriptor(selection, server, list, header, descriptor, long_lba)) return false;
  for (std::size_t at = header + descriptor; at < list.size();) {
    if (list.size() - at < 2) return selection.fail(sense::kParameterListLength);
    if (!take_page(selection, selection.wanted, list, at)) return false;
    at += static_cast<std::uint8_t>(list[at + 1]) + 2u;
  }
  return true;
}

void mode_select_now(Task& task) {
  const bool six = task.cdb()[0] == kModeSelect6;
  if (task.data_out().size() < task.command->wanted_data_out_bytes)
    return task.fail(sense::kParameterListLength);
  ModeState& mode = task.server->mode();
  Selection selection{.wanted = mode, .error = {}};
  if (!read_list(selection, *task.server, task.data_out(), six)) return task.fail(selection.error);
  const bool cache_ends = mode.write_cache && !selection.wanted.write_cache;
  const bool changed = mode.write_cache != selection.wanted.write_cache ||
                       mode.descriptor_sense != selection.wanted.descriptor_sense ||
                       mode.software_write_protect != selection.wanted.software_write_protect;
  mode = selection.wanted;
  if (changed) task.server->establish_for_all(UnitAttention::mode_parameters_changed, task.nexus);
  if (!cache_ends) return task.good();
  task.flush(&Task::good_step);  // what was cached until now
}

}  // namespace

void mode_sense(Task& task) {
  constexpr std::uint8_t kDbd = 0x08;
  constexpr std::uint8_t kLlbaa = 0x10;
  const std::uint8_t* cdb = task.cdb();
  const bool six = cdb[0] == kModeSense6;
  const std::uint8_t code = cdb[2] & 0x3f;
  const std::uint8_t page_control = cdb[2] >> 6;
  const bool long_lba = !six && (cdb[1] & kLlbaa) != 0;
  DeviceServer& server = *task.server;
  if (page_control == 3) return task.fail(sense::kSavingNotSupported);
  if (cdb[3] != 0 && !(code == kAllPages && cdb[3] == 0xff))
    return task.fail(sense::invalid_cdb_field(3));

  Bytes data(six ? 4 : 8);
  if ((cdb[1] & kDbd) == 0) append_block_descriptor(data, server, long_lba);
  const std::size_t descriptor_bytes = data.size() - (six ? 4 : 8);
  const ModeState state =
      page_control == 2 ? ModeState::defaults(server.geometry().write_cache) : server.mode();
  const std::size_t before = data.size();
  for (const ModePage& page : kPages)
    if (code == kAllPages || code == page.code) append_page(data, page, state, page_control == 1);
  if (data.size() == before) return task.fail(sense::invalid_cdb_field(2));

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
  constexpr std::uint8_t kSavePages = 0x01;
  constexpr std::uint8_t kPageFormat = 0x10;
  const std::uint8_t* cdb = task.cdb();
  const std::uint32_t bytes = cdb[0] == kModeSelect6 ? cdb[4] : get16(cdb + 7);
  if ((cdb[1] & kSavePages) != 0 || (cdb[1] & kPageFormat) == 0)
    return task.fail(sense::invalid_cdb_field(1));
  if (bytes > kMaxModeParameterBytes) return task.fail(sense::kParameterListLength);
  if (bytes == 0) return task.good();  // no parameters: not an error (SPC)
  if (task.command->expected_data_out_bytes == 0) return task.fail(sense::kParameterListLength);
  task.want_data_out(bytes, mode_select_now);
}

}  // namespace tsihd::scsi
