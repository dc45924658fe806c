// A real SCSI device of this host, by Linux's SG_IO: what pscsi stands on, and the seam at which
// its tests put a device of their own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "target/backstore/backstore.h"
#include "target/base/result.h"

namespace tsihd::backstore {

class ScsiDevice {
 public:
  virtual ~ScsiDevice() = default;
  /// Carries out one command and waits for its end. 0 when the device answered: status, sense and
  /// transferred_bytes are set, whatever they say. Else an errno: ETIMEDOUT (no answer in time, and
  /// the kernel has aborted the command), ENODEV (no path to the device), EIO and what ioctl(2)
  /// says. Called on several threads at once.
  virtual int execute(ScsiExchange& exchange, std::span<std::byte> data, unsigned timeout_ms) = 0;
  /// The most data of one command that the host's adapter and memory mapping can carry.
  virtual std::uint32_t max_transfer_bytes() const = 0;
};

/// Sense key and additional sense code of a CHECK CONDITION, whose sense data has either format
/// (SPC-4 4.5). Nothing when there is none.
struct SenseCode {
  std::uint8_t key = 0;
  unsigned code = 0;  ///< ASC in the high byte, ASCQ in the low one
};
std::optional<SenseCode> sense_code(const ScsiExchange& exchange);

/// A CHECK CONDITION that is about an earlier command, one that the device had ended well
/// (SPC-4 4.5.7).
bool is_deferred_error(const ScsiExchange& exchange);

struct OpenedScsiDevice {
  std::unique_ptr<ScsiDevice> device;
  bool read_only = false;
};

/// `name` is a path (/dev/disk/by-id/..., /dev/sdX, /dev/sgN) or H:C:T:L, as in saveconfig.json.
/// One-line errors.
Result<OpenedScsiDevice> open_scsi_device(const std::string& name, bool read_only);

}  // namespace tsihd::backstore
