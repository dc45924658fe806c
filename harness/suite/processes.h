// Programs that the tests start and are sure to end, and their output.
#pragma once

#include <string>
#include <vector>

namespace tsih::suite {

struct Output {
  int exit_status = -1;
  std::string out;
  std::string err;
  double seconds = 0;
};

/// Runs a program to its end.
Output run(const std::vector<std::string>& command);

/// A program that runs until this object goes away (SIGTERM, then SIGKILL). Its standard output is
/// read up to the first line that starts with `ready_word`; throws when it ends before that.
class Server {
 public:
  Server(const std::vector<std::string>& command, const std::string& ready_word);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  const std::string& ready_line() const { return ready_line_; }

 private:
  int pid_ = -1;
  int output_ = -1;
  std::string ready_line_;
};

}  // namespace tsih::suite
