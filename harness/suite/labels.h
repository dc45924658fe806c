// The form of names: of keys and of what extensions are called (5.1), of iSCSI nodes (3.2.6.2).
// Each function gives what is wrong, in words, and nothing when all is well.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tsih::suite {

enum class Label : std::uint8_t {
  standard,  ///< a standard-label of 5.1
  /// What follows X-, Y- or Z-. The RFC wants a standard-label, but its own pattern there,
  /// "reversed.vendor.dns_name.do_something", begins with a small letter: any is taken.
  extension,
};
std::string label_problem(std::string_view label, Label kind);

/// The characters of RFC 3722's output are looked at within ASCII; beyond it only the form of
/// UTF-8.
std::string iscsi_name_problem(std::string_view name);

/// Punctuation and spacing in a name, beyond what formats it.
std::string punctuation_problem(std::string_view name);

/// A key that chapter 11 allows in the security stage, or one of an extension method's maker.
bool is_key_of_security(std::string_view key);

}  // namespace tsih::suite
