// Mode parameters of a disk: what MODE SENSE shows and MODE SELECT changes.
#pragma once

namespace tsihd::scsi {

/// The parameters that can change. Nothing is saved: a reset brings the defaults back.
struct ModeState {
  bool volatile_cache = true;           ///< the backstore has a write cache at all
  bool write_cache = true;              ///< WCE; without it every write is made durable
  bool descriptor_sense = false;        ///< D_SENSE
  bool software_write_protect = false;  ///< SWP

  static ModeState defaults(bool volatile_cache) {
    return {.volatile_cache = volatile_cache, .write_cache = volatile_cache};
  }
};

}  // namespace tsihd::scsi
