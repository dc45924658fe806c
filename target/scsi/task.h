// One command inside the device server: from its arrival through the data from the initiator, the
// task set's ordering and its disk requests to its end. Handlers (one function a command) are
// written with the verbs of this struct; each ends in exactly one of them, last of all.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "target/backstore/backstore.h"
#include "target/scsi/buffer.h"
#include "target/scsi/command.h"
#include "target/scsi/sense.h"

namespace tsihd::scsi {

class DeviceServer;
class LunMap;
struct NexusState;
struct Operation;

struct Task {
  /// What goes on with the task after a wait; never called for an aborted one.
  using Step = void (*)(Task&);

  // -- set on arrival
  Command* command = nullptr;
  DeviceServer* server = nullptr;
  NexusState* nexus = nullptr;   ///< null when the nexus is gone, and for a part of a copy
  const LunMap* luns = nullptr;  ///< what the nexus sees now; null for a part of a copy
  const Operation* operation = nullptr;
  bool lun_write_protected = false;

  // -- the task set's
  bool special = false;    ///< ORDERED, HEAD OF QUEUE or exclusive: the fast path ends
  bool exclusive = false;  ///< runs alone (COMPARE AND WRITE)
  bool blocked = false;    ///< waits for its turn
  bool running = false;    ///< has had its turn
  bool part = false;       ///< a command of a copy: the turn it has is the copy's
  bool disk_busy = false;  ///< io is with the backstore, or a part of its copy with a unit
  bool settles = false;    ///< its flush answers for the writes of its nexus (lost_writes.h)

  // -- the device server's
  bool passes_aca = false;   ///< starts and ends although there is an ACA condition (aca.h)
  bool held = false;         ///< goes on with `resume` when the ACA condition is cleared
  bool tells_abort = false;  ///< aborted, and ends with TASK ABORTED (TAS)
  Step resume = nullptr;

  // -- the handler's
  Step step = nullptr;
  backstore::Io io;
  backstore::ScsiExchange scsi;  ///< of a command that is passed to a device
  Buffer buffer;
  std::uint64_t lba = 0;
  std::uint64_t blocks = 0;
  std::uint64_t position_bytes = 0;  ///< how far a loop over chunks has come
  std::uint32_t item = 0;            ///< which descriptor of a list is next

  struct DiskLoop* disk_loop = nullptr;
  Task* next_free = nullptr;

  const std::uint8_t* cdb() const { return command->cdb.data(); }
  /// What came from the initiator, no more than was wanted.
  std::span<const std::byte> data_out() const;

  // -- verbs that end the task; it is gone when they return
  void good() { finish(Status::good); }
  static void good_step(Task& task) { task.good(); }
  void finish(Status status);
  void fail(const Sense& sense);
  /// Ends as a part of its copy has ended.
  void fail_like(const Command& other);
  /// Ends well with `data` for the initiator, cut to the CDB's allocation length.
  void reply(std::span<const std::byte> data, std::uint64_t allocation_length_bytes);

  // -- verbs that go on in `next`
  /// Wants `bytes` from the initiator (kMaxDataOutBytes at most). When the transport expects to
  /// send nothing, `next` runs at once.
  void want_data_out(std::uint32_t bytes, Step next);
  /// Goes on when the task attributes of the task set allow it.
  void when_enabled(Step next);
  /// The same, and no other task runs meanwhile.
  void when_alone(Step next);
  void read(std::uint64_t offset_bytes, std::span<std::byte> to, Step next);
  void write(std::uint64_t offset_bytes, std::span<const std::byte> from, bool force_unit_access,
             Step next);
  /// All of it or nothing, and durable: by the unit's journal. The task runs alone.
  void write_atomically(std::uint64_t offset_bytes, std::span<const std::byte> from, Step next);
  void flush(Step next);
  /// The same, for a command that promises that earlier writes are durable (lost_writes.h).
  void settle(Step next);
  void discard(std::uint64_t offset_bytes, std::uint64_t length_bytes, Step next);
  void write_zeroes(std::uint64_t offset_bytes, std::uint64_t length_bytes, bool force_unit_access,
                    Step next);
  /// Asks how the disk is allocated: the answer is in `io`.
  void find_extent(std::uint64_t offset_bytes, std::uint64_t length_bytes, Step next);
  /// Passes `scsi`, whose CDB is set, to the device; its answer is there in `next`.
  void pass(backstore::ScsiExchange::Direction direction, std::span<std::byte> data, Step next);
  /// A buffer of at least `bytes`; false when there is none, in which case the task has ended with
  /// BUSY.
  bool take_buffer(std::uint32_t bytes);

  /// For the device server: the task is about to be recycled.
  void forget();

 private:
  void submit(backstore::Op op, Step next);
  void after_disk();
  bool owes_word_of_a_loss();
  void note_change() const;
  void end_without_data(Status status);
  std::optional<std::uint64_t> first_lba_gone();
  static void disk_done(backstore::Io& io);
};

}  // namespace tsihd::scsi
