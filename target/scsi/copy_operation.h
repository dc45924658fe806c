// One third-party copy on its way: runs of blocks, moved chunk by chunk with READ and WRITE
// commands of its own at the units they lie on.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "target/scsi/buffer.h"
#include "target/scsi/command.h"
#include "target/scsi/copy_tokens.h"
#include "target/scsi/sense.h"

namespace tsihd::scsi {

class CopyManager;
class DeviceServer;
class LogicalUnit;
struct Task;

/// What RECEIVE COPY ... tells of a copy, while it runs and afterwards.
struct CopyRecord {
  enum class State : std::uint8_t { running, good, failed, aborted };

  const DeviceServer* unit = nullptr;  ///< that took the command
  std::uint64_t nexus_id = 0;
  std::uint32_t list_identifier = 0;
  bool identified = true;  ///< LIST ID USAGE: false when nobody can ask for it
  std::uint8_t service_action = 0;
  State state = State::running;
  std::uint16_t segments = 0;
  std::uint16_t parts = 0;  ///< OPERATION COUNTER, which wraps
  std::uint64_t bytes = 0;  ///< written
  std::array<std::byte, 96> sense{};
  std::uint8_t sense_bytes = 0;
  std::optional<TokenBytes> token = std::nullopt;  ///< what POPULATE TOKEN made
};

/// A logical unit as the nexus that asks for the copy sees it.
struct CopyParty {
  std::shared_ptr<LogicalUnit> unit;  ///< held: its LUN may go while the copy runs
  bool write_protected = false;
};

/// A stretch of blocks to be moved, or a unit to be looked at.
struct CopyRun {
  enum class Kind : std::uint8_t {
    copy,
    zero,  ///< no source: zeroes are written
    check  ///< TEST UNIT READY of the source, SPC-4 6.4.6.8
  };
  Kind kind = Kind::copy;
  CopyParty source;
  CopyParty destination;
  std::uint64_t source_lba = 0;
  std::uint64_t destination_lba = 0;
  /// Moved. Where it ends inside a block, the rest of the source's block is left behind and the
  /// rest of the destination's is filled with zeroes (PAD).
  std::uint64_t bytes = 0;
  std::uint16_t descriptor_at = 0;  ///< the segment descriptor's offset in the parameter list
  std::optional<Sense> refused = std::nullopt;  ///< why it cannot be done; told when its turn comes
};

struct CopyRequest {
  CopyRecord record;
  std::vector<CopyRun> runs;
  std::uint64_t token_id = 0;  ///< that the data comes by; 0: none
  bool deletes_token = false;  ///< DEL_TKN: void when the copy has ended well
};

/// Owned by the copy manager. Source and destination overlapping on one unit come out as if all had
/// been read before anything was written.
class CopyOperation final : public CommandOwner {
 public:
  CopyOperation(CopyManager& manager, Task& task, CopyRequest request);

  /// Goes on until a unit has to be waited for or the turn is used up; ends the task when done.
  void advance();
  /// COPY OPERATION ABORT.
  void abort() { abort_asked_ = true; }
  /// Ends the task as the copy ended. For the manager, which has taken the copy off its list.
  void end_task();

  const CopyRecord& record() const { return request_.record; }
  /// False when the nexus that could ask for the record is gone.
  bool has_reader() const;
  /// Its command is aborted, or somebody asked for its end.
  bool is_stopped() const;
  /// It waits for the next turn and for no unit.
  bool waits_for_turn() const { return !ended_ && !part_busy_; }

  void command_done(Command& part) override;
  void command_aborted(Command& part) override;

 private:
  enum class Step : std::uint8_t { next, read, write, other };

  bool next();
  void begin_chunk(const CopyRun& run);
  void write_chunk(const CopyRun& run);
  void zero_chunk(const CopyRun& run);
  void chunk_done(std::uint64_t bytes);
  void send(const CopyParty& party, Step step, std::span<const std::byte> data_out);
  void part_failed(Status status);
  std::optional<Sense> refuses(const CopyRun& run) const;
  bool is_extended_copy() const;
  void fail(Sense why);
  void end(CopyRecord::State state);

  CopyManager& manager_;
  Task& task_;
  CopyRequest request_;
  std::size_t run_ = 0;
  std::uint64_t position_bytes_ = 0;  ///< how much of the run is done
  std::uint64_t chunk_at_bytes_ = 0;  ///< where in the run the chunk begins
  std::uint64_t chunk_bytes_ = 0;
  std::int64_t turn_bytes_ = 0;  ///< what is left of the turn
  Command part_;
  Step step_ = Step::next;
  Buffer data_;
  std::optional<Sense> why_;
  bool pass_on_ = false;  ///< the task ends as the part did
  bool backward_ = false;
  bool part_busy_ = false;
  bool advancing_ = false;
  bool abort_asked_ = false;
  bool ended_ = false;
  bool task_ended_ = false;
};

}  // namespace tsihd::scsi
