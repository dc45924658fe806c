#include "target/config/serve.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "target/config/names.h"
#include "target/config/saveconfig.h"
#include "target/config/secrets.h"
#include "target/config/size.h"

namespace tsihd::config {
namespace {

constexpr std::string_view kPscsiPrefix = "pscsi:";

/// The disk's base name in the letters that an iSCSI name allows.
std::string plain_name(std::string_view disk) {
  std::string name;
  for (char c : std::filesystem::path(disk).filename().string()) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    name.push_back(plain ? c : '-');
  }
  if (name.empty()) name = "disk";
  return name.substr(0, 64);
}

Result<void> plan_ramdisk(const ServeOptions& options, StoragePlan& storage) {
  if (options.size) return fail("--size: ram:SIZE says the size already; leave one of them out");
  auto size = parse_size_bytes(std::string_view(options.disk).substr(4));
  if (!size) return fail(fmt::format("--serve {}: {}", options.disk, size.error().message));
  storage.plugin = Plugin::ramdisk;
  storage.name = "ram";
  storage.size_bytes = *size;
  return {};
}

Result<void> plan_pscsi(const ServeOptions& options, StoragePlan& storage) {
  if (options.size) return fail("--size: a SCSI device has its own size; leave it out");
  storage.plugin = Plugin::pscsi;
  storage.device = options.disk.substr(kPscsiPrefix.size());
  if (storage.device.empty())
    return fail("--serve pscsi: expected pscsi:PATH or pscsi:H:C:T:L, as `lsscsi` lists them");
  storage.name = plain_name(storage.device);
  return {};
}

Result<void> plan_missing_file(const ServeOptions& options, StoragePlan& storage) {
  if (!options.size) {
    return fail(fmt::format(
        "--serve {}: no such file or device; make it with --size, as in --size 1G", options.disk));
  }
  storage.create = true;
  return {};
}

Result<void> plan_file(const ServeOptions& options, StoragePlan& storage) {
  if (options.size) {
    auto size = parse_size_bytes(*options.size);
    if (!size) return fail(fmt::format("--size: {}", size.error().message));
    if (*size % 512 != 0) return fail("--size: expected a multiple of 512 bytes, a disk's block");
    storage.size_bytes = *size;
  }
  storage.device = std::filesystem::absolute(options.disk).lexically_normal().string();
  storage.name = plain_name(options.disk);
  storage.write_back = true;  // as targetcli makes fileio objects: flushes are honoured
  struct stat status {};
  if (stat(options.disk.c_str(), &status) != 0) {
    if (errno == ENOENT) return plan_missing_file(options, storage);
    return fail(fmt::format("--serve {}: {}", options.disk, std::strerror(errno)));
  }
  if (S_ISBLK(status.st_mode)) {
    storage.plugin = Plugin::block;
    if (options.size) return fail("--size: a block device has its own size; leave it out");
    return {};
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(fmt::format("--serve {}: neither a regular file nor a block device", options.disk));
  }
  auto have = static_cast<std::uint64_t>(status.st_size);
  if (options.size && storage.size_bytes != have) {
    return fail(
        fmt::format("--size {}: {} exists and has {} bytes; leave --size out, or change it first: "
                    "truncate -s {}",
                    *options.size, options.disk, have, storage.size_bytes));
  }
  if (have < 512) {
    return fail(fmt::format("--serve {}: an empty file is no disk; grow it first: truncate -s 1G",
                            options.disk));
  }
  return {};
}

using Setter = Result<void> (*)(PortalGroupPlan&, const std::vector<Setting>&);

Result<void> set_all(const std::vector<std::string>& texts, std::string_view option, Setter setter,
                     PortalGroupPlan& group) {
  std::vector<Setting> settings;
  for (const std::string& text : texts) {
    auto equals = text.find('=');
    if (equals == std::string::npos) {
      return fail(fmt::format("{} {}: expected NAME=VALUE", option, text));
    }
    settings.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  auto set = setter(group, settings);
  if (!set) return fail(fmt::format("{} {}", option, set.error().message));
  return {};
}

Result<void> split_credentials(std::string_view option, const std::string& text,
                               std::string& userid, std::string& password) {
  auto colon = text.find(':');
  if (colon == 0 || colon == std::string::npos || colon + 1 == text.size() || text.size() > 400) {
    return fail(fmt::format("{}: expected USER:PASSWORD", option));
  }
  userid = text.substr(0, colon);
  password = text.substr(colon + 1);
  return {};
}

Result<void> plan_chap(const ServeOptions& options, PortalGroupPlan& group) {
  if (options.chap) {
    auto split = split_credentials("--chap", *options.chap, group.chap.userid, group.chap.password);
    if (!split) return split;
    group.attributes.authentication = true;
  } else if (group.attributes.authentication) {
    return fail("--attribute authentication=1: nobody could log in; give --chap USER:PASSWORD");
  }
  if (!options.mutual_chap) return {};
  if (!options.chap) {
    return fail(
        "--mutual-chap: the target only answers an initiator that has answered it; give "
        "--chap as well");
  }
  auto split = split_credentials("--mutual-chap", *options.mutual_chap, group.chap.mutual_userid,
                                 group.chap.mutual_password);
  if (!split) return split;
  if (group.chap.password == group.chap.mutual_password) {
    return fail("--mutual-chap: the password is that of --chap; choose another");
  }
  return {};
}

bool has_short_secret(const session::ChapCredentials& chap) {
  const auto is_short = [](const std::string& secret) {
    return !secret.empty() && secret.size() < kMinSecretBytes;
  };
  return is_short(chap.password) || is_short(chap.mutual_password);
}

}  // namespace

Result<Plan> serve_plan(const ServeOptions& options) {
  Plan plan;
  StoragePlan& storage = plan.storage.emplace_back();
  storage.path = "--serve";
  storage.read_only = options.read_only;
  const auto plan_disk = options.disk.starts_with("ram:")         ? plan_ramdisk
                         : options.disk.starts_with(kPscsiPrefix) ? plan_pscsi
                                                                  : plan_file;
  auto planned = plan_disk(options, storage);
  if (!planned) return std::unexpected(planned.error());
  storage.serial = derived_serial(storage);

  TargetPlan& target = plan.targets.emplace_back();
  auto name = normal_iscsi_name(options.iqn.value_or("iqn.2026-11.org.tsih:" + storage.name));
  if (!name) return fail(fmt::format("--iqn: {}", name.error().message));
  target.name = *name;
  PortalGroupPlan& group = target.groups.emplace_back();
  auto portal = parse_portal(options.portal);
  if (!portal) return fail(fmt::format("--portal: {}", portal.error().message));
  group.portals.push_back(*portal);
  group.luns.push_back({0, 0});
  // Whoever serves a disk by hand tries things out: all that can be negotiated is on offer.
  constexpr std::uint32_t kConnections = 8, kConnectionRecovery = 2;
  group.offered.max_connections = kConnections;
  group.offered.error_recovery_level = kConnectionRecovery;
  group.offered.initial_r2t = false;
  group.attributes.generate_node_acls = true;
  group.attributes.demo_mode_write_protect = options.read_only;
  auto set = set_all(options.attributes, "--attribute", set_group_attributes, group);
  if (set) set = set_all(options.parameters, "--parameter", set_group_parameters, group);
  if (set) set = plan_chap(options, group);
  if (!set) return std::unexpected(set.error());
  if (has_short_secret(group.chap))
    plan.warnings.push_back(short_secret_warning("--chap or --mutual-chap"));
  return plan;
}

}  // namespace tsihd::config
