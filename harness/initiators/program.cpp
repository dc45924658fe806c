#include "harness/initiators/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tsih::initiators {
namespace {

constexpr int kNotFound = 127;

void replace_all(std::string& text, std::string_view what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

[[noreturn]] void become(std::vector<char*>& arguments, int errors) {
  setpgid(0, 0);
  const int nothing = open("/dev/null", O_RDWR);
  dup2(nothing, STDIN_FILENO);
  dup2(nothing, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  execvp(arguments[0], arguments.data());
  _exit(kNotFound);
}

}  // namespace

std::vector<std::string> filled_in(const std::vector<std::string>& words, const std::string& url,
                                   const std::string& action) {
  std::vector<std::string> filled = words;
  for (std::string& word : filled) {
    replace_all(word, "{url}", url);
    replace_all(word, "{action}", action);
  }
  return filled;
}

Program::Program(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  errors_ = memfd_create("stderr", MFD_CLOEXEC);
  pid_ = errors_ < 0 ? -1 : fork();
  if (pid_ == 0) become(arguments, errors_);
  if (pid_ > 0) {
    setpgid(pid_, pid_);  // both sides: whoever comes first
    pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  }
  if (pidfd_ < 0)
    throw suite::Inconclusive{
        fmt::format("{} could not be started: {}", command.front(), std::strerror(errno))};
}

Program::~Program() {
  if (pid_ > 0) {
    kill(-pid_, SIGKILL);
    if (!exit_status_) waitpid(pid_, nullptr, 0);
  }
  if (pidfd_ >= 0) close(pidfd_);
  if (errors_ >= 0) close(errors_);
}

std::optional<int> Program::ended() {
  int status = 0;
  if (!exit_status_ && waitpid(pid_, &status, WNOHANG) == pid_)
    exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_status_;
}

std::string Program::last_words() {
  char buffer[2048];
  const off_t size = lseek(errors_, 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(sizeof buffer));
  const ssize_t count = pread(errors_, buffer, sizeof buffer, from);
  std::string text(buffer, count > 0 ? static_cast<std::size_t>(count) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace tsih::initiators
