#include "target/scsi/logical_unit.h"

#include <cassert>

#include "target/backstore/atomic_journal.h"
#include "target/scsi/device_server.h"
#include "target/scsi/lun.h"

namespace tsihd::scsi {

LogicalUnit::LogicalUnit(Identity identity, std::unique_ptr<backstore::Backstore> backstore,
                         Log log, const Attributes& attributes)
    : server_(std::make_unique<DeviceServer>(*this, std::move(identity), std::move(backstore),
                                             std::move(log), attributes)) {}
LogicalUnit::~LogicalUnit() = default;

const Identity& LogicalUnit::identity() const { return server_->identity(); }
std::uint64_t LogicalUnit::size_bytes() const { return server_->geometry().size_bytes; }
backstore::Backstore& LogicalUnit::backstore() { return server_->backstore(); }
void LogicalUnit::add_target_port(const std::string& target_name, std::uint16_t tag,
                                  std::string_view port_group) {
  server_->port_groups().add_port(target_name, tag, port_group);
}
void LogicalUnit::set_port_groups(std::vector<PortGroup> groups) {
  server_->port_groups().set_groups(std::move(groups));
}
Result<void> LogicalUnit::keep_reservations(backstore::OpenedState state) {
  return server_->keep_reservations(std::move(state));
}
Result<void> LogicalUnit::keep_mode(backstore::OpenedState state) {
  return server_->keep_mode(std::move(state));
}
void LogicalUnit::offer_atomic_writes(std::unique_ptr<backstore::AtomicJournal> journal) {
  server_->offer_atomic_writes(std::move(journal));
}
void LogicalUnit::offer_copies(CopyManager& copies) { server_->offer_copies(copies); }
void LogicalUnit::attach(Nexus& nexus) { server_->attach(nexus); }
void LogicalUnit::detach(Nexus& nexus) { server_->detach(nexus); }
void LogicalUnit::abort(Command& command) { server_->abort(command); }
void LogicalUnit::abort_task_set(Nexus& nexus) { server_->abort_task_set(nexus); }
void LogicalUnit::clear_task_set(Nexus& nexus) { server_->clear_task_set(nexus); }
bool LogicalUnit::clear_aca(Nexus& nexus) { return server_->clear_aca(nexus); }
void LogicalUnit::reset(const Nexus* by) { server_->reset(by); }
void LogicalUnit::note_fault(const Command& command) { server_->note_fault(command); }
void LogicalUnit::note_commands_cleared(Nexus& nexus) { server_->note_commands_cleared(nexus); }
Result<bool> LogicalUnit::refresh_capacity() { return server_->refresh_capacity(); }
Result<void> LogicalUnit::resize(std::uint64_t size_bytes) { return server_->resize(size_bytes); }

LogicalUnit* LunMap::find(const std::array<std::byte, 8>& lun) const {
  const auto number = decode_lun(lun);
  if (!number) return nullptr;
  const auto it = entries.find(*number);
  return it == entries.end() ? nullptr : it->second.unit.get();
}

void LunMap::start(Command& command) const {
  assert(command.owner != nullptr && command.nexus != nullptr);
  const auto number = decode_lun(command.lun);
  const auto it = number ? entries.find(*number) : entries.end();
  if (it == entries.end()) return answer_unmapped(command, *this);
  it->second.unit->server_->start(command, *this, it->second.write_protected);
}

void LunMap::data_out_ready(Command& command) { command.unit->server_->data_out_ready(command); }

}  // namespace tsihd::scsi
