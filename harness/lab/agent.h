// The guest agent (qemu-guest-agent, over virtio-serial) as the lab uses it: run commands, read and
// write files. Its words are QEMU's, documented in qemu-ga-ref(7).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/lab/rpc.h"

namespace tsih::lab {

struct Command {
  std::vector<std::string> argv;
  std::string input;
  std::map<std::string, std::string> environment;  // over that of the guest

  /// The command as a person would name it, shortened.
  std::string summary() const;
};

struct Outcome {
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string output;
  std::string error_output;
  bool truncated = false;
};

class Agent {
 public:
  Agent(const boost::asio::any_io_executor& executor, int descriptor, const std::string& guest);

  /// Comes back once the guest takes commands. QEMU holds the question until the agent has opened
  /// its port, so nothing polls. Throws Failure("timeout").
  boost::asio::awaitable<void> wait_up(std::chrono::milliseconds timeout);

  /// Starts a command as the leader of a session of its own; gives its process id there.
  boost::asio::awaitable<std::int64_t> start(Command command);
  /// The outcome once it has ended, else nothing. The agent forgets what it has told.
  boost::asio::awaitable<std::optional<Outcome>> poll(std::int64_t pid);
  /// Sends `signal` to all of a command's process group.
  boost::asio::awaitable<void> signal(std::int64_t pid, int signal);
  /// Runs a command of ours to its end; throws Failure("agent") unless it exits with 0.
  boost::asio::awaitable<std::string> run(Command command);

  boost::asio::awaitable<void> write_file(std::string path, std::string data, bool append);
  struct Contents {
    std::string data;
    bool at_end = false;
  };
  boost::asio::awaitable<Contents> read_file(std::string path, std::size_t max_bytes);
  /// Asks for a power-off. The agent answers nothing to that.
  boost::asio::awaitable<void> shut_down();

  void close(const std::string& reason) { rpc_->close(reason); }

 private:
  boost::asio::awaitable<nlohmann::json> ask(std::string command, nlohmann::json arguments);

  boost::asio::any_io_executor executor_;
  std::shared_ptr<Rpc> rpc_;
  std::string guest_;
};

}  // namespace tsih::lab
