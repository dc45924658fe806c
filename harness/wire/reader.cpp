#include "harness/wire/reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/wire/crc32c.h"

namespace tsih::wire {
namespace {

bool digest_matches(std::span<const std::uint8_t> covered, const std::uint8_t* digest) {
  const std::uint32_t crc = crc32c(covered);
  for (int i = 0; i < 4; ++i)
    if (digest[i] != static_cast<std::uint8_t>(crc >> (8 * i))) return false;
  return true;
}

}  // namespace

void PduReader::expect_digests(bool header, bool data) {
  header_digest_ = header;
  data_digest_ = data;
}

void PduReader::feed(std::span<const std::uint8_t> bytes) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
  at_ = 0;
  if (broken_.empty()) buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::optional<Pdu> PduReader::next() {
  const auto rest = std::span<const std::uint8_t>(buffer_).subspan(at_);
  if (!broken_.empty() || rest.size() < kHeaderBytes) return std::nullopt;
  Pdu pdu;
  std::copy_n(rest.begin(), kHeaderBytes, pdu.header.begin());
  const std::size_t ahs_bytes = pdu[field::total_ahs_length] * 4;
  const std::size_t data_bytes = pdu[field::data_segment_length];
  if (data_bytes > limit_data_bytes_) {
    broken_ = fmt::format("a data segment of {} bytes is announced, more than the {} taken here",
                          data_bytes, limit_data_bytes_);
    return std::nullopt;
  }
  const std::size_t padded_bytes = (data_bytes + 3) / 4 * 4;
  const std::size_t header_end = kHeaderBytes + ahs_bytes;
  const std::size_t data_at = header_end + (header_digest_ ? 4 : 0);
  const std::size_t data_end = data_at + padded_bytes;
  const std::size_t end = data_end + (data_digest_ && data_bytes > 0 ? 4 : 0);
  if (rest.size() < end) return std::nullopt;

  pdu.ahs.assign(rest.begin() + kHeaderBytes,
                 rest.begin() + static_cast<std::ptrdiff_t>(header_end));
  const auto padded = rest.subspan(data_at, padded_bytes);
  pdu.data.assign(padded.begin(), padded.begin() + static_cast<std::ptrdiff_t>(data_bytes));
  const auto padding = padded.subspan(data_bytes);
  pdu.padding_is_zero = std::ranges::all_of(padding, [](auto byte) { return byte == 0; });
  if (header_digest_)
    pdu.header_digest_ok = digest_matches(rest.first(header_end), &rest[header_end]);
  if (data_digest_ && data_bytes > 0) pdu.data_digest_ok = digest_matches(padded, &rest[data_end]);
  at_ += end;
  return pdu;
}

}  // namespace tsih::wire
