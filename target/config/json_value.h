// JSON with a memory of where it stands: every value knows its path (`targets[0].tpgs[0].tag`), so
// that whatever is refused is named. For the sources of config/ and control/: the JSON library
// stays out of their faces.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "target/base/result.h"

namespace tsihd::config {

/// Limits on what is read: a configuration is a file of a person's size.
inline constexpr std::size_t kMaxConfigBytes = 16u << 20;
inline constexpr int kMaxJsonDepth = 32;

/// Collects every refusal of a configuration, so that one run shows them all.
class Refusals {
 public:
  /// `path` names the place; the line becomes "path: reason".
  void add(std::string_view path, std::string_view reason);
  bool empty() const { return lines_.empty(); }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

/// One value and its path. Reading it as the wrong type or out of range is refused and yields
/// nothing.
class Value {
 public:
  Value(const nlohmann::json& json, std::string path, Refusals& refusals)
      : json_(&json), path_(std::move(path)), refusals_(&refusals) {}

  const std::string& path() const { return path_; }
  Refusals& refusals() const { return *refusals_; }
  void refuse(std::string_view reason) const { refusals_->add(path_, reason); }

  std::optional<std::string> text(std::size_t max_bytes = 255) const;
  /// A whole number, or a string that holds one: configfs, and so LIO's tools, take both.
  std::optional<std::int64_t> number(std::int64_t minimum, std::int64_t maximum) const;
  /// true or false, 1 or 0, "1" or "0".
  std::optional<bool> boolean() const;
  /// "Yes" or "No", the negotiation keys' booleans.
  std::optional<bool> yes_or_no() const;
  /// The elements of a list of at most `max_count`.
  std::vector<Value> elements(std::size_t max_count) const;
  bool is_null() const { return json_->is_null(); }
  bool is_object() const { return json_->is_object(); }
  /// The value as a line would show it, cut to a readable length.
  std::string shown() const;

 private:
  friend class Object;
  const nlohmann::json* json_;
  std::string path_;
  Refusals* refusals_;
};

/// An object whose every member must be asked for: finish() refuses the members that nobody took,
/// each with the nearest name that was asked for. That is what makes silent skipping impossible.
class Object {
 public:
  explicit Object(const Value& value);

  const std::string& path() const { return value_.path(); }
  void refuse(std::string_view reason) const { value_.refuse(reason); }
  std::optional<Value> take(std::string_view name);
  /// Like take(), and its absence is refused.
  std::optional<Value> require(std::string_view name);
  void finish(std::string_view noun = "field");

 private:
  Value value_;
  std::vector<std::string_view> known_;
};

/// Parses a whole document. Refuses what strict JSON refuses, and also members that appear twice
/// and nesting deeper than kMaxJsonDepth; a syntax error is named by line and column.
Result<nlohmann::json> parse_json(std::string_view text);

/// The candidate nearest to `name` by edit distance; empty when none is near.
std::string_view nearest_name(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace tsihd::config
