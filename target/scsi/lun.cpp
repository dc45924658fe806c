#include "target/scsi/lun.h"

#include <algorithm>
#include <cstring>

#include "target/scsi/bytes.h"
#include "target/scsi/sense.h"

namespace tsihd::scsi {
namespace {

constexpr std::uint8_t kInquiry = 0x12;
constexpr std::uint8_t kRequestSense = 0x03;
constexpr std::uint8_t kReportLuns = 0xa0;

void fail(Command& command, const Sense& why) {
  command.status = Status::check_condition;
  command.sense_bytes = write_sense(command.sense, why, false);
}

void reply(Command& command, std::span<const std::byte> data, std::uint64_t allocation_length) {
  command.status = put_data_in(command, data, allocation_length) ? Status::good : Status::busy;
}

/// Peripheral qualifier 011b: this target has no device at this LUN.
void answer_inquiry(Command& command) {
  constexpr std::uint8_t kEvpd = 0x01;
  if ((command.cdb[1] & kEvpd) != 0 || command.cdb[2] != 0)
    return fail(command, sense::invalid_cdb_field(1));
  std::array<std::byte, 36> data{};
  data[0] = std::byte{0x7f};
  data[2] = std::byte{0x06};
  data[3] = std::byte{0x02};
  data[4] = std::byte{data.size() - 5};
  std::ranges::fill(std::span(data).subspan(8), std::byte{' '});
  reply(command, data, get16(&command.cdb[3]));
}

void answer_request_sense(Command& command) {
  std::array<std::byte, 96> data{};
  const bool descriptor = (command.cdb[1] & 1) != 0;
  const std::uint8_t length = write_sense(data, sense::kUnitNotSupported, descriptor);
  reply(command, std::span(data).first(length), command.cdb[4]);
}

void answer_report_luns(Command& command, const LunMap& luns) {
  const auto data = report_luns_data(luns, command.cdb[2]);
  if (!data) return fail(command, sense::invalid_cdb_field(2));
  reply(command, *data, get32(&command.cdb[6]));
}

}  // namespace

std::optional<std::uint16_t> decode_lun(const std::array<std::byte, 8>& lun) {
  const auto method = static_cast<std::uint8_t>(lun[0]) >> 6;
  const std::uint16_t number = get16(lun.data()) & kMaxLun;
  const bool single_level = get_big<6>(lun.data() + 2) == 0;
  if (!single_level || method > 1) return std::nullopt;
  if (method == 0 && number > 0xff) return std::nullopt;
  return number;
}

std::array<std::byte, 8> encode_lun(std::uint16_t lun) {
  std::array<std::byte, 8> field{};
  put16(field.data(), lun <= 0xff ? lun : 0x4000u | lun);
  return field;
}

std::optional<std::vector<std::byte>> report_luns_data(const LunMap& luns,
                                                       std::uint8_t select_report) {
  if (select_report > 2) return std::nullopt;
  std::vector<std::byte> data(8);
  if (select_report != 1) {
    data.reserve(8 + 8 * luns.entries.size());
    for (const auto& [number, entry] : luns.entries) {
      const auto field = encode_lun(number);
      data.insert(data.end(), field.begin(), field.end());
    }
  }
  put32(data.data(), data.size() - 8);
  return data;
}

bool put_data_in(Command& command, std::span<const std::byte> data,
                 std::uint64_t allocation_length_bytes) {
  const std::uint64_t required = std::min<std::uint64_t>(data.size(), allocation_length_bytes);
  const auto sent =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(required, command.expected_data_in_bytes));
  if (sent > 0) {
    command.data_in = BufferPool::local().take(sent);
    if (!command.data_in) return false;
    std::memcpy(command.data_in.data(), data.data(), sent);
  }
  command.required_data_in_bytes = required;
  command.data_in_bytes = sent;
  return true;
}

void answer_unmapped(Command& command, const LunMap& luns) {
  command.sense_bytes = 0;
  command.wanted_data_out_bytes = 0;
  command.data_in_bytes = 0;
  command.required_data_in_bytes = command.required_data_out_bytes = 0;
  command.unit = nullptr;
  command.task = nullptr;
  command.aborted = false;
  switch (command.cdb[0]) {
    case kInquiry:
      answer_inquiry(command);
      break;
    case kRequestSense:
      answer_request_sense(command);
      break;
    case kReportLuns:
      answer_report_luns(command, luns);
      break;
    default:
      fail(command, sense::kUnitNotSupported);
  }
  command.owner->command_done(command);
}

}  // namespace tsihd::scsi
