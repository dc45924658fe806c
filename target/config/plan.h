// What a configuration says, checked but not yet done: no disk is open, no portal is bound. The
// step between LIO's JSON (or `--serve`) and session::Inventory, so that everything can be refused
// before anything is touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "target/session/nouns.h"

namespace tsihd::config {

enum class Plugin : std::uint8_t { fileio, block, ramdisk, pscsi };
std::string_view plugin_name(Plugin plugin);  ///< LIO's: "fileio", "block", "ramdisk", "pscsi"

/// A storage object.
struct StoragePlan {
  std::string path;  ///< where it was configured, for errors: "storage_objects[0]"
  Plugin plugin = Plugin::fileio;
  std::string name;
  std::string device;            ///< file, device or its H:C:T:L; empty for a ramdisk
  std::string serial;            ///< LIO's `wwn`
  std::uint64_t size_bytes = 0;  ///< fileio on a file, ramdisk; 0 = what the device has
  bool create = false;           ///< make the file when it does not exist
  bool write_back = false;
  bool read_only = false;
  std::uint32_t block_size_bytes = 512;
  bool block_size_given = false;
  scsi::Attributes unit{};
  bool device_reserves = false;  ///< pscsi: reservations are passed to the device (pgr_support 0)
  bool model_is_name = true;     ///< emulate_model_alias: INQUIRY shows the storage object's name
  bool third_party_copy = true;  ///< emulate_3pc
  std::vector<scsi::PortGroup> port_groups{};  ///< alua_tpgs; empty: the one that all ports share
};

/// The serial where none is configured: stable over restarts, different for each object.
std::string derived_serial(const StoragePlan& storage);

struct LunPlan {
  std::uint16_t index = 0;
  std::size_t storage = 0;   ///< index into Plan::storage
  std::string port_group{};  ///< of the storage object, by name
};

struct MappedLunPlan {
  std::uint16_t index = 0;    ///< what the initiator sees
  std::uint16_t tpg_lun = 0;  ///< which of the group's LUNs it is
  bool write_protect = false;
};

/// An ACL with its map still in numbers; NodeAcl::luns is filled when the disks are open.
struct AclPlan {
  session::NodeAcl acl;
  std::vector<MappedLunPlan> mapped_luns;
};

struct PortalGroupPlan {
  std::uint16_t tag = 1;
  bool enabled = true;
  session::PortalGroupAttributes attributes;
  session::OfferedParameters offered;
  session::ChapCredentials chap;
  bool chap_offered = true;  ///< AuthMethod has CHAP; without it nobody here has credentials
  std::vector<session::Portal> portals;
  std::vector<LunPlan> luns;
  std::vector<AclPlan> acls;
};

struct TargetPlan {
  std::string name;
  std::vector<PortalGroupPlan> groups;
};

struct Plan {
  std::vector<StoragePlan> storage;
  std::vector<TargetPlan> targets;
  bool discovery_authentication = false;
  session::ChapCredentials discovery_chap;
  /// Where reservations (APTPL), mode pages and journals of atomic writes are kept; empty: nowhere.
  std::string state_folder;
  std::vector<std::string> warnings;  ///< what can be served and should not be, a line each
};

}  // namespace tsihd::config
