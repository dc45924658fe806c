// The soft thresholds of a thin unit (SBC-3 4.7.3.8): whether the space beneath it runs low, or it
// has taken more than an initiator meant it to.
#pragma once

#include <cstdint>
#include <optional>

namespace tsihd::scsi {

class DeviceServer;

/// In threshold sets of kThresholdSetBytes; both saturate.
struct SpaceCount {
  std::uint32_t available_sets = 0;  ///< whole ones
  std::uint32_t used_sets = 0;       ///< begun ones
};

class SpaceWatch {
 public:
  explicit SpaceWatch(DeviceServer& server) : server_(server) {}

  /// Null where the backstore cannot tell, or nothing can be unmapped.
  std::optional<SpaceCount> count() const;
  /// About once a second: establishes THIN PROVISIONING SOFT THRESHOLD REACHED for every nexus when
  /// a threshold is reached, once until it was left again.
  void look();
  /// The thresholds were set anew: one that is reached already counts as just reached.
  void rearm() { least_reached_ = most_reached_ = false; }

 private:
  DeviceServer& server_;
  bool least_reached_ = false;
  bool most_reached_ = false;
};

/// 2 to the power of it is how many blocks a threshold set has (VPD page B2h).
std::uint8_t threshold_exponent(const DeviceServer& server);

}  // namespace tsihd::scsi
