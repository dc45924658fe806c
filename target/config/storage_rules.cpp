// Storage object attributes, as LIO 6.1 saves them (and those of later kernels that change
// nothing here).
#include <array>

#include "target/config/rules.h"

namespace tsihd::config {
namespace {

void block_size(const Value& value, StoragePlan& storage) {
  auto bytes = value.number(512, 4096);
  if (!bytes) return;
  if (*bytes != 512 && *bytes != 4096) {
    value.refuse(
        "expected a logical block of 512 or 4096 bytes, which initiators know how to use; "
        "set it to one of them");
    return;
  }
  storage.block_size_bytes = static_cast<std::uint32_t>(*bytes);
  storage.block_size_given = true;
}

void emulate_write_cache(const Value& value, StoragePlan& storage) {
  auto on = value.boolean();
  if (!on) return;
  if (*on && storage.plugin != Plugin::fileio) {
    value.refuse(
        "expected 0: a block device says itself whether it has a cache, and memory is one");
    return;
  }
  if (*on != storage.write_back) {
    value.refuse(
        "it contradicts the storage object's write_back; set both to the same (1 and true: a "
        "completed write may be lost with the power until it is flushed)");
  }
}

void emulate_model_alias(const Value& value, StoragePlan& storage) {
  if (auto on = value.boolean()) storage.model_is_name = *on;
}

void emulate_3pc(const Value& value, StoragePlan& storage) {
  if (auto on = value.boolean()) storage.third_party_copy = *on;
}

void pgr_support(const Value& value, StoragePlan& storage) {
  auto on = value.boolean();
  if (!on || *on) return;
  if (storage.plugin != Plugin::pscsi) {
    value.refuse("expected 1: there is no device that could look after reservations instead");
    return;
  }
  storage.device_reserves = true;
}

/// A switch of the unit that LIO keeps as 0 or 1.
template <bool scsi::Attributes::*Member>
void unit_switch(const Value& value, StoragePlan& storage) {
  if (auto on = value.boolean()) storage.unit.*Member = *on;
}

void is_nonrot(const Value& value, StoragePlan& storage) {
  if (auto on = value.boolean()) storage.unit.rotational = !*on;
}

void emulate_ua_intlck_ctrl(const Value& value, StoragePlan& storage) {
  // LIO counts the three settings, the mode page has their bits (SPC-4 7.5.8).
  constexpr std::array<std::uint8_t, 3> kBits{0, 2, 3};
  if (auto setting = value.number(0, 2))
    storage.unit.attention_interlock = kBits[static_cast<std::size_t>(*setting)];
}

using Unit = scsi::Attributes;
constexpr std::array<Honoured<StoragePlan>, 15> kHonoured{{
    {"block_size", "logical block in bytes: 512 or 4096; a block device has its own", block_size},
    {"emulate_write_cache", "the disk's volatile cache, the same as write_back",
     emulate_write_cache},
    {"emulate_model_alias", "INQUIRY's product is the storage object's name", emulate_model_alias},
    {"emulate_3pc", "EXTENDED COPY and its relatives are offered", emulate_3pc},
    {"emulate_tpu", "UNMAP, where the backing can give space back", unit_switch<&Unit::unmap>},
    {"emulate_tpws", "UNMAP by WRITE SAME, where the backing can give space back",
     unit_switch<&Unit::unmap_by_write_same>},
    {"emulate_caw", "COMPARE AND WRITE", unit_switch<&Unit::compare_and_write>},
    {"emulate_pr", "persistent reservations, RESERVE and RELEASE",
     unit_switch<&Unit::reservations>},
    {"emulate_rsoc", "REPORT SUPPORTED OPERATION CODES", unit_switch<&Unit::operation_codes>},
    {"emulate_tas", "the default of TAS in the control mode page",
     unit_switch<&Unit::task_aborted_status>},
    {"emulate_rest_reord", "the default of QAM in the control mode page: writes keep their order",
     unit_switch<&Unit::restricted_reordering>},
    {"emulate_ua_intlck_ctrl", "the default of UA_INTLCK_CTRL in the control mode page: 0, 1, 2",
     emulate_ua_intlck_ctrl},
    {"force_pr_aptpl", "every registration is kept over a power loss (--state)",
     unit_switch<&Unit::force_persistence>},
    {"is_nonrot",
     "1: the medium does not rotate, 0: nothing is said; without it the backing is asked",
     is_nonrot},
    {"pgr_support", "reservations are tsihd's to keep; 0: a pscsi object's go to the device",
     pgr_support},
}};

constexpr std::string_view kLimits =
    "our own limits stand in VPD page B0h, where initiators read them";
constexpr std::string_view kNoProtection = "T10 protection information is not offered";

constexpr std::array<Inert, 19> kInert{{
    {"alua_support", "1|0", "no target port groups are offered; initiators ask before use"},
    {"emulate_dpo", "1|0", "DPO is a hint about a cache that is the host's"},
    {"emulate_fua_read", "1|0", "a read always sees completed writes"},
    {"emulate_fua_write", "1", "FUA is always honoured"},
    {"enforce_pr_isids", "1", "a registration always belongs to one initiator port"},
    {"max_unmap_block_desc_count", "*", kLimits},
    {"max_unmap_lba_count", "*", kLimits},
    {"max_write_same_len", "*", kLimits},
    {"optimal_sectors", "*", kLimits},
    {"unmap_granularity", "*", kLimits},
    {"unmap_granularity_alignment", "*", kLimits},
    {"unmap_zeroes_data", "0|1", "unmapped blocks always read as zeroes"},
    {"pi_prot_format", "0", kNoProtection},
    {"pi_prot_type", "0", kNoProtection},
    {"pi_prot_verify", "0", kNoProtection},
    {"queue_depth", "*", "the CmdSN window bounds the queue: default_cmdsn_depth"},
    {"hw_queue_depth", "*", "the CmdSN window bounds the queue: default_cmdsn_depth"},
    {"submit_type", "0|1|2", "it chooses among the kernel's work queues"},
    {"complete_type", "0|1|2", "it chooses among the kernel's work queues"},
}};

constexpr std::string_view kDefaultGroup =
    "LIO's tools do not restore the default group, and no target port groups are offered";
constexpr std::array<Inert, 15> kAluaGroup{{
    {"alua_access_state", "*", kDefaultGroup},
    {"alua_access_status", "*", kDefaultGroup},
    {"alua_access_type", "*", kDefaultGroup},
    {"alua_support_active_nonoptimized", "*", kDefaultGroup},
    {"alua_support_active_optimized", "*", kDefaultGroup},
    {"alua_support_offline", "*", kDefaultGroup},
    {"alua_support_standby", "*", kDefaultGroup},
    {"alua_support_transitioning", "*", kDefaultGroup},
    {"alua_support_unavailable", "*", kDefaultGroup},
    {"alua_write_metadata", "*", kDefaultGroup},
    {"implicit_trans_secs", "*", kDefaultGroup},
    {"nonop_delay_msecs", "*", kDefaultGroup},
    {"preferred", "*", kDefaultGroup},
    {"tg_pt_gp_id", "*", kDefaultGroup},
    {"trans_delay_msecs", "*", kDefaultGroup},
}};

}  // namespace

std::span<const Honoured<StoragePlan>> storage_attributes() { return kHonoured; }
std::span<const Inert> inert_storage_attributes() { return kInert; }
std::span<const Inert> inert_alua_group_fields() { return kAluaGroup; }

}  // namespace tsihd::config
