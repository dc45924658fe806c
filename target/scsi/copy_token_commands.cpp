// POPULATE TOKEN and WRITE USING TOKEN (SBC-3 5.9, 5.49).
#include <algorithm>
#include <expected>
#include <optional>
#include <utility>
#include <vector>

#include "target/scsi/bytes.h"
#include "target/scsi/copy_list.h"
#include "target/scsi/copy_manager.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kRangeBytes = 16;
constexpr std::uint16_t kPopulateRangesAt = 16;
constexpr std::uint16_t kWriteRangesAt = 536;

/// The block device range descriptors that begin at `at`; their length stands before them.
std::expected<std::vector<BlockRange>, Sense> read_ranges(Bytes list, std::uint16_t at) {
  if (list.size() < at) return std::unexpected(sense::kParameterListLength);
  const std::size_t bytes = get16(&list[at - 2u]);
  // The first field counts what follows itself.
  if (get16(&list[0]) + 2u < at + bytes) return std::unexpected(sense::invalid_parameter(0));
  const bool fits = bytes >= kRangeBytes && bytes / kRangeBytes <= kMaxRangeDescriptors;
  if (!fits) return std::unexpected(sense::invalid_parameter(static_cast<std::uint16_t>(at - 2)));
  if (list.size() < at + bytes) return std::unexpected(sense::kParameterListLength);
  std::vector<BlockRange> ranges(bytes / kRangeBytes);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const std::byte* from = &list[at + i * kRangeBytes];
    ranges[i] = {get64(from), get32(from + 8)};
  }
  return ranges;
}

/// SBC-3: ranges of one list must not overlap, and lie on the medium.
std::optional<Sense> check_ranges(const DeviceServer& server, std::vector<BlockRange> ranges,
                                  std::uint16_t at) {
  std::uint64_t total = 0;
  for (const BlockRange& it : ranges) {
    const std::uint64_t count = server.block_count();
    if (it.lba > count || it.blocks > count - it.lba)
      return sense::with_information(sense::kLbaOutOfRange, std::max(it.lba, count));
    total += it.blocks;
  }
  if (total * server.block_bytes() > kMaxTokenBytes) return sense::invalid_parameter(at);
  std::ranges::sort(ranges, {}, &BlockRange::lba);
  for (std::size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i - 1].lba + ranges[i - 1].blocks > ranges[i].lba)
      return sense::invalid_parameter(at);
  return std::nullopt;
}

std::expected<std::vector<BlockRange>, Sense> ranges_of(const Task& task, std::uint16_t at) {
  if (task.data_out().size() < get32(task.cdb() + 10))
    return std::unexpected(sense::kParameterListLength);
  auto ranges = read_ranges(task.data_out(), at);
  if (!ranges) return ranges;
  if (const auto why = check_ranges(*task.server, *ranges, at)) return std::unexpected(*why);
  return ranges;
}

CopyRecord record_for(const Task& task) {
  CopyRecord record;
  record.unit = task.server;
  record.nexus_id = task.command->nexus->id;
  record.list_identifier = get32(task.cdb() + 6);
  record.service_action = task.cdb()[1] & 0x1f;
  return record;
}

void want_list(Task& task, std::uint16_t ranges_at, Task::Step next) {
  const std::uint32_t bytes = get32(task.cdb() + 10);
  if (bytes == 0) return task.good();
  if (bytes < ranges_at || bytes > ranges_at + kMaxRangeDescriptors * kRangeBytes)
    return task.fail(sense::kParameterListLength);
  task.want_data_out(bytes, next);
}

// -- POPULATE TOKEN

/// Null where the type is not offered. Without RTV the choice is ours: what cannot show data that
/// has changed meanwhile.
std::optional<RodType> rod_type(Bytes list) {
  constexpr std::byte kRtv{0x02};
  if ((list[2] & kRtv) == std::byte{0}) return RodType::point_in_time_change_vulnerable;
  switch (const RodType asked{get32(&list[8])}; asked) {
    case RodType::access_upon_reference:
      return asked;
    case RodType::point_in_time_change_vulnerable:
    case RodType::point_in_time_any:
      return RodType::point_in_time_change_vulnerable;
    case RodType::zeroes:
      break;
  }
  return std::nullopt;
}

void populate_now(Task& task) {
  const Bytes list = task.data_out();
  auto ranges = ranges_of(task, kPopulateRangesAt);
  if (!ranges) return task.fail(ranges.error());
  const auto type = rod_type(list);
  if (!type) return task.fail(sense::at_parameter(sense::kUnsupportedTokenType, 8));
  const std::uint32_t timeout_s = get32(&list[4]);
  if (timeout_s > kMaxTokenTimeout_s) return task.fail(sense::invalid_parameter(4));
  CopyManager& copies = *task.server->copies();
  if (copies.find_running(task, get32(task.cdb() + 6)))
    return task.fail(sense::kOperationInProgress);
  const CopyParty own = party_of(*task.luns, *task.server);
  if (!own.unit) return task.fail(sense::kUnitNotSupported);  // its LUN went meanwhile
  RodTokens::Token token;
  token.type = *type;
  token.unit = own.unit;
  token.ranges = std::move(*ranges);
  token.block_bytes = task.server->block_bytes();
  token.timeout_s = timeout_s == 0 ? kDefaultTokenTimeout_s : timeout_s;
  CopyRecord record = record_for(task);
  record.bytes = token.blocks() * token.block_bytes;
  auto made = copies.tokens().create(std::move(token), *task.command->nexus);
  if (!made) return task.fail(made.error());
  record.state = CopyRecord::State::good;
  record.token = *made;
  copies.keep(std::move(record));
  task.good();
}

// -- WRITE USING TOKEN

constexpr std::uint16_t kOffsetAt = 8;
constexpr std::uint16_t kTokenAt = 16;

std::vector<CopyRun> zero_runs(const CopyParty& destination,
                               const std::vector<BlockRange>& ranges) {
  std::vector<CopyRun> runs;
  for (const BlockRange& it : ranges) {
    CopyRun run;
    run.kind = CopyRun::Kind::zero;
    run.destination = destination;
    run.destination_lba = it.lba;
    run.bytes = it.blocks * destination.unit->device_server().block_bytes();
    runs.push_back(std::move(run));
  }
  return runs;
}

/// A position in a list of ranges, in bytes.
class RangeCursor {
 public:
  RangeCursor(const std::vector<BlockRange>& ranges, std::uint32_t block_bytes)
      : ranges_(ranges), block_bytes_(block_bytes) {}

  /// How much is left of the range it stands in; 0 at the end of all.
  std::uint64_t left() {
    while (index_ < ranges_.size() && in_range_ == ranges_[index_].blocks * block_bytes_) {
      ++index_;
      in_range_ = 0;
    }
    return index_ == ranges_.size() ? 0 : ranges_[index_].blocks * block_bytes_ - in_range_;
  }
  void skip(std::uint64_t bytes) {
    for (std::uint64_t step = 0; bytes > 0 && left() > 0; bytes -= step) {
      step = std::min(bytes, left());
      in_range_ += step;
    }
  }
  std::uint64_t lba() const { return ranges_[index_].lba + in_range_ / block_bytes_; }

 private:
  const std::vector<BlockRange>& ranges_;
  const std::uint64_t block_bytes_;
  std::size_t index_ = 0;
  std::uint64_t in_range_ = 0;
};

/// Source ranges against destination ranges. Where the block sizes differ, every stretch must be
/// whole blocks of both.
std::expected<std::vector<CopyRun>, Sense> token_runs(const Task& task,
                                                      const RodTokens::Token& token,
                                                      const CopyParty& destination,
                                                      const std::vector<BlockRange>& ranges) {
  const auto unit = token.unit.lock();
  const CopyParty source =
      unit == nullptr ? CopyParty{} : party_of(*task.luns, unit->device_server());
  if (!source.unit) return std::unexpected(sense::kCopyTargetNotReachable);
  const std::uint32_t to_bytes = task.server->block_bytes();
  const std::uint64_t offset = get64(&task.data_out()[kOffsetAt]);
  if (offset >= token.blocks()) return std::unexpected(sense::invalid_parameter(kOffsetAt));
  RangeCursor from(token.ranges, token.block_bytes);
  RangeCursor to(ranges, to_bytes);
  from.skip(offset * token.block_bytes);
  std::vector<CopyRun> runs;
  while (to.left() > 0) {
    const std::uint64_t bytes = std::min(from.left(), to.left());
    if (bytes == 0 || bytes % token.block_bytes != 0 || bytes % to_bytes != 0)
      return std::unexpected(sense::invalid_parameter(kWriteRangesAt));
    CopyRun run;
    run.source = source;
    run.destination = destination;
    run.source_lba = from.lba();
    run.destination_lba = to.lba();
    run.bytes = bytes;
    runs.push_back(std::move(run));
    from.skip(bytes);
    to.skip(bytes);
  }
  return runs;
}

void write_now(Task& task) {
  constexpr std::byte kDeleteToken{0x02};
  constexpr std::size_t kLengthInToken = 6;
  const Bytes list = task.data_out();
  auto ranges = ranges_of(task, kWriteRangesAt);
  if (!ranges) return task.fail(ranges.error());
  const Bytes bytes = list.subspan(kTokenAt, kTokenBytes);
  if (get16(&bytes[kLengthInToken]) != kTokenBytes - 8)
    return task.fail(sense::at_parameter(sense::kInvalidTokenLength, kTokenAt + kLengthInToken));
  CopyManager& copies = *task.server->copies();
  const CopyParty own = party_of(*task.luns, *task.server);
  if (!own.unit) return task.fail(sense::kUnitNotSupported);
  CopyRequest request;
  request.record = record_for(task);
  if (RodType{get32(bytes.data())} == RodType::zeroes) {
    request.runs = zero_runs(own, *ranges);
    return copies.start(task, std::move(request));
  }
  const RodTokens::Token* token = copies.tokens().use(bytes);
  if (token == nullptr) return task.fail(sense::at_parameter(sense::kTokenUnknown, kTokenAt));
  auto runs = token_runs(task, *token, own, *ranges);
  if (!runs) return task.fail(runs.error());
  request.runs = std::move(*runs);
  request.token_id = token->id;
  request.deletes_token = (list[2] & kDeleteToken) != std::byte{0};
  copies.start(task, std::move(request));
}

}  // namespace

void populate_token(Task& task) {
  want_list(task, kPopulateRangesAt, [](Task& it) { it.when_enabled(populate_now); });
}

void write_using_token(Task& task) {
  want_list(task, kWriteRangesAt, [](Task& it) { it.when_enabled(write_now); });
}

}  // namespace tsihd::scsi
