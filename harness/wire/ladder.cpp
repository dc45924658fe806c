#include "harness/wire/ladder.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/wire/text.h"

namespace tsih::wire {
namespace {

constexpr std::size_t kShownDataBytes = 64;

bool bears_text(const Pdu& pdu) {
  return pdu.is(Opcode::login_request) || pdu.is(Opcode::login_response) ||
         pdu.is(Opcode::text_request) || pdu.is(Opcode::text_response);
}

nlohmann::ordered_json fields_of(const Pdu& pdu) {
  nlohmann::ordered_json fields = nlohmann::ordered_json::object();
  for (const Field& field : layout(pdu.opcode())) {
    const std::uint64_t value = pdu[field];
    if (field.bits > 32)
      fields[std::string(field.name)] =
          encode_binary(std::span(pdu.header).subspan(field.byte, field.bits / 8));
    else
      fields[std::string(field.name)] = value;
  }
  return fields;
}

// Text from the wire may be anything; JSON wants UTF-8.
std::string printable(std::string_view text) {
  std::string clean;
  for (char c : text) clean += (c >= 0x20 && c < 0x7f) ? c : '?';
  return clean;
}

void add_data(nlohmann::ordered_json& line, const Pdu& pdu) {
  line["data_bytes"] = pdu.data.size();
  if (pdu.data.empty()) return;
  if (bears_text(pdu)) {
    auto& text = line["text"] = nlohmann::ordered_json::array();
    const ParsedText parsed = parse_text(pdu.data);
    for (const auto& [key, value] : parsed.keys.pairs())
      text.push_back({printable(key), printable(value.substr(0, 1024))});
  } else {
    const auto shown = std::span(pdu.data).first(std::min(pdu.data.size(), kShownDataBytes));
    line["data_hex"] = encode_binary(shown).substr(2);
  }
}

}  // namespace

std::string ladder_line(const Rung& rung) {
  nlohmann::ordered_json line;
  line["t_ms"] = std::round(rung.t_ms * 1000) / 1000;
  line["from"] = rung.from == From::initiator ? "initiator" : "target";
  line["connection"] = rung.connection;
  line["event"] = rung.event;
  if (rung.frame != 0) line["frame"] = rung.frame;
  if (!rung.initiator.empty()) line["initiator"] = rung.initiator;
  if (!rung.target.empty()) line["target"] = rung.target;
  if (!rung.note.empty()) line["note"] = printable(rung.note);
  if (rung.pdu) {
    const Pdu& pdu = *rung.pdu;
    line["opcode"] = pdu.opcode();
    line["name"] = opcode_name(pdu.opcode());
    line["summary"] = describe(pdu);
    line["fields"] = fields_of(pdu);
    if (!pdu.ahs.empty()) line["ahs_hex"] = encode_binary(pdu.ahs).substr(2);
    add_data(line, pdu);
    if (!pdu.header_digest_ok) line["header_digest"] = "wrong";
    if (!pdu.data_digest_ok) line["data_digest"] = "wrong";
  }
  return line.dump();
}

}  // namespace tsih::wire
