#include "target/scsi/sanitizer.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "target/scsi/device_server.h"
#include "target/scsi/limits.h"
#include "target/scsi/operations.h"

namespace tsihd::scsi {

Sanitizer::~Sanitizer() { assert(!disk_busy_ && "wait for the disk first"); }

void Sanitizer::start(Plan plan, Task* waiter) {
  assert(!running_);
  plan_ = std::move(plan);
  waiter_ = waiter;
  position_bytes_ = 0;
  pass_ = 0;
  running_ = true;
  failed_ = false;
  server_.note_change(0, server_.geometry().size_bytes);
  tick();
}

void Sanitizer::tick() {
  chunks_left_ = kSanitizeChunksPerTick;
  advance();
}

bool Sanitizer::exit_failure_mode() {
  if (failed_ && !plan_.allow_unrestricted_exit) return false;
  failed_ = false;
  return true;
}

void Sanitizer::forget(const Task& task) {
  if (waiter_ == &task) waiter_ = nullptr;
}

/// A disk that completes inside submit() goes round this loop instead of deeper into the stack.
void Sanitizer::advance() {
  if (submitting_) return;
  submitting_ = true;
  while (running_ && !disk_busy_ && chunks_left_ > 0) submit_next();
  submitting_ = false;
}

void Sanitizer::submit_next() {
  const std::uint64_t size_bytes = server_.geometry().size_bytes;
  const bool erases = !plan_.pattern;
  const std::uint64_t chunk_bytes = erases ? kSanitizeEraseBytes : kChunkBytes;
  const std::uint64_t left = size_bytes - std::min(size_bytes, position_bytes_);
  const std::uint64_t bytes = std::min(chunk_bytes, left);
  io_.op = bytes == 0 ? backstore::Op::flush
           : erases   ? backstore::Op::discard
                      : backstore::Op::write;
  io_.offset_bytes = position_bytes_;
  io_.length_bytes = bytes;
  io_.data = erases ? std::span<std::byte>() : plan_.pattern.first(bytes);
  io_.error = 0;
  io_.owner = this;
  io_.done = disk_done;
  disk_busy_ = true;
  --chunks_left_;
  server_.backstore().submit(io_);
}

void Sanitizer::disk_done(backstore::Io& io) {
  Sanitizer& self = *static_cast<Sanitizer*>(io.owner);
  self.disk_busy_ = false;
  self.take_result();
  self.advance();
}

void Sanitizer::take_result() {
  if (io_.error != 0) {
    server_.note_disk_error(io_);
    return finish(false);
  }
  if (io_.op == backstore::Op::flush) return finish_pass();
  position_bytes_ += io_.length_bytes;
}

void Sanitizer::finish_pass() {
  if (++pass_ == plan_.passes) return finish(true);
  position_bytes_ = 0;
  if (!plan_.invert) return;
  for (std::byte& it : plan_.pattern.first(kChunkBytes)) it = ~it;
}

void Sanitizer::finish(bool good) {
  running_ = false;
  failed_ = !good;
  plan_.pattern = Buffer();
  Task* waiter = std::exchange(waiter_, nullptr);
  if (waiter == nullptr) return;
  if (good) return waiter->good();
  waiter->fail(sense::kSanitizeFailed);
}

std::uint16_t Sanitizer::progress() const {
  const double size_bytes = static_cast<double>(server_.geometry().size_bytes);
  const double done = pass_ + static_cast<double>(position_bytes_) / size_bytes;
  const double parts = 65536.0 * done / plan_.passes;
  return static_cast<std::uint16_t>(std::min(parts, 65535.0));
}

std::optional<Sense> Sanitizer::state() const {
  if (idle()) return std::nullopt;
  if (failed_) return sense::kSanitizeFailed;
  Sense why = sense::kSanitizeInProgress;
  why.progress = progress();
  return why;
}

/// Questions about what the unit is stay allowed; after a failure so does another SANITIZE.
std::optional<Sense> Sanitizer::refuses(const Operation& operation) const {
  constexpr std::uint8_t kSanitize = 0x48;
  constexpr std::uint8_t kMaintenanceIn = 0xa3;
  const bool asks = !operation.reports_unit_attention || operation.opcode == kMaintenanceIn;
  if (asks || (failed_ && operation.opcode == kSanitize)) return std::nullopt;
  return state();
}

}  // namespace tsihd::scsi
