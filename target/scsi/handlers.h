// The functions behind the table of operations, by the file that holds them.
#pragma once

#include "target/scsi/task.h"

namespace tsihd::scsi {

// inquiry.cpp
void inquiry(Task& task);
// primary.cpp
void test_unit_ready(Task& task);
void request_sense(Task& task);
void report_luns(Task& task);
void report_supported_operation_codes(Task& task);
void report_supported_task_management(Task& task);
// mode_commands.cpp
void mode_sense(Task& task);
void mode_select(Task& task);
// log_pages.cpp
void log_sense(Task& task);
// port_group_commands.cpp
void report_target_port_groups(Task& task);
void set_target_port_groups(Task& task);
// read_write.cpp
void read_blocks(Task& task);
void write_blocks(Task& task);
// write_atomic.cpp
void write_atomic(Task& task);
// verify.cpp
void verify(Task& task);
void write_and_verify(Task& task);
void compare_and_write(Task& task);
void or_write(Task& task);
// provisioning.cpp
void unmap(Task& task);
void write_same(Task& task);
// sanitize.cpp
void sanitize_overwrite(Task& task);
void sanitize_block_erase(Task& task);
void sanitize_exit_failure_mode(Task& task);
// lba_status.cpp
void get_lba_status(Task& task);
// copy_commands.cpp
void extended_copy(Task& task);
void copy_operation_abort(Task& task);
// copy_token_commands.cpp
void populate_token(Task& task);
void write_using_token(Task& task);
// copy_results.cpp
void receive_copy_status_lid1(Task& task);
void receive_copy_status_lid4(Task& task);
void receive_copy_failure_details(Task& task);
void receive_rod_token_information(Task& task);
void receive_copy_parameters(Task& task);
// medium.cpp
void read_capacity_10(Task& task);
void read_capacity_16(Task& task);
void synchronize_cache(Task& task);
void prefetch(Task& task);
void read_defect_data(Task& task);
void start_stop_unit(Task& task);
void prevent_allow_medium_removal(Task& task);
// reserve.cpp
void reserve_unit(Task& task);
void release_unit(Task& task);
void persistent_reserve_in(Task& task);
// reserve_out.cpp
void persistent_reserve_out(Task& task);

/// Where a media command points; decoded by the length of its CDB.
struct BlockRange {
  std::uint64_t lba = 0;
  std::uint64_t blocks = 0;
};
BlockRange decode_range(const std::uint8_t* cdb);
/// True when the whole range is on the medium now; else the task has ended with LBA OUT OF RANGE.
bool check_range(Task& task, const BlockRange& range);
/// The longest WRITE ATOMIC of this unit; 0: it has none.
std::uint32_t max_atomic_blocks(const DeviceServer& server);
/// True when RDPROTECT, WRPROTECT or VRPROTECT is zero; else the task has ended: the medium is not
/// formatted with protection information.
bool check_no_protection(Task& task);

}  // namespace tsihd::scsi
