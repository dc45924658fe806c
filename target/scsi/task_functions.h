// Task management functions, declared once: a transport carries out what stands here and nothing
// else, REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS and docs/scsi-commands.md say the same.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tsihd::scsi {

struct TaskFunctionRow {
  std::uint8_t iscsi_code;  ///< RFC 3720 10.5.1
  std::string_view name;
  std::uint8_t support_bit;  ///< of byte 0 of the parameter data (SPC-4 6.36)
};

inline constexpr std::array<TaskFunctionRow, 7> kTaskFunctions{{
    {1, "ABORT TASK", 0x80},
    {2, "ABORT TASK SET", 0x40},
    {3, "CLEAR ACA", 0x20},
    {4, "CLEAR TASK SET", 0x10},
    {5, "LOGICAL UNIT RESET", 0x08},
    {6, "TARGET WARM RESET", 0x02},
    {7, "TARGET COLD RESET", 0x02},
}};

constexpr bool offers_task_function(std::uint8_t iscsi_code) {
  for (const TaskFunctionRow& it : kTaskFunctions)
    if (it.iscsi_code == iscsi_code) return true;
  return false;
}

}  // namespace tsihd::scsi
