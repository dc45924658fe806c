#include "target/scsi/task.h"

#include <algorithm>
#include <cerrno>

#include "target/backstore/atomic_journal.h"
#include "target/backstore/scsi_device.h"
#include "target/scsi/device_server.h"
#include "target/scsi/lun.h"

namespace tsihd::scsi {

/// On the stack of whoever submits: a request that completes inside submit() goes round a loop
/// instead of deeper into the stack, however many chunks a command has.
struct DiskLoop {
  bool completed = false;
  bool again = false;
  bool task_gone = false;
};

namespace {

Sense sense_of(const backstore::Io& io, std::uint64_t lba) {
  if (io.op == backstore::Op::scsi)
    return io.error == ETIMEDOUT ? sense::kCommunicationTimeOut : sense::kCommunicationFailure;
  switch (io.error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return sense::kSpaceAllocationFailed;
    case EROFS:
    case EBADF:
    case EPERM:
      return sense::kWriteProtected;
    case ETIMEDOUT:
      return sense::kCommunicationTimeOut;
    case ENODEV:
    case ENXIO:
      return sense::kCommunicationFailure;
    case ENOTRECOVERABLE:  // the journal of atomic writes
      return sense::kInternalTargetFailure;
    default:
      break;
  }
  const bool reads = io.op == backstore::Op::read || io.op == backstore::Op::extent;
  const Sense what = reads ? sense::kUnrecoveredReadError : sense::kWriteError;
  return io.op == backstore::Op::flush ? what : sense::with_information(what, lba);
}

bool is_flush(const Task& task) {
  constexpr std::uint8_t kSynchronizeCache10 = 0x35, kSynchronizeCache16 = 0x91;
  const std::uint8_t opcode = task.cdb()[0];
  if (task.io.op != backstore::Op::scsi) return task.io.op == backstore::Op::flush;
  return opcode == kSynchronizeCache10 || opcode == kSynchronizeCache16;
}

bool ended_well(const Task& task) {
  const bool device = task.io.op == backstore::Op::scsi;
  return task.io.error == 0 && (!device || task.scsi.status == static_cast<unsigned>(Status::good));
}

/// A flush that failed, or a device's word about a command that it had ended well.
bool loses_writes(const Task& task) {
  if (task.io.op == backstore::Op::scsi && backstore::is_deferred_error(task.scsi)) return true;
  if (!is_flush(task)) return false;
  if (task.io.op != backstore::Op::scsi || task.io.error != 0) return task.io.error != 0;
  const auto told = backstore::sense_code(task.scsi);
  return told && (told->key == static_cast<unsigned>(SenseKey::medium_error) ||
                  told->key == static_cast<unsigned>(SenseKey::hardware_error));
}

}  // namespace

std::span<const std::byte> Task::data_out() const {
  const std::size_t bytes = std::min({static_cast<std::size_t>(command->wanted_data_out_bytes),
                                      static_cast<std::size_t>(command->expected_data_out_bytes),
                                      command->data_out.size()});
  return command->data_out.first(bytes);
}

void Task::finish(Status status) {
  command->status = status;
  server->finish(*this);
}

void Task::forget() {
  if (disk_loop != nullptr) disk_loop->task_gone = true;
  disk_loop = nullptr;
  buffer = Buffer();
}

void Task::fail(const Sense& why) {
  command->sense_bytes = write_sense(command->sense, why, server->descriptor_sense());
  end_without_data(Status::check_condition);
}

void Task::fail_like(const Command& other) {
  command->sense = other.sense;
  command->sense_bytes = other.sense_bytes;
  end_without_data(other.status);
}

void Task::end_without_data(Status status) {
  command->data_in_bytes = 0;
  command->data_in = Buffer();
  command->required_data_in_bytes = 0;
  command->required_data_out_bytes = 0;
  finish(status);
}

void Task::reply(std::span<const std::byte> data, std::uint64_t allocation_length_bytes) {
  finish(put_data_in(*command, data, allocation_length_bytes) ? Status::good : Status::busy);
}

bool Task::take_buffer(std::uint32_t bytes) {
  buffer = BufferPool::local().take(bytes);
  if (buffer) return true;
  finish(Status::busy);
  return false;
}

void Task::want_data_out(std::uint32_t bytes, Step next) {
  command->required_data_out_bytes = bytes;
  if (bytes == 0 || command->expected_data_out_bytes == 0) return next(*this);
  command->wanted_data_out_bytes = bytes;
  step = next;
}

void Task::when_enabled(Step next) {
  step = next;
  server->tasks().request_turn(*this);
}

void Task::when_alone(Step next) {
  step = next;
  server->tasks().make_exclusive(*this);
  server->tasks().request_turn(*this);
}

void Task::read(std::uint64_t offset_bytes, std::span<std::byte> to, Step next) {
  io.offset_bytes = offset_bytes;
  io.data = to;
  submit(backstore::Op::read, next);
}

void Task::write(std::uint64_t offset_bytes, std::span<const std::byte> from,
                 bool force_unit_access, Step next) {
  io.offset_bytes = offset_bytes;
  // A backstore does not change what it writes; Io has one span for both directions.
  io.data = {const_cast<std::byte*>(from.data()), from.size()};
  io.force_unit_access = force_unit_access || !server->write_cache_enabled();
  submit(backstore::Op::write, next);
}

void Task::write_atomically(std::uint64_t offset_bytes, std::span<const std::byte> from,
                            Step next) {
  step = next;
  io.op = backstore::Op::write;
  io.offset_bytes = offset_bytes;
  io.data = {const_cast<std::byte*>(from.data()), from.size()};
  io.owner = this;
  io.done = disk_done;
  note_change();
  disk_busy = true;
  server->atomic_journal()->write(io);
}

void Task::flush(Step next) {
  io.data = {};
  submit(backstore::Op::flush, next);
}

void Task::settle(Step next) {
  settles = true;
  flush(next);
}

void Task::discard(std::uint64_t offset_bytes, std::uint64_t length_bytes, Step next) {
  io.offset_bytes = offset_bytes;
  io.length_bytes = length_bytes;
  io.data = {};
  io.force_unit_access = !server->write_cache_enabled();
  submit(backstore::Op::discard, next);
}

void Task::write_zeroes(std::uint64_t offset_bytes, std::uint64_t length_bytes,
                        bool force_unit_access, Step next) {
  io.offset_bytes = offset_bytes;
  io.length_bytes = length_bytes;
  io.data = {};
  io.force_unit_access = force_unit_access || !server->write_cache_enabled();
  submit(backstore::Op::write_zeroes, next);
}

void Task::find_extent(std::uint64_t offset_bytes, std::uint64_t length_bytes, Step next) {
  io.offset_bytes = offset_bytes;
  io.length_bytes = length_bytes;
  io.data = {};
  submit(backstore::Op::extent, next);
}

void Task::pass(backstore::ScsiExchange::Direction direction, std::span<std::byte> data,
                Step next) {
  scsi.direction = direction;
  scsi.status = scsi.sense_bytes = 0;
  scsi.transferred_bytes = 0;
  io.scsi = &scsi;
  io.offset_bytes = 0;
  io.data = data;
  submit(backstore::Op::scsi, next);
}

void Task::submit(backstore::Op op, Step next) {
  step = next;
  io.op = op;
  io.error = 0;
  io.owner = this;
  io.done = disk_done;
  if (disk_loop != nullptr) {
    disk_loop->again = true;
    return;
  }
  DiskLoop loop;
  disk_loop = &loop;
  do {
    loop.again = loop.completed = false;
    note_change();
    disk_busy = true;
    server->backstore().submit(io);
    if (!loop.completed) {
      disk_loop = nullptr;
      return;
    }
    after_disk();
    if (loop.task_gone) return;
  } while (loop.again);
  disk_loop = nullptr;
}

void Task::note_change() const {
  if (io.op == backstore::Op::write) server->note_change(io.offset_bytes, io.data.size());
  if (io.op == backstore::Op::discard || io.op == backstore::Op::write_zeroes)
    server->note_change(io.offset_bytes, io.length_bytes);
}

void Task::disk_done(backstore::Io& io) {
  Task& task = *static_cast<Task*>(io.owner);
  task.disk_busy = false;
  if (task.disk_loop != nullptr)
    task.disk_loop->completed = true;
  else
    task.after_disk();
}

/// What the disk answered about writes that it had acknowledged is noted before anything else: the
/// command may be aborted, and its initiator hear nothing. True when the flush is good, and its
/// initiator has not been told of a loss.
bool Task::owes_word_of_a_loss() {
  const bool lost = loses_writes(*this);
  const bool good = ended_well(*this);
  if (lost) server->note_loss(*this);
  if (good && is_flush(*this)) server->note_good_flush();
  const bool answers = settles && !command->aborted && nexus != nullptr && (lost || good);
  return answers && server->tells_of_loss(*nexus) && good;
}

void Task::after_disk() {
  const bool may_tell = io.op == backstore::Op::flush || io.op == backstore::Op::scsi;
  const bool owes_word = may_tell && owes_word_of_a_loss();
  if (command->aborted) return server->drop(*this);
  if (owes_word) return fail(sense::kWriteError);
  if (io.error == 0) return step(*this);
  if (const auto gone = first_lba_gone())
    return fail(sense::with_information(sense::kLbaOutOfRange, *gone));
  server->note_disk_error(io);
  if (io.error == ENOMEM) return finish(Status::busy);
  fail(sense_of(io, io.offset_bytes / server->block_bytes()));
}

/// The disk shrank under the request: what it points at is gone, which is no fault of the medium. A
/// file that was cut behind our back is noticed here.
std::optional<std::uint64_t> Task::first_lba_gone() {
  if (io.error != EIO || io.op == backstore::Op::flush || io.op == backstore::Op::scsi)
    return std::nullopt;
  static_cast<void>(server->refresh_capacity());
  const bool moves_data = io.op == backstore::Op::read || io.op == backstore::Op::write;
  const std::uint64_t end_bytes = io.offset_bytes + (moves_data ? io.data.size() : io.length_bytes);
  const std::uint64_t block = server->block_bytes();
  if (end_bytes <= server->block_count() * block) return std::nullopt;
  return std::max(io.offset_bytes / block, server->block_count());
}

}  // namespace tsihd::scsi
