// A small state that survives a kill and a power cut: replaced as a whole, or not at all.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "target/backstore/backstore.h"
#include "target/backstore/io_pool.h"
#include "target/base/result.h"

namespace tsihd::backstore {

/// More than this is not read back: kept state is small.
inline constexpr std::size_t kMaxStateBytes = 1u << 20;

class StateStore {
 public:
  virtual ~StateStore() = default;
  /// Puts io.data in the place of what is stored; no bytes at all: nothing is stored. When `done`
  /// comes with error 0 the new content is on the medium; with an errno it is the old or the new,
  /// whole. Never blocks; the caller keeps io and its bytes until `done`, as for a Backstore, and
  /// flushes the pool's submissions.
  virtual void replace(Io& io) = 0;
};

struct OpenedState {
  std::unique_ptr<StateStore> store;
  std::string content;  ///< what was stored; empty when nothing was
};

/// A file name for any bytes: those that a file name cannot hold are written as %XX.
std::string state_file_name(const std::string& name);
inline constexpr std::string_view kStateInUse =
    "in use by another process or another disk with this serial number; give each process a folder "
    "of its own";

/// The state `name` in a folder that exists, locked while the store lives: it has one user. Its
/// file is called state_file_name(name). One-line errors: a folder that cannot be written, a lock
/// that is taken, a file that is larger than kMaxStateBytes or cannot be read.
Result<OpenedState> open_state_file(IoPool& pool, const std::string& folder,
                                    const std::string& name);

}  // namespace tsihd::backstore
