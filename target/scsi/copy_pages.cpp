#include "target/scsi/copy_pages.h"

#include <algorithm>
#include <cstdint>

#include "target/scsi/bytes.h"
#include "target/scsi/copy_list.h"
#include "target/scsi/copy_tokens.h"
#include "target/scsi/device_server.h"
#include "target/scsi/limits.h"
#include "target/scsi/operations.h"

namespace tsihd::scsi {
namespace {

using Bytes = std::vector<std::byte>;

/// A third-party copy descriptor: type, length, `bytes` of zeroes to be filled in, padded to a
/// multiple of four.
class Descriptor {
 public:
  Descriptor(Bytes& page, std::uint16_t type, std::size_t bytes) : at_(page.size()), page_(page) {
    page_.resize(at_ + 4 + (bytes + 3) / 4 * 4);
    put16(&page_[at_], type);
    put16(&page_[at_ + 2], page_.size() - at_ - 4);
  }
  /// Byte `offset`, counted as in the standard, from the type.
  std::byte* operator[](std::size_t offset) { return &page_[at_ + offset]; }

 private:
  const std::size_t at_;
  Bytes& page_;
};

/// SBC-3 6.6.6.3
void block_device_rod_limits(const DeviceServer& server, Bytes& page) {
  Descriptor it(page, 0x0000, 32);
  put16(it[10], kMaxRangeDescriptors);
  put32(it[12], kMaxTokenTimeout_s);
  put32(it[16], kDefaultTokenTimeout_s);
  put64(it[20], kMaxTokenBytes / server.block_bytes());  // MAXIMUM TOKEN TRANSFER SIZE
  put64(it[28], kMaxTokenBytes / server.block_bytes());  // OPTIMAL TRANSFER COUNT
}

/// From the table of operations: an opcode, how many service actions, which.
void supported_commands(Bytes& page) {
  constexpr std::uint8_t kThirdPartyCopyOut = 0x83;
  constexpr std::uint8_t kThirdPartyCopyIn = 0x84;
  Bytes list;
  for (const std::uint8_t opcode : {kThirdPartyCopyOut, kThirdPartyCopyIn}) {
    const auto actions = operations_of(opcode);
    list.push_back(std::byte{opcode});
    list.push_back(static_cast<std::byte>(actions.size()));
    for (const Operation& action : actions)
      list.push_back(static_cast<std::byte>(action.service_action));
  }
  Descriptor it(page, 0x0001, 1 + list.size());
  *it[4] = static_cast<std::byte>(list.size());
  std::ranges::copy(list, it[5]);
}

void parameter_data(Bytes& page) {
  Descriptor it(page, 0x0004, 28);
  put16(it[8], kMaxCscdDescriptors);
  put16(it[10], kMaxSegmentDescriptors);
  put32(it[12], kMaxDescriptorListBytes);
}

void supported_descriptors(Bytes& page) {
  Descriptor it(page, 0x0008, 1 + kCopyDescriptors.size());
  *it[4] = std::byte{kCopyDescriptors.size()};
  std::ranges::transform(kCopyDescriptors, it[5],
                         [](std::uint8_t code) { return std::byte{code}; });
}

void supported_cscd_ids(Bytes& page) {
  Descriptor it(page, 0x000c, 4);
  put16(it[4], 2);
  put16(it[6], kThisUnitCscd);
}

void rod_token_features(Bytes& page) {
  constexpr std::uint16_t kBlockFeaturesBytes = 48;
  Descriptor it(page, 0x0106, 44 + kBlockFeaturesBytes);
  put32(it[16], 1);                   // MINIMUM TOKEN LIFETIME
  put32(it[20], UINT32_MAX);          // MAXIMUM TOKEN LIFETIME: as long as it is used
  put32(it[24], kMaxTokenTimeout_s);  // MAXIMUM TOKEN INACTIVITY TIMEOUT
  put16(it[46], kBlockFeaturesBytes);
  // Block ROD device type specific features
  put16(it[50], kBlockFeaturesBytes - 4);
  put64(it[56], kMaxTokenBytes);
  put64(it[64], kMaxTokenBytes);  // optimal, for a token and, both ways, for a segment
  put64(it[72], kMaxTokenBytes);
  put64(it[80], kMaxTokenBytes);
}

void supported_rod_types(Bytes& page) {
  constexpr std::size_t kTypeBytes = 64;
  constexpr std::byte kTokenIn{0x02};
  constexpr std::byte kTokenOut{0x01};
  struct Type {
    RodType type;
    std::byte uses;
    std::uint16_t preference;
  };
  constexpr std::array<Type, 3> kTypes{
      {{RodType::access_upon_reference, kTokenIn | kTokenOut, 1},
       {RodType::point_in_time_change_vulnerable, kTokenIn | kTokenOut, 2},
       {RodType::zeroes, kTokenIn, 0}}};
  Descriptor it(page, 0x0108, 4 + kTypes.size() * kTypeBytes);
  put16(it[6], kTypes.size() * kTypeBytes);
  std::size_t at = 8;
  for (const Type& type : kTypes) {
    put32(it[at], static_cast<std::uint32_t>(type.type));
    *it[at + 4] = type.uses;
    put16(it[at + 6], type.preference);
    at += kTypeBytes;
  }
}

void general_copy_operations(Bytes& page) {
  Descriptor it(page, 0x8001, 32);
  put32(it[4], kMaxCopiesOfNexus);  // TOTAL CONCURRENT COPIES
  put32(it[8], kMaxCopiesOfNexus);  // MAXIMUM IDENTIFIED CONCURRENT COPIES
}

}  // namespace

/// SPC-4 6.24.4. No limit of a segment's length is stated but what its fields can say.
Bytes copy_operating_parameters() {
  constexpr std::byte kSnlid{0x01};  // LIST ID USAGE of 11b is understood
  Bytes data(44);
  data[4] = kSnlid;
  put16(&data[8], kMaxCscdDescriptors);
  put16(&data[10], kMaxSegmentDescriptors);
  put32(&data[12], kMaxDescriptorListBytes);
  put16(&data[34], kMaxCopiesOfNexus);  // TOTAL CONCURRENT COPIES
  data[36] = std::byte{kMaxCopiesOfNexus};
  data[43] = std::byte{kCopyDescriptors.size()};
  for (const std::uint8_t code : kCopyDescriptors) data.push_back(std::byte{code});
  return data;
}

void append_copy_descriptors(const DeviceServer& server, Bytes& page) {
  block_device_rod_limits(server, page);
  supported_commands(page);
  parameter_data(page);
  supported_descriptors(page);
  supported_cscd_ids(page);
  rod_token_features(page);
  supported_rod_types(page);
  general_copy_operations(page);
}

}  // namespace tsihd::scsi
