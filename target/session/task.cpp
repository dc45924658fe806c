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
  unsolicited_open = false;
  unsolicited_limit_bytes = 0;
  unsolicited_data_sn = 0;
  solicited_bytes = 0;
  r2t_sn = 0;
  if (open_transfers > 0)
    for (Transfer& transfer : transfers) transfer.open = false;
  open_transfers = 0;
  sent_bytes = 0;
  data_sn = 0;
  pdus_unsent = 0;
  emitted = false;
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
