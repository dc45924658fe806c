#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "target/config/readers.h"
#include "target/config/rules.h"
#include "target/scsi/limits.h"

namespace tsihd::config {
namespace {

bool read_plugin(Object& object, StoragePlan& storage) {
  auto value = object.require("plugin");
  auto name = value ? value->text() : std::nullopt;
  if (!name) return false;
  if (*name == "fileio") {
    storage.plugin = Plugin::fileio;
  } else if (*name == "block") {
    storage.plugin = Plugin::block;
  } else if (*name == "ramdisk") {
    storage.plugin = Plugin::ramdisk;
  } else if (*name == "pscsi") {
    storage.plugin = Plugin::pscsi;
  } else if (*name == "user") {
    value->refuse("user storage objects are not supported; use block or fileio on an image");
    return false;
  } else {
    value->refuse("expected fileio, block, ramdisk or pscsi, got " + value->shown());
    return false;
  }
  return true;
}

void read_name(Object& object, StoragePlan& storage) {
  auto value = object.require("name");
  auto name = value ? value->text() : std::nullopt;
  if (!name) return;
  bool plain = !name->empty() && name->find_first_of("/ \t\r\n") == std::string::npos;
  if (!plain) value->refuse("expected a name without slashes and spaces, got " + value->shown());
  storage.name = *name;
}

void read_serial(Object& object, StoragePlan& storage) {
  auto value = object.take("wwn");
  if (!value || value->is_null()) return;
  auto serial = value->text(254);  // what configfs holds
  if (!serial) return;
  for (char c : *serial) {
    if (c < 0x20 || c > 0x7e) return value->refuse("expected printable ASCII: a SCSI serial");
  }
  storage.serial = *serial;
}

void read_size(Object& object, StoragePlan& storage, bool required) {
  auto value = required ? object.require("size") : object.take("size");
  if (!value || value->is_null()) return;
  if (auto size = value->number(required ? 512 : 0, INT64_MAX)) {
    storage.size_bytes = static_cast<std::uint64_t>(*size);
  }
}

void read_device(Object& object, StoragePlan& storage) {
  auto value = object.require("dev");
  auto device = value ? value->text(4095) : std::nullopt;
  if (!device) return;
  if (device->empty()) value->refuse("expected the path of a file or device, got nothing");
  storage.device = *device;
}

void read_boolean(Object& object, std::string_view name, bool& into) {
  if (auto value = object.take(name)) {
    if (auto on = value->boolean()) into = *on;
  }
}

void read_plugin_fields(Object& object, StoragePlan& storage) {
  constexpr Inert kAio{"aio", "0|1", "disk requests never block the loop in either mode"};
  constexpr Inert kNullio{"nullio", "0", "a ramdisk keeps what is written to it"};
  switch (storage.plugin) {
    case Plugin::fileio:
      read_device(object, storage);
      read_size(object, storage, false);
      read_boolean(object, "write_back", storage.write_back);
      if (auto value = object.take("aio")) check_inert(*value, kAio);
      break;
    case Plugin::block: {
      constexpr Inert kWriteBack{"write_back", "0", "the device says whether it has a cache"};
      read_device(object, storage);
      read_boolean(object, "readonly", storage.read_only);
      if (auto value = object.take("write_back")) check_inert(*value, kWriteBack);
      break;
    }
    case Plugin::ramdisk:
      read_size(object, storage, true);
      if (auto value = object.take("nullio")) check_inert(*value, kNullio);
      break;
    case Plugin::pscsi:
      read_device(object, storage);
      break;
  }
}

using scsi::kDefaultPortGroup;
using scsi::PortGroup;

void check_group(const Value& place, const PortGroup& group, std::span<const PortGroup> others) {
  if (!group.supports(static_cast<std::uint8_t>(group.state)))
    place.refuse(fmt::format("alua_access_state of {} is one that its alua_support_... rules out",
                             group.name));
  for (const PortGroup& other : others)
    if (other.name == group.name || other.id == group.id)
      place.refuse(
          fmt::format("target port group {} has the same name or tg_pt_gp_id as {}; give each its "
                      "own",
                      group.name, other.name));
}

void read_alua_groups(const Value& list, StoragePlan& storage) {
  // Room for the default group, should it not be listed.
  for (const Value& entry : list.elements(scsi::kMaxPortGroups - 1)) {
    Object object(entry);
    PortGroup group;
    if (auto value = object.require("name")) {
      if (auto name = value->text()) group.name = *name;
    }
    for (const auto& rule : alua_group_fields()) {
      if (auto value = object.take(rule.name); value && !value->is_null()) {
        rule.apply(*value, group);
      }
    }
    for (const Inert& rule : inert_alua_group_fields()) {
      if (auto value = object.take(rule.name); value && !value->is_null()) {
        check_inert(*value, rule);
      }
    }
    object.finish("target port group field");
    check_group(entry, group, storage.port_groups);
    storage.port_groups.push_back(std::move(group));
  }
  // It is always there, listed or not, and what ports are in that name no other.
  if (std::ranges::find(storage.port_groups, kDefaultPortGroup, &PortGroup::name) !=
      storage.port_groups.end())
    return;
  const PortGroup standard;
  check_group(list, standard, storage.port_groups);
  storage.port_groups.insert(storage.port_groups.begin(), standard);
}

void read_storage_object(const Value& entry, Plan& plan) {
  Object object(entry);
  StoragePlan storage;
  storage.path = entry.path();
  read_name(object, storage);
  if (!entry.is_object() || !read_plugin(object, storage)) return;
  read_serial(object, storage);
  read_plugin_fields(object, storage);
  if (auto value = object.take("attributes")) {
    apply_rules(*value, storage_attributes(), inert_storage_attributes(),
                "storage object attribute", storage);
  }
  if (auto value = object.take("alua_tpgs")) read_alua_groups(*value, storage);
  object.finish("storage object field");
  if (storage.serial.empty()) storage.serial = derived_serial(storage);
  for (const StoragePlan& other : plan.storage) {
    if (other.name == storage.name && other.plugin == storage.plugin) {
      object.refuse(fmt::format("{} \"{}\" is already configured at {}; rename one of them",
                                plugin_name(storage.plugin), storage.name, other.path));
    } else if (other.serial == storage.serial) {
      object.refuse(
          fmt::format("wwn {} is already that of {}: initiators would take both for one "
                      "disk; change one of them",
                      storage.serial, other.path));
    }
  }
  if (storage.device_reserves)
    plan.warnings.push_back(fmt::format(
        "{}: reservations are passed to {}, to which all initiators are one: they keep nobody out "
        "here; set pgr_support to 1 to have them kept by tsihd",
        storage.path, storage.device));
  plan.storage.push_back(std::move(storage));
}

}  // namespace

std::string_view plugin_name(Plugin plugin) {
  constexpr std::array<std::string_view, 4> kNames{"fileio", "block", "ramdisk", "pscsi"};
  return kNames[static_cast<std::size_t>(plugin)];
}

std::string derived_serial(const StoragePlan& storage) {
  std::uint64_t high = 0xcbf29ce484222325, low = 0x84222325cbf29ce4;  // FNV-1a, two offsets
  for (std::string_view part : {plugin_name(storage.plugin), std::string_view(storage.name),
                                std::string_view(storage.device)}) {
    for (char c : part) {
      high = (high ^ static_cast<unsigned char>(c)) * 0x100000001b3;
      low = (low ^ static_cast<unsigned char>(~c)) * 0x100000001b3;
    }
    high = (high ^ '/') * 0x100000001b3;
  }
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff,
                     high & 0xffff, low >> 48, low & 0xffffffffffff);
}

void read_storage_objects(const Value& list, Plan& plan) {
  for (const Value& entry : list.elements(kMaxStorageObjects)) read_storage_object(entry, plan);
}

}  // namespace tsihd::config
