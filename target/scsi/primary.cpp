// SPC's questions about the unit and the target: readiness, sense, LUNs, supported operations.
#include <array>
#include <vector>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/lun.h"
#include "target/scsi/operations.h"
#include "target/scsi/task_functions.h"

namespace tsihd::scsi {

void test_unit_ready(Task& task) { task.good(); }

/// Autosense leaves nothing behind to fetch but a unit attention, which is thereby reported, and
/// how far a SANITIZE operation has come.
void request_sense(Task& task) {
  constexpr std::uint8_t kDescriptorFormat = 0x01;
  const Sense ready = task.server->stopped() ? sense::kUnitStopped : sense::kNone;
  const Sense state = task.server->sanitizer().state().value_or(ready);
  const Sense what = task.nexus->attentions.take().value_or(state);
  std::array<std::byte, 96> data{};
  const std::uint8_t length = write_sense(data, what, (task.cdb()[1] & kDescriptorFormat) != 0);
  task.reply(std::span(data).first(length), task.cdb()[4]);
}

void report_luns(Task& task) {
  const auto data = report_luns_data(*task.luns, task.cdb()[2]);
  if (!data) return task.fail(sense::invalid_cdb_field(2));
  task.nexus->attentions.clear(UnitAttention::reported_luns_changed);
  task.reply(*data, get32(task.cdb() + 6));
}

namespace {

constexpr std::size_t kTimeoutsBytes = 12;

/// A command timeouts descriptor that states no timeouts.
void append_timeouts(std::vector<std::byte>& data) {
  data.resize(data.size() + kTimeoutsBytes);
  put16(&data[data.size() - kTimeoutsBytes], kTimeoutsBytes - 2);
}

std::vector<std::byte> all_operations(DeviceServer& server, bool with_timeouts) {
  constexpr std::byte kServiceActionValid{0x01};
  constexpr std::byte kTimeoutsPresent{0x02};
  std::vector<std::byte> data(4);
  for (const Operation& operation : operations()) {
    if (!offers(server, operation)) continue;
    const std::size_t at = data.size();
    data.resize(at + 8);
    data[at] = std::byte{operation.opcode};
    if (operation.service_action != kNoServiceAction) {
      put16(&data[at + 2], static_cast<std::uint16_t>(operation.service_action));
      data[at + 5] |= kServiceActionValid;
    }
    put16(&data[at + 6], cdb_bytes_of(operation.opcode));
    if (!with_timeouts) continue;
    data[at + 5] |= kTimeoutsPresent;
    append_timeouts(data);
  }
  put32(data.data(), data.size() - 4);
  return data;
}

/// Null `operation`: not supported.
std::vector<std::byte> one_operation(const Operation* operation, bool with_timeouts) {
  constexpr std::byte kNotSupported{0x01};
  constexpr std::byte kAsTheStandardSays{0x03};
  constexpr std::byte kTimeoutsPresent{0x80};
  std::vector<std::byte> data(4);
  data[1] = operation == nullptr ? kNotSupported : kAsTheStandardSays;
  if (operation == nullptr) return data;
  const std::uint8_t cdb_bytes = cdb_bytes_of(operation->opcode);
  put16(&data[2], cdb_bytes);
  data.push_back(std::byte{operation->opcode});
  for (std::size_t i = 1; i < cdb_bytes; ++i) data.push_back(std::byte{operation->usage[i - 1]});
  if (operation->service_action != kNoServiceAction)
    data[5] = (data[5] & std::byte{0xe0}) | static_cast<std::byte>(operation->service_action);
  if (!with_timeouts) return data;
  data[1] |= kTimeoutsPresent;
  append_timeouts(data);
  return data;
}

const Operation* offered(DeviceServer& server, std::uint8_t opcode, std::int32_t service_action) {
  for (const Operation& operation : operations_of(opcode))
    if (operation.service_action == service_action && offers(server, operation)) return &operation;
  return nullptr;
}

}  // namespace

void report_supported_operation_codes(Task& task) {
  constexpr std::uint8_t kTimeouts = 0x80;
  const std::uint8_t* cdb = task.cdb();
  const bool with_timeouts = (cdb[2] & kTimeouts) != 0;
  const std::uint8_t options = cdb[2] & 0x07;
  const std::uint8_t opcode = cdb[3];
  const std::uint16_t service_action = get16(cdb + 4);
  const std::uint32_t allocation_length = get32(cdb + 6);
  const auto known = operations_of(opcode);
  const bool has_actions = !known.empty() && known.front().service_action != kNoServiceAction;
  if (options == 0)
    return task.reply(all_operations(*task.server, with_timeouts), allocation_length);
  // SPC-4 6.35.1, 1: an opcode without service actions; 2: one with; 3: either, where one without
  // counts as supported under service action zero only.
  if (options > 3 || (options == 1 && has_actions) ||
      (options == 2 && !known.empty() && !has_actions))
    return task.fail(sense::invalid_cdb_field(options > 3 ? 2 : 3));
  const std::int32_t wanted = has_actions ? service_action : kNoServiceAction;
  const bool stray_action = options == 3 && !has_actions && service_action != 0;
  const Operation* operation = stray_action ? nullptr : offered(*task.server, opcode, wanted);
  task.reply(one_operation(operation, with_timeouts), allocation_length);
}

void report_supported_task_management(Task& task) {
  constexpr std::uint8_t kExtended = 0x80;
  std::array<std::byte, 16> data{};
  for (const TaskFunctionRow& it : kTaskFunctions) data[0] |= std::byte{it.support_bit};
  const bool extended = (task.cdb()[2] & kExtended) != 0;
  if (extended) data[3] = std::byte{0x0c};
  task.reply(std::span(data).first(extended ? 16 : 4), get32(task.cdb() + 6));
}

}  // namespace tsihd::scsi
