#include "target/scsi/sense.h"

#include <algorithm>

#include "target/scsi/bytes.h"

namespace tsihd::scsi {
namespace {

constexpr std::size_t kFixedBytes = 18;

/// The three SENSE KEY SPECIFIC bytes: SKSV and either C/D and the field pointer, for ILLEGAL
/// REQUEST, or the progress indication, for NOT READY. False when there is nothing to say.
bool put_specific(std::byte* at, const Sense& sense) {
  if (!sense.field && !sense.progress) return false;
  at[0] = std::byte(0x80 | (sense.field && sense.field_in_cdb ? 0x40 : 0));
  put16(at + 1, sense.field ? *sense.field : *sense.progress);
  return true;
}

/// The SCSI status, then the sense data (SPC-4 5.16.7.4); returns how many bytes.
std::size_t put_forwarded(std::span<std::byte> to, const Sense::Forwarded& from) {
  to[0] = static_cast<std::byte>(from.status);
  const std::size_t bytes = std::min(from.sense.size(), to.size() - 1);
  std::ranges::copy(from.sense.first(bytes), to.begin() + 1);
  return bytes + 1;
}

std::uint8_t write_fixed(std::array<std::byte, 96>& to, const Sense& sense) {
  to[0] = std::byte{0x70};
  to[2] = static_cast<std::byte>(sense.key);
  if (sense.information && *sense.information <= UINT32_MAX) {
    to[0] |= std::byte{0x80};
    put32(&to[3], *sense.information);
  }
  if (sense.segment) put16(&to[10], *sense.segment);
  put16(&to[12], sense.code);
  put_specific(&to[15], sense);
  std::size_t end = kFixedBytes;
  if (sense.forwarded) {
    // Bytes 8 and 9 say where in the sense data the source's or the destination's answer begins.
    to[sense.forwarded->from_destination ? 9 : 8] = std::byte{kFixedBytes};
    end += put_forwarded(std::span(to).subspan(end), *sense.forwarded);
  }
  to[7] = static_cast<std::byte>(end - 8);
  return static_cast<std::uint8_t>(end);
}

std::uint8_t write_descriptors(std::array<std::byte, 96>& to, const Sense& sense) {
  to[0] = std::byte{0x72};
  to[1] = static_cast<std::byte>(sense.key);
  put16(&to[2], sense.code);
  std::size_t end = 8;
  if (sense.information) {
    to[end + 1] = std::byte{0x0a};
    to[end + 2] = std::byte{0x80};
    put64(&to[end + 4], *sense.information);
    end += 12;
  }
  if (put_specific(&to[end + 4], sense)) {
    to[end] = std::byte{0x02};
    to[end + 1] = std::byte{0x06};
    end += 8;
  }
  if (sense.segment) {
    to[end] = std::byte{0x01};
    to[end + 1] = std::byte{0x0a};
    put16(&to[end + 10], *sense.segment);
    end += 12;
  }
  if (sense.forwarded) {  // forwarded sense data descriptor, SPC-4 4.5.2.7
    constexpr std::byte kSource{0x01};
    constexpr std::byte kDestination{0x02};
    to[end] = std::byte{0x0c};
    to[end + 2] = sense.forwarded->from_destination ? kDestination : kSource;
    const std::size_t bytes = put_forwarded(std::span(to).subspan(end + 3), *sense.forwarded);
    to[end + 1] = static_cast<std::byte>(bytes + 1);
    end += bytes + 3;
  }
  to[7] = static_cast<std::byte>(end - 8);
  return static_cast<std::uint8_t>(end);
}

}  // namespace

std::uint8_t write_sense(std::array<std::byte, 96>& to, const Sense& sense,
                         bool descriptor_format) {
  to.fill(std::byte{0});
  return descriptor_format ? write_descriptors(to, sense) : write_fixed(to, sense);
}

}  // namespace tsihd::scsi
