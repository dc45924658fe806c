#include "target/config/json_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <set>

namespace tsihd::config {
namespace {

using nlohmann::json;

std::string_view type_name(const json& value) {
  switch (value.type()) {
    case json::value_t::null:
      return "null";
    case json::value_t::object:
      return "an object";
    case json::value_t::array:
      return "a list";
    case json::value_t::string:
      return "a string";
    case json::value_t::boolean:
      return "a boolean";
    default:
      return "a number";
  }
}

std::optional<std::int64_t> whole_number(const json& value) {
  if (value.is_boolean()) return std::nullopt;
  if (value.is_number_unsigned()) {
    auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<std::int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

void Refusals::add(std::string_view path, std::string_view reason) {
  lines_.push_back(path.empty() ? std::string(reason) : fmt::format("{}: {}", path, reason));
}

std::string Value::shown() const {
  std::string text = json_->dump(-1, ' ', true, json::error_handler_t::replace);
  constexpr std::size_t kReadable = 60;
  if (text.size() > kReadable) text = text.substr(0, kReadable) + "...";
  return text;
}

std::optional<std::string> Value::text(std::size_t max_bytes) const {
  if (!json_->is_string()) {
    refuse(fmt::format("expected a string, got {}", type_name(*json_)));
    return std::nullopt;
  }
  const auto& text = json_->get_ref<const std::string&>();
  if (text.size() > max_bytes) {
    refuse(fmt::format("expected at most {} bytes, got {}", max_bytes, text.size()));
    return std::nullopt;
  }
  if (text.find('\0') != std::string::npos) {
    refuse("expected text, got a string with a NUL byte in it");
    return std::nullopt;
  }
  return text;
}

std::optional<std::int64_t> Value::number(std::int64_t minimum, std::int64_t maximum) const {
  auto number = whole_number(*json_);
  if (number && *number >= minimum && *number <= maximum) return number;
  refuse(fmt::format("expected a whole number from {} to {}, got {}", minimum, maximum, shown()));
  return std::nullopt;
}

std::optional<bool> Value::boolean() const {
  if (json_->is_boolean()) return json_->get<bool>();
  if (auto number = whole_number(*json_); number && (*number == 0 || *number == 1)) {
    return *number == 1;
  }
  refuse(fmt::format("expected true or false (1 or 0), got {}", shown()));
  return std::nullopt;
}

std::optional<bool> Value::yes_or_no() const {
  if (json_->is_string() && *json_ == "Yes") return true;
  if (json_->is_string() && *json_ == "No") return false;
  refuse(fmt::format("expected \"Yes\" or \"No\", got {}", shown()));
  return std::nullopt;
}

std::vector<Value> Value::elements(std::size_t max_count) const {
  std::vector<Value> result;
  if (!json_->is_array()) {
    refuse(fmt::format("expected a list, got {}", type_name(*json_)));
    return result;
  }
  if (json_->size() > max_count) {
    refuse(fmt::format("expected at most {} entries, got {}", max_count, json_->size()));
    return result;
  }
  result.reserve(json_->size());
  for (std::size_t i = 0; i < json_->size(); ++i) {
    result.emplace_back((*json_)[i], fmt::format("{}[{}]", path_, i), *refusals_);
  }
  return result;
}

Object::Object(const Value& value) : value_(value) {
  if (!value_.json_->is_object()) {
    value_.refuse(fmt::format("expected an object, got {}", type_name(*value_.json_)));
  }
}

std::optional<Value> Object::take(std::string_view name) {
  known_.push_back(name);
  if (!value_.json_->is_object()) return std::nullopt;
  auto found = value_.json_->find(name);
  if (found == value_.json_->end()) return std::nullopt;
  std::string path =
      value_.path().empty() ? std::string(name) : fmt::format("{}.{}", value_.path(), name);
  return Value(*found, std::move(path), *value_.refusals_);
}

std::optional<Value> Object::require(std::string_view name) {
  auto value = take(name);
  if (!value && value_.json_->is_object()) {
    value_.refuse(fmt::format("expected \"{}\" here, and it is missing", name));
  }
  return value;
}

void Object::finish(std::string_view noun) {
  if (!value_.json_->is_object()) return;
  for (const auto& [name, ignored] : value_.json_->items()) {
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    std::string_view near = nearest_name(name, known_);
    std::string hint = near.empty() ? "remove it" : fmt::format("did you mean \"{}\"?", near);
    std::string path = value_.path().empty() ? name : fmt::format("{}.{}", value_.path(), name);
    value_.refusals_->add(path, fmt::format("no such {} is known; {}", noun, hint));
  }
}

std::string_view nearest_name(std::string_view name, const std::vector<std::string_view>& known) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  if (name.size() > 64) return best;
  for (std::string_view candidate : known) {
    std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

Result<json> parse_json(std::string_view text) {
  if (text.size() > kMaxConfigBytes) {
    return fail(
        fmt::format("expected at most {} bytes of JSON, got {}", kMaxConfigBytes, text.size()));
  }
  std::string refused;
  std::vector<std::set<std::string>> members;  // of each open object: duplicates would vanish
  auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxJsonDepth && refused.empty()) {
      refused = fmt::format("expected at most {} levels of JSON, got more", kMaxJsonDepth);
    }
    if (event == json::parse_event_t::object_start) members.emplace_back();
    if (event == json::parse_event_t::object_end && !members.empty()) members.pop_back();
    if (event == json::parse_event_t::key && !members.empty()) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (!members.back().insert(name).second && refused.empty()) {
        refused = fmt::format("\"{}\" appears twice in one object; keep one of them", name);
      }
    }
    return true;
  };
  try {
    json document = json::parse(text, watch);
    if (!refused.empty()) return fail(refused);
    return document;
  } catch (const json::parse_error& error) {
    // The library's byte counts from 1; what a person needs is a line and a column.
    std::size_t offset = std::min(error.byte > 0 ? error.byte - 1 : 0, text.size());
    std::string_view before = text.substr(0, offset);
    auto line = std::count(before.begin(), before.end(), '\n') + 1;
    auto newline = before.rfind('\n');
    auto column = newline == std::string_view::npos ? offset + 1 : offset - newline;
    return fail(
        fmt::format("expected JSON, got something else at line {} column {}", line, column));
  }
}

}  // namespace tsihd::config
