// What a configuration switches on and off of a unit, in LIO's words
// (target/config/storage_rules.cpp).
#pragma once

#include <cstdint>
#include <optional>

namespace tsihd::scsi {

struct Attributes {
  bool unmap = true;                     ///< emulate_tpu: UNMAP, where the backstore can discard
  bool unmap_by_write_same = true;       ///< emulate_tpws: WRITE SAME's UNMAP bit, likewise
  bool compare_and_write = true;         ///< emulate_caw
  bool reservations = true;              ///< emulate_pr: persistent ones, RESERVE and RELEASE
  bool operation_codes = true;           ///< emulate_rsoc: REPORT SUPPORTED OPERATION CODES
  bool port_groups = true;               ///< alua_support: target port groups (port_groups.h)
  bool task_aborted_status = false;      ///< emulate_tas: the default of TAS
  bool restricted_reordering = false;    ///< emulate_rest_reord: the default of QAM
  std::uint8_t attention_interlock = 0;  ///< emulate_ua_intlck_ctrl: the default of UA_INTLCK_CTRL,
                                         ///< as in the mode page (0, 2, 3)
  bool force_persistence = false;        ///< force_pr_aptpl: every registration as with APTPL
  std::optional<bool> rotational{};      ///< is_nonrot; null: as the backstore says
  // Limits, in blocks. 0: the target's own (limits.h), or what the backstore says; none exceeds
  // those.
  std::uint32_t max_unmap_blocks = 0;          ///< max_unmap_lba_count
  std::uint32_t max_unmap_descriptors = 0;     ///< max_unmap_block_desc_count
  std::uint32_t max_write_same_blocks = 0;     ///< max_write_same_len
  std::uint32_t optimal_transfer_blocks = 0;   ///< optimal_sectors
  std::uint32_t unmap_granularity_blocks = 0;  ///< unmap_granularity; may be any
  std::uint32_t unmap_alignment_blocks = 0;    ///< unmap_granularity_alignment, with the former
};

}  // namespace tsihd::scsi
