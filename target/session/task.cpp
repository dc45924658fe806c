#include "target/session/task.h"

#include <algorithm>

namespace tsihd::session {

void Task::renew() {
  static_cast<scsi::Command&>(*this).owner = nullptr;
  nexus = nullptr;
  attribute = scsi::TaskAttribute::simple;
  cdb_bytes = 16;
  expected_data_in_bytes = 0;
  expected_data_out_bytes = 0;
  data_out = {};
  wanted_data_out_bytes = 0;
  status = scsi::Status::good;
  sense_bytes = 0;
  data_in = {};
  data_in_bytes = 0;
  required_data_in_bytes = 0;
  required_data_out_bytes = 0;
  unit = nullptr;
  task = nullptr;
  aborted = false;

  next_pending = nullptr;
  link = 0;
  stage = Stage::idle;
  immediate = read = write = false;
  launched = at_device = collecting = condemned = silent = stopped = listed = counted = false;
  reserved_bytes = 0;
  out_buffer = {};
  received_bytes = 0;
  unsolicited = {};
  solicited_bytes = 0;
  hole_count = recoveries = replaced_count = 0;
  r2t_sn = 0;
  if (open_transfers > 0)
    for (Transfer& transfer : transfers) transfer.open = false;
  open_transfers = 0;
  sent_bytes = 0;
  data_sn = 0;
  pdus_unsent = 0;
  emitted = status_sent = retained = status_in_data = false;
  snack_tag = 0;
  acknowledge_tag = kNoTag;
  acknowledged_data_sn = 0;
  segmentation_count = 0;
  replay.task = nullptr;
}

void Task::condemn(Condition condition) {
  const auto code = static_cast<std::uint16_t>(condition);
  condemn(scsi::Status::check_condition);
  // Fixed format, current error, ABORTED COMMAND.
  constexpr std::uint8_t kFixedCurrent = 0x70, kAbortedCommand = 0x0b, kSenseBytes = 18;
  std::fill_n(sense.begin(), kSenseBytes, std::byte{0});
  sense[0] = std::byte{kFixedCurrent};
  sense[2] = std::byte{kAbortedCommand};
  sense[7] = std::byte{kSenseBytes - 8};
  sense[12] = static_cast<std::byte>(code >> 8);
  sense[13] = static_cast<std::byte>(code & 0xff);
  sense_bytes = kSenseBytes;
}

void Task::condemn(scsi::Status with_status) {
  condemned = true;
  status = with_status;
  sense_bytes = 0;
  data_in_bytes = 0;
}

Transfer* Task::find_transfer(std::uint32_t target_transfer_tag) {
  if (open_transfers == 0) return nullptr;
  for (Transfer& transfer : transfers)
    if (transfer.open && transfer.target_transfer_tag == target_transfer_tag) return &transfer;
  return nullptr;
}

void Task::give_up(Transfer& transfer) {
  const bool is_unsolicited = &transfer == &unsolicited;
  if (!is_unsolicited && transfer.open) --open_transfers;
  transfer.open = false;
  if (is_unsolicited) solicited_bytes = transfer.end_bytes();
  if (!is_unsolicited && transfer.data_sn == 0 && replaced_count < replaced.size())
    replaced[replaced_count++] = transfer;
  const ByteRanges::Run hole = transfer.got.hole(transfer.offset_bytes, transfer.end_bytes());
  if (hole.empty()) return;
  received_bytes -= transfer.got.bytes_within(hole);  // they come once more
  holes[hole_count++] = hole;
}

void Task::give_up_sequences(std::uint32_t exp_data_sn) {
  if (write && !read) {
    if (exp_data_sn > 0 && exp_data_sn <= r2t_sn) {
      r2t_sn = exp_data_sn;
    } else {  // an R2T that nothing has answered may never have arrived
      for (const Transfer& transfer : transfers)
        if (transfer.open && transfer.data_sn == 0) r2t_sn = std::min(r2t_sn, transfer.r2t_sn);
    }
  }
  if (unsolicited.open) give_up(unsolicited);
  for (Transfer& transfer : transfers)
    if (transfer.open) give_up(transfer);
  replaced_count = 0;  // their numbers are given anew
}

std::uint32_t Task::first_unanswered_r2t() const {
  std::uint32_t first = r2t_sn;
  for (const Transfer& transfer : transfers)
    if (transfer.open) first = std::min(first, transfer.r2t_sn);
  for (std::size_t i = 0; i < replaced_count; ++i) first = std::min(first, replaced[i].r2t_sn);
  return first;
}

std::uint32_t Task::data_in_bytes_at(std::uint32_t offset_bytes, std::uint32_t burst_bytes) const {
  return std::min(
      {segment_bytes(), burst_bytes - offset_bytes % burst_bytes, data_in_bytes - offset_bytes});
}

std::optional<std::uint32_t> Task::offset_of(std::uint32_t wanted_data_sn,
                                             std::uint32_t burst_bytes) const {
  for (std::size_t i = segmentation_count; i > 0; --i) {
    const Segmentation& from = segmentations[i - 1];
    if (wanted_data_sn < from.data_sn) continue;
    std::uint32_t offset = from.offset_bytes;
    for (std::uint32_t sn = from.data_sn; sn < wanted_data_sn && offset < data_in_bytes; ++sn)
      offset += std::min(from.segment_bytes, burst_bytes - offset % burst_bytes);
    return std::min(offset, data_in_bytes);
  }
  return std::nullopt;
}

void Task::segment(std::uint32_t new_segment_bytes) {
  if (segmentation_count == segmentations.size()) {
    std::copy(segmentations.begin() + 1, segmentations.end(), segmentations.begin());
    --segmentation_count;
  }
  segmentations[segmentation_count++] = {data_sn, sent_bytes, new_segment_bytes};
}

void PendingLine::push_front(Pending& pending) {
  pending.next_pending = head_;
  head_ = &pending;
  if (!tail_) tail_ = &pending;
}

void PendingLine::push(Pending& pending) {
  pending.next_pending = nullptr;
  (tail_ ? tail_->next_pending : head_) = &pending;
  tail_ = &pending;
}

void PendingLine::pop() {
  head_ = head_->next_pending;
  if (!head_) tail_ = nullptr;
}

void PendingLine::remove(Pending& pending) {
  Pending* previous = nullptr;
  for (Pending* at = head_; at; previous = at, at = at->next_pending) {
    if (at != &pending) continue;
    (previous ? previous->next_pending : head_) = at->next_pending;
    if (tail_ == at) tail_ = previous;
    return;
  }
}

}  // namespace tsihd::session
