#include "harness/suite/processes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>

namespace tsih::suite {
namespace {

struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    read = ends[0];
    write = ends[1];
  }
};

int spawn(const std::vector<std::string>& command, int out, int err) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int pid = fork();
  if (pid < 0) throw std::runtime_error("no fork");
  if (pid == 0) {
    dup2(out, STDOUT_FILENO);
    if (err >= 0) dup2(err, STDERR_FILENO);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  return pid;
}

// Appends what is there; false at the end of the stream.
bool read_some(int fd, std::string& text) {
  char buffer[4096];
  const ssize_t count = read(fd, buffer, sizeof buffer);
  if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
  return count > 0;
}

}  // namespace

Output run(const std::vector<std::string>& command) {
  const auto start = std::chrono::steady_clock::now();
  Pipe out, err;
  const int pid = spawn(command, out.write, err.write);
  close(out.write);
  close(err.write);
  Output output;
  pollfd ends[2] = {{out.read, POLLIN, 0}, {err.read, POLLIN, 0}};
  std::string* texts[2] = {&output.out, &output.err};
  for (int open = 2; open > 0;) {
    poll(ends, 2, -1);
    for (int i = 0; i < 2; ++i)
      if (ends[i].fd >= 0 && ends[i].revents != 0 && !read_some(ends[i].fd, *texts[i])) {
        close(ends[i].fd);
        ends[i].fd = -1;
        --open;
      }
  }
  int status = 0;
  waitpid(pid, &status, 0);
  output.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  output.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return output;
}

Server::Server(const std::vector<std::string>& command, const std::string& ready_word) {
  Pipe out;
  pid_ = spawn(command, out.write, -1);
  close(out.write);
  output_ = out.read;
  std::string text;
  while (true) {
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      if (end == std::string::npos) break;
      const std::string line = text.substr(at, end - at);
      if (line.starts_with(ready_word)) {
        ready_line_ = line;
        return;
      }
      at = end + 1;
    }
    if (!read_some(output_, text))
      throw std::runtime_error(command.front() + " did not get ready: " + text);
  }
}

Server::~Server() {
  kill(pid_, SIGTERM);
  // A program that does not go within two seconds is ended.
  for (int i = 0; i < 200; ++i) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      close(output_);
      return;
    }
    poll(nullptr, 0, 10);
  }
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(output_);
}

}  // namespace tsih::suite
