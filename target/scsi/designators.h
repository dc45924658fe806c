// The names of a logical unit: what the device identification page says of it, and by what a copy
// finds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "target/scsi/logical_unit.h"

namespace tsihd::scsi {

/// The fields of a designation descriptor (SPC-4 7.8.6.1).
enum class CodeSet : std::uint8_t { binary = 1, ascii = 2, utf8 = 3 };
enum class Association : std::uint8_t { unit = 0, port = 1, device = 2 };
enum class DesignatorType : std::uint8_t {
  t10 = 1,
  naa = 3,
  relative_port = 4,
  target_port_group = 5,
  scsi_name = 8
};

/// A designator whose association is the logical unit.
struct UnitDesignator {
  CodeSet code_set;
  DesignatorType type;
  std::vector<std::byte> value;
};

/// The one that tells units apart best (NAA) comes first.
std::vector<UnitDesignator> unit_designators(const Identity& identity);

/// Text in a field of `width` bytes, padded with blanks. SPC allows graphic ASCII only: anything
/// else becomes a question mark.
void put_text(std::byte* at, std::size_t width, std::string_view text);

}  // namespace tsihd::scsi
