// LIO's saved configuration (`targetcli saveconfig`, /etc/target/saveconfig.json) into a Plan.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "target/base/result.h"
#include "target/config/plan.h"

namespace tsihd::config {

/// Every refusal, one line each: "targets[0].tpgs[0].attributes.t10_pi: expected 0, got 1: ...".
using RefusalLines = std::vector<std::string>;

/// Reads the text of a configuration. Nothing is opened or bound; anything that is not understood
/// is refused by its JSON path, never skipped.
std::expected<Plan, RefusalLines> read_saveconfig(std::string_view json_text);

/// The same for a file, at most 16 MiB.
std::expected<Plan, RefusalLines> read_saveconfig_file(const std::string& file);

/// A name and a value, as the command line gives them.
struct Setting {
  std::string name;
  std::string value;
};

/// Attributes or negotiation parameters by name, with the rules (and the refusals) of the JSON: for
/// `--attribute max_sessions=1` and `--parameter InitialR2T=No`. They are judged together; when one
/// is refused the group stays as it was.
Result<void> set_group_attributes(PortalGroupPlan& group, const std::vector<Setting>& settings);
Result<void> set_group_parameters(PortalGroupPlan& group, const std::vector<Setting>& settings);

/// What is honoured and what is accepted without effect, and why: for `tsihd --list-attributes`.
std::string describe_attributes();

}  // namespace tsihd::config
