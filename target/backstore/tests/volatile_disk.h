// A disk with a volatile cache, whose power a test cuts: of what was not flushed any sectors are
// lost. What it is asked stays with it when the test says so.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <functional>
#include <vector>

#include "target/backstore/backstore.h"

namespace tsihd::backstore::test {

using Bytes = std::vector<std::byte>;
inline constexpr std::size_t kSector = 512;

class VolatileDisk final : public Backstore {
 public:
  explicit VolatileDisk(Bytes content) : durable(content), now(std::move(content)) {
    geometry_.size_bytes = now.size();
  }
  std::string_view type() const override { return "volatile"; }
  const Geometry& geometry() const override { return geometry_; }
  Result<bool> refresh_size() override { return false; }
  Result<void> resize(std::uint64_t size_bytes) override {
    geometry_.size_bytes = size_bytes;
    return {};
  }
  void refuse_changes() override { geometry_.read_only = true; }

  void submit(Io& io) override {
    asked.push_back(io.op);
    if (asked.size() == stop_at) {
      stopped = &io;
      return;
    }
    complete(io);
  }
  /// Carries out what was stopped; with an error, after as many sectors as `part` says.
  void go_on(int error = 0, std::size_t part_sectors = 0) {
    Io& io = *std::exchange(stopped, nullptr);
    if (error == 0) return complete(io);
    if (io.op == Op::write) put(io, part_sectors * kSector);
    io.error = error;
    io.done(io);
  }

  /// What a power cut now leaves: a sector that was on its way is there when `keeps` says so of its
  /// number.
  Bytes after_power_cut(const std::function<bool(std::size_t)>& keeps) const {
    Bytes latest = now, left = durable;
    if (stopped != nullptr && stopped->op == Op::write)
      std::ranges::copy(stopped->data, latest.begin() + offset(*stopped));
    for (std::size_t at = 0; at < left.size(); at += kSector)
      if (keeps(at / kSector)) std::copy_n(latest.begin() + at, kSector, left.begin() + at);
    return left;
  }

  Bytes durable;
  Bytes now;
  std::vector<Op> asked;
  std::size_t stop_at = 0;  ///< the number of the request that is not answered, from 1 on
  Io* stopped = nullptr;
  int error_from_now = 0;  ///< of every request

 private:
  static std::ptrdiff_t offset(const Io& io) {
    return static_cast<std::ptrdiff_t>(io.offset_bytes);
  }
  void put(const Io& io, std::size_t bytes) {
    std::copy_n(io.data.begin(), bytes, now.begin() + offset(io));
    if (io.force_unit_access) std::copy_n(io.data.begin(), bytes, durable.begin() + offset(io));
  }
  void complete(Io& io) {
    io.error = error_from_now;
    const bool moves = io.op == Op::read || io.op == Op::write;
    if (moves && io.offset_bytes + io.data.size() > geometry_.size_bytes) io.error = EIO;
    if (io.op == Op::write && geometry_.read_only) io.error = EROFS;
    if (io.error == 0 && io.op == Op::read)
      std::copy_n(now.begin() + offset(io), io.data.size(), io.data.begin());
    if (io.error == 0 && io.op == Op::write) put(io, io.data.size());
    if (io.error == 0 && io.op == Op::flush) durable = now;
    io.done(io);
  }

  Geometry geometry_;
};

}  // namespace tsihd::backstore::test
