// The commands that begin a SANITIZE operation and that leave its failure behind.
#include <cstring>
#include <utility>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

constexpr std::uint8_t kImmediate = 0x80;
constexpr std::uint8_t kReservedBit = 0x40;
constexpr std::uint8_t kAllowUnrestrictedExit = 0x20;
constexpr std::size_t kHeaderBytes = 4;

/// True when the reserved bytes of the CDB are zero; else the task has ended. A bit that a later
/// standard gives a meaning must not destroy data in the old one.
bool check_reserved(Task& task) {
  if ((task.cdb()[1] & kReservedBit) != 0) return task.fail(sense::invalid_cdb_field(1)), false;
  for (std::uint16_t i = 2; i <= 6; ++i)
    if (task.cdb()[i] != 0) return task.fail(sense::invalid_cdb_field(i)), false;
  return true;
}

void begin(Task& task, Sanitizer::Plan plan) {
  Sanitizer& sanitizer = task.server->sanitizer();
  plan.allow_unrestricted_exit = (task.cdb()[1] & kAllowUnrestrictedExit) != 0;
  if ((task.cdb()[1] & kImmediate) == 0) return sanitizer.start(std::move(plan), &task);
  sanitizer.start(std::move(plan), nullptr);
  task.good();
}

void overwrite_now(Task& task) {
  if (!task.take_buffer(kChunkBytes)) return;
  const auto list = task.data_out();
  const auto pattern = list.subspan(kHeaderBytes);
  const std::uint32_t block = task.server->block_bytes();
  for (std::size_t at = 0; at < block; ++at)
    task.buffer.data()[at] = pattern[at % pattern.size()];  // anew in every block
  for (std::size_t at = block; at < kChunkBytes; at += block)
    std::memcpy(task.buffer.data() + at, task.buffer.data(), block);
  Sanitizer::Plan plan;
  plan.passes = static_cast<std::uint32_t>(list[0] & std::byte{0x1f});
  plan.invert = (list[0] & std::byte{0x80}) != std::byte{0};
  plan.pattern = std::move(task.buffer);
  begin(task, std::move(plan));
}

void check_overwrite(Task& task) {
  constexpr std::byte kTest{0x60};
  const auto list = task.data_out();
  if (list.size() < task.command->wanted_data_out_bytes || list.size() <= kHeaderBytes)
    return task.fail(sense::kParameterListLength);
  const bool no_passes = (list[0] & std::byte{0x1f}) == std::byte{0};
  if (no_passes || (list[0] & kTest) != std::byte{0}) return task.fail(sense::invalid_parameter(0));
  if (get16(&list[2]) != list.size() - kHeaderBytes) return task.fail(sense::invalid_parameter(2));
  task.when_alone(overwrite_now);
}

}  // namespace

void sanitize_overwrite(Task& task) {
  const std::uint32_t bytes = get16(task.cdb() + 7);
  if (!check_reserved(task)) return;
  if (bytes <= kHeaderBytes || bytes > kHeaderBytes + task.server->block_bytes())
    return task.fail(sense::invalid_cdb_field(7));
  task.want_data_out(bytes, check_overwrite);
}

void sanitize_block_erase(Task& task) {
  if (!check_reserved(task)) return;
  if (get16(task.cdb() + 7) != 0) return task.fail(sense::invalid_cdb_field(7));
  task.when_alone([](Task& it) { begin(it, {}); });
}

void sanitize_exit_failure_mode(Task& task) {
  if (!check_reserved(task)) return;
  if (get16(task.cdb() + 7) != 0) return task.fail(sense::invalid_cdb_field(7));
  if (!task.server->sanitizer().exit_failure_mode()) return task.fail(sense::invalid_cdb_field(1));
  task.good();
}

}  // namespace tsihd::scsi
