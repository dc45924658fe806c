// A ramdisk whose requests wait until somebody says which of them completes, and how.
#pragma once

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "target/backstore/open.h"

namespace tsihd::session::test {

/// A request takes effect at the moment it completes, so the order of completions is the order of
/// effects, whatever the order of submissions: a disk that reorders as far as it may.
class SimDisk final : public backstore::Backstore {
 public:
  explicit SimDisk(std::uint64_t size_bytes)
      : memory_(backstore::open_ramdisk({.size_bytes = size_bytes}).value()) {}

  std::string_view type() const override { return "simulated"; }
  const backstore::Geometry& geometry() const override { return memory_->geometry(); }
  void submit(backstore::Io& io) override { waiting_.push_back(&io); }
  Result<bool> refresh_size() override { return false; }
  Result<void> resize(std::uint64_t size_bytes) override { return memory_->resize(size_bytes); }

  /// Requests that have not completed, oldest first.
  std::size_t waiting() const { return waiting_.size(); }
  void complete(std::size_t which) { memory_->submit(take(which)); }
  /// It ends with EIO and without effect.
  void fail(std::size_t which) {
    backstore::Io& io = take(which);
    io.error = EIO;
    io.done(io);
  }

 private:
  backstore::Io& take(std::size_t which) {
    const auto at = waiting_.begin() + static_cast<std::ptrdiff_t>(which);
    backstore::Io* const io = *at;
    waiting_.erase(at);
    return *io;
  }

  std::unique_ptr<backstore::Backstore> memory_;
  std::vector<backstore::Io*> waiting_;
};

}  // namespace tsihd::session::test
