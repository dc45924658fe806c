#include "target/scsi/space_watch.h"

#include <algorithm>
#include <bit>

#include "target/scsi/device_server.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

std::uint32_t saturated(std::uint64_t count) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, UINT32_MAX));
}

}  // namespace

std::uint8_t threshold_exponent(const DeviceServer& server) {
  return static_cast<std::uint8_t>(std::bit_width(kThresholdSetBytes / server.block_bytes()) - 1);
}

std::optional<SpaceCount> SpaceWatch::count() const {
  if (!server_.thin()) return std::nullopt;
  const auto use = server_.backstore().space_use();
  if (!use) return std::nullopt;
  return SpaceCount{saturated(use->available_bytes / kThresholdSetBytes),
                    saturated((use->used_bytes + kThresholdSetBytes - 1) / kThresholdSetBytes)};
}

void SpaceWatch::look() {
  const ModeState& mode = server_.mode();
  const bool watched = mode.least_available.enabled || mode.most_used.enabled;
  if (!watched || !mode.reports_thresholds) return rearm();
  const auto now = count();
  if (!now) return rearm();
  const bool least =
      mode.least_available.enabled && now->available_sets <= mode.least_available.sets;
  const bool most = mode.most_used.enabled && now->used_sets >= mode.most_used.sets;
  if ((least && !least_reached_) || (most && !most_reached_))
    server_.establish_for_all(UnitAttention::thin_threshold_reached, nullptr);
  least_reached_ = least;
  most_reached_ = most;
}

}  // namespace tsihd::scsi
