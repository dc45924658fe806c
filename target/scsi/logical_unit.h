// A logical unit and the LUN map through which an I_T nexus sees it: the device server's face.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "target/backstore/backstore.h"
#include "target/backstore/state_store.h"
#include "target/base/log.h"
#include "target/base/result.h"
#include "target/scsi/attributes.h"
#include "target/scsi/command.h"
#include "target/scsi/port_groups.h"

namespace tsihd::backstore {
class AtomicJournal;
}

namespace tsihd::scsi {

/// Who the disk says it is (INQUIRY, VPD 80h and 83h). From the storage object's configuration.
struct Identity {
  std::string name;  ///< the storage object's name: product identification
  std::string vendor = "TSIH";
  std::string revision = "0.1";
  std::string serial;  ///< LIO's `wwn`: unit serial number and the source of the NAA identifier
  bool third_party_copy = true;  ///< LIO's `emulate_3pc`: what CopyManager does is offered
};

class CopyManager;
class DeviceServer;

/// One disk with its task set, unit attentions and reservations. Shared by every nexus that maps
/// it; lives on the event loop's thread.
///
/// Whoever starts commands also ends the batch: after a pump of a connection call
/// backstore().flush_submissions() or, for all disks at once, IoPool::flush_submissions().
///
/// The abort members below may call command_aborted() before they return (the command had no disk
/// request outstanding) or later. data_out_ready() must not be called for an aborted command.
class LogicalUnit {
 public:
  LogicalUnit(Identity identity, std::unique_ptr<backstore::Backstore> backstore, Log log,
              const Attributes& attributes = {});
  /// No command of it may be outstanding: detach every nexus and wait for its commands first.
  ~LogicalUnit();
  LogicalUnit(const LogicalUnit&) = delete;
  LogicalUnit& operator=(const LogicalUnit&) = delete;

  const Identity& identity() const;
  std::uint64_t size_bytes() const;
  backstore::Backstore& backstore();

  /// A target port through which initiators reach the unit: what ALL_TG_PT and REGISTER AND MOVE
  /// go by. Its relative target port identifier is the portal group's tag.
  void add_target_port(const std::string& target_name, std::uint16_t target_portal_group_tag,
                       std::string_view port_group = kDefaultPortGroup);
  /// The target port groups, at least one and with names and ids of their own, instead of the one
  /// that a unit has by default. Before ports are added. Not for a unit that is passed through: it
  /// answers for its own.
  void set_port_groups(std::vector<PortGroup> groups);

  /// Offers APTPL: registrations that ask for it survive in `state`, and those in it are in force
  /// again. Before the unit serves. Fails, with the reason, when it does not hold this unit's.
  Result<void> keep_reservations(backstore::OpenedState state);

  /// Makes mode pages savable, in `state`; those in it are in force again. Otherwise as above.
  Result<void> keep_mode(backstore::OpenedState state);

  /// Offers WRITE ATOMIC on a disk that promises no atomic writes itself. Before the unit serves.
  void offer_atomic_writes(std::unique_ptr<backstore::AtomicJournal> journal);

  /// Offers third-party copies, which `copies` carries out; it outlives the unit's commands.
  void offer_copies(CopyManager& copies);

  /// A nexus appears: POWER ON, RESET OR BUS DEVICE RESET OCCURRED (29/00) is kept for it.
  void attach(Nexus& nexus);
  /// A nexus is gone: its unit attentions go, its commands are aborted (command_aborted for each,
  /// now or when its last disk request is back).
  void detach(Nexus& nexus);

  void abort(Command& command);       ///< ABORT TASK
  void abort_task_set(Nexus& nexus);  ///< ABORT TASK SET
  void clear_task_set(Nexus& nexus);  ///< CLEAR TASK SET; the others learn of it, see TAS
  /// CLEAR ACA: aborts the commands with the ACA attribute and lets go what the condition held.
  /// False: the condition is another nexus's.
  bool clear_aca(Nexus& nexus);
  /// LOGICAL UNIT RESET, with 29/03 for all. `by`: whose word it was, null for nobody's.
  void reset(const Nexus* by = nullptr);
  /// The transport itself ends this command of the unit with CHECK CONDITION: what follows from
  /// that for others (ACA, QERR) happens here. Not while the device server has the command.
  void note_fault(const Command& command);
  /// Commands of this nexus ended with a connection, not by its word: 47/7F is kept for it
  /// (RFC 3720 6.5).
  void note_commands_cleared(Nexus& nexus);

  /// Looks whether the backing grew or shrank; if so every nexus gets CAPACITY DATA HAS CHANGED
  /// (2A/09). True when it changed. Called about once a second, by `tsihctl resize`, and by
  /// READ CAPACITY. A SANITIZE goes on from here as well, and the thresholds of a thin unit are
  /// looked at.
  Result<bool> refresh_capacity();
  Result<void> resize(std::uint64_t size_bytes);

  /// For scsi/ itself.
  DeviceServer& device_server() { return *server_; }

 private:
  friend class LunMap;
  std::unique_ptr<DeviceServer> server_;
};

/// The LUNs that one nexus sees. The device server's entry for the transport. It outlives the
/// commands that it started; its entries may change meanwhile.
class LunMap {
 public:
  struct Entry {
    std::shared_ptr<LogicalUnit> unit;
    bool write_protected = false;
  };
  /// LUN numbers 0..16383 (peripheral and flat addressing).
  std::map<std::uint16_t, Entry> entries;

  /// Takes a command. Either it ends (owner->command_done, possibly before this returns), or it is
  /// on its way to the disk, or it asks for data: command.wanted_data_out_bytes > 0, in which case
  /// the transport collects min(wanted, expected) bytes and calls data_out_ready(). A LUN that is
  /// not mapped is answered here, as SPC says (INQUIRY, REPORT LUNS, REQUEST SENSE, or 25/00).
  void start(Command& command) const;
  static void data_out_ready(Command& command);

  /// The unit behind a wire LUN, or nullptr.
  LogicalUnit* find(const std::array<std::byte, 8>& lun) const;
};

}  // namespace tsihd::scsi
