// Errors as values. Nothing below app/ throws for bad input: a function that can fail on what a
// peer, a file or a disk gives it returns Result<T>.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace tsihd {

/// One line for a person: what was expected, what came, the way out.
struct Error {
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message) {
  return std::unexpected(Error{std::move(message)});
}

}  // namespace tsihd
