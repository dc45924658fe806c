// Base64 (RFC 4648), for what JSON cannot carry.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tsih::lab {

std::string to_base64(std::string_view data);
/// Nothing if it is not base64; line ends are not allowed.
std::optional<std::string> from_base64(std::string_view text);

bool is_utf8(std::string_view text);
/// The text with every byte that is not UTF-8 replaced by U+FFFD.
std::string make_utf8(std::string_view text);

}  // namespace tsih::lab
