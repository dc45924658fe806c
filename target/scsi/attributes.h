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
};

}  // namespace tsihd::scsi
