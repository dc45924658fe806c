// The schema of the attributes and parameters that LIO keeps: which we honour, and which are
// accepted though they have no effect here, each with its reason. Everything else is refused.
// Internal to config/.
#pragma once

#include <span>
#include <string_view>

#include "target/config/json_value.h"
#include "target/config/plan.h"

namespace tsihd::config {

/// An attribute that does something.
template <class Noun>
struct Honoured {
  std::string_view name;
  std::string_view meaning;
  void (*apply)(const Value& value, Noun& noun);
};

/// An attribute that does nothing here and may stand at the values listed, which are harmless.
struct Inert {
  std::string_view name;
  /// Values that are accepted, separated by '|', LIO's default first; "*" is any whole number of
  /// 32 bits.
  std::string_view accepted;
  /// Why it has no effect. Ends the refusal of any other value too.
  std::string_view why;
};

std::span<const Honoured<StoragePlan>> storage_attributes();
std::span<const Inert> inert_storage_attributes();
std::span<const Honoured<scsi::PortGroup>> alua_group_fields();
std::span<const Inert> inert_alua_group_fields();
std::span<const Inert> inert_target_parameters();
std::span<const Honoured<session::PortalGroupAttributes>> group_attributes();
std::span<const Inert> inert_group_attributes();
std::span<const Honoured<session::NodeAcl>> acl_attributes();
std::span<const Inert> inert_acl_attributes();

/// Parameters are read into this first: some say one thing together.
struct ParameterPlan {
  session::OfferedParameters offered;
  bool chap_offered = true;
  bool none_offered = true;
};
std::span<const Honoured<ParameterPlan>> parameters();
std::span<const Inert> inert_parameters();

/// Refuses the value unless the rule accepts it.
void check_inert(const Value& value, const Inert& rule);

/// Reads a whole object by its two tables; a name that stands in neither is refused.
template <class Noun>
void apply_rules(const Value& value, std::span<const Honoured<Noun>> honoured,
                 std::span<const Inert> inert, std::string_view noun_name, Noun& noun) {
  Object object(value);
  for (const auto& rule : honoured) {
    if (auto found = object.take(rule.name)) rule.apply(*found, noun);
  }
  for (const auto& rule : inert) {
    if (auto found = object.take(rule.name)) check_inert(*found, rule);
  }
  object.finish(noun_name);
}

}  // namespace tsihd::config
