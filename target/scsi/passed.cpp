#include "target/scsi/passed.h"

#include <algorithm>
#include <cstring>

#include "target/backstore/scsi_device.h"
#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"
#include "target/scsi/passed_transfer.h"

namespace tsihd::scsi {
namespace {

using Direction = backstore::ScsiExchange::Direction;

constexpr std::uint8_t kRequestSense = 0x03;
constexpr std::uint8_t kInquiry = 0x12;
constexpr std::uint8_t kModeSense6 = 0x1a;
constexpr std::uint8_t kSynchronizeCache10 = 0x35;
constexpr std::uint8_t kModeSense10 = 0x5a;
constexpr std::uint8_t kVariableLength = 0x7f;
constexpr std::uint8_t kSynchronizeCache16 = 0x91;
constexpr std::uint8_t kReportLuns = 0xa0;

// -- what passes

bool is_one_of(std::uint8_t opcode, std::initializer_list<std::uint8_t> opcodes) {
  return std::ranges::find(opcodes, opcode) != opcodes.end();
}

/// By the opcode's group; 0 where a CDB has no length that is known.
std::uint8_t passed_cdb_bytes(const std::uint8_t* cdb) {
  constexpr std::uint8_t kVendorBytes = 10;  // what Linux takes groups 6 and 7 for
  constexpr std::uint8_t kAdditionalCdb = 7;
  if (cdb[0] >= 0xc0) return kVendorBytes;
  if (cdb[0] != kVariableLength) return cdb_bytes_of(cdb[0]);
  const unsigned bytes = cdb[kAdditionalCdb] + 8u;
  return bytes <= std::tuple_size_v<decltype(Command::cdb)> ? static_cast<std::uint8_t>(bytes) : 0;
}

// -- what comes back

/// A device tells its host once, to whichever command comes first: all nexuses hear of it. A new
/// capacity is theirs when the backstore has seen it (DeviceServer::refresh_capacity).
void spread_unit_attention(Task& task) {
  const auto code = backstore::sense_code(task.scsi);
  if (!code || code->key != static_cast<std::uint8_t>(SenseKey::unit_attention)) return;
  const auto condition = UnitAttentions::condition_of(code->code);
  if (condition && *condition != UnitAttention::capacity_changed)
    task.server->establish_for_all(*condition, task.nexus);
}

void cap_blocks(std::byte* field, std::uint64_t most) {
  if (get32(field) == 0 || get32(field) > most) put32(field, most);
}

void own_inquiry(const Task& task, std::span<std::byte> data) {
  constexpr std::uint8_t kEvpd = 0x01;
  constexpr std::uint8_t kBlockLimits = 0xb0;
  constexpr std::byte kNormAca{0x20};
  const bool vital = (task.cdb()[1] & kEvpd) != 0;
  if (!vital && data.size() > 3) data[3] |= kNormAca;
  if (!vital || task.cdb()[2] != kBlockLimits || data.size() < 16) return;
  const std::uint32_t block = task.server->block_bytes();
  cap_blocks(&data[8], kMaxTransferBytes / block);           // MAXIMUM TRANSFER LENGTH
  cap_blocks(&data[12], piece_bytes(*task.server) / block);  // OPTIMAL TRANSFER LENGTH
}

void own_mode_sense(const Task& task, std::span<std::byte> data) {
  constexpr std::byte kWriteProtect{0x80};
  const std::size_t at = task.cdb()[0] == kModeSense6 ? 2 : 3;  // DEVICE-SPECIFIC PARAMETER
  const bool is_protected = task.lun_write_protected || task.server->geometry().read_only;
  if (is_protected && data.size() > at) data[at] |= kWriteProtect;
}

void own_what_is_ours(const Task& task, std::span<std::byte> data) {
  const std::uint8_t opcode = task.cdb()[0];
  if (opcode == kInquiry) own_inquiry(task, data);
  if (opcode == kModeSense6 || opcode == kModeSense10) own_mode_sense(task, data);
}

void pass_back(Task& task) {
  Command& command = *task.command;
  const backstore::ScsiExchange& answer = task.scsi;
  // Of a transfer in pieces this is the last one.
  const auto moved_bytes =
      static_cast<std::uint32_t>(task.position_bytes + answer.transferred_bytes);
  spread_unit_attention(task);
  command.sense = answer.sense;
  command.sense_bytes = answer.sense_bytes;
  if (answer.direction == Direction::from_device) {
    own_what_is_ours(task, task.buffer.first(answer.transferred_bytes));
    command.required_data_in_bytes = moved_bytes;
    command.data_in_bytes = std::min(moved_bytes, command.expected_data_in_bytes);
    command.data_in = std::move(task.buffer);
  } else if (answer.transferred_bytes < task.io.data.size()) {
    command.required_data_out_bytes = moved_bytes;
  }
  task.finish(static_cast<Status>(answer.status));
}

void pass_without_data(Task& task) { task.pass(Direction::none, {}, pass_back); }

/// The blocks that are left to be moved.
std::span<std::byte> rest_of_blocks(Task& task) {
  const std::size_t bytes = task.blocks * task.server->block_bytes();
  if (task.scsi.direction == Direction::from_device)
    return task.buffer.first(bytes).subspan(task.position_bytes);
  const auto data = task.data_out().first(bytes).subspan(task.position_bytes);
  return {const_cast<std::byte*>(data.data()), data.size()};
}

/// In as many pieces as the adapter needs; the first that does not end well is the answer.
void pass_piece(Task& task) {
  const std::uint32_t block = task.server->block_bytes();
  const auto rest = rest_of_blocks(task);
  const std::size_t bytes = std::min<std::size_t>(piece_bytes(*task.server), rest.size());
  set_range(task.scsi.cdb.data(), task.lba + task.position_bytes / block, bytes / block);
  task.pass(task.scsi.direction, rest.first(bytes), [](Task& it) {
    const std::size_t moved = it.io.data.size();
    const bool ended_well = it.scsi.status == static_cast<std::uint8_t>(Status::good) &&
                            it.scsi.transferred_bytes == moved;
    if (!ended_well || moved == rest_of_blocks(it).size()) return pass_back(it);
    it.position_bytes += moved;
    pass_piece(it);
  });
}

void pass_blocks(Task& task, std::uint64_t blocks) {
  task.lba = decode_range(task.cdb()).lba;
  task.blocks = blocks;
  task.position_bytes = 0;
  pass_piece(task);
}

void pass_in(Task& task) {
  const Transfer transfer = transfer_of(task);
  const auto bytes = static_cast<std::uint32_t>(transfer.bytes);
  if (bytes == 0) return pass_without_data(task);
  if (!task.take_buffer(bytes)) return;
  if (!transfer.blocks)
    return task.pass(Direction::from_device, task.buffer.first(bytes), pass_back);
  task.scsi.direction = Direction::from_device;
  pass_blocks(task, bytes / task.server->block_bytes());
}

/// A write for which less came than its CDB calls for writes the whole blocks that came, as the
/// emulated disks do; the residual count tells the rest.
void pass_out(Task& task) {
  const auto data = task.data_out();
  const Transfer transfer = transfer_of(task);
  if (!transfer.blocks)
    return task.pass(Direction::to_device, {const_cast<std::byte*>(data.data()), data.size()},
                     pass_back);
  if (transfer.bytes == 0) return pass_without_data(task);
  const std::uint64_t blocks = data.size() / task.server->block_bytes();
  if (blocks == 0) return task.good();
  task.scsi.direction = Direction::to_device;
  pass_blocks(task, blocks);
}

void pass_command(Task& task) {
  constexpr std::uint8_t kNaca = 0x04;
  const Command& command = *task.command;
  const std::uint8_t opcode = command.cdb[0];
  // The unit attentions that the target keeps are its own to report.
  if (opcode == kRequestSense && task.nexus->attentions.any()) return request_sense(task);
  const std::uint8_t cdb_bytes = passed_cdb_bytes(task.cdb());
  if (cdb_bytes == 0 || cdb_bytes > command.cdb_bytes) return task.fail(sense::kInvalidOpcode);
  if (opcode == kVariableLength && (command.cdb[1] & kNaca) != 0)
    return task.fail(sense::invalid_cdb_field(1));
  const Transfer transfer = transfer_of(task);
  const bool both_ways = command.expected_data_in_bytes > 0 && command.expected_data_out_bytes > 0;
  if (both_ways || transfer.bytes > most_bytes(*task.server, transfer))
    return task.fail(sense::kInvalidFieldInCdb);
  if (wraps(task)) return task.fail(sense::kLbaOutOfRange);
  if (asks_for_missing_protection(task)) return task.fail(sense::invalid_cdb_field(1));
  task.settles = is_one_of(opcode, {kSynchronizeCache10, kSynchronizeCache16});
  task.scsi.cdb = command.cdb;
  task.scsi.cdb_bytes = cdb_bytes;
  if (has_naca(command)) task.scsi.cdb[cdb_bytes - 1u] &= static_cast<std::uint8_t>(~kNaca);
  if (transfer.direction != Direction::to_device) return task.when_enabled(pass_in);
  task.want_data_out(static_cast<std::uint32_t>(transfer.bytes),
                     [](Task& it) { it.when_enabled(pass_out); });
}

// -- the operations

constexpr Operation passes(Access access, bool reports_unit_attention) {
  return {
      0, kNoServiceAction, "(passed)", access, reports_unit_attention, Needs::nothing, pass_command,
      {}};
}

constexpr std::size_t kAccesses = static_cast<std::size_t>(Access::reservation) + 1;
/// For each access one that reports unit attentions and one that does not.
constexpr std::array<Operation, 2 * kAccesses> kPassing = [] {
  std::array<Operation, 2 * kAccesses> rows{};
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = passes(static_cast<Access>(i / 2), i % 2 != 0);
  return rows;
}();

/// A command that is not in the table of operations writes if it carries data to the device.
Access access_of(const Command& command, const Operation* known) {
  if (known != nullptr) return known->access;
  if (command.expected_data_out_bytes > 0) return Access::write;
  return command.expected_data_in_bytes > 0 ? Access::read : Access::control;
}

bool is_about_reservations(std::uint8_t opcode) {
  return is_one_of(opcode, {0x16, 0x17, 0x56, 0x57, 0x5e, 0x5f});
}

const Operation* find_passing(const Command& command) {
  const Operation* known = find_operation(command.cdb.data());
  if (command.cdb[0] == kReportLuns) return known;
  const bool reports = known == nullptr || known->reports_unit_attention;
  const auto access = static_cast<std::size_t>(access_of(command, known));
  return &kPassing[2 * access + (reports ? 1 : 0)];
}

const Operation* find_passing_but_reservations(const Command& command) {
  return is_about_reservations(command.cdb[0]) ? find_operation(command.cdb.data())
                                               : find_passing(command);
}

}  // namespace

FindOperation commands_of(const backstore::Geometry& geometry) {
  if (!geometry.takes_scsi_commands)
    return [](const Command& command) { return find_operation(command.cdb.data()); };
  return geometry.takes_reservations ? find_passing : find_passing_but_reservations;
}

}  // namespace tsihd::scsi
