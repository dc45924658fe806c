#include "target/backstore/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "target/backstore/atomic_entry.h"
#include "target/backstore/state_store.h"

namespace tsihd::backstore {
namespace {

int write_at(int fd, std::span<const std::byte> data, std::size_t at) {
  while (!data.empty()) {
    const ssize_t put = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(at));
    if (put < 0 && errno != EINTR) return errno;
    if (put <= 0) continue;
    data = data.subspan(static_cast<std::size_t>(put));
    at += static_cast<std::size_t>(put);
  }
  return 0;
}

int sync(int fd) { return ::fdatasync(fd) == 0 ? 0 : errno; }

}  // namespace

Result<AtomicFile> AtomicFile::open(const std::string& folder, const std::string& name) {
  const std::string file_name = state_file_name(name);
  const std::string path = folder + "/" + file_name;
  const auto failed = [&](int error) {
    return fail(fmt::format("{}: {}", path, std::strerror(error)));
  };
  const Fd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return failed(errno);
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
  Fd file(::openat(directory.get(), file_name.c_str(), kFlags, 0600));
  if (!file) return failed(errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(fmt::format("{}: {}", path, kStateInUse));
  // What is promised from here on must not fail for want of space, nor the file lose its name.
  if (const int error = ::posix_fallocate(file.get(), 0, kAtomicEntryBytes))
    return fail(
        fmt::format("{}: no room for the journal of atomic writes: {}; it needs {} KiB, make room "
                    "there or name "
                    "another folder with --state",
                    path, std::strerror(error), kAtomicEntryBytes >> 10));
  if (::fsync(file.get()) != 0 || ::fsync(directory.get()) != 0) return failed(errno);
  return AtomicFile(std::move(file), path);
}

Result<std::vector<std::byte>> AtomicFile::read() const {
  std::vector<std::byte> content(kAtomicEntryBytes);
  std::size_t have = 0;
  while (have < content.size()) {
    const ssize_t got = ::pread(file_.get(), content.data() + have, content.size() - have,
                                static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(fmt::format("{}: {}", path_, std::strerror(errno)));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  content.resize(have);
  return content;
}

int AtomicFile::put(std::span<const std::byte> index, std::span<const std::byte> data) const {
  if (const int error = write_at(file_.get(), data, kAtomicDataAt)) return error;
  if (const int error = write_at(file_.get(), index, 0)) return error;
  return sync(file_.get());
}

int AtomicFile::clear() const {
  constexpr std::array<std::byte, kAtomicHeaderBytes> kNothing{};
  if (const int error = write_at(file_.get(), kNothing, 0)) return error;
  return sync(file_.get());
}

}  // namespace tsihd::backstore
