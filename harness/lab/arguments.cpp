#include "harness/lab/arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace tsih::lab {
using Json = nlohmann::json;

bool is_identifier(const std::string& text, std::size_t max_chars) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_rest = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= max_chars && is_letter(text[0]) &&
         std::all_of(text.begin(), text.end(), is_rest);
}

Arguments::Arguments(const Json& object, std::string where)
    : object_(object), where_(std::move(where)) {
  if (!object_.is_object())
    throw Failure("bad_request", fmt::format("{}: an object is expected", where_));
}

const Json* Arguments::find(const std::string& name) {
  known_.insert(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool Arguments::has(const std::string& name) const { return object_.contains(name); }

void Arguments::refuse(const std::string& name, const std::string& expected) const {
  const auto found = object_.find(name);
  auto came = found == object_.end() ? "nothing"
                                     : found->dump(-1, ' ', false, Json::error_handler_t::replace);
  if (came.size() > 80) came = came.substr(0, 77) + "...";
  throw Failure("bad_request",
                fmt::format("{}: '{}' must be {}; {} came", where_, name, expected, came));
}

std::optional<std::string> Arguments::optional_text(const std::string& name) {
  const auto* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) refuse(name, "a string");
  return value->get<std::string>();
}
std::string Arguments::text(const std::string& name) {
  auto value = optional_text(name);
  if (!value) refuse(name, "a string");
  return std::move(*value);
}
std::string Arguments::text(const std::string& name, const std::string& otherwise) {
  return optional_text(name).value_or(otherwise);
}

std::string Arguments::identifier(const std::string& name, std::size_t max_chars) {
  auto value = optional_text(name);
  if (!value || !is_identifier(*value, max_chars))
    refuse(name, fmt::format("a name ([a-z][a-z0-9-]*, at most {} characters)", max_chars));
  return std::move(*value);
}
std::string Arguments::identifier(const std::string& name, std::size_t max_chars,
                                  const std::string& otherwise) {
  return find(name) == nullptr ? otherwise : identifier(name, max_chars);
}

bool Arguments::flag(const std::string& name, bool otherwise) {
  const auto* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) refuse(name, "true or false");
  return value->get<bool>();
}

std::uint64_t Arguments::integer(const std::string& name, std::uint64_t least, std::uint64_t most) {
  const auto* value = find(name);
  if (value == nullptr || !value->is_number_unsigned() || value->get<std::uint64_t>() < least ||
      value->get<std::uint64_t>() > most)
    refuse(name, fmt::format("an integer of {} to {}", least, most));
  return value->get<std::uint64_t>();
}
std::uint64_t Arguments::integer(const std::string& name, std::uint64_t least, std::uint64_t most,
                                 std::uint64_t otherwise) {
  return find(name) == nullptr ? otherwise : integer(name, least, most);
}

double Arguments::number(const std::string& name, double least, double most, double otherwise) {
  const auto* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_number() || !(value->get<double>() >= least) || !(value->get<double>() <= most))
    refuse(name, fmt::format("a number of {} to {}", least, most));
  return value->get<double>();
}

std::chrono::milliseconds Arguments::timeout(const std::string& name, std::uint64_t otherwise_ms) {
  return std::chrono::milliseconds(
      integer(name, 0, static_cast<std::uint64_t>(limits::timeout_max.count()), otherwise_ms));
}

std::string Arguments::choice(const std::string& name, const std::vector<std::string>& choices) {
  const auto* value = find(name);
  if (value == nullptr) return choices.front();
  if (!value->is_string() ||
      std::find(choices.begin(), choices.end(), value->get<std::string>()) == choices.end())
    refuse(name, fmt::format("one of {}", fmt::join(choices, ", ")));
  return value->get<std::string>();
}

std::vector<std::string> Arguments::texts(const std::string& name) {
  const auto* value = find(name);
  std::vector<std::string> result;
  if (value == nullptr) return result;
  if (!value->is_array()) refuse(name, "a list of strings");
  for (const auto& item : *value) {
    if (!item.is_string()) refuse(name, "a list of strings");
    result.push_back(item.get<std::string>());
  }
  return result;
}

Json Arguments::any(const std::string& name) {
  const auto* value = find(name);
  return value == nullptr ? Json() : *value;
}

void Arguments::finish() const {
  for (const auto& [name, value] : object_.items())
    if (!known_.contains(name))
      throw Failure("bad_request", fmt::format("{}: there is no argument '{}'; known are {}",
                                               where_, name, fmt::join(known_, ", ")));
}

}  // namespace tsih::lab
