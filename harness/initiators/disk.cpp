#include "harness/initiators/disk.h"

#include <algorithm>
#include <string_view>

namespace tsih::initiators {
namespace {

using wire::Bytes;

std::uint64_t big(std::span<const std::uint8_t> cdb, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count && at + i < cdb.size(); ++i) value = value << 8 | cdb[at + i];
  return value;
}

void put(Bytes& out, std::uint64_t value, std::size_t count) {
  for (std::size_t i = count; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

ScsiOutcome refused(std::uint8_t key, std::uint8_t asc, std::uint8_t ascq) {
  return {.status = kCheckCondition, .data = {}, .sense = fixed_sense(key, asc, ascq)};
}
ScsiOutcome invalid_field() { return refused(0x05, 0x24, 0x00); }
ScsiOutcome unknown_command() { return refused(0x05, 0x20, 0x00); }

ScsiOutcome answered(Bytes data, std::uint64_t allocation_bytes) {
  if (data.size() > allocation_bytes) data.resize(allocation_bytes);
  return {.data = std::move(data), .sense = {}};
}

void put_text(Bytes& out, std::string_view text, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    out.push_back(i < text.size() ? static_cast<std::uint8_t>(text[i]) : ' ');
}

// SPC-4 6.4.2. A logical unit that does not exist says so in the peripheral qualifier.
Bytes standard_inquiry(bool exists) {
  Bytes data{static_cast<std::uint8_t>(exists ? 0x00 : 0x7f), 0, 0x06, 0x02, 31, 0, 0, 0x02};
  put_text(data, "tsih", 8);
  put_text(data, "scripted disk", 16);
  put_text(data, "1", 4);
  return data;
}

// SPC-4 7.8: which pages there are, a serial number, a T10 vendor id designator.
ScsiOutcome vital_product_data(std::uint8_t page, std::uint64_t allocation_bytes) {
  Bytes data{0, page};
  switch (page) {
    case 0x00:
      put(data, 3, 2);
      data.insert(data.end(), {0x00, 0x80, 0x83});
      break;
    case 0x80:
      put(data, 8, 2);
      put_text(data, "00000001", 8);
      break;
    case 0x83:
      put(data, 4 + 16, 2);
      data.insert(data.end(), {0x02, 0x01, 0x00, 16});
      put_text(data, "tsih", 8);
      put_text(data, "scripted", 8);
      break;
    default:
      return invalid_field();
  }
  return answered(std::move(data), allocation_bytes);
}

// SBC-3 6.5.2 and 6.5.3: the caching mode page, write cache off, is the only one.
ScsiOutcome mode_sense(std::span<const std::uint8_t> cdb) {
  const bool ten = cdb[0] == 0x5a;
  const std::uint8_t page = cdb[2] & 0x3f;
  if (page != 0x08 && page != 0x3f) return invalid_field();
  Bytes caching{0x08, 0x12};
  caching.resize(20);
  Bytes data;
  if (ten) {
    put(data, 6 + caching.size(), 2);
    data.resize(8);
  } else {
    data = {static_cast<std::uint8_t>(3 + caching.size()), 0, 0, 0};
  }
  data.insert(data.end(), caching.begin(), caching.end());
  return answered(std::move(data), ten ? big(cdb, 7, 2) : cdb[4]);
}

ScsiOutcome report_luns(std::uint64_t allocation_bytes) {
  Bytes data;
  put(data, 8, 4);
  data.resize(8 + 8);
  return answered(std::move(data), allocation_bytes);
}

ScsiOutcome read_capacity(std::span<const std::uint8_t> cdb) {
  Bytes data;
  if (cdb[0] == 0x25) {
    put(data, Disk::kBlocks - 1, 4);
    put(data, Disk::kBlockBytes, 4);
    return answered(std::move(data), 8);
  }
  if ((cdb[1] & 0x1f) != 0x10) return unknown_command();
  put(data, Disk::kBlocks - 1, 8);
  put(data, Disk::kBlockBytes, 4);
  data.resize(32);
  return answered(std::move(data), big(cdb, 10, 4));
}

struct Range {
  std::uint64_t first, blocks;
};

// READ and WRITE of 6, 10, 12 and 16 bytes (SBC-3 5).
Range range_of(std::span<const std::uint8_t> cdb) {
  switch (cdb[0] >> 5) {
    case 0:
      return {big(cdb, 1, 3) & 0x1fffff, cdb[4] == 0 ? 256u : cdb[4]};
    case 1:
      return {big(cdb, 2, 4), big(cdb, 7, 2)};
    case 4:
      return {big(cdb, 2, 8), big(cdb, 10, 4)};
    default:
      return {big(cdb, 2, 4), big(cdb, 6, 4)};
  }
}

}  // namespace

Bytes fixed_sense(std::uint8_t key, std::uint8_t asc, std::uint8_t ascq) {
  Bytes sense(18);
  sense[0] = 0x70;
  sense[2] = key;
  sense[7] = 10;
  sense[12] = asc;
  sense[13] = ascq;
  return sense;
}

Disk::Disk() : content_(std::size_t{kBlocks} * kBlockBytes) {
  for (std::size_t i = 0; i < content_.size(); ++i)
    content_[i] = static_cast<std::uint8_t>(i * 7 + (i >> 9) * 13 + 1);
}

ScsiOutcome Disk::carry_out(std::uint64_t lun, std::span<const std::uint8_t> cdb) const {
  const bool inquiry = cdb[0] == 0x12;
  if (inquiry && (cdb[1] & 1)) return vital_product_data(cdb[2], big(cdb, 3, 2));
  if (inquiry) return answered(standard_inquiry(lun == 0), big(cdb, 3, 2));
  if (cdb[0] == 0xa0) return report_luns(big(cdb, 6, 4));
  if (lun != 0) return refused(0x05, 0x25, 0x00);
  switch (cdb[0]) {
    case 0x00:  // TEST UNIT READY
    case 0x1b:  // START STOP UNIT
    case 0x1e:  // PREVENT ALLOW MEDIUM REMOVAL
    case 0x35:  // SYNCHRONIZE CACHE
    case 0x91:
      return {};
    case 0x03:  // REQUEST SENSE
      return answered(fixed_sense(0, 0, 0), cdb[4]);
    case 0x1a:
    case 0x5a:
      return mode_sense(cdb);
    case 0x25:
    case 0x9e:
      return read_capacity(cdb);
    case 0x08:
    case 0x28:
    case 0xa8:
    case 0x88:
    case 0x0a:
    case 0x2a:
    case 0xaa:
    case 0x8a:
      break;
    default:
      return unknown_command();
  }
  const Range range = range_of(cdb);
  if (range.first > kBlocks || range.blocks > kBlocks - range.first)
    return refused(0x05, 0x21, 0x00);
  const std::uint64_t offset = range.first * kBlockBytes;
  const auto count = static_cast<std::uint32_t>(range.blocks * kBlockBytes);
  const bool is_write = (cdb[0] & 0x1f) == 0x0a;
  if (is_write) return {.data = {}, .sense = {}, .write_bytes = count, .write_offset = offset};
  const auto from = bytes(offset, count);
  return {.data = Bytes(from.begin(), from.end()), .sense = {}};
}

void Disk::store(std::uint64_t offset, std::span<const std::uint8_t> data) {
  if (offset >= content_.size()) return;
  const std::size_t count = std::min<std::size_t>(data.size(), content_.size() - offset);
  std::copy_n(data.begin(), count, content_.begin() + static_cast<std::ptrdiff_t>(offset));
}

std::span<const std::uint8_t> Disk::bytes(std::uint64_t offset, std::size_t count) const {
  return std::span(content_).subspan(offset, count);
}

}  // namespace tsih::initiators
