#include "harness/lab/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>

#include "harness/lab/failure.h"

namespace tsih::lab {
namespace asio = boost::asio;

struct Process::State {
  State(const asio::any_io_executor& executor) : exit_signal(executor) {}
  asio::posix::stream_descriptor exit_signal;  // a pidfd: readable when the child has ended
  OnExit on_exit;
  pid_t pid = -1;
  bool running = false;

  std::string reap() {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    running = false;
    if (WIFSIGNALED(status))
      return fmt::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return fmt::format("exit status {}", WEXITSTATUS(status));
  }
};

namespace {

/// In the child, between fork and exec: only calls that are safe there. Returns when it failed.
void become(const Launch& launch, char* const* argv, pid_t parent) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) return;
  // An interrupt from the keyboard is for the lab, which then ends its guests in order.
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (::chdir(launch.directory.c_str()) != 0) return;
  const int in = ::open("/dev/null", O_RDONLY);
  const int out = ::open(launch.log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0644);
  if (in < 0 || out < 0) return;
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  for (const int descriptor : launch.inherit) ::fcntl(descriptor, F_SETFD, 0);
  ::execvp(argv[0], argv);
}

}  // namespace

Process::Process(const asio::any_io_executor& executor, const Launch& launch, OnExit on_exit)
    : state_(std::make_shared<State>(executor)) {
  std::vector<char*> argv;
  for (const auto& word : launch.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);

  // The child reports why it could not exec; the pipe closes by itself when it could.
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0)
    throw Failure("host", fmt::format("pipe: {}", std::strerror(errno)));
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    become(launch, argv.data(), parent);
    const int error = errno;
    [[maybe_unused]] const auto ignored = ::write(report[1], &error, sizeof error);
    ::_exit(127);
  }
  const int fork_error = errno;
  ::close(report[1]);
  int error = 0;
  const auto told = child < 0 ? 0 : ::read(report[0], &error, sizeof error);
  ::close(report[0]);
  if (child < 0) throw Failure("host", fmt::format("fork: {}", std::strerror(fork_error)));
  if (told == sizeof error) {
    ::waitpid(child, nullptr, 0);
    throw Failure("host",
                  fmt::format("cannot start {}: {}", launch.argv.front(), std::strerror(error)));
  }

  state_->pid = child;
  state_->running = true;
  state_->on_exit = std::move(on_exit);
  state_->exit_signal.assign(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  state_->exit_signal.async_wait(asio::posix::stream_descriptor::wait_read,
                                 [state = state_](const boost::system::error_code& wait_error) {
                                   if (wait_error || !state->running) return;
                                   const auto ended = state->reap();
                                   if (state->on_exit) state->on_exit(ended);
                                 });
}

Process::~Process() {
  state_->on_exit = nullptr;
  if (state_->running) {
    ::kill(state_->pid, SIGKILL);
    state_->reap();
  }
  boost::system::error_code ignored;
  state_->exit_signal.close(ignored);
}

pid_t Process::pid() const { return state_->pid; }
bool Process::running() const { return state_->running; }
void Process::kill() {
  if (state_->running) ::kill(state_->pid, SIGKILL);
}

}  // namespace tsih::lab
