// The device server of one logical unit: dispatch, unit attentions, the task set and its abort
// rules. What LogicalUnit shows to the transport, from the inside.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "target/backstore/backstore.h"
#include "target/base/log.h"
#include "target/scsi/aca.h"
#include "target/scsi/logical_unit.h"
#include "target/scsi/lost_writes.h"
#include "target/scsi/mode_pages.h"
#include "target/scsi/passed.h"
#include "target/scsi/port_groups.h"
#include "target/scsi/reservation_changes.h"
#include "target/scsi/reservations.h"
#include "target/scsi/sanitizer.h"
#include "target/scsi/saved_mode.h"
#include "target/scsi/space_watch.h"
#include "target/scsi/task.h"
#include "target/scsi/task_set.h"
#include "target/scsi/unit_attention.h"

namespace tsihd::scsi {

class CopyManager;

/// What a logical unit keeps for an I_T nexus.
struct NexusState {
  Nexus* nexus = nullptr;
  UnitAttentions attentions;
  bool faulted = false;  ///< there is an ACA condition for it (aca.h)
  LostWrites::Mark told = 0;
};

/// More commands than this in one task set are answered TASK SET FULL.
inline constexpr std::size_t kMaxTasks = 4096;
/// The commands of more nexuses than this at one logical unit are answered BUSY.
inline constexpr std::size_t kMaxNexuses = 1024;

class DeviceServer {
 public:
  DeviceServer(LogicalUnit& unit, Identity identity,
               std::unique_ptr<backstore::Backstore> backstore, Log log,
               const Attributes& attributes);
  ~DeviceServer();

  // -- for LogicalUnit and LunMap
  void start(Command& command, const LunMap& luns, bool write_protected);
  void data_out_ready(Command& command);
  void offer_copies(CopyManager& copies);
  Result<void> keep_reservations(backstore::OpenedState state);
  Result<void> keep_mode(backstore::OpenedState state);
  void offer_atomic_writes(std::unique_ptr<backstore::AtomicJournal> journal);
  void attach(Nexus& nexus);
  void detach(Nexus& nexus);
  void abort(Command& command);
  void abort_task_set(const Nexus& nexus);
  void clear_task_set(const Nexus& nexus);
  bool clear_aca(const Nexus& nexus);
  void reset(const Nexus* by);
  void note_fault(const Command& command);
  void note_commands_cleared(const Nexus& nexus);
  Result<bool> refresh_capacity();
  Result<void> resize(std::uint64_t size_bytes);

  // -- for handlers
  const Identity& identity() const { return identity_; }
  backstore::Backstore& backstore() { return *backstore_; }
  const backstore::Geometry& geometry() const { return backstore_->geometry(); }
  /// Null: the disk itself makes atomic writes, or there are none.
  backstore::AtomicJournal* atomic_journal() const { return atomic_journal_.get(); }
  const Attributes& attributes() const { return attributes_; }
  /// Blocks can be unmapped, in one way or another: LBPME.
  bool thin() const {
    return (geometry().can_discard && attributes_.unmap) || unmaps_by_write_same();
  }
  /// What is unmapped reads as zeroes: LBPRZ.
  bool discard_zeroes() const { return geometry().can_discard && geometry().discard_zeroes; }
  /// WRITE SAME promises what is read afterwards: only where that is what unmapping leaves.
  bool unmaps_by_write_same() const { return discard_zeroes() && attributes_.unmap_by_write_same; }
  bool rotational() const { return attributes_.rotational.value_or(geometry().rotational); }
  const SpaceWatch& space() const { return space_; }
  /// START STOP UNIT. A unit that is stopped answers medium access with NOT READY (SBC-3 4.20).
  bool stopped() const { return stopped_; }
  void set_stopped(bool stopped) { stopped_ = stopped; }
  std::uint32_t block_bytes() const { return geometry().block_size_bytes; }
  std::uint64_t block_count() const { return geometry().size_bytes / block_bytes(); }
  const ModeState& mode() const { return mode_; }
  void set_mode(const ModeState& mode);
  const ModeState& default_mode() const { return default_mode_; }
  /// What a power on or a reset brings: the saved values, or the defaults.
  const ModeState& initial_mode() const {
    return saved_mode_.values() ? *saved_mode_.values() : default_mode_;
  }
  ModeCapabilities mode_capabilities() const;
  SavedMode& saved_mode() { return saved_mode_; }
  const SavedMode& saved_mode() const { return saved_mode_; }
  Reservations& reservations() { return reservations_; }
  ReservationChanges& reservation_changes() { return reservation_changes_; }
  TaskSet& tasks() { return tasks_; }
  const AcaConditions& aca() const { return aca_; }
  Sanitizer& sanitizer() { return sanitizer_; }
  bool descriptor_sense() const { return mode_.descriptor_sense; }
  bool write_cache_enabled() const { return mode_.write_cache; }
  /// Third-party copies; null: not offered.
  CopyManager* copies() const { return copies_; }
  /// A command of a copy, by the nexus that asked for the copy. It meets what every command of that
  /// nexus would (reservations, write protection, SANITIZE, task set), but leaves the nexus its
  /// unit attentions. A nexus that no longer sees this unit is told 25/00.
  void start_part(Command& command, bool write_protected);
  /// How many tokens become void when something is written here.
  void watch_changes(bool one_more) { watches_ += one_more ? 1 : -1; }
  PortGroups& port_groups() { return port_groups_; }
  const PortGroups& port_groups() const { return port_groups_; }
  /// Establishes a unit attention for every nexus but `except` (which may be null).
  void establish_for_all(UnitAttention condition, const NexusState* except);
  /// The nexuses through which one initiator port reaches this unit now.
  std::vector<NexusState*> nexuses_of(const PortIdentity& port);
  /// The initiator ports of one iSCSI initiator node that have a session here now, as they would
  /// be named at the target port of `nexus`.
  std::vector<PortIdentity> ports_of_initiator(const std::string& name, const Nexus& nexus) const;
  /// PREEMPT AND ABORT: aborts every other command of these ports; the task ends well when the last
  /// of them is back from the disk.
  void abort_and_wait(Task& task, std::vector<PortIdentity> ports);

  // -- for Task
  void finish(Task& task);
  /// The aborted task's last disk request is back.
  void drop(Task& task);
  void note_disk_error(const backstore::Io& io);
  void note_loss(const Task& task);
  void note_good_flush() { lost_writes_.note_good_flush(); }
  bool tells_of_loss(NexusState& nexus) {
    return lost_writes_.take(nexus.told, nexus.nexus->initiator_name);
  }
  /// What was, or may be, on the medium there is so no longer.
  void note_change(std::uint64_t offset_bytes, std::uint64_t length_bytes) {
    if (watches_ > 0) tell_change(offset_bytes, length_bytes);
  }

 private:
  NexusState* find(const Nexus& nexus);
  Task* take_task();
  void release(Task& task);
  void enter(Task& task, Command& command, NexusState* nexus, bool write_protected);
  bool check(Task& task);
  void tell_change(std::uint64_t offset_bytes, std::uint64_t length_bytes);
  void capacity_changed(std::uint64_t before_bytes);
  void end_quiet_waits();
  /// Marks commands as aborted, and how those of other nexuses than `by` (null: nobody's word)
  /// learn of it. Nothing ends before sweep_aborted().
  template <class Predicate>
  void mark_aborted(const Nexus* by, Predicate predicate);
  void sweep_aborted();
  template <class Predicate>
  void abort_where(const Nexus* by, Predicate predicate) {
    mark_aborted(by, predicate);
    sweep_aborted();
  }
  bool refused_by_aca(Task& task);
  void report_attention(Task& task);
  void note_status(NexusState& nexus, const Command& command);
  void update_constraints();
  void settle_fault();
  void mark_after_fault(NexusState& nexus, const Command& command);
  void hold(Task& task, Task::Step resume);
  void resume_held();

  struct QuietWait {
    Task* task;
    std::vector<PortIdentity> ports;
  };
  bool quiet(const QuietWait& wait) const;

  LogicalUnit& unit_;
  const Identity identity_;
  const Attributes attributes_;
  const std::unique_ptr<backstore::Backstore> backstore_;
  std::unique_ptr<backstore::AtomicJournal> atomic_journal_;
  const FindOperation find_operation_;
  const Log log_;
  std::vector<std::unique_ptr<NexusState>> nexuses_;
  NexusState* last_found_ = nullptr;
  PortGroups port_groups_;
  TaskSet tasks_;
  AcaConditions aca_{*this};
  bool resuming_ = false;
  std::size_t held_ = 0;  ///< tasks that an ACA condition keeps from going on
  ModeState default_mode_;
  ModeState mode_;
  SavedMode saved_mode_;
  Reservations reservations_;
  ReservationChanges reservation_changes_;
  std::vector<std::unique_ptr<Task>> all_tasks_;
  Task* free_tasks_ = nullptr;
  std::vector<QuietWait> quiet_waits_;
  Sanitizer sanitizer_{*this};
  SpaceWatch space_{*this};
  bool stopped_ = false;
  std::uint64_t disk_errors_ = 0;
  LostWrites lost_writes_;
  CopyManager* copies_ = nullptr;
  int watches_ = 0;
};

}  // namespace tsihd::scsi
