// One SCSI task of a session: the command that the device server sees, and what the transport
// knows besides: where its data stands, which R2Ts are out, what is still owed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "target/base/time.h"
#include "target/scsi/buffer.h"
#include "target/scsi/command.h"
#include "target/session/byte_ranges.h"

namespace tsihd::session {

class Connection;
class Session;

/// What waits for its turn to be put into response PDUs, in the order of the responses.
struct Pending {
  enum class Kind : std::uint8_t { task, task_management, logout, replay };
  explicit Pending(Kind pending_kind) : kind(pending_kind) {}
  Pending* next_pending = nullptr;
  Kind kind;
};

/// What an R2T says.
struct R2tRequest {
  std::uint32_t target_transfer_tag = 0;
  std::uint32_t r2t_sn = 0;
  std::uint32_t offset_bytes = 0;
  std::uint32_t length_bytes = 0;
};

/// One sequence of data: what an R2T asked for, or what comes unsolicited.
struct Transfer : R2tRequest {
  std::uint32_t data_sn = 0;  ///< expected next; counts from 0 in each sequence (10.7.5)
  bool open = false;          ///< its last Data-Out (F bit) has not come
  bool lossy = false;         ///< PDUs of it were lost: what is missing is asked for again
  ByteRanges got{};

  std::uint32_t end_bytes() const { return offset_bytes + length_bytes; }
};

/// Where the Data-In PDUs of a task are cut into segments of one size: from here on.
struct Segmentation {
  std::uint32_t data_sn = 0;
  std::uint32_t offset_bytes = 0;
  std::uint32_t segment_bytes = 0;
};

struct Task;

/// Data-In PDUs of a task that are sent once more (10.16).
struct Replay : Pending {
  Replay() : Pending(Kind::replay) {}
  Task* task = nullptr;  ///< null: none is under way
  std::uint32_t data_sn = 0;
  std::uint32_t end_data_sn = 0;
  std::uint32_t offset_bytes = 0;
};

struct Task final : scsi::Command, Pending {
  /// R2Ts that we keep out at once, whatever more was negotiated.
  static constexpr std::size_t kMaxTransfers = 8;
  static constexpr std::uint32_t kNoTag = 0xffffffff;
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
    answered,    ///< its status is sent and not acknowledged (ErrorRecoveryLevel 1 and 2)
    stranded     ///< ended, but its connection is lost: waits for TASK REASSIGN
  };

  Task() : Pending(Kind::task) {}
  /// Takes the task out of the pool's dust: everything but index and the links of the pool.
  void renew();
  /// Ends it with this sense instead of what the device server says.
  void condemn(Condition condition);
  void condemn(scsi::Status with_status);
  /// The initiator still owes data that it announced, or that we asked for.
  bool owes_data() const { return unsolicited.open || open_transfers > 0; }
  Transfer* find_transfer(std::uint32_t target_transfer_tag);
  /// A Target Transfer Tag that leads back to this task.
  std::uint32_t new_tag() { return std::uint32_t{index} << 16 | next_tag++; }
  /// R2Ts with lower numbers have arrived, by what came in answer to them or later ones.
  std::uint32_t first_unanswered_r2t() const;
  /// No more comes of this sequence: what is missing of it is asked for again.
  void give_up(Transfer& transfer);
  /// The connection of its sequences is gone: the same for each of them, and R2TSNs go on where the
  /// initiator may have seen the last (`exp_data_sn`, or 0 when it does not say).
  void give_up_sequences(std::uint32_t exp_data_sn);
  /// Where the Data-In PDU with this DataSN began, or nothing when that is not known any more.
  /// `burst_bytes`: MaxBurstLength in whole words.
  std::optional<std::uint32_t> offset_of(std::uint32_t data_sn, std::uint32_t burst_bytes) const;
  /// Segments are of this size from what is next to be sent on.
  void segment(std::uint32_t segment_bytes);
  std::uint32_t segment_bytes() const {
    return segmentations[segmentation_count - 1].segment_bytes;
  }
  /// How long the Data-In PDU at this place is, in the latest segmentation.
  std::uint32_t data_in_bytes_at(std::uint32_t offset_bytes, std::uint32_t burst_bytes) const;

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
  std::uint32_t received_bytes = 0;   ///< how many bytes of data_out are there
  Transfer unsolicited{};             ///< its length is min(FirstBurstLength, EDTL)
  std::uint32_t solicited_bytes = 0;  ///< asked for or received, from offset 0; see holes
  std::array<ByteRanges::Run, kMaxTransfers + 1> holes;  ///< below it: lost, to be asked for again
  std::uint8_t hole_count = 0;
  std::uint8_t recoveries = 0;  ///< sequences that were asked for again
  /// R2Ts that nothing has answered and that recovery R2Ts have replaced: of one that was lost, the
  /// initiator will miss the number and ask for it (6.8).
  std::array<R2tRequest, kMaxTransfers> replaced;
  std::uint8_t replaced_count = 0;
  Instant last_data;  ///< when data of it came or was asked for; ErrorRecoveryLevel > 0
  std::uint32_t r2t_sn = 0;
  std::uint16_t next_tag = 0;
  std::uint16_t open_transfers = 0;
  std::array<Transfer, kMaxTransfers> transfers;

  // To the initiator.
  std::uint32_t sent_bytes = 0;
  std::uint32_t data_sn = 0;
  std::uint32_t pdus_unsent = 0;  ///< queued PDUs whose bytes lie in this task
  bool emitted = false;           ///< every PDU of it is queued
  bool status_sent = false;       ///< its status was sent, on this connection or a lost one
  bool retained = false;          ///< in its connection's history of responses
  bool status_in_data = false;    ///< its status went with the last Data-In
  std::uint32_t stat_sn = 0;      ///< of its status, once that is sent
  std::uint32_t snack_tag = 0;    ///< of the last R-Data SNACK
  std::uint32_t acknowledge_tag = kNoTag;  ///< Target Transfer Tag that goes with the A bit
  std::uint32_t acknowledged_data_sn = 0;  ///< Data-In PDUs below it have arrived (10.5.6)
  std::array<Segmentation, 4> segmentations;
  std::uint8_t segmentation_count = 0;
  Replay replay;

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
  void push_front(Pending& pending);
  void pop();
  void remove(Pending& pending);

 private:
  Pending* head_ = nullptr;
  Pending* tail_ = nullptr;
};

}  // namespace tsihd::session
