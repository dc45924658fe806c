// A child process that cannot outlive the lab.
#pragma once

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tsih::lab {

struct Launch {
  std::vector<std::string> argv;  // argv[0] is searched for in PATH
  std::string directory;          // where it runs
  std::string log;                // file that takes its stdout and stderr
  std::vector<int> inherit;       // descriptors that it gets, under the same numbers
};

/// Killed (SIGKILL) by the kernel when the lab ends, in whatever way, and when this object goes.
class Process {
 public:
  /// `ended` in words: "exit status 1", "signal 9 (Killed)". Not called after the object is gone.
  using OnExit = std::function<void(const std::string& ended)>;

  /// Throws Failure("host") when it cannot be started.
  Process(const boost::asio::any_io_executor& executor, const Launch& launch, OnExit on_exit);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const;
  bool running() const;
  void kill();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tsih::lab
