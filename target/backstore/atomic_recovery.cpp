// The start of a disk with a journal: what a power loss or a kill has left of an atomic write.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "target/backstore/atomic_journal.h"

namespace tsihd::backstore {
namespace {

struct Start {
  IoPool& pool;
  Backstore& disk;
  const AtomicFile& file;
  const std::string& disk_name;
  const Log& log;

  int run(Op op, std::uint64_t offset_bytes, std::span<std::byte> data) const {
    Io io{.op = op,
          .force_unit_access = true,
          .offset_bytes = offset_bytes,
          .data = data,
          .done = [](Io&) {}};
    disk.submit(io);
    pool.wait_idle();
    return io.error;
  }
  void tell(const AtomicEntry& entry, std::string_view what) const {
    log.warning("atomic.cut_short disk={} offset_bytes={} length_bytes={}: {}", disk_name,
                entry.offset_bytes, entry.data.size(), what);
  }
  std::unexpected<Error> cannot(const AtomicEntry& entry, std::string_view what, int error) const {
    return fail(fmt::format(
        "{}: a write of {} bytes at byte {} of the disk was cut short and cannot be "
        "{}: {}; repair the disk, or move the file away to start with what is there",
        file.path(), entry.data.size(), entry.offset_bytes, what, std::strerror(error)));
  }
};

/// Whatever is found, it is flushed before the journal that speaks of it goes: after a mere kill it
/// may be in a cache only.
Result<void> settle(const Start& start, const AtomicEntry& entry) {
  const std::uint64_t size_bytes = start.disk.geometry().size_bytes;
  const std::uint64_t begin = std::min(entry.offset_bytes, size_bytes);
  const std::size_t bytes = std::min<std::uint64_t>(entry.data.size(), size_bytes - begin);
  const AlignedBytes memory = aligned_bytes(entry.data.size());
  if (memory == nullptr) return start.cannot(entry, "read", ENOMEM);
  const std::span<std::byte> found(memory.get(), bytes);
  if (const int error = bytes == 0 ? 0 : start.run(Op::read, begin, found))
    return start.cannot(entry, "read", error);
  switch (compare(entry, found)) {
    case InPlace::before:
      start.tell(entry, "it had not begun, and does not");
      break;
    case InPlace::after:
      start.tell(entry, "it was done");
      break;
    case InPlace::foreign:
      start.tell(entry, "the disk was written elsewhere since, and stays as it is");
      break;
    case InPlace::torn:
      std::ranges::copy(entry.data.first(bytes), found.begin());
      if (const int error = start.run(Op::write, begin, found))
        return start.cannot(entry, "finished", error);
      start.tell(entry, "finished");
      break;
  }
  if (const int error = start.run(Op::flush, 0, {})) return start.cannot(entry, "flushed", error);
  return {};
}

Result<void> settle_file(const Start& start, const std::string& serial) {
  auto content = start.file.read();
  if (!content) return std::unexpected(content.error());
  const auto entry = decode_entry(*content, serial);
  if (!entry && entry.error() == NoEntry::cleared) return {};
  if (!entry && entry.error() == NoEntry::another_disk)
    return fail(
        fmt::format("{}: holds a write to another disk; move the file away to start without it",
                    start.file.path()));
  if (entry) {
    if (auto settled = settle(start, *entry); !settled) return settled;
  } else {
    start.log.info("atomic.torn_journal disk={}: the write in it had not begun", start.disk_name);
  }
  if (const int error = start.file.clear())
    return fail(fmt::format("{}: {}", start.file.path(), std::strerror(error)));
  return {};
}

}  // namespace

Result<std::unique_ptr<AtomicJournal>> open_atomic_journal(IoPool& pool, Backstore& disk,
                                                           const std::string& folder,
                                                           const std::string& serial,
                                                           const std::string& disk_name,
                                                           const Log& log) {
  assert(pool.outstanding() == 0);
  auto file = AtomicFile::open(folder, "atomic_" + serial);
  if (!file) return std::unexpected(file.error());
  if (auto settled = settle_file({pool, disk, *file, disk_name, log}, serial); !settled)
    return std::unexpected(settled.error());
  return std::make_unique<AtomicJournal>(pool, disk, std::move(*file), serial, disk_name, log);
}

}  // namespace tsihd::backstore
