// The ladder: who said what, one JSON object a line, the same from a live conversation and from a
// capture. LADDER.md is its description.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/wire/pdu.h"

namespace tsih::wire {

enum class From : std::uint8_t { initiator, target };

struct Rung {
  double t_ms = 0;  ///< since the ladder began
  From from = From::initiator;
  unsigned connection = 1;          ///< counted from 1 in the order they were opened
  std::string_view event;           ///< "pdu", "open", "close", "note"
  const Pdu* pdu = nullptr;         ///< with "pdu"
  std::string_view note;            ///< words with "open", "close" and "note"; may be empty
  std::uint64_t frame = 0;          ///< 1-based frame of a capture; 0 when there is none
  std::string_view initiator = {};  ///< with "open" of a capture: address:port of the two ends
  std::string_view target = {};
};

/// One line without its newline.
std::string ladder_line(const Rung& rung);

}  // namespace tsih::wire
