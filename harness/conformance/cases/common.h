// What every file of cases wants to say in short.
#pragma once

#include <fmt/format.h>

#include "harness/conformance/case.h"

using namespace tsih::conformance;  // NOLINT: a case file is a text about conversations
using tsih::wire::Bytes;
using tsih::wire::describe;
using tsih::wire::Field;
using tsih::wire::kReservedTag;
using tsih::wire::Opcode;
using tsih::wire::Pdu;
using tsih::wire::TextKeys;
namespace field = tsih::wire::field;

/// "12 bytes 0x...": for messages.
inline std::string data_words(const Pdu& pdu) {
  const auto shown = std::span(pdu.data).first(std::min<std::size_t>(pdu.data.size(), 8));
  return fmt::format("{} bytes {}", pdu.data.size(), tsih::wire::encode_binary(shown));
}

/// The first byte in which a reserved bit is set, in words; empty when all are 0.
inline std::string reserved_problem(const Pdu& pdu) {
  tsih::wire::HeaderMask reserved;
  tsih::wire::reserved_bits(pdu.opcode(), reserved);
  for (std::size_t i = 0; i < pdu.header.size(); ++i)
    if ((pdu.header[i] & reserved[i]) != 0)
      return fmt::format("byte {} is 0x{:02x}, of which 0x{:02x} is reserved, in a {}", i,
                         pdu.header[i], reserved[i], describe(pdu));
  return {};
}
