// Login and Text data: the parser's pairs are the text, nothing more and nothing less, within the
// limits; and the functions that read a key or a number take anything.
//
// Input: two bytes for the limits, then the text.
#include <string>

#include "target/fuzz/script.h"
#include "target/session/keys.h"
#include "target/session/name.h"
#include "target/wire/text.h"

namespace {

using tsihd::fuzz::require;
namespace wire = tsihd::wire;
namespace session = tsihd::session;

void look_at(const wire::KeyValue& pair) {
  require(wire::is_key_name(pair.key), "a key is a standard-label");
  const session::KeyRule* rule = session::find_key(pair.key);
  require(!rule || rule->name == pair.key, "a key is found by its name only");
  const auto number = session::parse_number(pair.value);
  if (number && !pair.value.starts_with("0x") && !pair.value.starts_with("0X"))
    require(std::to_string(*number) == pair.value, "a decimal number has one form");
  (void)session::is_answer_constant(pair.value);
  if (const auto name = session::prepare_name(pair.value))
    require(session::prepare_name(*name) == *name, "a prepared name is its own prepared form");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  tsihd::fuzz::Script script(data, bytes);
  wire::TextLimits limits;
  limits.pairs = std::size_t{1} + script.byte();
  limits.value_bytes = std::size_t{4} * script.byte();
  limits.total_bytes = 1024;
  const std::string_view text = wire::as_text(script.rest());

  const auto pairs = wire::parse_text(text, limits);
  if (!pairs) {
    require(pairs.error().offset_bytes <= text.size(), "an error points into the text");
    require(!wire::to_string(pairs.error().kind).empty(), "an error has a name");
    return 0;
  }
  require(pairs->size() <= limits.pairs, "no more pairs than the limit");
  std::string again;
  for (const wire::KeyValue& pair : *pairs) {
    require(pair.value.size() <= limits.value_bytes, "no value longer than the limit");
    wire::append_text(again, pair.key, pair.value);
    look_at(pair);
  }
  require(again == text, "the pairs are the whole text");
  session::KeyLedger ledger;
  for (const wire::KeyValue& pair : *pairs) {
    const session::KeyRule* rule = session::find_key(pair.key);
    (void)ledger.note(rule, pair.key);
    require(ledger.note(rule, pair.key) != session::KeyLedger::Verdict::first,
            "no key is taken twice");
  }
  return 0;
}
