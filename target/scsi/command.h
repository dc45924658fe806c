// One SCSI command on its way through the device server: what the transport knows of it, what the
// logical unit answers. The face between session/ and scsi/.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "target/scsi/buffer.h"

namespace tsihd::scsi {

/// SAM status codes.
enum class Status : std::uint8_t {
  good = 0x00,
  check_condition = 0x02,
  condition_met = 0x04,
  busy = 0x08,
  reservation_conflict = 0x18,
  task_set_full = 0x28,
  aca_active = 0x30,
  task_aborted = 0x40,
};

/// SAM task attributes, with the numbers of the iSCSI ATTR field (RFC 3720 10.3.1).
enum class TaskAttribute : std::uint8_t {
  untagged = 0,
  simple = 1,
  ordered = 2,
  head = 3,
  aca = 4
};

/// An I_T nexus: one initiator port at one target port. Owned by the session that is its body; it
/// outlives every command that names it. Unit attentions and reservations hang on it.
struct Nexus {
  std::uint64_t id = 0;             ///< never reused while the process lives
  std::string initiator_name;       ///< iqn.…, prepared (session/name.h)
  std::string initiator_port_name;  ///< "iqn.…,i,0x<12 hex digits of the ISID>"
  std::string target_name;
  std::uint16_t target_portal_group_tag = 1;
};

class LogicalUnit;
struct Command;
struct Task;

/// Told once when a command given to the device server has come to its end.
class CommandOwner {
 public:
  /// The command is finished: status, sense, data_in and transferred byte counts are set. May run
  /// inside start() or data_out_ready(). After it the device server has forgotten the command.
  virtual void command_done(Command& command) = 0;
  /// The command was aborted (by task management, reset or the loss of its nexus) and its last
  /// disk request, if any, has come back: no write of it can land any more. No response is due.
  /// One that another nexus had aborted ends with command_done and TASK ABORTED instead where the
  /// control mode page says so (TAS).
  virtual void command_aborted(Command& command) = 0;

 protected:
  ~CommandOwner() = default;
};

/// The most data that one command carries in either direction (block limits VPD: 8 MiB; COMPARE AND
/// WRITE and parameter lists stay below it). A CDB that asks for more is refused.
inline constexpr std::uint32_t kMaxTransferBytes = 8u << 20;
inline constexpr std::uint32_t kMaxDataOutBytes = kMaxTransferBytes;

/// Owned by the session (pooled there); lent to the device server from start() until one of the
/// CommandOwner calls.
struct Command {
  // -- set by the transport
  CommandOwner* owner = nullptr;
  Nexus* nexus = nullptr;
  std::array<std::byte, 8> lun{};  ///< as on the wire
  std::array<std::uint8_t, 32> cdb{};
  std::uint8_t cdb_bytes = 16;
  TaskAttribute attribute = TaskAttribute::simple;
  std::uint32_t expected_data_in_bytes = 0;   ///< EDTL of the read direction
  std::uint32_t expected_data_out_bytes = 0;  ///< EDTL of the write direction
  /// What came from the initiator: at least min(expected, wanted) bytes once data_out_ready() runs.
  std::span<const std::byte> data_out;

  // -- set by the device server
  /// start() found the command good so far and wants this many bytes of data_out before it goes
  /// on. May be more than expected (what came is used, the residual says the rest), never more than
  /// kMaxDataOutBytes. Zero: no data is wanted, data_out_ready() must not be called.
  std::uint32_t wanted_data_out_bytes = 0;
  Status status = Status::good;
  std::array<std::byte, 96> sense{};
  std::uint8_t sense_bytes = 0;
  Buffer data_in;                   ///< what goes to the initiator
  std::uint32_t data_in_bytes = 0;  ///< how much of it; never above expected_data_in_bytes
  /// What the CDB called for in each direction, for the residual count (RFC 3720 10.4.4): the
  /// residual is expected - required (underflow) or required - expected (overflow). Zero when the
  /// command ended before it moved data.
  std::uint64_t required_data_in_bytes = 0;
  std::uint64_t required_data_out_bytes = 0;

  // -- the device server's own state; the transport leaves it alone
  LogicalUnit* unit = nullptr;
  Task* task = nullptr;
  bool aborted = false;
  Command* previous = nullptr;  ///< the task set's list
  Command* next = nullptr;
};

}  // namespace tsihd::scsi
