#include "target/scsi/sense.h"

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

std::uint8_t write_fixed(std::array<std::byte, 96>& to, const Sense& sense) {
  to[0] = std::byte{0x70};
  to[2] = static_cast<std::byte>(sense.key);
  if (sense.information && *sense.information <= UINT32_MAX) {
    to[0] |= std::byte{0x80};
    put32(&to[3], *sense.information);
  }
  to[7] = std::byte{kFixedBytes - 8};
  put16(&to[12], sense.code);
  put_specific(&to[15], sense);
  return kFixedBytes;
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
