// One task management function (RFC 3720 10.5, 10.6) on its way.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "target/session/task.h"

namespace tsihd::session {

enum class TaskFunction : std::uint8_t {
  abort_task = 1,
  abort_task_set = 2,
  clear_aca = 3,
  clear_task_set = 4,
  logical_unit_reset = 5,
  target_warm_reset = 6,
  target_cold_reset = 7,
  task_reassign = 8,
};

enum class TaskManagementResponse : std::uint8_t {
  function_complete = 0,
  task_does_not_exist = 1,
  lun_does_not_exist = 2,
  task_still_allegiant = 3,
  reassignment_not_supported = 4,
  function_not_supported = 5,
  function_rejected = 255,
};

/// The order of the phases is that of 10.6.2. ABORT TASK SET and CLEAR TASK SET go through all of
/// them; the others do not wait for the initiator: stock initiators stop answering R2Ts once they
/// have sent a reset, and a response that waited for that data would never come.
struct TaskManagement : Pending {
  enum class Phase : std::uint8_t {
    idle,             ///< the slot is free
    commands,         ///< commands with lower CmdSN have not all come
    data,             ///< R2Ts of the task set are not answered
    disks,            ///< aborted commands are not all back
    line,             ///< behind the responses that were there before
    acknowledgement,  ///< some initiator has not confirmed those responses by ExpStatSN
  };
  TaskManagement() : Pending(Kind::task_management) {}

  Phase phase = Phase::idle;
  TaskFunction function{};
  TaskManagementResponse response = TaskManagementResponse::function_complete;
  Connection* connection = nullptr;
  std::array<std::byte, 8> lun{};
  scsi::LogicalUnit* unit = nullptr;  ///< null: every unit that the session sees
  std::uint32_t initiator_task_tag = 0;
  std::uint32_t referenced_task_tag = 0;
  std::uint32_t ref_cmd_sn = 0;
  std::uint32_t cmd_sn = 0;
  std::uint64_t before_serial = 0;  ///< tasks that came earlier than this are covered
  std::uint32_t exp_data_sn = 0;    ///< TASK REASSIGN
  /// What ExpStatSN must reach on a connection, by its session and link.
  struct Mark {
    std::uint64_t session_id;
    std::uint32_t link;
    std::uint32_t stat_sn;
  };
  std::vector<Mark> marks;  ///< those that it has not reached

  bool is_reset() const {
    return function == TaskFunction::logical_unit_reset ||
           function == TaskFunction::target_warm_reset ||
           function == TaskFunction::target_cold_reset;
  }
  bool is_task_set() const {
    return function == TaskFunction::abort_task_set || function == TaskFunction::clear_task_set;
  }
};

}  // namespace tsihd::session
