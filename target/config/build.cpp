#include "target/config/build.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "target/backstore/atomic_journal.h"
#include "target/backstore/open.h"
#include "target/config/size.h"

namespace tsihd::config {
namespace {

using scsi::LogicalUnit;

/// A regular file must be there and hold what the configuration promises: LIO's tools save a size,
/// and a file that shrank since has lost data that initiators think they have.
Result<void> check_file(const StoragePlan& storage) {
  struct stat status {};
  if (stat(storage.device.c_str(), &status) != 0) {
    if (errno == ENOENT && storage.create) return {};
    std::string way_out =
        errno == ENOENT && storage.size_bytes != 0
            ? fmt::format("; create it: truncate -s {} {}", storage.size_bytes, storage.device)
            : "";
    return fail(fmt::format("{}: {}{}", storage.device, std::strerror(errno), way_out));
  }
  if (S_ISDIR(status.st_mode)) {
    return fail(fmt::format("{}: a directory, expected a file or block device", storage.device));
  }
  auto have = static_cast<std::uint64_t>(status.st_size);
  if (S_ISREG(status.st_mode) && !storage.create && have < storage.size_bytes) {
    return fail(fmt::format(
        "{}: the file has {} bytes, the configuration says {}; grow it: truncate -s {} {}",
        storage.device, have, storage.size_bytes, storage.size_bytes, storage.device));
  }
  return {};
}

Result<std::unique_ptr<backstore::Backstore>> open_backstore(const StoragePlan& storage,
                                                             backstore::IoPool& pool) {
  switch (storage.plugin) {
    case Plugin::fileio: {
      if (auto checked = check_file(storage); !checked) return std::unexpected(checked.error());
      backstore::FileioOptions options;
      options.path = storage.device;
      options.write_back = storage.write_back;
      options.read_only = storage.read_only;
      options.block_size_bytes = storage.block_size_bytes;
      if (storage.create) options.create_size_bytes = storage.size_bytes;
      return backstore::open_fileio(pool, options);
    }
    case Plugin::block:
      return backstore::open_block(pool, {storage.device, storage.read_only});
    case Plugin::ramdisk:
      return backstore::open_ramdisk({storage.size_bytes, storage.block_size_bytes, &pool});
    case Plugin::pscsi:
      return backstore::open_pscsi(pool,
                                   {storage.device, storage.read_only, storage.device_reserves});
  }
  return fail("unknown plugin");
}

Result<std::shared_ptr<LogicalUnit>> open_unit(const StoragePlan& storage, backstore::IoPool& pool,
                                               const Log& log) {
  auto opened = open_backstore(storage, pool);
  if (!opened) return fail(fmt::format("{}: {}", storage.path, opened.error().message));
  std::uint32_t block = (*opened)->geometry().block_size_bytes;
  if (storage.block_size_given && block != storage.block_size_bytes) {
    return fail(fmt::format(
        "{}.attributes.block_size: {} has blocks of {} bytes, got {}; set it to what it has",
        storage.path, storage.device, block, storage.block_size_bytes));
  }
  scsi::Identity identity;
  identity.name = storage.name;
  if (!storage.model_is_name) {
    // LIO's model names for an object whose alias is off.
    constexpr std::array<const char*, 4> kModels{"FILEIO", "IBLOCK", "RAMDISK-MCP", "PSCSI"};
    identity.name = kModels[static_cast<std::size_t>(storage.plugin)];
  }
  identity.serial = storage.serial;
  identity.third_party_copy = storage.third_party_copy;
  return std::make_shared<LogicalUnit>(std::move(identity), std::move(*opened), log, storage.unit);
}

/// Opens one of the files that a unit keeps its state in and hands it over.
Result<void> keep_state(const std::string& folder, std::string_view kind, std::string_view what,
                        LogicalUnit& unit, backstore::IoPool& pool,
                        Result<void> (LogicalUnit::*keep)(backstore::OpenedState)) {
  const std::string name = fmt::format("{}_{}", kind, unit.identity().serial);
  auto state = backstore::open_state_file(pool, folder, name);
  if (!state) return std::unexpected(state.error());
  if (auto kept = (unit.*keep)(std::move(*state)); !kept)
    return fail(fmt::format("{}/{}: {}; move the file away to start without the {} in it", folder,
                            name, kept.error().message, what));
  return {};
}

Result<void> keep_states(const std::string& folder, LogicalUnit& unit, backstore::IoPool& pool) {
  if (auto kept =
          keep_state(folder, "aptpl", "registrations", unit, pool, &LogicalUnit::keep_reservations);
      !kept)
    return kept;
  return keep_state(folder, "mode", "mode parameters", unit, pool, &LogicalUnit::keep_mode);
}

/// A disk that is served read-only keeps its journal for the day when it may be written.
Result<void> keep_atomic_writes(const std::string& folder, LogicalUnit& unit,
                                backstore::IoPool& pool, const Log& log) {
  const backstore::Geometry& disk = unit.backstore().geometry();
  if (disk.max_atomic_write_bytes > 0 || disk.takes_scsi_commands || disk.read_only) return {};
  auto journal = backstore::open_atomic_journal(pool, unit.backstore(), folder,
                                                unit.identity().serial, unit.identity().name, log);
  if (!journal) return std::unexpected(journal.error());
  unit.offer_atomic_writes(std::move(*journal));
  return {};
}

session::NodeAcl build_acl(const AclPlan& plan, const PortalGroupPlan& group,
                           const scsi::LunMap& luns) {
  session::NodeAcl acl = plan.acl;
  for (const MappedLunPlan& mapped : plan.mapped_luns) {
    scsi::LunMap::Entry entry = luns.entries.at(mapped.tpg_lun);
    entry.write_protected = mapped.write_protect || group.attributes.prod_mode_write_protect;
    acl.luns.entries[mapped.index] = std::move(entry);
  }
  return acl;
}

std::unique_ptr<session::PortalGroup> build_group(
    const PortalGroupPlan& plan, const std::string& target_name,
    const std::vector<std::shared_ptr<LogicalUnit>>& units) {
  auto group = std::make_unique<session::PortalGroup>();
  group->tag = plan.tag;
  group->enabled = plan.enabled;
  group->attributes = plan.attributes;
  group->offered = plan.offered;
  group->chap = plan.chap;
  group->portals = plan.portals;
  for (const LunPlan& lun : plan.luns) {
    // The group's own map is what demo mode shows.
    group->luns.entries[lun.index] = {units.at(lun.storage),
                                      plan.attributes.demo_mode_write_protect};
    units.at(lun.storage)->add_target_port(target_name, plan.tag, lun.port_group);
  }
  for (const AclPlan& acl : plan.acls) {
    group->acls.emplace(acl.acl.initiator_name, build_acl(acl, plan, group->luns));
  }
  return group;
}

}  // namespace

Result<Built> build_inventory(const Plan& plan, backstore::IoPool& pool, const Log& log) {
  Built built;
  std::vector<std::shared_ptr<LogicalUnit>> units;
  for (const StoragePlan& storage : plan.storage) {
    auto unit = open_unit(storage, pool, log);
    if (!unit) return std::unexpected(unit.error());
    if (const std::string& folder = plan.state_folder; !folder.empty()) {
      if (auto kept = keep_states(folder, **unit, pool); !kept)
        return std::unexpected(kept.error());
      if (auto kept = keep_atomic_writes(folder, **unit, pool, log); !kept)
        return std::unexpected(kept.error());
    }
    // A device that is passed through answers for its own port groups.
    const bool groups = storage.unit.port_groups && storage.plugin != Plugin::pscsi;
    if (groups && !storage.port_groups.empty()) (*unit)->set_port_groups(storage.port_groups);
    built.disks.push_back({storage.plugin, storage.name, storage.device, *unit});
    units.push_back(std::move(*unit));
  }
  session::Inventory& inventory = built.inventory;
  inventory.discovery_authentication = plan.discovery_authentication;
  inventory.discovery_chap = plan.discovery_chap;
  for (const TargetPlan& target_plan : plan.targets) {
    auto target = std::make_unique<session::TargetNode>();
    target->name = target_plan.name;
    for (const PortalGroupPlan& group : target_plan.groups) {
      target->portal_groups.push_back(build_group(group, target->name, units));
    }
    inventory.targets.push_back(std::move(target));
  }
  return built;
}

}  // namespace tsihd::config
