// A disk behind a file descriptor: what fileio and block have in common.
#pragma once

#include <cstdint>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "target/backstore/backstore.h"
#include "target/backstore/fd.h"
#include "target/backstore/io_pool.h"

namespace tsihd::backstore {

struct FileDiskOptions {
  std::string_view type;
  std::string path;
  bool block_device = false;
  bool direct = false;         ///< the descriptor was opened with O_DIRECT
  bool write_through = false;  ///< every write is durable before it completes
  bool in_memory = false;      ///< on tmpfs: a transfer is a copy and waits for no disk
  Geometry geometry;
};

/// What failed to reach the medium the kernel tells each open file once, to whoever syncs it first.
/// So that nobody takes that word from another, each lane that syncs has an open file of its own,
/// and runs one batch at a time. The price: after a loss each of them fails once.
struct FileDiskFiles {
  Fd transfers;  ///< reads, and writes with their FUA
  Fd changes;    ///< discards and zeroes; none with `direct`: it has no pages to lose
  Fd flushes;    ///< none with `direct`
};

/// Opens the same file or device twice more. `path` is for the error.
Result<FileDiskFiles> open_for_each_lane(Fd fd, bool direct, const std::string& path);

/// The size of what `fd` names: a regular file's or a block device's, in whole blocks.
Result<std::uint64_t> size_of(int fd, bool block_device, const std::string& path,
                              std::uint32_t block_size_bytes);

class FileDisk final : public Backstore {
 public:
  FileDisk(IoPool& pool, FileDiskFiles files, FileDiskOptions options);
  /// No request may be outstanding.
  ~FileDisk() override;

  std::string_view type() const override { return options_.type; }
  const Geometry& geometry() const override { return options_.geometry; }
  void submit(Io& io) override;
  void flush_submissions() override { pool_.flush_submissions(); }
  Result<bool> refresh_size() override;
  Result<void> resize(std::uint64_t size_bytes) override;
  void refuse_changes() override { options_.geometry.read_only = true; }
  std::optional<SpaceUse> space_use() const override;

 private:
  void submit_read(Io& io);
  void submit_write(Io& io);
  void submit_flush(Io& io);
  bool read_from_cache(Io& io);
  bool write_to_cache(Io& io);
  bool copy_in_memory(Io& io);
  // On a thread of the pool. They touch files_, options_ (but for geometry.size_bytes) and the Io
  // only.
  static void run_reads(void* self, Io* batch);
  static void run_writes(void* self, Io* batch);
  static void run_others(void* self, Io* batch);
  static void run_flushes(void* self, Io* batch);
  int fd() const { return files_.transfers.get(); }
  int changes_fd() const { return options_.direct ? fd() : files_.changes.get(); }
  int flushes_fd() const { return options_.direct ? fd() : files_.flushes.get(); }
  int unless_gone(int error) const;
  int transfer(bool write, std::span<std::byte> data, std::uint64_t offset_bytes, int flags) const;
  template <class Change>
  int change_inside(std::uint64_t offset_bytes, std::uint64_t length_bytes, Change change) const;
  int write_inside(std::span<std::byte> data, std::uint64_t offset_bytes, int flags) const;
  int transfer_bounced(bool write, std::span<std::byte> data, std::uint64_t offset_bytes,
                       int flags) const;
  int allocate_inside(int mode, const Io& io) const;
  int write_zeroes(const Io& io) const;
  int discard(const Io& io) const;
  void find_extent(Io& io) const;
  int write_zero_pages(std::uint64_t offset_bytes, std::uint64_t length_bytes) const;

  IoPool& pool_;
  FileDiskFiles files_;
  FileDiskOptions options_;
  bool cached_reads_;
  /// A write that was under way while the file shrank must not make it grow again: writers hold
  /// the mutex shared while they write below end_bytes_, resize() holds it alone.
  mutable std::shared_mutex end_mutex_;
  std::uint64_t end_bytes_;
  bool cached_writes_;
  IoLane reads_;
  IoLane writes_;
  IoLane others_;
  IoLane flushes_;
};

}  // namespace tsihd::backstore
