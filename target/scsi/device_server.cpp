#include "target/scsi/device_server.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "target/scsi/operations.h"
#include "target/scsi/reservation_image.h"

namespace tsihd::scsi {
namespace {

constexpr std::uint8_t kNacaBit = 0x04;  // of the CONTROL byte, the last of a CDB

bool asks_for_aca(const Command& command, const Operation& operation) {
  const std::uint8_t length = cdb_bytes_of(operation.opcode);
  return length > 0 && (command.cdb[length - 1u] & kNacaBit) != 0;
}

}  // namespace

DeviceServer::DeviceServer(LogicalUnit& unit, Identity identity,
                           std::unique_ptr<backstore::Backstore> backstore, Log log)
    : unit_(unit),
      identity_(std::move(identity)),
      backstore_(std::move(backstore)),
      log_(std::move(log)),
      mode_(ModeState::defaults(backstore_->geometry().write_cache)),
      reservation_changes_(*this, log_) {}

DeviceServer::~DeviceServer() {
  assert(tasks_.size() == 0 && "detach every nexus and wait for its commands first");
}

// -- nexuses

NexusState* DeviceServer::find(const Nexus& nexus) {
  if (last_found_ != nullptr && last_found_->nexus == &nexus) return last_found_;
  for (const auto& state : nexuses_)
    if (state->nexus == &nexus) return last_found_ = state.get();
  return nullptr;
}

void DeviceServer::attach(Nexus& nexus) {
  NexusState* state = find(nexus);
  if (state == nullptr) {
    if (nexuses_.size() >= kMaxNexuses) return;
    nexuses_.push_back(std::make_unique<NexusState>());
    state = nexuses_.back().get();
    state->nexus = &nexus;
  }
  state->attentions.establish(UnitAttention::power_on);
}

void DeviceServer::detach(Nexus& nexus) {
  abort_where([&](const Command& command) { return command.nexus == &nexus; });
  for (const Command* it = tasks_.first(); it != nullptr; it = it->next)
    if (it->nexus == &nexus) it->task->nexus = nullptr;
  reservations_.nexus_lost(nexus);
  last_found_ = nullptr;
  std::erase_if(nexuses_, [&](const auto& state) { return state->nexus == &nexus; });
}

void DeviceServer::establish_for_all(UnitAttention condition, const NexusState* except) {
  for (const auto& state : nexuses_)
    if (state.get() != except) state->attentions.establish(condition);
}

std::vector<NexusState*> DeviceServer::nexuses_of(const PortIdentity& port) {
  std::vector<NexusState*> found;
  for (const auto& state : nexuses_)
    if (port.is(*state->nexus)) found.push_back(state.get());
  return found;
}

Result<void> DeviceServer::keep_reservations(backstore::OpenedState state) {
  if (!state.content.empty()) {
    auto kept = decode_reservations(state.content, identity_.serial);
    if (!kept) return std::unexpected(kept.error());
    reservations_ = std::move(*kept);
    log_.info("scsi.reservations_restored disk={} registrations={} type={}", identity_.name,
              reservations_.registrations().size(), static_cast<unsigned>(reservations_.type()));
  }
  reservation_changes_.keep_in(std::move(state.store), std::move(state.content));
  return {};
}

void DeviceServer::add_target_port(const TargetPort& port) {
  if (std::ranges::find(target_ports_, port) == target_ports_.end()) target_ports_.push_back(port);
}

std::vector<std::uint16_t> DeviceServer::target_ports(const Nexus& nexus) const {
  std::vector<std::uint16_t> tags{nexus.target_portal_group_tag};
  for (const TargetPort& port : target_ports_)
    if (port.target_name == nexus.target_name && port.portal_group_tag != tags.front())
      tags.push_back(port.portal_group_tag);
  return tags;
}

std::vector<PortIdentity> DeviceServer::ports_of_initiator(const std::string& name,
                                                           const Nexus& nexus) const {
  std::vector<PortIdentity> found;
  for (const auto& state : nexuses_) {
    if (state->nexus->initiator_name != name) continue;
    PortIdentity port = PortIdentity::of(*state->nexus);
    port.target_name = nexus.target_name;
    port.target_portal_group_tag = nexus.target_portal_group_tag;
    if (std::ranges::find(found, port) == found.end()) found.push_back(std::move(port));
  }
  return found;
}

bool DeviceServer::removal_prevented() const {
  return std::ranges::any_of(nexuses_, [](const auto& state) { return state->prevents_removal; });
}

// -- the way of a command

void DeviceServer::start(Command& command, const LunMap& luns, bool write_protected) {
  command.unit = &unit_;
  command.task = nullptr;
  command.aborted = false;
  command.status = Status::good;
  command.sense_bytes = 0;
  command.wanted_data_out_bytes = 0;
  command.data_in_bytes = 0;
  command.required_data_in_bytes = command.required_data_out_bytes = 0;
  NexusState* nexus = find(*command.nexus);
  if (nexus == nullptr) {  // a transport that did not attach, or kMaxNexuses
    attach(*command.nexus);
    nexus = find(*command.nexus);
  }
  Task* task = nexus == nullptr || tasks_.size() >= kMaxTasks ? nullptr : take_task();
  if (task == nullptr) {
    command.status = nexus == nullptr ? Status::busy : Status::task_set_full;
    return command.owner->command_done(command);
  }
  command.task = task;
  task->command = &command;
  task->nexus = nexus;
  task->luns = &luns;
  task->lun_write_protected = write_protected;
  tasks_.enter(*task);
  if (check(*task)) task->operation->run(*task);
}

/// What SAM and SPC want looked at before the command itself. False: the task has ended.
bool DeviceServer::check(Task& task) {
  const Command& command = *task.command;
  const Operation* operation = find_operation(task.cdb());
  task.operation = operation;
  const bool reports = operation == nullptr || operation->reports_unit_attention;
  if (reports && task.nexus->attentions.any())
    return task.fail(*task.nexus->attentions.take()), false;
  if (operation == nullptr || !offers(*this, *operation)) {
    const bool known = std::ranges::any_of(operations_of(command.cdb[0]),
                                           [&](const auto& it) { return offers(*this, it); });
    return task.fail(known ? sense::invalid_cdb_field(1) : sense::kInvalidOpcode), false;
  }
  if (!sanitizer_.idle())
    if (const auto why = sanitizer_.refuses(*operation)) return task.fail(*why), false;
  if (command.attribute == TaskAttribute::aca) return task.fail(sense::kInvalidMessage), false;
  if (asks_for_aca(command, *operation))
    return task.fail(sense::invalid_cdb_field(cdb_bytes_of(operation->opcode) - 1)), false;
  if (!reservations_.idle() && reservations_.conflicts(*command.nexus, operation->access))
    return task.finish(Status::reservation_conflict), false;
  if (operation->access != Access::write) return true;
  if (task.lun_write_protected || geometry().read_only)
    return task.fail(sense::kWriteProtected), false;
  if (mode_.software_write_protect) return task.fail(sense::kSoftwareWriteProtected), false;
  return true;
}

void DeviceServer::data_out_ready(Command& command) {
  assert(command.task != nullptr && !command.aborted);
  const Task::Step next = command.task->step;
  next(*command.task);
}

void DeviceServer::finish(Task& task) {
  Command& command = *task.command;
  release(task);
  command.owner->command_done(command);
  tasks_.run_ready();
}

void DeviceServer::drop(Task& task) {
  Command& command = *task.command;
  command.data_in = Buffer();
  command.data_in_bytes = 0;
  release(task);
  command.owner->command_aborted(command);
  end_quiet_waits();
  tasks_.run_ready();
}

void DeviceServer::note_disk_error(const backstore::Io& io) {
  static constexpr std::array<const char*, 6> kNames{"read",    "write",        "flush",
                                                     "discard", "write_zeroes", "extent"};
  // Every error for a while, then one in a thousand: a dead disk must not fill the log.
  constexpr std::uint64_t kLoggedErrors = 100;
  if (++disk_errors_ > kLoggedErrors && disk_errors_ % 1000 != 0) return;
  log_.warning("scsi.disk_error disk={} op={} offset_bytes={} error=\"{}\" errors={}",
               identity_.name, kNames[static_cast<std::size_t>(io.op)], io.offset_bytes,
               std::strerror(io.error), disk_errors_);
}

// -- tasks, recycled

Task* DeviceServer::take_task() {
  if (free_tasks_ == nullptr) {
    all_tasks_.push_back(std::make_unique<Task>());
    all_tasks_.back()->server = this;
    return all_tasks_.back().get();
  }
  Task* task = free_tasks_;
  free_tasks_ = task->next_free;
  task->special = task->exclusive = task->blocked = task->running = task->disk_busy = false;
  task->io.force_unit_access = false;
  task->position_bytes = 0;
  task->item = 0;
  return task;
}

void DeviceServer::release(Task& task) {
  task.forget();
  sanitizer_.forget(task);
  tasks_.leave(task);
  reservation_changes_.forget(task);
  if (!quiet_waits_.empty())
    std::erase_if(quiet_waits_, [&](const QuietWait& it) { return it.task == &task; });
  task.command->task = nullptr;
  task.command = nullptr;
  task.next_free = free_tasks_;
  free_tasks_ = &task;
}

// -- aborts

/// Marks first, so that nothing of the chosen ones runs on while the others end. Those whose disk
/// request is out end when it is back: until then their writes could still land.
template <class Predicate>
void DeviceServer::abort_where(Predicate predicate) {
  for (Command* it = tasks_.first(); it != nullptr; it = it->next)
    if (predicate(*it)) it->aborted = true;
  for (Command* it = tasks_.first(); it != nullptr;) {
    if (it->aborted && !it->task->disk_busy) {
      drop(*it->task);
      it = tasks_.first();  // the owner may have changed anything
    } else {
      it = it->next;
    }
  }
}

void DeviceServer::abort(Command& command) {
  if (command.task == nullptr || command.aborted) return;
  command.aborted = true;
  if (!command.task->disk_busy) drop(*command.task);
}

void DeviceServer::abort_task_set(const Nexus& nexus) {
  abort_where([&](const Command& command) { return command.nexus == &nexus; });
}

void DeviceServer::clear_task_set(const Nexus& nexus) {
  for (const Command* it = tasks_.first(); it != nullptr; it = it->next)
    if (it->nexus != &nexus && it->task->nexus != nullptr)
      it->task->nexus->attentions.establish(UnitAttention::commands_cleared);
  abort_where([](const Command&) { return true; });
}

void DeviceServer::note_commands_cleared(const Nexus& nexus) {
  if (NexusState* state = find(nexus))
    state->attentions.establish(UnitAttention::commands_cleared_by_transport);
}

void DeviceServer::abort_and_wait(Task& task, std::vector<PortIdentity> ports) {
  const Command* self = task.command;
  quiet_waits_.push_back({&task, ports});
  abort_where([&](const Command& command) {
    return &command != self &&
           std::ranges::any_of(ports, [&](const auto& port) { return port.is(*command.nexus); });
  });
  end_quiet_waits();
}

/// No aborted command of these ports is with the disk any more.
bool DeviceServer::quiet(const QuietWait& wait) const {
  for (const Command* it = tasks_.first(); it != nullptr; it = it->next)
    if (it->aborted &&
        std::ranges::any_of(wait.ports, [&](const auto& port) { return port.is(*it->nexus); }))
      return false;
  return true;
}

void DeviceServer::end_quiet_waits() {
  for (std::size_t i = 0; i < quiet_waits_.size();) {
    if (!quiet(quiet_waits_[i])) {
      ++i;
      continue;
    }
    quiet_waits_[i].task->good();  // release() takes it off the list
    i = 0;
  }
}

void DeviceServer::reset() {
  log_.info("scsi.unit_reset disk={} commands={}", identity_.name, tasks_.size());
  reservations_.reset();
  mode_ = ModeState::defaults(geometry().write_cache);
  for (const auto& state : nexuses_) state->prevents_removal = false;
  establish_for_all(UnitAttention::unit_reset, nullptr);
  abort_where([](const Command&) { return true; });
}

// -- capacity

Result<bool> DeviceServer::refresh_capacity() {
  sanitizer_.tick();
  const std::uint64_t before_bytes = geometry().size_bytes;
  auto changed = backstore_->refresh_size();
  if (changed && *changed) capacity_changed(before_bytes);
  return changed;
}

Result<void> DeviceServer::resize(std::uint64_t size_bytes) {
  const std::uint64_t before_bytes = geometry().size_bytes;
  auto done = backstore_->resize(size_bytes);
  if (done && geometry().size_bytes != before_bytes) capacity_changed(before_bytes);
  return done;
}

void DeviceServer::capacity_changed(std::uint64_t before_bytes) {
  log_.info("scsi.capacity_changed disk={} before_bytes={} size_bytes={} nexuses={}",
            identity_.name, before_bytes, geometry().size_bytes, nexuses_.size());
  establish_for_all(UnitAttention::capacity_changed, nullptr);
}

}  // namespace tsihd::scsi
