// `tsihd --serve DISK`: one disk, one target, one portal, open to everyone, as a Plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "target/base/result.h"
#include "target/config/plan.h"

namespace tsihd::config {

struct ServeOptions {
  std::string disk;                 ///< a file, a block device, or "ram:SIZE"
  std::optional<std::string> size;  ///< makes the file when it does not exist
  std::optional<std::string> iqn;   ///< default: iqn.2026-11.org.tsih:<the disk's base name>
  std::string portal = "127.0.0.1:3260";
  std::vector<std::string> attributes;     ///< NAME=VALUE, as in tpgs[].attributes
  std::vector<std::string> parameters;     ///< NAME=VALUE, as in tpgs[].parameters
  std::optional<std::string> chap;         ///< USER:PASSWORD that initiators must present
  std::optional<std::string> mutual_chap;  ///< USER:PASSWORD that we present when asked back
  bool read_only = false;
};

/// Looks at the disk (is it there, a device, of what size) but opens and makes nothing. Every
/// refusal names the option and the way out.
Result<Plan> serve_plan(const ServeOptions& options);

}  // namespace tsihd::config
