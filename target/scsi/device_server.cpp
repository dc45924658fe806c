#include "target/scsi/device_server.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "target/backstore/atomic_journal.h"
#include "target/scsi/copy_manager.h"
#include "target/scsi/operations.h"
#include "target/scsi/reservation_image.h"

namespace tsihd::scsi {
namespace {

void begin(Command& command, LogicalUnit& unit) {
  command.unit = &unit;
  command.task = nullptr;
  command.aborted = false;
  command.status = Status::good;
  command.sense_bytes = 0;
  command.wanted_data_out_bytes = 0;
  command.data_in_bytes = 0;
  command.required_data_in_bytes = command.required_data_out_bytes = 0;
}

}  // namespace

DeviceServer::DeviceServer(LogicalUnit& unit, Identity identity,
                           std::unique_ptr<backstore::Backstore> backstore, Log log,
                           const Attributes& attributes)
    : unit_(unit),
      identity_(std::move(identity)),
      attributes_(attributes),
      backstore_(std::move(backstore)),
      find_operation_(commands_of(backstore_->geometry())),
      log_(std::move(log)),
      default_mode_{
          .write_cache = backstore_->geometry().write_cache,
          .restricted_reordering = attributes.restricted_reordering,
          .task_aborted_status = attributes.task_aborted_status,
          .attention_interlock = static_cast<AttentionInterlock>(attributes.attention_interlock)},
      mode_(default_mode_),
      saved_mode_(*this, log_),
      reservation_changes_(*this, log_) {
  update_constraints();
}

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
    state->told = lost_writes_.mark_for(nexus.initiator_name);
  }
  state->attentions.establish(UnitAttention::power_on);
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

Result<void> DeviceServer::keep_mode(backstore::OpenedState state) {
  if (auto kept = saved_mode_.keep_in(std::move(state)); !kept) return kept;
  set_mode(initial_mode());
  return {};
}

void DeviceServer::offer_atomic_writes(std::unique_ptr<backstore::AtomicJournal> journal) {
  atomic_journal_ = std::move(journal);
  atomic_journal_->look_again_by([this] { static_cast<void>(refresh_capacity()); });
}

void DeviceServer::offer_copies(CopyManager& copies) {
  if (identity_.third_party_copy) copies_ = &copies;
}

void DeviceServer::tell_change(std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  copies_->note_change(*this, offset_bytes, length_bytes);
}

ModeCapabilities DeviceServer::mode_capabilities() const {
  return {.volatile_cache = geometry().write_cache, .knows_space = space_.count().has_value()};
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

// -- the way of a command

void DeviceServer::start(Command& command, const LunMap& luns, bool write_protected) {
  begin(command, unit_);
  NexusState* nexus = find(*command.nexus);
  if (nexus == nullptr) {  // a transport that did not attach, or kMaxNexuses
    attach(*command.nexus);
    nexus = find(*command.nexus);
  }
  Task* task = nexus == nullptr || tasks_.size() >= kMaxTasks ? nullptr : take_task();
  if (task == nullptr) {
    command.status = nexus == nullptr ? Status::busy : Status::task_set_full;
    if (nexus != nullptr) note_status(*nexus, command);
    return command.owner->command_done(command);
  }
  task->luns = &luns;
  enter(*task, command, nexus, write_protected);
}

/// Parts are bounded by kMaxCopies, so a full task set does not stop a copy that has begun.
void DeviceServer::start_part(Command& command, bool write_protected) {
  begin(command, unit_);
  Task* task = take_task();
  task->luns = nullptr;
  task->part = true;
  const bool sees_unit = find(*command.nexus) != nullptr;
  if (sees_unit) return enter(*task, command, nullptr, write_protected);
  task->command = &command;
  command.task = task;
  tasks_.enter(*task);
  task->fail(sense::kUnitNotSupported);
}

void DeviceServer::enter(Task& task, Command& command, NexusState* nexus, bool write_protected) {
  command.task = &task;
  task.command = &command;
  task.nexus = nexus;
  task.lun_write_protected = write_protected;
  tasks_.enter(task);
  if (check(task)) task.operation->run(task);
}

/// What SAM and SPC want looked at before the command itself. False: the task has ended.
bool DeviceServer::check(Task& task) {
  const Command& command = *task.command;
  const Operation* operation = find_operation_(command);
  task.operation = operation;
  if (aca_.any() && !task.part && refused_by_aca(task)) return false;
  const bool reports = operation == nullptr || operation->reports_unit_attention;
  if (reports && task.nexus != nullptr && task.nexus->attentions.any())
    return report_attention(task), false;
  if (operation == nullptr || !offers(*this, *operation)) {
    const bool known = std::ranges::any_of(operations_of(command.cdb[0]),
                                           [&](const auto& it) { return offers(*this, it); });
    return task.fail(known ? sense::invalid_cdb_field(1) : sense::kInvalidOpcode), false;
  }
  if (!sanitizer_.idle())
    if (const auto why = sanitizer_.refuses(*operation)) return task.fail(*why), false;
  if (const auto why = port_groups_.refuses(*operation, *command.nexus))
    return task.fail(*why), false;
  if (stopped_ && accesses_medium(*operation)) return task.fail(sense::kUnitStopped), false;
  if (command.attribute == TaskAttribute::aca && !task.nexus->faulted)
    return task.fail(sense::kInvalidMessage), false;
  if (!reservations_.idle() &&
      reservations_.conflicts(*command.nexus, access_by_cdb(*operation, command.cdb.data())))
    return task.finish(Status::reservation_conflict), false;
  if (operation->access != Access::write) return true;
  if (task.lun_write_protected || geometry().read_only)
    return task.fail(sense::kWriteProtected), false;
  if (mode_.software_write_protect) return task.fail(sense::kSoftwareWriteProtected), false;
  return true;
}

/// UA_INTLCK_CTRL (SPC-4 7.5.8): with interlock only REQUEST SENSE clears what was reported.
void DeviceServer::report_attention(Task& task) {
  UnitAttentions& attentions = task.nexus->attentions;
  const bool keeps = mode_.attention_interlock != AttentionInterlock::off;
  task.fail(keeps ? *attentions.first() : *attentions.take());
}

/// What a command that does not end GOOD means for others, and for the next of its nexus.
void DeviceServer::note_status(NexusState& nexus, const Command& command) {
  if (command.status == Status::check_condition) return mark_after_fault(nexus, command);
  if (mode_.attention_interlock != AttentionInterlock::establish) return;
  if (command.status == Status::busy) nexus.attentions.establish(UnitAttention::previous_busy);
  if (command.status == Status::task_set_full)
    nexus.attentions.establish(UnitAttention::previous_task_set_full);
  if (command.status == Status::reservation_conflict)
    nexus.attentions.establish(UnitAttention::previous_conflict);
}

void DeviceServer::set_mode(const ModeState& mode) {
  mode_ = mode;
  space_.rearm();
  update_constraints();
  resume_held();  // TST may have changed whom an ACA condition holds
  tasks_.run_ready();
}

void DeviceServer::data_out_ready(Command& command) {
  assert(command.task != nullptr && !command.aborted);
  Task& task = *command.task;
  const Task::Step next = task.step;
  if (aca_.blocks(task)) return hold(task, next);
  next(task);
}

void DeviceServer::finish(Task& task) {
  if (aca_.blocks(task)) return hold(task, [](Task& it) { it.server->finish(it); });
  Command& command = *task.command;
  const bool troubled = command.status != Status::good;
  if (troubled && task.nexus != nullptr) note_status(*task.nexus, command);
  release(task);
  command.owner->command_done(command);
  if (troubled) settle_fault();
  tasks_.run_ready();
}

void DeviceServer::drop(Task& task) {
  Command& command = *task.command;
  const bool tells = task.tells_abort;
  command.data_in = Buffer();
  command.data_in_bytes = 0;
  release(task);
  if (tells) {
    command.status = Status::task_aborted;
    command.sense_bytes = 0;
    command.required_data_in_bytes = command.required_data_out_bytes = 0;
    command.owner->command_done(command);
  } else {
    command.owner->command_aborted(command);
  }
  end_quiet_waits();
  tasks_.run_ready();
}

void DeviceServer::note_disk_error(const backstore::Io& io) {
  static constexpr std::array<const char*, 7> kNames{"read",         "write",  "flush", "discard",
                                                     "write_zeroes", "extent", "scsi"};
  // Every error for a while, then one in a thousand: a dead disk must not fill the log.
  constexpr std::uint64_t kLoggedErrors = 100;
  if (++disk_errors_ > kLoggedErrors && disk_errors_ % 1000 != 0) return;
  log_.warning("scsi.disk_error disk={} op={} offset_bytes={} error=\"{}\" errors={}",
               identity_.name, kNames[static_cast<std::size_t>(io.op)], io.offset_bytes,
               std::strerror(io.error), disk_errors_);
}

void DeviceServer::note_loss(const Task& task) {
  const bool gone = task.nexus == nullptr;
  if (!lost_writes_.note(gone ? &task.command->nexus->initiator_name : nullptr)) return;
  log_.warning(
      "scsi.writes_lost disk={} nexuses={} next=\"what was written since the last good "
      "SYNCHRONIZE CACHE may be gone; every initiator's next one fails\"",
      identity_.name, nexuses_.size());
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
  task->settles = false;
  task->passes_aca = task->held = task->tells_abort = task->part = false;
  task->io.force_unit_access = false;
  task->position_bytes = 0;
  task->item = 0;
  return task;
}

void DeviceServer::release(Task& task) {
  task.forget();
  if (task.held) --held_;
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

// -- capacity

Result<bool> DeviceServer::refresh_capacity() {
  sanitizer_.tick();
  space_.look();
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
  if (geometry().size_bytes < before_bytes)
    note_change(geometry().size_bytes, before_bytes - geometry().size_bytes);
  establish_for_all(UnitAttention::capacity_changed, nullptr);
}

}  // namespace tsihd::scsi
