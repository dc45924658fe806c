// What is done in and to a guest that runs: commands, files, disks. Its life is in guest.cpp.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "harness/lab/failure.h"
#include "harness/lab/guest.h"
#include "harness/lab/limits.h"

namespace tsih::lab {
namespace asio = boost::asio;
using Json = nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds first_poll{4};
constexpr milliseconds longest_poll{60};
constexpr milliseconds unplug_timeout{10'000};
}  // namespace

asio::awaitable<std::shared_ptr<Exec>> Guest::start_exec(Command command) {
  const auto self = shared_from_this();
  auto& in_guest = agent();
  if (execs_.size() >= limits::execs_per_guest)
    throw Failure("limit", fmt::format("{}: {} commands are under way or wait to be fetched",
                                       spec_.name, limits::execs_per_guest));
  const auto exec = std::make_shared<Exec>(executor_, command.summary());
  const auto number = next_exec_++;
  execs_.emplace(number, exec);
  std::optional<Failure> failed;
  try {
    exec->pid = co_await in_guest.start(std::move(command));
  } catch (const Failure& failure) {
    failed = failure;
  }
  if (failed) {
    execs_.erase(number);
    throw *failed;
  }
  asio::co_spawn(executor_, follow(exec), asio::detached);
  co_return exec;
}

// The agent tells an outcome once. So one coroutine for each command asks for it, and whoever waits
// for the command waits for that; a waiter that gives up loses nothing.
asio::awaitable<void> Guest::follow(std::shared_ptr<Exec> exec) {
  const auto self = shared_from_this();
  asio::steady_timer pause(executor_);
  auto interval = first_poll;
  try {
    while (!exec->outcome) {
      pause.expires_after(interval);
      co_await pause.async_wait(asio::use_awaitable);
      exec->outcome = co_await agent_->poll(exec->pid);
      interval = std::min(interval * 3 / 2, longest_poll);
    }
  } catch (const Failure& failure) {
    exec->gone = failure.what();
  }
  exec->ended = steady_clock::now();
  exec->done.notify();
}

asio::awaitable<void> Guest::wait_exec(std::shared_ptr<Exec> exec, milliseconds timeout) {
  const auto self = shared_from_this();
  const auto until = steady_clock::now() + timeout;
  while (!exec->outcome && exec->gone.empty() && steady_clock::now() < until)
    co_await exec->done.wait_until(until);
  if (!exec->gone.empty()) throw_gone(exec->summary);
  if (!exec->outcome)
    throw Failure("exec_timeout", fmt::format("{}: {}: not done after {} ms", spec_.name,
                                              exec->summary, timeout.count()));
}

asio::awaitable<void> Guest::signal_exec(std::shared_ptr<Exec> exec, int signal) {
  const auto self = shared_from_this();
  auto& in_guest = agent();
  if (!exec->outcome) co_await in_guest.signal(exec->pid, signal);
}

std::shared_ptr<Exec> Guest::exec(std::uint64_t number) const {
  const auto found = execs_.find(number);
  if (found == execs_.end())
    throw Failure("no_such", fmt::format("no command {}/{} is under way or waits to be fetched",
                                         spec_.name, number));
  return found->second;
}

std::uint64_t Guest::number_of(const std::shared_ptr<Exec>& exec) const {
  for (const auto& [number, one] : execs_)
    if (one == exec) return number;
  return 0;
}

void Guest::forget_exec(const std::shared_ptr<Exec>& exec) {
  std::erase_if(execs_, [&](const auto& entry) { return entry.second == exec; });
}

void Guest::check_disk(const std::string& name) const {
  if (spec_.disks.size() >= limits::disks_per_guest)
    throw Failure("limit",
                  fmt::format("{}: has its {} disks already", spec_.name, limits::disks_per_guest));
  for (const auto& disk : spec_.disks)
    if (disk.name == name)
      throw Failure("exists", fmt::format("{}: has a disk '{}' already", spec_.name, name));
}

Disk& Guest::disk(const std::string& name) {
  check_running();
  for (auto& disk : spec_.disks)
    if (disk.name == name) return disk;
  throw Failure("no_such", fmt::format("{}: has no disk '{}'", spec_.name, name));
}

asio::awaitable<Disk> Guest::add_disk(Json wanted) {
  const auto self = shared_from_this();
  auto& in_guest = agent();
  if (const auto name = wanted.find("name"); name != wanted.end() && name->is_string())
    check_disk(name->get<std::string>());
  const auto disk = make_disk(wanted, directory_);
  spec_.disks.push_back(disk);
  std::optional<Failure> failed;
  try {
    if (disk.bus == DiskBus::virtio_scsi && !has_scsi_) {
      Json controller = {{"driver", "virtio-scsi-pci"}, {"id", "scsi0"}};
      co_await monitor("device_add", std::move(controller));
      has_scsi_ = true;
    }
    co_await monitor("blockdev-add", blockdev_of(disk));
    co_await monitor("device_add", device_of(disk));
  } catch (const Failure& failure) {
    failed = failure;
  }
  if (failed) {
    std::erase_if(spec_.disks, [&](const auto& one) { return one.name == disk.name; });
    throw *failed;
  }
  // The guest finds it by itself; its node is the sign that it has.
  Command command;
  command.argv = {
      "/bin/busybox", "sh", "-c",
      "i=0; until [ -e \"$0\" ]; do i=$((i+1)); [ $i -lt 500 ] || exit 1; usleep 20000; done",
      "/dev/tsih/" + disk.name};
  co_await in_guest.run(std::move(command));
  co_return disk;
}

asio::awaitable<UnixNanoseconds> Guest::grow_disk(std::string name, std::uint64_t size_bytes) {
  const auto self = shared_from_this();
  check_disk_size(size_bytes);
  auto& found = disk(name);
  if (size_bytes < found.size_bytes)
    throw Failure("bad_request", fmt::format("{}: disk {} has {} bytes; {} would shrink it",
                                             spec_.name, name, found.size_bytes, size_bytes));
  Json arguments = {{"node-name", found.node()}, {"size", size_bytes}};
  co_await monitor("block_resize", std::move(arguments));
  disk(name).size_bytes = size_bytes;
  co_return wire_.mark(
      fmt::format("disk {} of guest {} is grown to {} bytes", name, spec_.name, size_bytes));
}

asio::awaitable<void> Guest::remove_disk(std::string name) {
  const auto self = shared_from_this();
  agent();
  const auto gone = disk(name);
  deleted_device_.clear();
  Json device = {{"id", gone.device_id()}};
  co_await monitor("device_del", std::move(device));
  const auto until = steady_clock::now() + unplug_timeout;
  while (deleted_device_ != gone.device_id()) {
    check_running();
    if (steady_clock::now() >= until)
      throw Failure("timeout", fmt::format("{}: the guest does not let go of disk {} within {} ms",
                                           spec_.name, name, unplug_timeout.count()));
    co_await device_deleted_.wait_until(until);
  }
  Json node = {{"node-name", gone.node()}};
  co_await monitor("blockdev-del", std::move(node));
  std::erase_if(spec_.disks, [&](const auto& one) { return one.name == name; });
}

asio::awaitable<std::string> Guest::archive_files(std::vector<std::string> paths) {
  const auto self = shared_from_this();
  auto& in_guest = agent();
  Command command;
  // Paths that the source does not have are no error; what cannot be read is.
  command.argv = {"/bin/sh", "-c",
                  "for path; do shift; [ -e \"$path\" ] && set -- \"$@\" \"$path\"; done; "
                  "exec tar -C / -cz -f - -- \"$@\" 2>/dev/null",
                  "archive"};
  command.argv.insert(command.argv.end(), paths.begin(), paths.end());
  auto archive = co_await in_guest.run(std::move(command));
  if (archive.size() >= limits::identity_bytes)
    throw Failure("limit",
                  fmt::format("{}: what is to be taken along has more than {} bytes, packed",
                              spec_.name, limits::identity_bytes));
  co_return archive;
}

asio::awaitable<void> Guest::extract_files(std::string archive) {
  const auto self = shared_from_this();
  auto& in_guest = agent();
  Command command;
  command.argv = {"/bin/tar", "-C", "/", "-xz", "-f", "-"};
  command.input = std::move(archive);
  co_await in_guest.run(std::move(command));
}

}  // namespace tsih::lab
