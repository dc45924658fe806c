// One guest from its start to its end: the QEMU process, its monitor, its agent, its cables, disks
// and the commands that run in it.
//
// Every awaitable throws Failure with the codes of PROTOCOL.md; `guest_gone` if the guest ends
// while it waits.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "harness/lab/agent.h"
#include "harness/lab/frame.h"
#include "harness/lab/process.h"
#include "harness/lab/qemu.h"
#include "harness/lab/signal.h"
#include "harness/lab/wire.h"

namespace tsih::lab {

/// A command under way in a guest, or its outcome that nobody has fetched yet.
struct Exec {
  Exec(const boost::asio::any_io_executor& executor, std::string what)
      : summary(std::move(what)), started(std::chrono::steady_clock::now()), done(executor) {}
  std::string summary;
  Instant started;
  Instant ended{};
  std::int64_t pid = -1;
  std::optional<Outcome> outcome;
  std::string gone;  // why there will be no outcome
  Signal done;
};

class Guest : public std::enable_shared_from_this<Guest> {
 public:
  enum class State { booting, ready, paused, ended };
  using OnEvent = std::function<void(nlohmann::json)>;

  Guest(const boost::asio::any_io_executor& executor, Wire& wire, GuestSpec spec,
        std::string directory, OnEvent on_event);

  /// Starts QEMU and plugs its cables in. Throws Failure("host").
  void launch(const Machine& machine);
  /// Comes back when the guest takes commands; its files are in place then.
  boost::asio::awaitable<void> boot();
  boost::asio::awaitable<void> wait_ready(std::chrono::milliseconds timeout);

  boost::asio::awaitable<UnixNanoseconds> pause();
  boost::asio::awaitable<UnixNanoseconds> resume();
  boost::asio::awaitable<UnixNanoseconds> kill();
  boost::asio::awaitable<UnixNanoseconds> shut_down(std::chrono::milliseconds timeout);
  /// Kills it without waiting: the lab is ending.
  void abandon();

  boost::asio::awaitable<std::shared_ptr<Exec>> start_exec(Command command);
  /// Throws Failure("exec_timeout"); the exec goes on.
  boost::asio::awaitable<void> wait_exec(std::shared_ptr<Exec> exec,
                                         std::chrono::milliseconds timeout);
  boost::asio::awaitable<void> signal_exec(std::shared_ptr<Exec> exec, int signal);
  void forget_exec(const std::shared_ptr<Exec>& exec);
  std::shared_ptr<Exec> exec(std::uint64_t number) const;
  std::uint64_t number_of(const std::shared_ptr<Exec>& exec) const;

  /// The agent of a guest that takes commands; throws wrong_state.
  Agent& agent();

  boost::asio::awaitable<Disk> add_disk(nlohmann::json wanted);
  boost::asio::awaitable<UnixNanoseconds> grow_disk(std::string name, std::uint64_t size_bytes);
  boost::asio::awaitable<void> remove_disk(std::string name);

  /// A gzipped tar of the paths that exist, for extract_files() of a clone.
  boost::asio::awaitable<std::string> archive_files(std::vector<std::string> paths);
  boost::asio::awaitable<void> extract_files(std::string archive);

  const GuestSpec& spec() const { return spec_; }
  State state() const { return state_; }
  const std::string& directory() const { return directory_; }
  nlohmann::json describe() const;
  std::string serial_tail(std::size_t bytes) const;

 private:
  boost::asio::awaitable<void> prepare();
  boost::asio::awaitable<void> follow(std::shared_ptr<Exec> exec);
  void ended(const std::string& how);
  [[noreturn]] void throw_gone(const std::string& doing) const;
  [[noreturn]] void throw_never_up(const std::string& why) const;
  void check_running() const;
  void check_disk(const std::string& name) const;
  Disk& disk(const std::string& name);
  boost::asio::awaitable<nlohmann::json> monitor(std::string command, nlohmann::json arguments);
  boost::asio::awaitable<void> wait_ended(std::chrono::milliseconds timeout);

  boost::asio::any_io_executor executor_;
  Wire& wire_;
  GuestSpec spec_;
  std::string directory_;
  OnEvent on_event_;
  State state_ = State::booting;
  bool end_expected_ = false;
  std::string how_ended_;
  Instant started_{};
  std::optional<std::int64_t> ready_ms_;
  std::unique_ptr<Process> process_;
  std::shared_ptr<Rpc> monitor_;
  std::unique_ptr<Agent> agent_;
  std::map<std::uint64_t, std::shared_ptr<Exec>> execs_;
  std::uint64_t next_exec_ = 1;
  bool has_scsi_ = false;
  Signal state_changed_;
  Signal device_deleted_;
  std::string deleted_device_;
};

const char* name_of(Guest::State state);

}  // namespace tsih::lab
