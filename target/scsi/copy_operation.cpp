#include "target/scsi/copy_operation.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "target/scsi/bytes.h"
#include "target/scsi/copy_manager.h"
#include "target/scsi/device_server.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

constexpr std::uint8_t kTestUnitReady = 0x00;
constexpr std::uint8_t kRead16 = 0x88;
constexpr std::uint8_t kWrite16 = 0x8a;
constexpr std::uint8_t kWriteSame16 = 0x93;
constexpr std::uint8_t kNoDataOut = 0x01;  // WRITE SAME's NDOB: zeroes

DeviceServer& server_of(const CopyParty& party) { return party.unit->device_server(); }

std::uint64_t blocks_for(std::uint64_t bytes, std::uint64_t block_bytes) {
  return (bytes + block_bytes - 1) / block_bytes;
}

/// On one unit, with a destination inside the source: what lies last must be moved first.
bool runs_backward(const CopyRun& run) {
  if (run.kind != CopyRun::Kind::copy || run.source.unit != run.destination.unit) return false;
  const std::uint64_t blocks = blocks_for(run.bytes, server_of(run.source).block_bytes());
  return run.destination_lba > run.source_lba && run.destination_lba - run.source_lba < blocks;
}

bool in_range(const CopyParty& party, std::uint64_t lba, std::uint64_t bytes) {
  const DeviceServer& server = server_of(party);
  const std::uint64_t blocks = blocks_for(bytes, server.block_bytes());
  return lba <= server.block_count() && blocks <= server.block_count() - lba;
}

void put_cdb(Command& part, std::uint8_t opcode, std::uint64_t lba, std::uint64_t blocks) {
  part.cdb = {};
  part.cdb[0] = opcode;
  put64(&part.cdb[2], lba);
  put32(&part.cdb[10], blocks);
}

}  // namespace

CopyOperation::CopyOperation(CopyManager& manager, Task& task, CopyRequest request)
    : manager_(manager), task_(task), request_(std::move(request)) {
  request_.record.unit = task.server;
  request_.record.nexus_id = task.command->nexus->id;
  part_.owner = this;
  part_.nexus = task.command->nexus;
}

bool CopyOperation::has_reader() const { return task_.nexus != nullptr; }

bool CopyOperation::is_extended_copy() const { return request_.record.service_action <= 0x01; }

bool CopyOperation::is_stopped() const {
  return !task_ended_ && (task_.command->aborted || abort_asked_);
}

/// A part that completes inside send() goes round this loop instead of deeper into the stack.
void CopyOperation::advance() {
  if (advancing_ || task_ended_) return;
  // A part that waits for others (task set, ACA) comes back at once, one that is with its disk
  // later.
  if (part_busy_ && is_stopped()) return part_.unit->abort(part_);
  advancing_ = true;
  turn_bytes_ = kCopyBytesPerTurn;
  while (!ended_ && !part_busy_ && next()) {
  }
  advancing_ = false;
  if (ended_) return manager_.end(*this);
  if (!part_busy_) manager_.wake();
}

/// Begins the next part, or ends. False: the turn is used up.
bool CopyOperation::next() {
  if (is_stopped()) return end(CopyRecord::State::aborted), true;
  if (run_ == request_.runs.size()) return end(CopyRecord::State::good), true;
  const CopyRun& run = request_.runs[run_];
  if (position_bytes_ == 0) {
    if (const auto why = refuses(run)) return fail(*why), true;
    backward_ = runs_backward(run);
  }
  const bool checks = run.kind == CopyRun::Kind::check;
  if (!checks && position_bytes_ == run.bytes) return chunk_done(0), true;
  if (turn_bytes_ <= 0) return false;
  if (request_.token_id != 0 && !manager_.tokens().holds(request_.token_id))
    return fail(sense::kTokenRevoked), true;
  chunk_bytes_ = 0;
  if (checks) {
    put_cdb(part_, kTestUnitReady, 0, 0);
    send(run.source, Step::other, {});
  } else {
    begin_chunk(run);
  }
  turn_bytes_ -= static_cast<std::int64_t>(std::max<std::uint64_t>(chunk_bytes_, kCopyPartBytes));
  return true;
}

/// The range is looked at before anything of it is written. What else a unit may have against it,
/// and a size that changes meanwhile, its commands tell.
std::optional<Sense> CopyOperation::refuses(const CopyRun& run) const {
  constexpr std::uint16_t kSourceLbaAt = 12;
  constexpr std::uint16_t kDestinationLbaAt = 20;
  if (run.refused) return run.refused;
  if (!is_extended_copy() || run.kind != CopyRun::Kind::copy) return std::nullopt;
  const auto at = [&](std::uint16_t field) {
    return sense::at_parameter(sense::kCopyAborted,
                               static_cast<std::uint16_t>(run.descriptor_at + field));
  };
  if (!in_range(run.source, run.source_lba, run.bytes)) return at(kSourceLbaAt);
  if (!in_range(run.destination, run.destination_lba, run.bytes)) return at(kDestinationLbaAt);
  return std::nullopt;
}

void CopyOperation::begin_chunk(const CopyRun& run) {
  if (run.kind == CopyRun::Kind::zero) return zero_chunk(run);
  const std::uint64_t left = run.bytes - position_bytes_;
  chunk_bytes_ = std::min<std::uint64_t>(kChunkBytes, left);
  chunk_at_bytes_ = backward_ ? left - chunk_bytes_ : position_bytes_;
  const std::uint64_t block = server_of(run.source).block_bytes();
  const std::uint64_t blocks = blocks_for(chunk_bytes_, block);
  put_cdb(part_, kRead16, run.source_lba + chunk_at_bytes_ / block, blocks);
  part_.expected_data_in_bytes = static_cast<std::uint32_t>(blocks * block);
  send(run.source, Step::read, {});
}

/// A pool's buffer is a multiple of every block size, so what fills up the last block has room.
void CopyOperation::write_chunk(const CopyRun& run) {
  const std::uint64_t block = server_of(run.destination).block_bytes();
  const std::uint64_t blocks = blocks_for(chunk_bytes_, block);
  const std::uint64_t fill = blocks * block - chunk_bytes_;
  std::memset(data_.data() + chunk_bytes_, 0, fill);
  put_cdb(part_, kWrite16, run.destination_lba + chunk_at_bytes_ / block, blocks);
  send(run.destination, Step::write, data_.first(blocks * block));
}

void CopyOperation::zero_chunk(const CopyRun& run) {
  const std::uint64_t block = server_of(run.destination).block_bytes();
  const std::uint64_t left = (run.bytes - position_bytes_) / block;
  const std::uint64_t blocks = std::min<std::uint64_t>(left, kMaxWriteSameBlocks);
  chunk_bytes_ = blocks * block;
  put_cdb(part_, kWriteSame16, run.destination_lba + position_bytes_ / block, blocks);
  part_.cdb[1] = kNoDataOut;
  send(run.destination, Step::write, {});
}

void CopyOperation::send(const CopyParty& party, Step step, std::span<const std::byte> data_out) {
  step_ = step;
  part_busy_ = true;
  if (step != Step::read) part_.expected_data_in_bytes = 0;
  part_.expected_data_out_bytes = static_cast<std::uint32_t>(data_out.size());
  part_.data_out = data_out;
  server_of(party).start_part(part_, party.write_protected);
  // A read may have ended by now, and part_ be the write that follows it.
  if (!data_out.empty() && part_busy_) LunMap::data_out_ready(part_);
}

void CopyOperation::command_done(Command& part) {
  part_busy_ = false;
  ++request_.record.parts;
  const CopyRun& run = request_.runs[run_];
  if (part.status != Status::good) {
    part_failed(part.status);
  } else if (is_stopped()) {
    end(CopyRecord::State::aborted);
  } else if (step_ == Step::read) {
    data_ = std::move(part.data_in);
    return write_chunk(run);
  } else {
    data_ = Buffer();
    chunk_done(step_ == Step::write ? chunk_bytes_ : 0);
  }
  advance();
}

void CopyOperation::command_aborted(Command&) {
  part_busy_ = false;
  if (is_stopped())
    end(CopyRecord::State::aborted);
  else
    part_failed(Status::task_aborted);
  advance();
}

void CopyOperation::chunk_done(std::uint64_t bytes) {
  const CopyRun& run = request_.runs[run_];
  position_bytes_ += bytes;
  request_.record.bytes += bytes;
  if (run.kind != CopyRun::Kind::check && position_bytes_ < run.bytes) return;
  ++run_;
  ++request_.record.segments;
  position_bytes_ = 0;
}

/// What a unit answered goes with the copy's own sense data. WRITE USING TOKEN is a command of its
/// destination: what that answered is its status.
void CopyOperation::part_failed(Status status) {
  const bool from_destination = step_ == Step::write;
  pass_on_ = !is_extended_copy() && from_destination && status != Status::task_aborted;
  Sense why = sense::kThirdPartyDeviceFailure;
  if (is_extended_copy()) why = sense::at_parameter(why, request_.runs[run_].descriptor_at);
  why.forwarded = {from_destination, static_cast<std::uint8_t>(status),
                   std::span<const std::byte>(part_.sense).first(part_.sense_bytes)};
  fail(why);
}

void CopyOperation::fail(Sense why) {
  if (is_extended_copy()) why.segment = static_cast<std::uint16_t>(run_);
  why_ = why;
  CopyRecord& record = request_.record;
  record.sense_bytes = write_sense(record.sense, why, task_.server->descriptor_sense());
  if (pass_on_) {
    record.sense = part_.sense;
    record.sense_bytes = part_.sense_bytes;
  }
  end(CopyRecord::State::failed);
}

void CopyOperation::end(CopyRecord::State state) {
  if (state == CopyRecord::State::good && request_.deletes_token)
    manager_.tokens().remove(request_.token_id);
  request_.record.state = state;
  data_ = Buffer();
  ended_ = true;
}

void CopyOperation::end_task() {
  task_ended_ = true;
  task_.disk_busy = false;
  if (task_.command->aborted) return task_.server->drop(task_);
  if (pass_on_) return task_.fail_like(part_);
  if (why_) return task_.fail(*why_);
  if (abort_asked_ && record().state == CopyRecord::State::aborted)
    return task_.fail(sense::kCopyAborted);
  task_.good();
}

}  // namespace tsihd::scsi
