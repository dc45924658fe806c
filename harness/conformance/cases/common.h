// What every file of cases wants to say in short.
#pragma once

#include <fmt/format.h>

#include "harness/conformance/answers.h"
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

/// A block that only a disk with more than this many has; one that grows meanwhile does not.
inline constexpr std::uint32_t kBeyondTheEnd = 0xfffffff0;

/// Keys that leave no way for data that no R2T asked for, with others.
inline TextKeys solicited_only(const TextKeys& more = {}) {
  TextKeys keys{{"InitialR2T", "Yes"}, {"ImmediateData", "No"}};
  keys.append(more);
  return keys;
}

/// The number that the target answered this key with, or `otherwise` when it did not.
inline std::uint64_t agreed_number(const Initiator& initiator, const std::string& key,
                                   std::uint64_t otherwise) {
  const auto text = initiator.negotiated().value(key);
  return text ? tsih::wire::parse_number(*text).value_or(otherwise) : otherwise;
}

/// The next event, whatever it is. Silence proves nothing: the case is inconclusive.
inline Event next_event(Initiator& initiator) {
  Event event = initiator.receive();
  if (event.heard == Heard::silence) throw Inconclusive{"the target is silent"};
  return event;
}

/// The next PDU. What a target does that gives up the connection is not what the case asks.
inline Pdu next_pdu(Initiator& initiator) {
  Event event = next_event(initiator);
  if (event.heard != Heard::pdu) throw Inconclusive{"no answer: " + event.words};
  return event.pdu;
}

/// The PDU that bore the status of a command: its SCSI Response or its last Data-In.
inline const Pdu& status_of(const Transfer& transfer) {
  return transfer.response ? *transfer.response : transfer.data_in.back();
}

/// Whether an answer is to this request, or data belong to it.
inline bool belongs_to(const Pdu& pdu, const Pdu& request) {
  return pdu[field::initiator_task_tag] == request[field::initiator_task_tag];
}

/// The Text Request that goes on after this answer, under the tag of the first request.
inline Pdu go_on(Initiator& initiator, const Pdu& first, const Pdu& answer,
                 const TextKeys& keys = {}) {
  return initiator.text_request(keys)
      .set(field::initiator_task_tag, first[field::initiator_task_tag])
      .set(field::target_transfer_tag, answer[field::target_transfer_tag])
      .set(field::lun, answer[field::lun]);
}

/// A Text Request and its Text Response. A target may turn a Text Request down (5.4), and some take
/// none on a normal session. discovery.* judges them for that; here it only means that nothing can
/// be asked.
inline Pdu ask(Initiator& initiator, const Pdu& request) {
  initiator.send(request);
  const Event event = next_event(initiator);
  if (event.heard != Heard::pdu || !event.pdu.is(Opcode::text_response))
    throw Unsupported{"a Text Response to keys of an initiator (" + event.words + ")"};
  return event.pdu;
}

/// "NOP-In ...; R2T ...", for messages.
inline std::string names_of(const std::vector<Pdu>& pdus) {
  std::string names;
  for (const Pdu& pdu : pdus) names += (names.empty() ? "" : "; ") + describe(pdu);
  return names.empty() ? "nothing" : names;
}

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
