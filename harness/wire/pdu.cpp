#include "harness/wire/pdu.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/wire/crc32c.h"

namespace tsih::wire {

Pdu::Pdu(Opcode opcode) { header[0] = static_cast<std::uint8_t>(opcode); }

bool Pdu::is(Opcode opcode_wanted) const {
  return opcode() == static_cast<std::uint8_t>(opcode_wanted);
}

std::uint64_t Pdu::operator[](const Field& field) const {
  std::uint64_t value = 0;
  if (field.bit == 0 && field.bits % 8 == 0) {  // most are whole bytes, and judges read many
    for (unsigned i = 0; i < field.bits / 8; ++i) value = value << 8 | header[field.byte + i];
    return value;
  }
  for (unsigned i = 0; i < field.bits; ++i) {
    const unsigned at = field.bit + i;
    value = (value << 1) | ((header[field.byte + at / 8] >> (7 - at % 8)) & 1u);
  }
  return value;
}

std::uint32_t Pdu::u32(const Field& field) const {
  return static_cast<std::uint32_t>((*this)[field]);
}

Pdu& Pdu::set(const Field& field, std::uint64_t value) {
  for (unsigned i = 0; i < field.bits; ++i) {
    const unsigned at = field.bit + i;
    const auto bit = static_cast<std::uint8_t>(0x80u >> (at % 8));
    auto& byte = header[field.byte + at / 8];
    const bool one = (value >> (field.bits - 1 - i)) & 1u;
    byte = static_cast<std::uint8_t>(one ? byte | bit : byte & ~bit);
  }
  return *this;
}

Pdu& Pdu::set_cdb(std::span<const std::uint8_t> cdb) {
  std::fill(header.begin() + 32, header.end(), std::uint8_t{0});
  std::copy_n(cdb.begin(), std::min<std::size_t>(cdb.size(), 16), header.begin() + 32);
  return *this;
}

namespace {

void append_digest(Bytes& out, std::size_t from, bool spoil) {
  std::uint32_t crc = crc32c(std::span(out).subspan(from));
  if (spoil) crc ^= 0x00010000;
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(crc >> (8 * i)));
}

}  // namespace

Bytes encode(const Pdu& pdu, const Digests& digests) {
  Pdu filled = pdu;
  filled.set(field::total_ahs_length,
             pdu.claimed_ahs_words.value_or(static_cast<std::uint8_t>(pdu.ahs.size() / 4)));
  filled.set(field::data_segment_length,
             pdu.claimed_data_bytes.value_or(static_cast<std::uint32_t>(pdu.data.size())));
  Bytes out(filled.header.begin(), filled.header.end());
  out.insert(out.end(), pdu.ahs.begin(), pdu.ahs.end());
  if (digests.header) append_digest(out, 0, digests.spoil_header);
  if (pdu.data.empty()) return out;
  const std::size_t data_at = out.size();
  out.insert(out.end(), pdu.data.begin(), pdu.data.end());
  while ((out.size() - data_at) % 4 != 0) out.push_back(0);
  if (digests.data) append_digest(out, data_at, digests.spoil_data);
  return out;
}

std::string describe(const Pdu& pdu) {
  const auto name = opcode_name(pdu.opcode());
  std::string text =
      name.empty() ? fmt::format("opcode 0x{:02x}", pdu.opcode()) : std::string(name);
  for (const Field& field : layout(pdu.opcode())) {
    const std::uint64_t value = pdu[field];
    if (field == field::total_ahs_length || field == field::data_segment_length) continue;
    if (field.bits == 1) {
      if (value) text += fmt::format(" {}", field.name);
    } else if (field.bits > 32) {
      if (value) text += fmt::format(" {}=0x{:x}", field.name, value);
    } else if (value == kReservedTag && field.bits == 32) {
      text += fmt::format(" {}=none", field.name);
    } else if (field == field::status) {
      text += fmt::format(" {}=0x{:04x}", field.name, value);
    } else {
      text += fmt::format(" {}={}", field.name, value);
    }
  }
  if (!pdu.data.empty()) text += fmt::format(" {} bytes", pdu.data.size());
  return text;
}

}  // namespace tsih::wire
