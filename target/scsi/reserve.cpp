// RESERVE, RELEASE, PERSISTENT RESERVE IN and OUT: the commands around Reservations.
#include <array>
#include <vector>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"

namespace tsihd::scsi {

namespace {

constexpr std::uint8_t kThirdParty = 0x10;
constexpr std::uint8_t kExtent = 0x01;

}  // namespace

void reserve_unit(Task& task) {
  if ((task.cdb()[1] & (kThirdParty | kExtent)) != 0) return task.fail(sense::invalid_cdb_field(1));
  const bool granted = task.server->reservations().reserve_legacy(*task.command->nexus);
  task.finish(granted ? Status::good : Status::reservation_conflict);
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

/// Format 01b: the initiator port's name, ended by a null and padded to a multiple of four.
void append_transport_id(Bytes& data, const PortIdentity& port) {
  const std::size_t name_bytes = (port.initiator_port_name.size() + 4) / 4 * 4;
  const std::size_t at = data.size();
  data.resize(at + 4 + name_bytes);
  data[at] = std::byte{0x45};
  put16(&data[at + 2], name_bytes);
  for (std::size_t i = 0; i < port.initiator_port_name.size(); ++i)
    data[at + 4 + i] = static_cast<std::byte>(port.initiator_port_name[i]);
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
    append_transport_id(data, it.port);
    put32(&data[at + 20], data.size() - at - 24);
  }
}

/// No CRH, SIP_C, ATP_C, PTPL_C; all six types.
std::array<std::byte, 8> capabilities() {
  std::array<std::byte, 8> data{};
  put16(data.data(), data.size());
  data[3] = std::byte{0x80};  // TMV: the type mask is valid
  data[4] = std::byte{0xea};  // all registrants, registrants only, plain
  data[5] = std::byte{0x01};  // exclusive access, all registrants
  return data;
}

}  // namespace

void persistent_reserve_in(Task& task) {
  const std::uint16_t allocation_length = get16(task.cdb() + 7);
  const std::uint8_t action = task.cdb()[1] & 0x1f;
  const Reservations& reservations = task.server->reservations();
  if (action == kReportCapabilities) return task.reply(capabilities(), allocation_length);
  Bytes data(8);
  put32(&data[0], reservations.generation());
  if (action == kReadKeys) read_keys(reservations, data);
  if (action == kReadReservation) read_reservation(reservations, data);
  if (action == kReadFullStatus) read_full_status(reservations, data);
  put32(&data[4], data.size() - 8);
  task.reply(data, allocation_length);
}

// -- PERSISTENT RESERVE OUT

namespace {

enum OutAction : std::uint8_t {
  kRegister = 0,
  kReserve = 1,
  kRelease = 2,
  kClear = 3,
  kPreempt = 4,
  kPreemptAndAbort = 5,
  kRegisterAndIgnore = 6
};
constexpr std::uint32_t kParameterBytes = 24;

Reservations::Outcome carry_out(Task& task, std::uint64_t key, std::uint64_t action_key) {
  Reservations& reservations = task.server->reservations();
  const Nexus& nexus = *task.command->nexus;
  // Checked on arrival where the action looks at it.
  const auto type = reservation_type(task.cdb()[2] & 0x0f).value_or(ReservationType::none);
  switch (task.cdb()[1] & 0x1f) {
    case kRegister:
      return reservations.register_key(nexus, key, action_key, false);
    case kRegisterAndIgnore:
      return reservations.register_key(nexus, key, action_key, true);
    case kReserve:
      return reservations.reserve(nexus, key, type);
    case kRelease:
      return reservations.release(nexus, key, type);
    case kClear:
      return reservations.clear(nexus, key);
    default:
      return reservations.preempt(nexus, key, action_key, type);
  }
}

void reserve_out_now(Task& task) {
  constexpr std::byte kUnsupported{0x0d};  // SPEC_I_PT, ALL_TG_PT, APTPL
  const auto list = task.data_out();
  if (list.size() < kParameterBytes) return task.fail(sense::kParameterListLength);
  if ((list[20] & kUnsupported) != std::byte{0}) return task.fail(sense::invalid_parameter(20));
  // RESERVE(6/10) may have come while the parameters did.
  if (task.server->reservations().legacy_held()) return task.finish(Status::reservation_conflict);
  const auto outcome = carry_out(task, get64(&list[0]), get64(&list[8]));
  if (outcome.sense) return task.fail(*outcome.sense);
  if (outcome.status != Status::good) return task.finish(outcome.status);
  for (const auto& notice : outcome.notices)
    for (NexusState* state : task.server->nexuses_of(notice.port))
      state->attentions.establish(notice.condition);
  if ((task.cdb()[1] & 0x1f) != kPreemptAndAbort) return task.good();
  task.server->abort_and_wait(task, outcome.preempted);
}

}  // namespace

void persistent_reserve_out(Task& task) {
  const std::uint8_t* cdb = task.cdb();
  const std::uint8_t action = cdb[1] & 0x1f;
  if (task.server->reservations().legacy_held()) return task.finish(Status::reservation_conflict);
  const bool looks_at_type =
      action == kReserve || action == kRelease || action == kPreempt || action == kPreemptAndAbort;
  // Scope: the logical unit, the only one that SPC-4 leaves.
  if (looks_at_type && (cdb[2] >> 4 != 0 || !reservation_type(cdb[2] & 0x0f)))
    return task.fail(sense::invalid_cdb_field(2));
  if (get32(cdb + 5) != kParameterBytes || task.command->expected_data_out_bytes < kParameterBytes)
    return task.fail(sense::kParameterListLength);
  task.want_data_out(kParameterBytes, reserve_out_now);
}

}  // namespace tsihd::scsi
