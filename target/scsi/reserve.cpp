// RESERVE, RELEASE and PERSISTENT RESERVE IN: what asks and takes without a parameter list.
#include <array>
#include <vector>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/transport_id.h"

namespace tsihd::scsi {

namespace {

constexpr std::uint8_t kThirdParty = 0x10;
constexpr std::uint8_t kExtent = 0x01;

}  // namespace

namespace {

void reserve_now(Task& task) {
  const bool granted = task.server->reservations().reserve_legacy(*task.command->nexus);
  task.finish(granted ? Status::good : Status::reservation_conflict);
}

}  // namespace

void reserve_unit(Task& task) {
  if ((task.cdb()[1] & (kThirdParty | kExtent)) != 0) return task.fail(sense::invalid_cdb_field(1));
  // A registration that is being stored would be one beside which there is no RESERVE.
  task.server->reservation_changes().take_turn(task, reserve_now);
}

void release_unit(Task& task) {
  if ((task.cdb()[1] & (kThirdParty | kExtent)) != 0) return task.fail(sense::invalid_cdb_field(1));
  const bool released = task.server->reservations().release_legacy(*task.command->nexus);
  task.finish(released ? Status::good : Status::reservation_conflict);
}

// -- PERSISTENT RESERVE IN

namespace {

using Bytes = std::vector<std::byte>;

enum InAction : std::uint8_t {
  kReadKeys = 0,
  kReadReservation = 1,
  kReportCapabilities = 2,
  kReadFullStatus = 3
};

void append64(Bytes& data, std::uint64_t value) {
  data.resize(data.size() + 8);
  put64(&data[data.size() - 8], value);
}

void read_keys(const Reservations& reservations, Bytes& data) {
  for (const auto& it : reservations.registrations()) append64(data, it.key);
}

void read_reservation(const Reservations& reservations, Bytes& data) {
  if (reservations.type() == ReservationType::none) return;
  append64(data, reservations.holder_key());
  data.resize(data.size() + 8);
  data[data.size() - 3] = static_cast<std::byte>(reservations.type());
}

void read_full_status(const Reservations& reservations, Bytes& data) {
  for (const auto& it : reservations.registrations()) {
    const std::size_t at = data.size();
    append64(data, it.key);
    data.resize(at + 24);
    if (reservations.holds(it)) {
      data[at + 12] = std::byte{0x01};  // R_HOLDER
      data[at + 13] = static_cast<std::byte>(reservations.type());
    }
    put16(&data[at + 18], it.port.target_portal_group_tag);
    append_transport_id(data, it.port.initiator_port_name);
    put32(&data[at + 20], data.size() - at - 24);
  }
}

/// SIP_C and ATP_C, all six types; PTPL_C where there is a store; CRH, no RLR_C.
std::array<std::byte, 8> capabilities(DeviceServer& server) {
  std::array<std::byte, 8> data{};
  put16(data.data(), data.size());
  data[2] = std::byte{0x1c};  // CRH, SIP_C, ATP_C
  data[3] = std::byte{0x80};  // TMV: the type mask is valid
  if (server.reservation_changes().can_keep()) data[2] |= std::byte{0x01};  // PTPL_C
  if (server.reservations().persists()) data[3] |= std::byte{0x01};         // PTPL_A
  data[4] = std::byte{0xea};  // all registrants, registrants only, plain
  data[5] = std::byte{0x01};  // exclusive access, all registrants
  return data;
}

}  // namespace

void persistent_reserve_in(Task& task) {
  const std::uint16_t allocation_length = get16(task.cdb() + 7);
  const std::uint8_t action = task.cdb()[1] & 0x1f;
  const Reservations& reservations = task.server->reservations();
  if (action == kReportCapabilities)
    return task.reply(capabilities(*task.server), allocation_length);
  Bytes data(8);
  put32(&data[0], reservations.generation());
  if (action == kReadKeys) read_keys(reservations, data);
  if (action == kReadReservation) read_reservation(reservations, data);
  if (action == kReadFullStatus) read_full_status(reservations, data);
  put32(&data[4], data.size() - 8);
  task.reply(data, allocation_length);
}

}  // namespace tsihd::scsi
