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

/// A limit that tightens ours, in VPD page B0h and where it is kept.
template <std::uint32_t scsi::Attributes::*Member>
void unit_limit(const Value& value, StoragePlan& storage) {
  if (auto blocks = value.number(0, UINT32_MAX))
    storage.unit.*Member = static_cast<std::uint32_t>(*blocks);
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
constexpr std::array<Honoured<StoragePlan>, 22> kHonoured{{
    {"block_size", "logical block in bytes: 512 or 4096; a block device has its own", block_size},
    {"emulate_write_cache", "the disk's volatile cache, the same as write_back",
     emulate_write_cache},
    {"emulate_model_alias", "INQUIRY's product is the storage object's name", emulate_model_alias},
    {"emulate_3pc", "EXTENDED COPY and its relatives are offered", emulate_3pc},
    {"alua_support", "target port groups", unit_switch<&Unit::port_groups>},
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
    {"max_unmap_block_desc_count",
     "ranges of one UNMAP; 0: tsihd's own limit, as for the next three",
     unit_limit<&Unit::max_unmap_descriptors>},
    {"max_unmap_lba_count", "blocks of one UNMAP", unit_limit<&Unit::max_unmap_blocks>},
    {"max_write_same_len", "blocks of one WRITE SAME", unit_limit<&Unit::max_write_same_blocks>},
    {"optimal_sectors", "the OPTIMAL TRANSFER LENGTH, in blocks",
     unit_limit<&Unit::optimal_transfer_blocks>},
    {"unmap_granularity", "the OPTIMAL UNMAP GRANULARITY, in blocks; 0: the backing's",
     unit_limit<&Unit::unmap_granularity_blocks>},
    {"unmap_granularity_alignment", "where the first such granule begins",
     unit_limit<&Unit::unmap_alignment_blocks>},
    {"pgr_support", "reservations are tsihd's to keep; 0: a pscsi object's go to the device",
     pgr_support},
}};

constexpr std::string_view kNoProtection = "T10 protection information is not offered";

constexpr std::array<Inert, 12> kInert{{
    {"emulate_dpo", "1|0", "DPO is a hint about a cache that is the host's"},
    {"emulate_fua_read", "1|0", "FUA is always honoured"},
    {"emulate_fua_write", "1", "FUA is always honoured"},
    {"enforce_pr_isids", "1", "a registration always belongs to one initiator port"},
    {"unmap_zeroes_data", "0|1", "LBPRZ says it: they do wherever the backing lets them"},
    {"pi_prot_format", "0", kNoProtection},
    {"pi_prot_type", "0", kNoProtection},
    {"pi_prot_verify", "0", kNoProtection},
    {"queue_depth", "*", "the CmdSN window bounds the queue: default_cmdsn_depth"},
    {"hw_queue_depth", "*", "the CmdSN window bounds the queue: default_cmdsn_depth"},
    {"submit_type", "0|1|2", "it chooses among the kernel's work queues"},
    {"complete_type", "0|1|2", "it chooses among the kernel's work queues"},
}};

// -- alua_tpgs: target port groups

using Group = scsi::PortGroup;

void access_state(const Value& value, Group& group) {
  if (auto number = value.number(0, scsi::kAccessStates - 1))
    group.state = static_cast<scsi::AccessState>(*number);
}

void access_type(const Value& value, Group& group) {
  auto bits = value.number(0, 3);
  if (!bits) return;
  group.implicit_access = (*bits & 1) != 0;
  group.explicit_access = (*bits & 2) != 0;
}

template <scsi::AccessState State>
void group_support(const Value& value, Group& group) {
  constexpr unsigned kBit = 1u << static_cast<unsigned>(State);
  auto on = value.boolean();
  if (!on) return;
  group.supported =
      static_cast<std::uint8_t>(*on ? group.supported | kBit : group.supported & ~kBit);
}

void preferred(const Value& value, Group& group) {
  if (auto on = value.boolean()) group.preferred = *on;
}
void group_id(const Value& value, Group& group) {
  if (auto id = value.number(0, 0xffff)) group.id = static_cast<std::uint16_t>(*id);
}
void implicit_trans_secs(const Value& value, Group& group) {
  if (auto seconds = value.number(0, 255))
    group.implicit_transition_s = static_cast<std::uint8_t>(*seconds);
}

constexpr std::string_view kSupports = "whether the group can be in that state";
using scsi::AccessState;
constexpr std::array<Honoured<Group>, 9> kAluaGroup{{
    {"alua_access_state",
     "0 active/optimized, 1 active/non-optimized, 2 standby, 3 unavailable; a change by SET TARGET "
     "PORT GROUPS lasts until the next start",
     access_state},
    {"alua_access_type", "1: implicit changes of its state, 2: explicit ones, 3: both",
     access_type},
    {"alua_support_active_optimized", kSupports, group_support<AccessState::active_optimized>},
    {"alua_support_active_nonoptimized", kSupports,
     group_support<AccessState::active_non_optimized>},
    {"alua_support_standby", kSupports, group_support<AccessState::standby>},
    {"alua_support_unavailable", kSupports, group_support<AccessState::unavailable>},
    {"implicit_trans_secs", "how long an implicit change takes at most", implicit_trans_secs},
    {"preferred", "the PREF bit", preferred},
    {"tg_pt_gp_id", "the group's number", group_id},
}};
constexpr std::array<Inert, 6> kInertAluaGroup{{
    {"alua_support_offline", "0|1", "no port goes offline"},
    {"alua_support_transitioning", "0|1", "a change of state takes no time"},
    {"alua_access_status", "0|1|2", "it says what changed the state before the start"},
    {"alua_write_metadata", "0|1", "a state that is set lasts until the next start"},
    {"nonop_delay_msecs", "*", "no path is slowed down on purpose"},
    {"trans_delay_msecs", "*", "no path is slowed down on purpose"},
}};

}  // namespace

std::span<const Honoured<StoragePlan>> storage_attributes() { return kHonoured; }
std::span<const Inert> inert_storage_attributes() { return kInert; }
std::span<const Honoured<scsi::PortGroup>> alua_group_fields() { return kAluaGroup; }
std::span<const Inert> inert_alua_group_fields() { return kInertAluaGroup; }

}  // namespace tsihd::config
