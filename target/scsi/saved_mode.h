// The mode parameters that MODE SELECT with SP keeps: on the medium before the command ends, and in
// force again after a restart or a reset. The file holds the mode pages as MODE SENSE shows them,
// in hexadecimal, framed as state_image.h says.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "target/backstore/state_store.h"
#include "target/base/log.h"
#include "target/base/result.h"
#include "target/scsi/mode_pages.h"
#include "target/scsi/task.h"

namespace tsihd::scsi {

std::string encode_mode(const ModeState& state, const ModeCapabilities& can,
                        const std::string& serial);
/// What encode_mode() wrote for the unit of this serial number, over `defaults` where the unit has
/// other pages now than it had then. Anything else is refused with the reason.
Result<ModeState> decode_mode(std::string_view image, const ModeState& defaults,
                              const ModeCapabilities& can, const std::string& serial);

class SavedMode {
 public:
  using Apply = void (*)(Task&, const ModeState&);

  SavedMode(DeviceServer& server, Log log) : server_(server), log_(std::move(log)) {}

  /// From now on pages are savable. Fails, with the reason, when the state is not this unit's.
  Result<void> keep_in(backstore::OpenedState state);
  bool can_save() const { return store_ != nullptr; }
  const std::optional<ModeState>& values() const { return values_; }

  /// Stores `wanted`, then goes on with `apply`. BUSY while another save is under way; when it
  /// cannot be stored the task fails and nothing has changed.
  void save(Task& task, const ModeState& wanted, Apply apply);

 private:
  static void stored(backstore::Io& io);
  void finish(Task& task, int error);

  DeviceServer& server_;
  const Log log_;
  std::unique_ptr<backstore::StateStore> store_;
  std::optional<ModeState> values_;
  struct Save {
    ModeState wanted;
    Apply apply;
    std::string image;
  };
  std::optional<Save> save_;  ///< with the store
};

}  // namespace tsihd::scsi
