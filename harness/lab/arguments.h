// Reads the arguments of one request: each by name, type and range; what nobody asked for is an
// error. All of it throws Failure("bad_request") with the argument's name, what was expected, and
// what came.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tsih::lab {

class Arguments {
 public:
  using Json = nlohmann::json;

  /// `where` names the object in errors ("guest.start", "disk lun0").
  Arguments(const Json& object, std::string where);

  std::string text(const std::string& name);
  std::string text(const std::string& name, const std::string& otherwise);
  std::optional<std::string> optional_text(const std::string& name);
  /// A name of the protocol: [a-z][a-z0-9-]*, at most `max_chars` long.
  std::string identifier(const std::string& name, std::size_t max_chars);
  std::string identifier(const std::string& name, std::size_t max_chars,
                         const std::string& otherwise);
  bool flag(const std::string& name, bool otherwise);
  std::uint64_t integer(const std::string& name, std::uint64_t least, std::uint64_t most);
  std::uint64_t integer(const std::string& name, std::uint64_t least, std::uint64_t most,
                        std::uint64_t otherwise);
  double number(const std::string& name, double least, double most, double otherwise);
  std::chrono::milliseconds timeout(const std::string& name, std::uint64_t otherwise_ms);
  /// One of `choices`; the first is the default.
  std::string choice(const std::string& name, const std::vector<std::string>& choices);
  std::vector<std::string> texts(const std::string& name);
  /// The value as it is, or null.
  Json any(const std::string& name);
  bool has(const std::string& name) const;

  /// To be called after the last argument was read: throws for every other that is there.
  void finish() const;

  [[noreturn]] void refuse(const std::string& name, const std::string& expected) const;

 private:
  const Json* find(const std::string& name);

  const Json& object_;
  std::string where_;
  std::set<std::string> known_;
};

bool is_identifier(const std::string& text, std::size_t max_chars);

}  // namespace tsih::lab
