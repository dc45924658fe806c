#include "harness/lab/agent.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "harness/lab/base64.h"
#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace tsih::lab {
namespace asio = boost::asio;
using Json = nlohmann::json;

namespace {
constexpr std::size_t summary_chars = 120;
constexpr std::size_t chunk_bytes = 256u << 10;

std::string decoded(const Json& answer, const char* name, bool& truncated) {
  auto data = from_base64(answer.value(name, "")).value_or("");
  if (data.size() > limits::exec_output_bytes) {
    data.resize(limits::exec_output_bytes);
    truncated = true;
  }
  return data;
}
}  // namespace

std::string Command::summary() const {
  auto text = fmt::format("{}", fmt::join(argv, " "));
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text.size() > summary_chars) text = text.substr(0, summary_chars - 3) + "...";
  return make_utf8(text);
}

Agent::Agent(const asio::any_io_executor& executor, int descriptor, const std::string& guest)
    : executor_(executor),
      rpc_(std::make_shared<Rpc>(executor, descriptor, guest + ": guest agent", "agent", nullptr)),
      guest_(guest) {}

// An agent that is slow is not an error: the guest may be paused. It ends with the guest.
asio::awaitable<Json> Agent::ask(std::string command, Json arguments) {
  const auto rpc = rpc_;
  co_return co_await rpc->call(std::move(command), std::move(arguments), limits::timeout_max);
}

asio::awaitable<void> Agent::wait_up(std::chrono::milliseconds timeout) {
  const auto rpc = rpc_;
  co_await rpc->call("guest-ping", Json::object(), timeout);
}

asio::awaitable<std::int64_t> Agent::start(Command command) {
  // setsid makes the command the leader of a process group that can be signalled as a whole.
  Json words = Json::array();
  if (!command.environment.empty()) {
    words.push_back("/usr/bin/env");
    for (const auto& [name, value] : command.environment) words.push_back(name + "=" + value);
  }
  for (auto& word : command.argv) words.push_back(std::move(word));
  Json arguments = Json::object();
  arguments["path"] = "/usr/bin/setsid";
  arguments["arg"] = std::move(words);
  arguments["capture-output"] = true;
  if (!command.input.empty()) arguments["input-data"] = to_base64(command.input);
  const auto answer = co_await ask("guest-exec", std::move(arguments));
  co_return answer.at("pid").get<std::int64_t>();
}

asio::awaitable<std::optional<Outcome>> Agent::poll(std::int64_t pid) {
  Json arguments = Json::object();
  arguments["pid"] = pid;
  const auto answer = co_await ask("guest-exec-status", std::move(arguments));
  if (!answer.value("exited", false)) co_return std::nullopt;
  Outcome outcome;
  if (answer.contains("exitcode")) outcome.exit_code = answer["exitcode"].get<int>();
  if (answer.contains("signal")) outcome.signal = answer["signal"].get<int>();
  outcome.truncated = answer.value("out-truncated", false) || answer.value("err-truncated", false);
  outcome.output = decoded(answer, "out-data", outcome.truncated);
  outcome.error_output = decoded(answer, "err-data", outcome.truncated);
  co_return outcome;
}

asio::awaitable<void> Agent::signal(std::int64_t pid, int signal) {
  Command command;
  command.argv = {"/bin/sh", "-c", fmt::format("kill -{} -{} 2>/dev/null || :", signal, pid)};
  co_await run(std::move(command));
}

asio::awaitable<std::string> Agent::run(Command command) {
  const auto summary = command.summary();
  const auto pid = co_await start(std::move(command));
  asio::steady_timer pause(executor_);
  for (;;) {
    auto outcome = co_await poll(pid);
    if (outcome) {
      if (outcome->exit_code == 0) co_return std::move(outcome->output);
      throw Failure("agent",
                    fmt::format("{}: {}: exit status {}: {}", guest_, summary,
                                outcome->exit_code.value_or(-1), make_utf8(outcome->error_output)));
    }
    pause.expires_after(std::chrono::milliseconds(5));
    co_await pause.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> Agent::write_file(std::string path, std::string data, bool append) {
  Json open = Json::object();
  open["path"] = path;
  open["mode"] = append ? "ab" : "wb";
  Json with_handle = Json::object();
  with_handle["handle"] = co_await ask("guest-file-open", std::move(open));
  std::optional<Failure> failed;
  try {
    for (std::size_t at = 0; at < data.size(); at += chunk_bytes) {
      Json write = with_handle;
      write["buf-b64"] = to_base64(std::string_view(data).substr(at, chunk_bytes));
      co_await ask("guest-file-write", std::move(write));
    }
  } catch (const Failure& failure) {
    failed = failure;
  }
  co_await ask("guest-file-close", with_handle);
  if (failed) throw *failed;
}

asio::awaitable<Agent::Contents> Agent::read_file(std::string path, std::size_t max_bytes) {
  Json open = Json::object();
  open["path"] = path;
  open["mode"] = "rb";
  Json with_handle = Json::object();
  with_handle["handle"] = co_await ask("guest-file-open", std::move(open));
  Contents contents;
  std::optional<Failure> failed;
  try {
    while (!contents.at_end && contents.data.size() < max_bytes) {
      Json read = with_handle;
      read["count"] = std::min(chunk_bytes, max_bytes - contents.data.size());
      const auto answer = co_await ask("guest-file-read", std::move(read));
      contents.data += from_base64(answer.value("buf-b64", "")).value_or("");
      contents.at_end = answer.value("eof", true) || answer.value("count", 0) == 0;
    }
  } catch (const Failure& failure) {
    failed = failure;
  }
  co_await ask("guest-file-close", with_handle);
  if (failed) throw *failed;
  co_return contents;
}

asio::awaitable<void> Agent::shut_down() {
  Json arguments = Json::object();
  arguments["mode"] = "powerdown";
  try {
    const auto rpc = rpc_;
    co_await rpc->call("guest-shutdown", std::move(arguments), std::chrono::milliseconds(200));
  } catch (const Failure& failure) {
    if (failure.code() != "timeout" && failure.code() != "guest_gone") throw;
  }
}

}  // namespace tsih::lab
