#include "harness/judge/framer.h"

#include <algorithm>
#include <cstring>

#include "harness/wire/crc32c.h"

namespace tsih::judge {
namespace {

using wire::kHeaderBytes;

bool is_data(std::uint8_t opcode) {
  return opcode == static_cast<std::uint8_t>(wire::Opcode::data_in) ||
         opcode == static_cast<std::uint8_t>(wire::Opcode::data_out) ||
         opcode == static_cast<std::uint8_t>(wire::Opcode::scsi_command);
}

std::uint32_t digest_at(const std::uint8_t* bytes) {
  return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<std::uint32_t>(bytes[3]) << 24;
}

}  // namespace

void Framer::set_digests(bool header, bool data) {
  header_digest_ = header;
  data_digest_ = data;
}

void Framer::begin_in_the_middle() {
  learns_digests_ = true;
  untrusted_ = kHeadersToTrust;
  lose();
}

void Framer::lose() {
  if (learns_digests_ && untrusted_ > 0) {  // what an untrue header taught is worth nothing
    header_digest_.reset();
    data_digest_.reset();
  }
  state_ = State::lost;
  markers_.forget();
  have_ = 0;
  doubtful_ = false;
  untrusted_ = kHeadersToTrust;
}

void Framer::on_bytes(Bytes bytes, const Place& place) {
  if (state_ == State::lost && bytes.size() >= kHeaderBytes) {
    state_ = State::header;  // a PDU begins with this segment, or none is found in it
    have_ = 0;
  }
  while (!bytes.empty()) {
    begin_markers();
    if (markers_.in_use() && markers_.payload_ahead() == 0) {
      take_marker(bytes);
      continue;
    }
    if (state_ == State::header && have_ == 0) begin_pdu();
    Bytes piece = bytes;
    if (markers_.in_use()) piece = bytes.first(std::min(bytes.size(), markers_.payload_ahead()));
    const std::size_t before = piece.size();
    const bool lost = state_ == State::lost;
    if (!lost) step(piece, place);
    const std::size_t taken = lost ? before : before - piece.size();
    markers_.skip_payload(taken);
    bytes = bytes.subspan(taken);
  }
}

// Where the PDU that the agreement came with is over.
void Framer::begin_markers() {
  if (marker_interval_bytes_ == 0 || markers_.in_use()) return;
  if (state_ == State::header && have_ == 0) markers_.use(marker_interval_bytes_);
}

void Framer::take_marker(Bytes& bytes) {
  const std::size_t count = markers_.take(bytes);
  if (state_ == State::data) {
    crc_with_markers_ = wire::crc32c(bytes.first(count), crc_with_markers_);
    seen_.markers_in_data = true;
  }
  bytes = bytes.subspan(count);
}

void Framer::begin_pdu() {
  seen_.markers = markers_.count();
  seen_.marker_problem = markers_.begin_pdu();
  seen_.markers_in_data = seen_.digest_covers_markers = false;
}

void Framer::on_missing(std::size_t count, const Place& place) {
  begin_markers();
  count = markers_.miss(count);
  const bool inside = state_ == State::data && count <= data_left_;
  if (inside) {
    data_left_ -= count;
    seen_.data_complete = false;
    if (data_left_ < padding_bytes_) padding_bytes_ = data_left_;
  } else {
    lose();
  }
  sink_.on_hole(count, inside, place);
  if (inside && data_left_ == 0) {
    if (data_digest_.value_or(false))
      state_ = State::data_digest;
    else
      end_pdu(place);
  }
}

bool Framer::step(Bytes& bytes, const Place& place) {
  switch (state_) {
    case State::header:
      return take_header(bytes, place) && (state_ != State::data || (begin_data(place), true));
    case State::additional:
      return take_additional(bytes, place);
    case State::data:
      return take_data(bytes, place);
    case State::data_digest:
      return take_data_digest(bytes, place);
    case State::lost:
      return false;
  }
  return false;
}

// Collects until `wanted` bytes are there.
bool Framer::gather(Bytes& bytes, std::size_t wanted) {
  const std::size_t count = std::min(wanted - have_, bytes.size());
  std::memcpy(gathered_ + have_, bytes.data(), count);
  have_ += count;
  bytes = bytes.subspan(count);
  return have_ == wanted;
}

bool Framer::take_header(Bytes& bytes, const Place& place) {
  if (!gather(bytes, kHeaderBytes)) return false;
  wire::Pdu& pdu = seen_.pdu;
  std::memcpy(pdu.header.data(), gathered_, kHeaderBytes);
  pdu.ahs.clear();
  pdu.data.clear();
  pdu.header_digest_ok = pdu.data_digest_ok = pdu.padding_is_zero = true;
  seen_.data_bytes = pdu.u32(wire::field::data_segment_length);
  seen_.data_complete = true;
  seen_.has_header_digest = seen_.has_data_digest = false;
  if ((untrusted_ > 0 || doubtful_) && !sink_.is_plausible(pdu)) {
    const bool trusted = untrusted_ == 0;
    lose();
    if (trusted) sink_.on_hole(0, false, place);
    return false;
  }
  const bool more = pdu.header[4] != 0 || header_digest_.value_or(true);
  state_ = more ? State::additional : State::data;
  return true;
}

// Additional headers, and the digest over all of them. Where nobody knows whether there are
// digests, four bytes that are the CRC tell it.
bool Framer::take_additional(Bytes& bytes, const Place& place) {
  const std::size_t headers = kHeaderBytes + seen_.pdu.header[4] * 4u;
  if (!gather(bytes, headers + (header_digest_.value_or(true) ? 4 : 0))) return false;
  const bool matches =
      have_ > headers && wire::crc32c(Bytes(gathered_, headers)) == digest_at(gathered_ + headers);
  std::uint8_t surplus[4];
  const bool pushed_back = !header_digest_ && !matches;
  if (!header_digest_) header_digest_ = matches;
  if (pushed_back) std::memcpy(surplus, gathered_ + headers, 4);
  seen_.has_header_digest = *header_digest_;
  seen_.pdu.header_digest_ok = !*header_digest_ || matches;
  doubtful_ = !seen_.pdu.header_digest_ok;
  seen_.pdu.ahs.assign(gathered_ + kHeaderBytes, gathered_ + headers);
  begin_data(place);
  if (!pushed_back) return true;
  Bytes first(surplus, 4);
  while (!first.empty() && step(first, place)) {
  }
  return state_ != State::lost;
}

void Framer::begin_data(const Place& place) {
  state_ = State::data;
  have_ = 0;
  padding_bytes_ = (4 - seen_.data_bytes % 4) % 4;
  data_left_ = seen_.data_bytes + padding_bytes_;
  keep_ = !is_data(seen_.pdu.opcode()) && seen_.data_bytes <= kLimitKeptBytes;
  seen_.data_kept = keep_;
  crc_ = crc_with_markers_ = 0;
  if (data_left_ == 0) end_pdu(place);
}

bool Framer::take_data(Bytes& bytes, const Place& place) {
  const Bytes now = bytes.first(std::min(data_left_, bytes.size()));
  bytes = bytes.subspan(now.size());
  if (data_digest_.value_or(true) || sums_data_) crc_ = wire::crc32c(now, crc_);
  if (markers_.in_use()) crc_with_markers_ = wire::crc32c(now, crc_with_markers_);
  const std::size_t data_here =
      data_left_ > padding_bytes_ ? std::min(now.size(), data_left_ - padding_bytes_) : 0;
  if (keep_) seen_.pdu.data.insert(seen_.pdu.data.end(), now.begin(), now.begin() + data_here);
  for (std::uint8_t byte : now.subspan(data_here))
    if (byte != 0) seen_.pdu.padding_is_zero = false;
  data_left_ -= now.size();
  padding_bytes_ = std::min(padding_bytes_, data_left_);
  if (data_left_ > 0) return false;
  if (data_digest_.value_or(true))
    state_ = State::data_digest;
  else
    end_pdu(place);
  return true;
}

bool Framer::take_data_digest(Bytes& bytes, const Place& place) {
  if (!gather(bytes, 4)) return false;
  const bool matches = seen_.data_complete && crc_ == digest_at(gathered_);
  const bool pushed_back = !data_digest_ && !matches;
  if (!data_digest_ && seen_.data_complete) data_digest_ = matches;
  seen_.has_data_digest = data_digest_.value_or(false) && seen_.data_complete;
  seen_.pdu.data_digest_ok = !seen_.has_data_digest || matches;
  seen_.digest_covers_markers = seen_.markers_in_data && seen_.has_data_digest && !matches &&
                                crc_with_markers_ == digest_at(gathered_);
  const std::size_t kept = pushed_back ? 4 : 0;
  end_pdu(place);
  if (state_ == State::header) have_ = kept;
  return true;
}

void Framer::end_pdu(const Place& place) {
  state_ = State::header;
  have_ = 0;
  seen_.place = place;
  seen_.data_kept = keep_ && seen_.data_complete;
  seen_.data_crc.reset();
  if (sums_data_ && seen_.data_complete) seen_.data_crc = crc_;
  // Whether there is a data digest shows only behind data; until then PDUs would be told late.
  if (untrusted_ == 0)
    sink_.on_pdu(seen_);
  else if (data_digest_)
    --untrusted_;
}

}  // namespace tsih::judge
