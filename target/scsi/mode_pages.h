// Mode parameters of a disk (SPC-4 7.5, SBC-3 6.5): what MODE SENSE shows and MODE SELECT changes,
// and the bytes in which both are said.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "target/scsi/sense.h"

namespace tsihd::scsi {

/// QERR: what becomes of the other commands when one ends with CHECK CONDITION.
enum class QueueError : std::uint8_t { others_go_on = 0, aborts_all = 1, aborts_nexus = 3 };

/// UA_INTLCK_CTRL: whether a reported unit attention stays until REQUEST SENSE fetches it, and
/// whether BUSY, TASK SET FULL and RESERVATION CONFLICT establish one.
enum class AttentionInterlock : std::uint8_t { off = 0, keep = 2, establish = 3 };

/// A threshold of the logical block provisioning page, in threshold sets (limits.h).
struct SpaceThreshold {
  bool enabled = false;
  std::uint32_t sets = 0;
  bool operator==(const SpaceThreshold&) const = default;
};

/// The parameters that can change. A reset brings the saved ones back, or the defaults.
struct ModeState {
  bool write_cache = true;              ///< WCE; without it every write is made durable
  bool descriptor_sense = false;        ///< D_SENSE
  bool software_write_protect = false;  ///< SWP
  bool separate_task_sets = false;      ///< TST 001b: one for each I_T nexus
  bool restricted_reordering = false;   ///< QAM 0000b: writes of a nexus keep their order
  bool task_aborted_status = false;     ///< TAS
  QueueError queue_error = QueueError::others_go_on;
  AttentionInterlock attention_interlock = AttentionInterlock::off;
  bool reports_thresholds = true;    ///< LBPERE
  SpaceThreshold least_available{};  ///< reached when no more than this is left
  SpaceThreshold most_used{};        ///< reached when this much is taken
  bool operator==(const ModeState&) const = default;
};

/// What of it a unit lets initiators change.
struct ModeCapabilities {
  bool volatile_cache = true;  ///< the backstore has a write cache at all
  bool knows_space = false;    ///< the backstore tells how much space is taken and left
};

/// PAGE CONTROL of MODE SENSE.
enum class PageControl : std::uint8_t { current = 0, changeable = 1, defaults = 2, saved = 3 };

inline constexpr std::uint8_t kAllPages = 0x3f;
inline constexpr std::uint8_t kAllSubpages = 0xff;

/// Appends those pages that `code` and `subpage` (kAllPages, kAllSubpages) name, with their values
/// in `state` or, when `changeable`, a one in each bit that MODE SELECT may change. `savable` is
/// their PS bit. Null, or the byte of the CDB that names what is not there.
std::optional<std::uint16_t> append_mode_pages(std::vector<std::byte>& data, std::uint8_t code,
                                               std::uint8_t subpage, const ModeState& state,
                                               const ModeCapabilities& can, bool changeable,
                                               bool savable);

/// Reads the mode pages of a MODE SELECT parameter list from offset `at` on. Null: `wanted` has the
/// new values; otherwise why not, and `wanted` is of no use. A bit that is not changeable must have
/// its present value.
std::optional<Sense> take_mode_pages(std::span<const std::byte> list, std::size_t at,
                                     const ModeCapabilities& can, ModeState& wanted);

}  // namespace tsihd::scsi
