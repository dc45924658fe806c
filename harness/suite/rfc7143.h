// What a verdict by RFC 3720 comes to by RFC 7143, where the two differ: the clause was changed or
// dropped there (`rfc7143` in the catalogue).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tsih::suite {

struct By7143 {
  std::string fate;     ///< changed or dropped
  std::string id;       ///< of the clause there; empty when dropped
  std::string verdict;  ///< as findings name them, or not_required; empty: nothing follows
};

/// Nothing where RFC 7143 says the same as RFC 3720, or the clause is not known. `verdict` is a
/// finding's; what follows from it where RFC 7143 asks for more or for less.
std::optional<By7143> by_rfc7143(std::string_view clause, std::string_view verdict);

}  // namespace tsih::suite
