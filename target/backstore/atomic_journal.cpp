#include "target/backstore/atomic_journal.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tsihd::backstore {

AtomicJournal::AtomicJournal(IoPool& pool, Backstore& disk, AtomicFile file, std::string serial,
                             std::string disk_name, Log log)
    : pool_(pool),
      disk_(disk),
      file_(std::move(file)),
      serial_(std::move(serial)),
      disk_name_(std::move(disk_name)),
      log_(std::move(log)),
      lane_(run_step, this, 1, 1) {}

// -- steps: one request at a time, at the disk or at the journal

void AtomicJournal::on_disk(Op op, std::uint64_t offset_bytes, std::span<std::byte> data,
                            Step next) {
  next_ = next;
  step_ = Io{.op = op,
             .force_unit_access = true,
             .offset_bytes = offset_bytes,
             .data = data,
             .done = step_done,
             .owner = this};
  disk_.submit(step_);
}

/// Op::write puts the entry there, Op::write_zeroes clears it.
void AtomicJournal::on_journal(Op op, Step next) {
  next_ = next;
  step_ = Io{.op = op, .data = {}, .done = step_done, .owner = this};
  pool_.submit(lane_, step_);
}

void AtomicJournal::step_done(Io& io) {
  AtomicJournal& self = *static_cast<AtomicJournal*>(io.owner);
  (self.*self.next_)();
}

/// On a thread of the pool. What it reads stays as it is until the step is done.
void AtomicJournal::run_step(void* self, Io* batch) {
  const AtomicJournal& it = *static_cast<AtomicJournal*>(self);
  if (batch->op == Op::write_zeroes) {
    batch->error = it.file_.clear();
    return;
  }
  const std::span<const std::byte> data = it.request_->data;
  const auto index =
      encode_index(it.serial_, it.request_->offset_bytes, {it.before_.get(), data.size()}, data);
  batch->error = it.file_.put(index, data);
}

// -- the way of a write that succeeds

void AtomicJournal::write(Io& io) {
  assert(request_ == nullptr && "one at a time");
  assert(io.data.size() <= kMaxWriteBytes && io.data.size() % kAtomicSectorBytes == 0);
  request_ = &io;
  error_ = 0;
  // What is unsettled needs its journal.
  if (disk_.geometry().read_only) error_ = EROFS;
  before_ = aligned_bytes(io.data.size());
  if (before_ == nullptr) error_ = ENOMEM;
  if (error_ != 0) return finish();
  on_disk(Op::flush, 0, {}, &AtomicJournal::read_before);
}

void AtomicJournal::read_before() {
  if (step_.error != 0) return give_up(step_);
  on_disk(Op::read, request_->offset_bytes, {before_.get(), request_->data.size()},
          &AtomicJournal::record);
}

void AtomicJournal::record() {
  if (step_.error != 0) return give_up(step_);
  on_journal(Op::write, &AtomicJournal::put_in_place);
}

void AtomicJournal::put_in_place() {
  if (step_.error != 0) {
    log_.warning("atomic.journal_error disk={} file={} error=\"{}\"", disk_name_, file_.path(),
                 std::strerror(step_.error));
    error_ = ENOTRECOVERABLE;
    return clear();  // what of the entry is on the medium nobody can tell
  }
  on_disk(Op::write, request_->offset_bytes, request_->data, &AtomicJournal::check_in_place);
}

void AtomicJournal::check_in_place() {
  error_ = step_.error;
  if (error_ != 0) return read_again();
  clear();
}

void AtomicJournal::clear() { on_journal(Op::write_zeroes, &AtomicJournal::end); }

void AtomicJournal::end() {
  if (step_.error == 0) return finish();
  error_ = ENOTRECOVERABLE;
  stay_unsettled();
}

void AtomicJournal::give_up(const Io& failed) {
  request_->op = failed.op;
  error_ = failed.error;
  finish();
}

void AtomicJournal::finish() {
  before_.reset();
  found_.reset();
  Io& io = *std::exchange(request_, nullptr);
  io.error = error_;
  io.done(io);
}

// -- a write that failed in place: what has changed is put back

/// Only blocks that have changed are written: a hole in a file on a full filesystem cannot be, not
/// even with zeroes. What a shrink has cut off needs nothing.
void AtomicJournal::read_again() {
  if (refresh_size_) refresh_size_();
  const std::uint64_t size_bytes = disk_.geometry().size_bytes;
  const std::uint64_t begin = std::min(request_->offset_bytes, size_bytes);
  found_bytes_ = std::min<std::uint64_t>(request_->data.size(), size_bytes - begin);
  position_bytes_ = 0;
  if (found_bytes_ == 0) return clear();
  found_ = aligned_bytes(found_bytes_);
  if (found_ == nullptr) return stay_unsettled();
  on_disk(Op::read, begin, {found_.get(), found_bytes_}, &AtomicJournal::put_back);
}

void AtomicJournal::put_back() {
  if (step_.error != 0) return stay_unsettled();
  const std::size_t block = disk_.geometry().block_size_bytes;
  const auto changed = [&](std::size_t at) {
    return at < found_bytes_ && std::memcmp(before_.get() + at, found_.get() + at, block) != 0;
  };
  while (position_bytes_ < found_bytes_ && !changed(position_bytes_)) position_bytes_ += block;
  if (position_bytes_ >= found_bytes_) return clear();
  const std::size_t begin = position_bytes_;
  while (changed(position_bytes_)) position_bytes_ += block;
  on_disk(Op::write, request_->offset_bytes + begin,
          {before_.get() + begin, position_bytes_ - begin}, &AtomicJournal::put_back);
}

void AtomicJournal::stay_unsettled() {
  log_.write(
      Severity::error,
      "atomic.unsettled disk={} offset_bytes={} length_bytes={} file={} error=\"{}\": writes "
      "are refused until tsihd starts again, which settles it",
      disk_name_, request_->offset_bytes, request_->data.size(), file_.path(),
      std::strerror(step_.error));
  disk_.refuse_changes();
  finish();
}

}  // namespace tsihd::backstore
