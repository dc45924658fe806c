#include "target/config/size.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>

namespace tsihd::config {
namespace {

constexpr std::string_view kUnits = "KMGTP";

std::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  return fail(fmt::format("expected a size such as 512M, 1G or 2GiB, got \"{}\": {}", text, why));
}

}  // namespace

Result<std::uint64_t> parse_size_bytes(std::string_view text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return refuse(text, "too large");
  if (error != std::errc{}) return refuse(text, "it starts with no digit");
  std::string suffix;
  for (const char* at = end; at != text.data() + text.size(); ++at) {
    suffix.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(*at))));
  }
  unsigned shift = 0;
  if (!suffix.empty() && suffix != "B") {
    auto unit = kUnits.find(suffix[0]);
    std::string_view rest = std::string_view(suffix).substr(1);
    if (unit == std::string_view::npos ||
        !(rest.empty() || rest == "B" || rest == "IB" || rest == "I")) {
      return refuse(text, "the suffix is none of k, M, G, T, P");
    }
    shift = 10 * (static_cast<unsigned>(unit) + 1);
  }
  if (number == 0) return refuse(text, "a disk of no bytes is none");
  if (number > (static_cast<std::uint64_t>(INT64_MAX) >> shift)) return refuse(text, "too large");
  return number << shift;
}

std::string show_size_bytes(std::uint64_t bytes) {
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{} {}iB", bytes, kUnits[unit - 1]);
}

}  // namespace tsihd::config
