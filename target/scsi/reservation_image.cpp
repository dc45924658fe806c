#include "target/scsi/reservation_image.h"

#include <fmt/format.h>

#include <iterator>
#include <sstream>

#include "target/scsi/state_image.h"
#include "target/scsi/transport_id.h"

namespace tsihd::scsi {
namespace {

constexpr std::string_view kMagic = "tsihd-reservations 1";

/// False for a line that has not the form of one; its values are judged by encoding them again.
bool read_line(const std::string& line, Reservations::Kept& kept) {
  std::istringstream words(line);
  std::string kind;
  words >> kind;
  if (kind == "registration") {
    Reservations::Registration it;
    words >> std::hex >> it.key >> std::dec >> it.port.target_portal_group_tag >>
        it.port.initiator_port_name >> it.port.target_name;
    it.port.initiator_name = initiator_name_of(it.port.initiator_port_name);
    kept.registrations.push_back(std::move(it));
    return !words.fail();
  }
  unsigned type = 0;
  words >> type >> kept.holder;
  const auto known = reservation_type(static_cast<std::uint8_t>(type & 0xff));
  kept.type = known.value_or(ReservationType::none);
  return kind == "reservation" && !words.fail() && known && kept.holder < kept.registrations.size();
}

}  // namespace

std::string encode_reservations(const Reservations& reservations, const std::string& serial) {
  if (!reservations.persists() || reservations.registrations().empty()) return "";
  const Reservations::Kept kept = reservations.kept();
  std::string text;
  for (const auto& it : kept.registrations)
    fmt::format_to(std::back_inserter(text), "registration 0x{:016x} {} {} {}\n", it.key,
                   it.port.target_portal_group_tag, it.port.initiator_port_name,
                   it.port.target_name);
  if (kept.type != ReservationType::none)
    fmt::format_to(std::back_inserter(text), "reservation {} {}\n",
                   static_cast<unsigned>(kept.type), kept.holder);
  return seal_image(kMagic, serial, text);
}

Result<Reservations> decode_reservations(std::string_view text, const std::string& serial) {
  const auto body = open_image(text, kMagic, serial, "registrations");
  if (!body) return std::unexpected(body.error());
  Reservations::Kept kept;
  std::istringstream lines{std::string(*body)};
  for (std::string line; std::getline(lines, line);)
    if (!read_line(line, kept)) return fail(fmt::format("not understood: \"{}\"", line));
  if (kept.registrations.size() > Reservations::kMaxRegistrations)
    return fail(fmt::format("more than {} registrations", Reservations::kMaxRegistrations));
  Reservations reservations(std::move(kept));
  if (encode_reservations(reservations, serial) != text) return fail("not as it is written");
  return reservations;
}

}  // namespace tsihd::scsi
