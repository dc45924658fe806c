#include "target/config/rules.h"

#include <fmt/format.h>

namespace tsihd::config {
namespace {

/// The value as it is written in Inert::accepted: "1" for 1, true and "1".
std::string plain(const Value& value) {
  std::string text = value.shown();
  if (text == "true") return "1";
  if (text == "false") return "0";
  if (text.size() >= 2 && text.front() == '"') return text.substr(1, text.size() - 2);
  return text;
}

bool is_listed(std::string_view accepted, std::string_view text) {
  while (true) {
    auto bar = accepted.find('|');
    if (accepted.substr(0, bar) == text) return true;
    if (bar == std::string_view::npos) return false;
    accepted = accepted.substr(bar + 1);
  }
}

}  // namespace

void check_inert(const Value& value, const Inert& rule) {
  if (rule.accepted == "*") {
    value.number(INT32_MIN, UINT32_MAX);
    return;
  }
  if (is_listed(rule.accepted, plain(value))) return;
  std::string expected(rule.accepted);
  for (std::size_t at; (at = expected.find('|')) != std::string::npos;) {
    expected.replace(at, 1, " or ");
  }
  value.refuse(fmt::format("expected {}, got {}: {}; set it to {}", expected, value.shown(),
                           rule.why, rule.accepted.substr(0, rule.accepted.find('|'))));
}

}  // namespace tsihd::config
