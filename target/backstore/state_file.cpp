#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>
#include <utility>

#include "target/backstore/fd.h"
#include "target/backstore/state_store.h"

namespace tsihd::backstore {

std::string state_file_name(const std::string& name) {
  std::string text;
  for (char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    text += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return text;
}

namespace {

std::unexpected<Error> failed(const std::string& path) {
  return fail(fmt::format("{}: {}", path, std::strerror(errno)));
}

int write_all(int fd, std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0 && errno != EINTR) return errno;
    if (written > 0) data = data.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

/// Whole and on the medium before anybody can find it by its name.
class StateFile final : public StateStore {
 public:
  StateFile(IoPool& pool, Fd folder, Fd lock, std::string name)
      : pool_(pool),
        folder_(std::move(folder)),
        lock_(std::move(lock)),
        name_(std::move(name)),
        temporary_(name_ + ".new"),
        lane_(run, this, 1, 1) {}

  void replace(Io& io) override { pool_.submit(lane_, io); }

 private:
  static void run(void* self, Io* batch) {
    for (Io* io = batch; io != nullptr; io = io->next)
      io->error = static_cast<const StateFile*>(self)->put(io->data);
  }
  int put(std::span<const std::byte> data) const {
    const int error = data.empty() ? remove() : write_and_rename(data);
    if (error != 0) return error;
    return ::fsync(folder_.get()) == 0 ? 0 : errno;
  }
  int remove() const {
    return ::unlinkat(folder_.get(), name_.c_str(), 0) == 0 || errno == ENOENT ? 0 : errno;
  }
  int write_and_rename(std::span<const std::byte> data) const {
    constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
    const Fd file(::openat(folder_.get(), temporary_.c_str(), kFlags, 0600));
    if (!file) return errno;
    if (const int error = write_all(file.get(), data)) return error;
    if (::fsync(file.get()) != 0) return errno;
    const int renamed = ::renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str());
    return renamed == 0 ? 0 : errno;
  }

  IoPool& pool_;
  const Fd folder_;
  const Fd lock_;
  const std::string name_;
  const std::string temporary_;
  IoLane lane_;
};

/// Empty when there is no such file.
Result<std::string> read_state(int folder, const std::string& name, const std::string& path) {
  const Fd file(::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) {
    if (errno == ENOENT) return "";
    return failed(path);
  }
  std::string content(kMaxStateBytes + 1, '\0');
  std::size_t have = 0;
  while (have < content.size()) {
    const ssize_t got = ::read(file.get(), content.data() + have, content.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  if (have > kMaxStateBytes)
    return fail(fmt::format("{}: larger than {} bytes; not a file of ours, move it away", path,
                            kMaxStateBytes));
  if (have == 0)
    return fail(
        fmt::format("{}: an empty file, expected what was stored; remove it to go on "
                    "without",
                    path));
  content.resize(have);
  return content;
}

}  // namespace

Result<OpenedState> open_state_file(IoPool& pool, const std::string& folder,
                                    const std::string& name) {
  const std::string file = state_file_name(name);
  const std::string path = folder + "/" + file;
  Fd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return failed(folder);
  const std::string lock_name = file + ".lock";
  Fd lock(::openat(directory.get(), lock_name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                   0600));
  if (!lock) return failed(path + ".lock");
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(fmt::format("{}: {}", path, kStateInUse));
  auto content = read_state(directory.get(), file, path);
  if (!content) return std::unexpected(content.error());
  auto store = std::make_unique<StateFile>(pool, std::move(directory), std::move(lock), file);
  return OpenedState{std::move(store), std::move(*content)};
}

}  // namespace tsihd::backstore
