// One SCSI task of a session: the command that the device server sees, and what the transport
// knows besides: where its data stands, which R2Ts are out, what is still owed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "target/scsi/buffer.h"
#include "target/scsi/command.h"

namespace tsihd::session {

class Connection;
class Session;

/// What waits for its turn to be put into response PDUs, in the order of the responses.
struct Pending {
  enum class Kind : std::uint8_t { task, task_management, logout };
  explicit Pending(Kind pending_kind) : kind(pending_kind) {}
  Pending* next_pending = nullptr;
  Kind kind;
};

/// Data asked for by one R2T and not yet complete.
struct Transfer {
  std::uint32_t target_transfer_tag = 0;
  std::uint32_t offset_bytes = 0;
  std::uint32_t length_bytes = 0;
  std::uint32_t received_bytes = 0;
  std::uint32_t data_sn = 0;  ///< expected next; counts from 0 in each sequence (10.7.5)
  bool open = false;          ///< its last Data-Out (F bit) has not come
};

struct Task final : scsi::Command, Pending {
  /// R2Ts that we keep out at once, whatever more was negotiated.
  static constexpr std::size_t kMaxTransfers = 8;
  /// Iscsi conditions that end a task with CHECK CONDITION, ABORTED COMMAND (10.4.7.2).
  enum class Condition : std::uint16_t {
    unexpected_unsolicited_data = 0x0c0c,
    incorrect_amount_of_data = 0x0c0d,
    crc_error = 0x4705,
  };
  enum class Stage : std::uint8_t {
    idle,        ///< in the pool
    ordering,    ///< waits for the commands before it
    queued,      ///< waits for memory
    device,      ///< given to the device server
    responding,  ///< in the connection's line for responses, or being sent
    stranded     ///< ended, but its connection is lost: waits for TASK REASSIGN
  };

  Task() : Pending(Kind::task) {}
  /// Takes the task out of the pool's dust: everything but index and the links of the pool.
  void renew();
  /// Ends it with this sense instead of what the device server says.
  void condemn(Condition condition);
  void condemn(scsi::Status with_status);
  /// The initiator still owes data that it announced, or that we asked for.
  bool owes_data() const { return unsolicited_open || open_transfers > 0; }
  Transfer* find_transfer(std::uint32_t target_transfer_tag);

  Session* session = nullptr;
  Connection* connection = nullptr;  ///< allegiance; null once that connection is gone
  std::uint32_t link = 0;            ///< of that connection, also once it is gone
  std::uint64_t serial = 0;          ///< order of arrival over all sessions
  std::uint32_t initiator_task_tag = 0;
  std::uint32_t cmd_sn = 0;
  std::uint16_t index = 0;  ///< its place in the session's pool
  Stage stage = Stage::idle;
  bool immediate = false;
  bool read = false;
  bool write = false;
  bool launched = false;             ///< was given to the device server once
  bool at_device = false;            ///< between start() and command_done() or command_aborted()
  bool collecting = false;           ///< the device server wants data that has not all come
  bool condemned = false;            ///< status and sense are the transport's
  bool silent = false;               ///< aborted: ends without a response
  bool stopped = false;              ///< no further R2T: a task set function waits for it
  bool listed = false;               ///< found by its Initiator Task Tag
  bool counted = false;              ///< takes a place of the command window
  std::uint64_t reserved_bytes = 0;  ///< of the session's budget for data

  // From the initiator.
  scsi::Buffer out_buffer;
  std::uint32_t received_bytes = 0;           ///< data_out without holes up to here
  bool unsolicited_open = false;              ///< unsolicited Data-Out may still come (F bit)
  std::uint32_t unsolicited_limit_bytes = 0;  ///< min(FirstBurstLength, EDTL)
  std::uint32_t unsolicited_data_sn = 0;
  std::uint32_t solicited_bytes = 0;  ///< asked for or received, from offset 0
  std::uint32_t r2t_sn = 0;
  std::uint16_t next_tag = 0;
  std::uint16_t open_transfers = 0;
  std::array<Transfer, kMaxTransfers> transfers;

  // To the initiator.
  std::uint32_t sent_bytes = 0;
  std::uint32_t data_sn = 0;
  std::uint32_t pdus_unsent = 0;  ///< queued PDUs whose bytes lie in this task
  bool emitted = false;           ///< every PDU of it is queued

  // The pool's.
  Task* next_by_tag = nullptr;
  Task* previous_in_use = nullptr;
  Task* next_in_use = nullptr;
  Task* next_queued = nullptr;
};

/// First in, first out, without memory of its own.
class PendingLine {
 public:
  bool empty() const { return head_ == nullptr; }
  Pending* front() const { return head_; }
  void push(Pending& pending);
  void pop();
  void remove(Pending& pending);

 private:
  Pending* head_ = nullptr;
  Pending* tail_ = nullptr;
};

}  // namespace tsihd::session
