#include "target/scsi/transport_id.h"

#include <algorithm>
#include <string_view>

#include "target/scsi/bytes.h"

namespace tsihd::scsi {
namespace {

constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kSmallestBytes = 24;
constexpr std::size_t kMaxNameBytes = 223;  // RFC 3720 3.2.6.1
constexpr std::size_t kIsidDigits = 12;
constexpr std::string_view kSeparator = ",i,0x";
// FORMAT CODE above, PROTOCOL IDENTIFIER 5h (iSCSI) below.
constexpr std::byte kDevice{0x05};
constexpr std::byte kPort{0x45};

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f;
  });
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 0x20) : c; }
bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool valid_isid(std::string_view digits) {
  return digits.size() == kIsidDigits && std::ranges::all_of(digits, is_hex);
}

/// Up to the first null; null when there is none.
std::optional<std::string> text_of(std::span<const std::byte> field) {
  const auto end = std::ranges::find(field, std::byte{0});
  if (end == field.end()) return std::nullopt;
  std::string text;
  for (auto it = field.begin(); it != end; ++it) text += lower(static_cast<char>(*it));
  return text;
}

std::optional<TransportId> named(std::string text, bool is_port) {
  TransportId id;
  id.initiator_name = initiator_name_of(text);
  const bool has_isid = id.initiator_name.size() < text.size();
  if (has_isid != is_port || id.initiator_name.empty() ||
      id.initiator_name.size() > kMaxNameBytes || !printable(text))
    return std::nullopt;
  if (!is_port) return id;
  if (!valid_isid(std::string_view(text).substr(id.initiator_name.size() + kSeparator.size())))
    return std::nullopt;
  id.initiator_port_name = std::move(text);
  return id;
}

}  // namespace

std::string initiator_name_of(const std::string& initiator_port_name) {
  return initiator_port_name.substr(0, initiator_port_name.find(kSeparator));
}

void append_transport_id(std::vector<std::byte>& data, const std::string& name) {
  const std::size_t padded = (name.size() + 4) / 4 * 4;
  const std::size_t field_bytes = std::max(padded, kSmallestBytes - kHeaderBytes);
  const std::size_t at = data.size();
  data.resize(at + kHeaderBytes + field_bytes);
  data[at] = name.find(kSeparator) == std::string::npos ? kDevice : kPort;
  put16(&data[at + 2], field_bytes);
  std::ranges::transform(name, &data[at + kHeaderBytes],
                         [](char c) { return static_cast<std::byte>(c); });
}

std::optional<TransportId> take_transport_id(std::span<const std::byte>& data) {
  if (data.size() < kSmallestBytes || (data[0] != kDevice && data[0] != kPort)) return std::nullopt;
  const std::size_t field_bytes = get16(&data[2]);
  const bool fits = field_bytes % 4 == 0 && kHeaderBytes + field_bytes >= kSmallestBytes &&
                    kHeaderBytes + field_bytes <= data.size();
  if (!fits) return std::nullopt;
  auto text = text_of(data.subspan(kHeaderBytes, field_bytes));
  auto id = text ? named(std::move(*text), data[0] == kPort) : std::nullopt;
  if (id) data = data.subspan(kHeaderBytes + field_bytes);
  return id;
}

}  // namespace tsihd::scsi
