// How the lab says that something went wrong: a code for programs, one line for people.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tsih::lab {

/// Thrown anywhere below a request; control turns it into the reply `{"ok": false, ...}`.
/// The codes are those of PROTOCOL.md. `details` become members of the error object beside them.
class Failure : public std::runtime_error {
 public:
  Failure(std::string code, const std::string& message)
      : std::runtime_error(message), code_(std::move(code)) {}

  Failure& with(std::string key, std::string text) & {
    details_.emplace_back(std::move(key), std::move(text));
    return *this;
  }
  const std::string& code() const { return code_; }
  const std::vector<std::pair<std::string, std::string>>& details() const { return details_; }

 private:
  std::string code_;
  std::vector<std::pair<std::string, std::string>> details_;
};

}  // namespace tsih::lab
