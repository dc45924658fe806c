#include "target/wire/reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "target/wire/crc32c.h"

namespace tsihd::wire {
namespace {

std::size_t header_bytes(std::span<const std::byte> bhs) {
  const auto& start = *reinterpret_cast<const BhsStart*>(bhs.data());
  return kBhsBytes + std::size_t{start.total_ahs_words} * 4;
}
std::size_t data_bytes(std::span<const std::byte> bhs) {
  return reinterpret_cast<const BhsStart*>(bhs.data())->data_segment_bytes;
}

}  // namespace

bool PduReader::header_digest_matches(std::span<const std::byte> bytes) const {
  const std::size_t header = header_bytes(bytes);
  return crc32c(bytes.first(header)) == load_digest(bytes.data() + header);
}

PduReader::Extent PduReader::measure(std::span<const std::byte> bytes) {
  if (bytes.size() < kBhsBytes) return {Event::need_more, kBhsBytes};
  const std::size_t header = header_bytes(bytes) + (digests_.header ? kDigestBytes : 0);
  if (bytes.size() < header) return {Event::need_more, header};
  const std::size_t data = data_bytes(bytes);
  if (!header_checked_) {
    if (digests_.header && !header_digest_matches(bytes)) return {Event::header_digest_error};
    if (data > max_data_segment_bytes_) return {Event::data_segment_too_long};
    header_checked_ = true;
  }
  const std::size_t data_digest = digests_.data && data > 0 ? kDigestBytes : 0;
  const std::size_t whole = header + padded_bytes(data) + data_digest;
  return {bytes.size() < whole ? Event::need_more : Event::pdu, whole};
}

PduReader::Event PduReader::give(std::span<const std::byte> bytes, Pdu& pdu) {
  const std::size_t header = header_bytes(bytes);
  const std::size_t data = data_bytes(bytes);
  const auto segment = bytes.subspan(header + (digests_.header ? kDigestBytes : 0));
  pdu.header = bytes.first(header);
  pdu.data = segment.first(data);
  pdu.data_digest_ok = true;
  if (digests_.data && data > 0) {  // the digest covers the padding too (10.2.3)
    const auto covered = segment.first(padded_bytes(data));
    pdu.data_digest_ok = crc32c(covered) == load_digest(segment.data() + covered.size());
  }
  header_checked_ = false;
  return Event::pdu;
}

PduReader::Event PduReader::fail(Event event, std::span<const std::byte> bytes, Pdu& pdu) {
  failed_ = event;
  pdu = Pdu{.header = bytes.first(header_bytes(bytes)), .data = {}, .data_digest_ok = true};
  return event;
}

void PduReader::keep(std::span<const std::byte> bytes, std::size_t wanted) {
  if (wanted > kept_capacity_) {
    auto larger = std::make_unique_for_overwrite<std::byte[]>(wanted);
    if (kept_bytes_ > 0) std::memcpy(larger.get(), kept_.get(), kept_bytes_);
    kept_ = std::move(larger);
    kept_capacity_ = wanted;
  }
  if (!bytes.empty()) std::memcpy(kept_.get() + kept_bytes_, bytes.data(), bytes.size());
  kept_bytes_ += bytes.size();
  kept_wanted_ = wanted;
}

PduReader::Event PduReader::next(Pdu& pdu) {
  if (failed_ != Event::need_more) {
    pdu = Pdu{};
    return failed_;
  }
  if (kept_bytes_ == 0) {
    if (input_.empty()) return Event::need_more;
    const Extent extent = measure(input_);
    if (extent.event == Event::pdu) {
      const auto whole = input_.first(extent.bytes);
      input_ = input_.subspan(extent.bytes);
      return give(whole, pdu);
    }
    if (extent.event != Event::need_more) return fail(extent.event, input_, pdu);
    keep(std::exchange(input_, {}), extent.bytes);
    return Event::need_more;
  }
  for (;;) {
    const auto more = input_.first(std::min(input_.size(), kept_wanted_ - kept_bytes_));
    keep(more, kept_wanted_);
    input_ = input_.subspan(more.size());
    if (kept_bytes_ < kept_wanted_) return Event::need_more;
    const std::span<const std::byte> kept(kept_.get(), kept_bytes_);
    const Extent extent = measure(kept);
    if (extent.event == Event::pdu) {
      kept_bytes_ = 0;  // its bytes stay where they are until the next call
      return give(kept, pdu);
    }
    if (extent.event != Event::need_more) return fail(extent.event, kept, pdu);
    keep({}, extent.bytes);
  }
}

}  // namespace tsihd::wire
