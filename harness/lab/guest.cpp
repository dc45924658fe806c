#include "harness/lab/guest.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/lab/base64.h"
#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace tsih::lab {
namespace asio = boost::asio;
using Json = nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t tail_bytes = 4000;
constexpr milliseconds monitor_timeout{120'000};  // QEMU answers at once when it gets to run
constexpr milliseconds kill_timeout{10'000};

/// Ours and the guest's end of a socket; both close by themselves unless they are released.
class SocketPair {
 public:
  SocketPair() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) != 0)
      throw Failure("host", fmt::format("socketpair: {}", std::strerror(errno)));
  }
  ~SocketPair() {
    for (const int end : ends_)
      if (end >= 0) ::close(end);
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  int take_ours() { return std::exchange(ends_[0], -1); }
  int theirs() const { return ends_[1]; }

 private:
  std::array<int, 2> ends_{-1, -1};
};

/// A port of 127.0.0.1 that nobody listens on now. QEMU says so if somebody was faster.
std::uint16_t free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool found = probe >= 0 &&
                     ::bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                     ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  const int error = errno;
  if (probe >= 0) ::close(probe);
  if (!found)
    throw Failure("host", fmt::format("no free port on 127.0.0.1: {}", std::strerror(error)));
  return ntohs(address.sin_port);
}

}  // namespace

const char* name_of(Guest::State state) {
  switch (state) {
    case Guest::State::booting:
      return "booting";
    case Guest::State::ready:
      return "ready";
    case Guest::State::paused:
      return "paused";
    case Guest::State::ended:
      return "ended";
  }
  return "";
}

Guest::Guest(const asio::any_io_executor& executor, Wire& wire, GuestSpec spec,
             std::string directory, OnEvent on_event)
    : executor_(executor),
      wire_(wire),
      spec_(std::move(spec)),
      directory_(std::move(directory)),
      on_event_(std::move(on_event)),
      state_changed_(executor),
      device_deleted_(executor) {}

void Guest::launch(const Machine& machine) {
  SocketPair monitor_pair;
  SocketPair agent_pair;
  std::vector<SocketPair> nic_pairs(spec_.nics.size());
  Sockets sockets{monitor_pair.theirs(), agent_pair.theirs(), {}};
  for (const auto& pair : nic_pairs) sockets.nics.push_back(pair.theirs());
  for (auto& forward : spec_.forwards)
    if (forward.host_port == 0) forward.host_port = free_port();
  for (const auto& disk : spec_.disks) has_scsi_ |= disk.bus == DiskBus::virtio_scsi;

  Launch launch;
  launch.argv = qemu_arguments(spec_, machine, sockets);
  launch.directory = directory_;
  launch.log = directory_ + "/qemu.log";
  launch.inherit = sockets.nics;
  launch.inherit.push_back(sockets.monitor);
  launch.inherit.push_back(sockets.agent);
  std::ofstream(launch.log, std::ios::app) << fmt::format("{}\n", fmt::join(launch.argv, " "));

  started_ = std::chrono::steady_clock::now();
  monitor_ = std::make_shared<Rpc>(executor_, monitor_pair.take_ours(), spec_.name + ": QEMU",
                                   "qemu", [this](const Json& event) {
                                     if (event.value("event", "") != "DEVICE_DELETED") return;
                                     deleted_device_ =
                                         event.value(Json::json_pointer("/data/device"), "");
                                     device_deleted_.notify();
                                   });
  agent_ = std::make_unique<Agent>(executor_, agent_pair.take_ours(), spec_.name);
  try {
    for (std::size_t i = 0; i < spec_.nics.size(); ++i)
      wire_.plug(spec_.nics[i].link, nic_pairs[i].take_ours());
    process_ = std::make_unique<Process>(executor_, launch,
                                         [weak = weak_from_this()](const std::string& how) {
                                           if (const auto guest = weak.lock()) guest->ended(how);
                                         });
  } catch (const Failure&) {
    ended("it was not started");
    throw;
  }
}

asio::awaitable<void> Guest::boot() {
  const auto self = shared_from_this();
  std::optional<Failure> failed;
  try {
    co_await prepare();
  } catch (const Failure& failure) {
    failed = failure;
  }
  if (!failed) co_return;
  if (state_ != State::ended) {
    end_expected_ = true;
    co_await kill();
  } else if (end_expected_) {
    throw_gone("boot");
  }
  throw_never_up(how_ended_.empty() ? failed->what()
                                    : fmt::format("{} ({})", failed->what(), how_ended_));
}

asio::awaitable<void> Guest::prepare() {
  co_await monitor_->call("qmp_capabilities", Json::object(), monitor_timeout);
  co_await agent_->wait_up(spec_.boot_timeout);
  for (const auto& [path, text] : spec_.files) co_await agent_->write_file(path, text, false);
  if (state_ == State::ended) throw_gone("boot");
  state_ = State::ready;
  ready_ms_ =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - started_).count();
  state_changed_.notify();
  on_event_({{"event", "guest.ready"}, {"guest", spec_.name}, {"ready_ms", *ready_ms_}});
}

asio::awaitable<void> Guest::wait_ready(milliseconds timeout) {
  const auto self = shared_from_this();
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (state_ == State::booting) {
    if (std::chrono::steady_clock::now() >= until)
      throw Failure("timeout",
                    fmt::format("{}: not ready after {} ms", spec_.name, timeout.count()));
    co_await state_changed_.wait_until(until);
  }
  if (state_ == State::ended) throw_gone("boot");
}

void Guest::ended(const std::string& how) {
  if (state_ == State::ended) return;
  const bool never_up = state_ == State::booting;
  state_ = State::ended;
  how_ended_ = "QEMU ended: " + how;
  if (monitor_) monitor_->close(how_ended_);
  if (agent_) agent_->close(how_ended_);
  for (const auto& nic : spec_.nics) wire_.unplug(nic.link);
  wire_.mark(fmt::format("guest {} ended: {}", spec_.name, how));
  Json event = {{"event", "guest.exit"},
                {"guest", spec_.name},
                {"expected", end_expected_},
                {"status", how},
                {"never_up", never_up}};
  if (!end_expected_) event["serial_tail"] = serial_tail(tail_bytes);
  state_changed_.notify();
  device_deleted_.notify();
  on_event_(std::move(event));
}

void Guest::throw_gone(const std::string& doing) const {
  auto failure = Failure(
      "guest_gone", fmt::format("{}: {}: the guest has ended: {}", spec_.name, doing, how_ended_));
  failure.with("serial_tail", serial_tail(tail_bytes));
  throw failure;
}

void Guest::throw_never_up(const std::string& why) const {
  auto failure =
      Failure("guest_never_up",
              fmt::format("{}: the guest took no commands: {}; its console is in {}/serial.log, "
                          "QEMU's words in {}/qemu.log",
                          spec_.name, why, directory_, directory_));
  failure.with("serial_tail", serial_tail(tail_bytes));
  throw failure;
}

void Guest::check_running() const {
  if (state_ == State::ended) throw_gone("request");
}

Agent& Guest::agent() {
  check_running();
  if (state_ != State::ready)
    throw Failure("wrong_state", fmt::format("{}: the guest is {}; it must be ready for this",
                                             spec_.name, name_of(state_)));
  return *agent_;
}

asio::awaitable<Json> Guest::monitor(std::string command, Json arguments) {
  check_running();
  const auto monitor = monitor_;
  co_return co_await monitor->call(std::move(command), std::move(arguments), monitor_timeout);
}

asio::awaitable<UnixNanoseconds> Guest::pause() {
  const auto self = shared_from_this();
  agent();
  co_await monitor("stop", Json::object());
  state_ = State::paused;
  co_return wire_.mark(fmt::format("guest {} is paused", spec_.name));
}

asio::awaitable<UnixNanoseconds> Guest::resume() {
  const auto self = shared_from_this();
  if (state_ != State::paused)
    throw Failure("wrong_state",
                  fmt::format("{}: the guest is {}, not paused", spec_.name, name_of(state_)));
  const auto time = wire_.mark(fmt::format("guest {} is continued", spec_.name));
  co_await monitor("cont", Json::object());
  state_ = State::ready;
  co_return time;
}

asio::awaitable<UnixNanoseconds> Guest::kill() {
  const auto self = shared_from_this();
  check_running();
  end_expected_ = true;
  const auto time = wire_.mark(fmt::format("guest {} is killed", spec_.name));
  process_->kill();
  co_await wait_ended(kill_timeout);
  co_return time;
}

asio::awaitable<UnixNanoseconds> Guest::shut_down(milliseconds timeout) {
  const auto self = shared_from_this();
  auto& agent_to_ask = agent();
  end_expected_ = true;
  const auto time = wire_.mark(fmt::format("guest {} is shut down", spec_.name));
  co_await agent_to_ask.shut_down();
  co_await wait_ended(timeout);
  co_return time;
}

void Guest::abandon() {
  end_expected_ = true;
  if (process_) process_->kill();
}

asio::awaitable<void> Guest::wait_ended(milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (state_ != State::ended) {
    if (std::chrono::steady_clock::now() >= until)
      throw Failure("timeout", fmt::format("{}: the guest has not ended after {} ms", spec_.name,
                                           timeout.count()));
    co_await state_changed_.wait_until(until);
  }
}

std::string Guest::serial_tail(std::size_t bytes) const {
  std::ifstream file(directory_ + "/serial.log", std::ios::binary | std::ios::ate);
  if (!file) return "";
  const auto size = static_cast<std::size_t>(file.tellg());
  const auto wanted = std::min(size, bytes);
  std::string text(wanted, '\0');
  file.seekg(static_cast<std::streamoff>(size - wanted));
  file.read(text.data(), static_cast<std::streamsize>(wanted));
  return make_utf8(text);
}

Json Guest::describe() const {
  Json nics = Json::array();
  for (const auto& nic : spec_.nics) {
    Json one = {{"device", nic.device}, {"link", nic.link}, {"mac", nic.mac}};
    one["address"] = nic.address.empty() ? Json() : Json(nic.address);
    one["ip"] = nic.address.empty() ? Json() : Json(nic.address.substr(0, nic.address.find('/')));
    nics.push_back(std::move(one));
  }
  Json forwards = Json::array();
  for (const auto& forward : spec_.forwards)
    forwards.push_back({{"guest_port", forward.guest_port}, {"host_port", forward.host_port}});
  Json disks = Json::array();
  for (const auto& one : spec_.disks) disks.push_back(tsih::lab::describe(one));
  return {{"name", spec_.name},
          {"hostname", spec_.hostname},
          {"state", name_of(state_)},
          {"pid", process_ ? Json(process_->pid()) : Json()},
          {"nics", std::move(nics)},
          {"forward_tcp", std::move(forwards)},
          {"disks", std::move(disks)},
          {"ready_ms", ready_ms_ ? Json(*ready_ms_) : Json()},
          {"initiator_name", spec_.initiator_name},
          {"serial_log", directory_ + "/serial.log"},
          {"console", directory_ + "/console.sock"}};
}

}  // namespace tsih::lab
