#include "target/session/tests/sim_command.h"

#include <algorithm>
#include <cstring>

#include "target/session/tests/sim_model.h"
#include "target/session/tests/sim_trace.h"

namespace tsihd::session::sim {
namespace {

using Kind = Operation::Kind;

void put_big_endian(std::uint8_t* at, std::uint64_t value, int bytes) {
  for (int i = bytes; i-- > 0; value >>= 8) at[i] = static_cast<std::uint8_t>(value);
}

wire::Cdb cdb_of(const Operation& operation) {
  constexpr std::uint8_t kForceUnitAccess = 0x08;
  wire::Cdb cdb{};
  switch (operation.kind) {
    case Kind::read:
    case Kind::write: {
      const bool read = operation.kind == Kind::read;
      if (operation.force_unit_access) cdb[1] = kForceUnitAccess;
      if (operation.long_cdb) {
        cdb[0] = read ? 0x88 : 0x8a;
        put_big_endian(&cdb[2], operation.lba, 8);
        put_big_endian(&cdb[10], operation.blocks, 4);
      } else {
        cdb[0] = read ? 0x28 : 0x2a;
        put_big_endian(&cdb[2], operation.lba, 4);
        put_big_endian(&cdb[7], operation.blocks, 2);
      }
      break;
    }
    case Kind::inquiry:
      cdb[0] = 0x12;
      put_big_endian(&cdb[3], operation.expected_bytes, 2);
      break;
    case Kind::synchronise:
      cdb[0] = 0x35;
      break;
    case Kind::test_ready:
      break;
  }
  return cdb;
}

}  // namespace

Command::Command(const Operation& of, std::uint32_t initiator_task_tag) : operation(of) {
  bhs.initiator_task_tag = initiator_task_tag;
  bhs.flags = wire::kFinalBit | operation.attribute;
  if (operation.immediate) bhs.opcode_byte |= wire::kImmediateBit;
  if (operation.reads()) bhs.flags |= wire::ScsiCommandBhs::kRead;
  if (operation.writes()) bhs.flags |= wire::ScsiCommandBhs::kWrite;
  bhs.expected_data_transfer_bytes = operation.expected_bytes;
  bhs.cdb = cdb_of(operation);
  if (!operation.reads()) return;
  in.resize(operation.expected_bytes);
  covered_.resize((operation.expected_bytes + 3) / 4);
}

std::uint32_t Command::required_bytes() const { return operation.blocks * kBlockBytes; }

std::uint32_t Command::blocks_written() const {
  return std::min(operation.blocks, operation.expected_bytes / kBlockBytes);
}

void Command::broken(std::string_view rule, std::uint64_t value) const {
  fail("task {:#x}: {} (value {})", static_cast<std::uint32_t>(bhs.initiator_task_tag), rule,
       value);
}

/// DataSN and R2TSN count from 0, without holes (10.7.5, 10.8.3).
bool Command::note_number(std::uint32_t number, std::string_view what, bool strict) {
  constexpr std::uint32_t kMost = 1 << 20;
  if (number > kMost || (strict && number != numbers_seen.size())) broken(what, number);
  if (number < numbers_seen.size() && numbers_seen[number]) return false;
  if (number >= numbers_seen.size()) numbers_seen.resize(number + 1);
  numbers_seen[number] = true;
  return true;
}

void Command::check_data_in(const wire::DataInBhs& data_in, std::uint32_t bytes,
                            const Agreement& agreement) const {
  if (!operation.reads()) broken("Data-In for a command that reads nothing", bytes);
  const std::uint32_t offset = data_in.buffer_offset_bytes;
  if (bytes > agreement.initiator_segment_bytes)
    broken("a data segment above our MaxRecvDataSegmentLength", bytes);
  if (offset > in.size() || bytes > in.size() - offset)
    broken("Data-In beyond the Expected Data Transfer Length", offset);
  const bool last = offset + bytes == in.size() || data_in.is_final();
  if (offset % 4 != 0 || (bytes % 4 != 0 && !last))
    broken("Data-In that is not cut at four-byte words", offset);  // 10.7.7
  const bool asks = data_in.has(wire::DataInBhs::kAcknowledge);
  if (asks && agreement.error_recovery_level == 0)
    broken("A bit at ErrorRecoveryLevel 0", data_in.flags);
  if ((data_in.target_transfer_tag != wire::kReservedTag) != asks)
    broken("a Target Transfer Tag goes with the A bit", data_in.target_transfer_tag);
}

void Command::check_data_in_order(const wire::DataInBhs& data_in, std::uint32_t bytes,
                                  const Agreement& agreement) {
  const std::uint32_t offset = data_in.buffer_offset_bytes;
  const bool fixed =
      agreement.data_pdu_in_order && (sequence_bytes_ > 0 || agreement.data_sequence_in_order);
  if (fixed && offset != next_in_bytes_) broken("Buffer Offset out of order", offset);
  sequence_bytes_ += bytes;
  if (sequence_bytes_ > agreement.max_burst_bytes)
    broken("a Data-In sequence above MaxBurstLength", sequence_bytes_);
  next_in_bytes_ = offset + bytes;
  if (data_in.is_final()) sequence_bytes_ = 0;
}

bool Command::take_data_in(const wire::DataInBhs& data_in, std::span<const std::byte> data,
                           const Agreement& agreement, bool strict) {
  const std::uint32_t offset = data_in.buffer_offset_bytes;
  const auto bytes = static_cast<std::uint32_t>(data.size());
  check_data_in(data_in, bytes, agreement);
  if (!note_number(data_in.data_sn, "DataSN", strict)) return false;
  if (strict) check_data_in_order(data_in, bytes, agreement);
  for (std::uint32_t word = offset / 4; word < (offset + bytes + 3) / 4; ++word) {
    if (covered_[word] && strict) broken("data that came before", word * 4);
    if (!covered_[word]) in_bytes += std::min(4u, static_cast<std::uint32_t>(in.size()) - word * 4);
    covered_[word] = true;
  }
  std::ranges::copy(data, in.begin() + offset);
  return true;
}

bool Command::take_r2t(const wire::R2tBhs& r2t, const Agreement& agreement, bool strict) {
  if (!operation.writes()) broken("R2T for a command that writes nothing", r2t.r2t_sn);
  const std::uint32_t offset = r2t.buffer_offset_bytes;
  const std::uint32_t length = r2t.desired_data_transfer_bytes;
  const std::uint32_t tag = r2t.target_transfer_tag;
  if (length == 0 || length > agreement.max_burst_bytes)
    broken("Desired Data Transfer Length", length);  // 10.8.4
  if (offset > out.size() || length > out.size() - offset)
    broken("R2T beyond the Expected Data Transfer Length", offset);
  if (r2t.lun != bhs.lun) broken("R2T with another LUN", 0);
  if (!note_number(r2t.r2t_sn, "R2TSN", strict)) return false;
  if (tag == wire::kReservedTag || open_r2ts.contains(tag)) broken("Target Transfer Tag", tag);
  if (strict) {
    if (numbers_seen.size() == 1) next_r2t_bytes_ = unsolicited_bytes;
    if (agreement.data_sequence_in_order && offset != next_r2t_bytes_)
      broken("R2T out of order", offset);
    if (offset < unsolicited_bytes) broken("R2T for data that was sent unsolicited", offset);
    next_r2t_bytes_ = offset + length;
  }
  open_r2ts.emplace(tag, r2t);
  if (strict && open_r2ts.size() > agreement.max_outstanding_r2t)
    broken("more R2Ts than MaxOutstandingR2T", open_r2ts.size());
  return true;
}

void Command::check_end(bool strict) const {
  using wire::ScsiResponseBhs;
  const bool overflow = (end->flags & ScsiResponseBhs::kOverflow) != 0;
  const bool underflow = (end->flags & ScsiResponseBhs::kUnderflow) != 0;
  if (overflow && underflow) broken("both residual bits", end->flags);  // 10.4.1
  // 10.4.8; of a command without Data-In the section has it both ways.
  const bool count_is_right =
      end->data_count == numbers_seen.size() || (!operation.reads() && end->data_count == 0);
  if (strict && end->by_response && !count_is_right) broken("ExpDataSN", end->data_count);
  const std::uint32_t expected = operation.expected_bytes;
  if (end->status != 0) {
    if (operation.reads() && underflow && end->residual_bytes != expected - in_bytes)
      broken("residual count of a command that failed", end->residual_bytes);
    return;
  }
  if (operation.kind == Kind::inquiry) {
    if (in_bytes + (underflow ? end->residual_bytes : 0) != expected)
      broken("residual count of INQUIRY", end->residual_bytes);
    return;
  }
  const std::uint32_t required = required_bytes();
  const std::uint32_t moved = std::min(required, expected);
  if (overflow != (required > expected)) broken("the O bit", required);
  if (underflow != (required < expected)) broken("the U bit", required);
  const std::uint32_t residual = required > expected ? required - expected : expected - required;
  if ((overflow || underflow) && end->residual_bytes != residual)
    broken("Residual Count", end->residual_bytes);
  if (operation.reads() && in_bytes != moved)
    broken("data that is missing at good status", in_bytes);
  if (strict && !open_r2ts.empty())
    broken("good status before R2Ts were answered", open_r2ts.size());
}

void Command::cast_adrift() {
  adrift = true;
  open_r2ts.clear();
  end.reset();
  acknowledge.reset();
  numbers_seen.resize(exp_data_sn());  // what lies behind a hole is told to be missing
}

std::uint32_t Command::exp_data_sn() const {
  const auto hole = std::ranges::find(numbers_seen, false);
  return static_cast<std::uint32_t>(hole - numbers_seen.begin());
}

std::optional<Run> Command::missing() const {
  const bool ended_write = end && !operation.reads();
  if (ended_write) return std::nullopt;  // R2Ts of a write that has its status are of no use
  const std::size_t count = std::max<std::size_t>(numbers_seen.size(), end ? end->data_count : 0);
  const std::uint32_t first = exp_data_sn();
  if (first >= count) return std::nullopt;
  std::uint32_t last = first;
  while (last < count && (last >= numbers_seen.size() || !numbers_seen[last])) ++last;
  return Run{first, last - first};
}

}  // namespace tsihd::session::sim
