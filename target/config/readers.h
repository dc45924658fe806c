// The parts of a saved configuration, one reader each. Internal to config/.
#pragma once

#include "target/config/json_value.h"
#include "target/config/plan.h"

namespace tsihd::config {

/// Bounds on what one configuration may hold; LIO's own are no larger in practice.
inline constexpr std::size_t kMaxStorageObjects = 16384;
inline constexpr std::size_t kMaxTargets = 4096;
inline constexpr std::size_t kMaxGroupsOfTarget = 1024;
inline constexpr std::size_t kMaxLuns = 4096;
inline constexpr std::size_t kMaxAcls = 16384;
inline constexpr std::size_t kMaxPortals = 256;
inline constexpr std::int64_t kMaxLun = 16383;  ///< flat space addressing, SAM

/// storage_objects[]
void read_storage_objects(const Value& list, Plan& plan);
/// targets[]; storage objects are already read, LUNs refer to them.
void read_targets(const Value& list, Plan& plan);
/// tpgs[].attributes and tpgs[].parameters
void read_group_attributes(const Value& object, PortalGroupPlan& group);
void read_group_parameters(const Value& object, PortalGroupPlan& group);
/// fabric_modules[]: discovery_auth
void read_fabric_modules(const Value& list, Plan& plan);
/// The four CHAP fields of `object`, each named with `prefix` ("chap_", "discovery_").
void read_chap(Object& object, std::string_view prefix, session::ChapCredentials& chap);

}  // namespace tsihd::config
