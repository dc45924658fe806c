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

constexpr std::array<Honoured<StoragePlan>, 4> kHonoured{{
    {"block_size", "logical block in bytes: 512 or 4096; a block device has its own", block_size},
    {"emulate_write_cache", "the disk's volatile cache, the same as write_back",
     emulate_write_cache},
    {"emulate_model_alias", "INQUIRY's product is the storage object's name", emulate_model_alias},
    {"emulate_3pc", "EXTENDED COPY and its relatives are offered", emulate_3pc},
}};

constexpr std::string_view kLimits =
    "our own limits stand in VPD page B0h, where initiators read them";
constexpr std::string_view kNoProtection = "T10 protection information is not offered";

constexpr std::array<Inert, 30> kInert{{
    {"alua_support", "1|0", "no target port groups are offered; initiators ask before use"},
    {"emulate_caw", "1", "COMPARE AND WRITE cannot be switched off"},
    {"emulate_dpo", "1|0", "DPO is a hint about a cache that is the host's"},
    {"emulate_fua_read", "1|0", "a read always sees completed writes"},
    {"emulate_fua_write", "1", "FUA is always honoured"},
    {"emulate_pr", "1", "reservations cannot be switched off"},
    {"emulate_rest_reord", "0", "commands are never reordered against their task attributes"},
    {"emulate_rsoc", "1|0", "the commands that are served do not change with it"},
    {"emulate_tas", "1", "TASK ABORTED status is what the control mode page says"},
    {"emulate_tpu", "0|1", "UNMAP is offered where the backing can give space back"},
    {"emulate_tpws", "0|1", "UNMAP by WRITE SAME is offered where the backing can give space back"},
    {"emulate_ua_intlck_ctrl", "0", "unit attentions are cleared when they are reported"},
    {"enforce_pr_isids", "1", "a registration always belongs to one initiator port"},
    {"force_pr_aptpl", "0", "registrations are kept over a power loss only where asked for"},
    {"is_nonrot", "0|1", "the medium's rotation is read from the backing"},
    {"max_unmap_block_desc_count", "*", kLimits},
    {"max_unmap_lba_count", "*", kLimits},
    {"max_write_same_len", "*", kLimits},
    {"optimal_sectors", "*", kLimits},
    {"unmap_granularity", "*", kLimits},
    {"unmap_granularity_alignment", "*", kLimits},
    {"unmap_zeroes_data", "0|1", "unmapped blocks always read as zeroes"},
    {"pgr_support", "1", "persistent reservations cannot be switched off"},
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
