// A checked Plan into what the session layer serves: opens every disk, or none.
#pragma once

#include "target/backstore/io_pool.h"
#include "target/base/log.h"
#include "target/base/result.h"
#include "target/config/plan.h"
#include "target/session/nouns.h"

namespace tsihd::config {

/// A storage object in service, by its configured name: what `tsihctl` lists and resizes.
struct Disk {
  Plugin plugin = Plugin::fileio;
  std::string name;
  std::string device;  ///< file or block device; empty for a ramdisk
  std::shared_ptr<scsi::LogicalUnit> unit;
};

struct Built {
  session::Inventory inventory;
  std::vector<Disk> disks;
};

/// Opens the storage objects and joins them with targets, LUNs and ACLs. On failure (a file is
/// missing, a device is busy, a size does not fit) everything opened is closed again and the error
/// names the place in the configuration and the way out.
Result<Built> build_inventory(const Plan& plan, backstore::IoPool& pool, const Log& log);

}  // namespace tsihd::config
