#include "target/scsi/designators.h"

#include <string>

namespace tsihd::scsi {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// NAA IEEE Registered Extended, built from the wwn's hex digits as LIO builds it (its company id
/// included): a disk that moves between LIO and tsihd keeps its name in /dev/disk/by-id.
std::vector<std::byte> naa_designator(const Identity& identity) {
  std::string digits = "6001405";
  for (char c : identity.serial)
    if (hex_digit(c) >= 0) digits += c;
  if (digits.size() == 7) {  // no digits to build on: the name stands in (FNV-1a)
    std::uint64_t hash = 0xcbf29ce484222325;
    for (char c : identity.serial + "/" + identity.name)
      hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
    for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[hash >> shift & 0xf];
  }
  digits.resize(32, '0');
  std::vector<std::byte> value(16);
  for (std::size_t i = 0; i < digits.size(); ++i)
    value[i / 2] |= static_cast<std::byte>(hex_digit(digits[i]) << (i % 2 == 0 ? 4 : 0));
  return value;
}

std::vector<std::byte> t10_designator(const Identity& identity) {
  const std::string specific = (identity.name + ":" + identity.serial).substr(0, 240);
  std::vector<std::byte> value(8 + specific.size());
  put_text(value.data(), 8, identity.vendor);
  put_text(value.data() + 8, specific.size(), specific);
  return value;
}

}  // namespace

std::vector<UnitDesignator> unit_designators(const Identity& identity) {
  return {{CodeSet::binary, DesignatorType::naa, naa_designator(identity)},
          {CodeSet::ascii, DesignatorType::t10, t10_designator(identity)}};
}

void put_text(std::byte* at, std::size_t width, std::string_view text) {
  for (std::size_t i = 0; i < width; ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    at[i] = static_cast<std::byte>(c >= 0x20 && c < 0x7f ? c : '?');
  }
}

}  // namespace tsihd::scsi
