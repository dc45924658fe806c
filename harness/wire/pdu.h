// A PDU of the harness: a header that says whatever it is told to, its additional headers and its
// data. Encoding fills the two lengths from what is there, unless a lie is wanted.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "harness/wire/bytes.h"
#include "harness/wire/field.h"

namespace tsih::wire {

inline constexpr std::size_t kHeaderBytes = 48;

struct Pdu {
  std::array<std::uint8_t, kHeaderBytes> header{};
  Bytes ahs;   ///< additional header segments, a multiple of four bytes
  Bytes data;  ///< without padding

  // Lies: set to claim lengths other than those of `ahs` and `data`.
  std::optional<std::uint32_t> claimed_data_bytes;
  std::optional<std::uint8_t> claimed_ahs_words;

  // Known of a received PDU only.
  bool header_digest_ok = true;
  bool data_digest_ok = true;
  bool padding_is_zero = true;

  Pdu() = default;
  explicit Pdu(Opcode opcode);

  std::uint8_t opcode() const { return header[0] & 0x3f; }
  bool is(Opcode opcode_wanted) const;
  std::uint64_t operator[](const Field& field) const;
  std::uint32_t u32(const Field& field) const;  ///< the same, for fields of at most 32 bits
  Pdu& set(const Field& field, std::uint64_t value);
  Pdu& set_cdb(std::span<const std::uint8_t> cdb);  ///< at most 16 bytes
};

/// Which digests go with a PDU, and whether they are to be wrong.
struct Digests {
  bool header = false;
  bool data = false;
  bool spoil_header = false;
  bool spoil_data = false;
};

/// Header, AHS, digests, data and padding as they go onto the wire.
Bytes encode(const Pdu& pdu, const Digests& digests = {});

/// One line for a human: "Login Response T C=0 CSG=1 NSG=3 ... 84 bytes".
std::string describe(const Pdu& pdu);

}  // namespace tsih::wire
