#include "target/scsi/copy_list.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "target/scsi/bytes.h"
#include "target/scsi/designators.h"
#include "target/scsi/device_server.h"
#include "target/scsi/logical_unit.h"

namespace tsihd::scsi {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint8_t byte_of(std::byte b) { return static_cast<std::uint8_t>(b); }

/// Where the parts of a list are, from its header.
struct Layout {
  std::size_t cscds_at = 0;
  std::size_t cscd_bytes = 0;
  std::size_t segment_bytes = 0;
  std::size_t inline_bytes = 0;
  std::uint16_t cscd_length_at = 0;  ///< of the length fields, for field pointers
  std::uint16_t segment_length_at = 0;

  std::size_t segments_at() const { return cscds_at + cscd_bytes; }
  std::size_t end() const { return segments_at() + segment_bytes + inline_bytes; }
};

/// A CSCD as its descriptor gives it.
struct Cscd {
  CopyParty party;
  bool pad = false;
  std::optional<Sense> refused = std::nullopt;  ///< told when a segment uses it
};

class ListReader {
 public:
  ListReader(Bytes list, bool lid4, const LunMap& luns, DeviceServer& own)
      : list_(list), lid4_(lid4), luns_(luns), own_(own) {}

  std::expected<CopyRequest, Sense> read();

 private:
  std::optional<Sense> read_header();
  std::optional<Sense> check_lengths() const;
  std::optional<Sense> read_cscds();
  std::optional<Sense> read_cscd(std::size_t at);
  std::optional<Sense> read_segments();
  std::optional<Sense> read_block_to_block(std::size_t at);
  std::optional<Sense> read_verify(std::size_t at);
  Cscd cscd(std::uint16_t id, std::size_t named_at) const;
  CopyParty find_unit(Bytes designation) const;
  Sense invalid(std::size_t at) const {
    return sense::invalid_parameter(static_cast<std::uint16_t>(at));
  }

  const Bytes list_;
  const bool lid4_;
  const LunMap& luns_;
  DeviceServer& own_;
  Layout layout_;
  std::vector<Cscd> cscds_;
  CopyRequest request_;
};

std::expected<CopyRequest, Sense> ListReader::read() {
  if (auto why = read_header()) return std::unexpected(*why);
  if (auto why = check_lengths()) return std::unexpected(*why);
  if (auto why = read_cscds()) return std::unexpected(*why);
  if (auto why = read_segments()) return std::unexpected(*why);
  return std::move(request_);
}

/// SPC-4 6.4.3 and 6.4.4. PRIORITY orders copies among each other, which here run side by side; STR
/// is about streams.
std::optional<Sense> ListReader::read_header() {
  constexpr std::uint8_t kUsageReserved = 1;
  constexpr std::uint8_t kUsageNone = 3;
  if (list_.size() < (lid4_ ? kCopyHeaderBytesLid4 : kCopyHeaderBytesLid1))
    return sense::kParameterListLength;
  const std::uint8_t usage = byte_of(list_[1]) >> 3 & 0x03;
  if (usage == kUsageReserved) return invalid(1);
  CopyRecord& record = request_.record;
  record.identified = usage != kUsageNone;
  record.service_action = lid4_ ? 0x01 : 0x00;
  if (!lid4_) {
    record.list_identifier = byte_of(list_[0]);
    layout_ = {kCopyHeaderBytesLid1, get16(&list_[2]), get32(&list_[8]), get32(&list_[12]), 2, 8};
    return std::nullopt;
  }
  constexpr std::byte kFormat{0x01};
  constexpr std::uint16_t kHeaderCscdBytes = 32;
  constexpr std::byte kHeaderCscdType{0xff};
  if (list_[0] != kFormat) return invalid(0);
  if (get16(&list_[2]) != kHeaderCscdBytes) return invalid(2);
  if (list_[16] != kHeaderCscdType) return invalid(16);
  record.list_identifier = get32(&list_[20]);
  layout_ = {kCopyHeaderBytesLid4, get16(&list_[42]), get16(&list_[44]), get16(&list_[46]), 42, 44};
  return std::nullopt;
}

std::optional<Sense> ListReader::check_lengths() const {
  constexpr std::size_t kIdentifierAtLid4 = 20;
  if (!request_.record.identified && request_.record.list_identifier != 0)
    return invalid(lid4_ ? kIdentifierAtLid4 : 0);
  if (layout_.cscd_bytes + layout_.segment_bytes > kMaxDescriptorListBytes)
    return sense::kParameterListLength;
  if (layout_.inline_bytes > 0) return sense::kInlineDataLengthExceeded;
  if (layout_.end() > list_.size()) return sense::kParameterListLength;
  if (layout_.cscd_bytes % kCscdDescriptorBytes != 0) return invalid(layout_.cscd_length_at);
  if (layout_.cscd_bytes / kCscdDescriptorBytes > kMaxCscdDescriptors)
    return sense::kTooManyCscdDescriptors;
  return std::nullopt;
}

std::optional<Sense> ListReader::read_cscds() {
  for (std::size_t at = layout_.cscds_at; at < layout_.segments_at(); at += kCscdDescriptorBytes)
    if (auto why = read_cscd(at)) return why;
  return std::nullopt;
}

/// Identification descriptor CSCD descriptor, SPC-4 6.4.5.6. LU ID TYPE is ignored here: the
/// designator names the unit. The relative initiator port identifier chooses among initiator ports
/// of the copy manager, of which there is none.
std::optional<Sense> ListReader::read_cscd(std::size_t at) {
  constexpr std::uint8_t kNullUnit = 0x20;  // obsolete in SPC-4
  constexpr std::uint8_t kDeviceType = 0x1f;
  constexpr std::uint8_t kPad = 0x04;
  const Bytes it = list_.subspan(at, kCscdDescriptorBytes);
  const std::uint8_t flags = byte_of(it[1]);
  if (byte_of(it[0]) != kIdentificationCscd)
    return sense::at_parameter(sense::kUnsupportedCscdDescriptor, static_cast<std::uint16_t>(at));
  Cscd cscd;
  cscd.pad = (byte_of(it[28]) & kPad) != 0;
  if ((flags & kDeviceType) != 0)
    cscd.refused = sense::kIncorrectCopyTargetType;
  else if ((flags & kNullUnit) == 0)
    cscd.party = find_unit(it.subspan(4, 24));
  if (!cscd.party.unit && !cscd.refused) cscd.refused = sense::kCopyTargetNotReachable;
  // DISK BLOCK LENGTH: zero where the initiator leaves it to us.
  const std::uint32_t block_bytes = get24(&it[29]);
  if (cscd.party.unit && block_bytes != 0 &&
      block_bytes != cscd.party.unit->device_server().block_bytes())
    return invalid(at + 29);
  cscds_.push_back(std::move(cscd));
  return std::nullopt;
}

/// Only what the nexus sees can be found. `designation` is the descriptor from CODE SET on.
CopyParty ListReader::find_unit(Bytes designation) const {
  constexpr std::size_t kMaxDesignatorBytes = 20;
  const std::size_t length = byte_of(designation[3]);
  const bool of_unit = (byte_of(designation[1]) & 0x30) == 0;
  if (!of_unit || length > kMaxDesignatorBytes) return {};
  for (const auto& [number, entry] : luns_.entries)
    for (const UnitDesignator& it : unit_designators(entry.unit->identity()))
      if (static_cast<std::uint8_t>(it.code_set) == (byte_of(designation[0]) & 0x0f) &&
          static_cast<std::uint8_t>(it.type) == (byte_of(designation[1]) & 0x0f) &&
          std::ranges::equal(it.value, designation.subspan(4, length)))
        return {entry.unit, entry.write_protected};
  return {};
}

std::optional<Sense> ListReader::read_segments() {
  std::size_t at = layout_.segments_at();
  const std::size_t end = at + layout_.segment_bytes;
  for (std::size_t bytes = 0; at < end; at += bytes) {
    if (request_.runs.size() == kMaxSegmentDescriptors) return sense::kTooManySegmentDescriptors;
    const std::uint8_t type = byte_of(list_[at]);
    if (type != kBlockToBlock && type != kVerifyCscd)
      return sense::at_parameter(sense::kUnsupportedSegmentDescriptor,
                                 static_cast<std::uint16_t>(at));
    bytes = type == kBlockToBlock ? kMaxSegmentDescriptorBytes : 12;
    if (end - at < bytes) return invalid(layout_.segment_length_at);
    if (get16(&list_[at + 2]) != bytes - 4) return invalid(at + 2);
    if (auto why = type == kBlockToBlock ? read_block_to_block(at) : read_verify(at)) return why;
  }
  return std::nullopt;
}

/// Block device to block device, SPC-4 6.4.6.3.
std::optional<Sense> ListReader::read_block_to_block(std::size_t at) {
  constexpr std::uint8_t kCat = 0x01;
  constexpr std::uint8_t kDc = 0x02;
  const std::uint8_t flags = byte_of(list_[at + 1]);
  const Cscd source = cscd(get16(&list_[at + 4]), at + 4);
  const Cscd destination = cscd(get16(&list_[at + 6]), at + 6);
  CopyRun run;
  run.source = source.party;
  run.destination = destination.party;
  run.source_lba = get64(&list_[at + 12]);
  run.destination_lba = get64(&list_[at + 20]);
  run.descriptor_at = static_cast<std::uint16_t>(at);
  run.refused = source.refused ? source.refused : destination.refused;
  if (!run.refused) {
    const std::uint32_t from = run.source.unit->device_server().block_bytes();
    const std::uint32_t to = run.destination.unit->device_server().block_bytes();
    run.bytes = std::uint64_t{get16(&list_[at + 10])} * ((flags & kDc) != 0 ? to : from);
    // What is left of a block may be cut off or filled up (PAD); it is never kept for the next
    // segment (CAT).
    const bool inexact = (run.bytes % from != 0 && !source.pad) ||
                         (run.bytes % to != 0 && !destination.pad) ||
                         ((run.bytes % from != 0 || run.bytes % to != 0) && (flags & kCat) != 0);
    if (inexact)
      run.refused = sense::at_parameter(sense::kUnexpectedInexactSegment, run.descriptor_at);
  }
  request_.runs.push_back(std::move(run));
  return std::nullopt;
}

std::optional<Sense> ListReader::read_verify(std::size_t at) {
  constexpr std::byte kTestUnitReady{0x01};
  const Cscd source = cscd(get16(&list_[at + 4]), at + 4);
  CopyRun run;
  run.source = source.party;
  run.descriptor_at = static_cast<std::uint16_t>(at);
  run.refused = source.refused;
  // Without the bit it is enough that the unit is there: a copy of nothing.
  if ((list_[at + 8] & kTestUnitReady) != std::byte{0})
    run.kind = CopyRun::Kind::check;
  else
    run.destination = run.source;
  request_.runs.push_back(std::move(run));
  return std::nullopt;
}

/// The unit behind a CSCD descriptor ID (SPC-4 6.4.5.1). `named_at` is where the segment has it.
Cscd ListReader::cscd(std::uint16_t id, std::size_t named_at) const {
  Cscd it;
  if (id < cscds_.size())
    it = cscds_[id];
  else if (id == kThisUnitCscd)
    it.party = party_of(luns_, own_);
  if (!it.party.unit && !it.refused) it.refused = sense::kUnreachableCopyTarget;
  if (it.refused)
    it.refused = sense::at_parameter(*it.refused, static_cast<std::uint16_t>(named_at));
  return it;
}

}  // namespace

std::expected<CopyRequest, Sense> read_copy_list(std::span<const std::byte> list, bool lid4,
                                                 const LunMap& luns, DeviceServer& own) {
  return ListReader(list, lid4, luns, own).read();
}

void put_cscd_descriptor(std::span<std::byte, kCscdDescriptorBytes> to, const DeviceServer& unit) {
  const UnitDesignator best = unit_designators(unit.identity()).front();
  std::ranges::fill(to, std::byte{0});
  to[0] = std::byte{kIdentificationCscd};
  to[4] = static_cast<std::byte>(best.code_set);
  to[5] = static_cast<std::byte>(best.type);
  to[7] = static_cast<std::byte>(best.value.size());
  std::ranges::copy(best.value, to.begin() + 8);
  put_big<3>(&to[29], unit.block_bytes());
}

CopyParty party_of(const LunMap& luns, const DeviceServer& unit) {
  for (const auto& [number, entry] : luns.entries)
    if (&entry.unit->device_server() == &unit) return {entry.unit, entry.write_protected};
  return {};
}

}  // namespace tsihd::scsi
