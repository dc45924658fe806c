#include "harness/lab/rpc.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace tsih::lab {
namespace asio = boost::asio;
using Json = nlohmann::json;

namespace {
constexpr std::size_t read_bytes = 64u << 10;

/// A call that waits: the timer is its alarm, cancelled when the answer is there.
struct Waiter {
  explicit Waiter(const asio::any_io_executor& executor) : alarm(executor) {}
  asio::steady_timer alarm;
  std::optional<Json> answer;
  std::optional<std::string> gone;
};
}  // namespace

struct Rpc::State : std::enable_shared_from_this<State> {
  State(const asio::any_io_executor& executor, int descriptor)
      : socket(executor, asio::local::stream_protocol(), descriptor) {}

  asio::local::stream_protocol::socket socket;
  std::string peer;
  std::string code;
  OnEvent on_event;
  std::vector<char> input;
  std::size_t filled = 0;
  std::size_t searched = 0;
  std::deque<std::string> output;
  bool closed = false;
  std::string closed_reason;
  std::uint64_t next_id = 1;
  std::unordered_map<std::uint64_t, std::shared_ptr<Waiter>> waiters;

  void read() {
    if (input.size() - filled < read_bytes) input.resize(filled + read_bytes);
    socket.async_read_some(
        asio::buffer(input.data() + filled, input.size() - filled),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
          if (self->closed) return;
          if (error) return self->close(error == asio::error::eof ? "it closed" : error.message());
          self->filled += bytes;
          self->take_lines();
          if (!self->closed) self->read();
        });
  }

  void take_lines() {
    std::size_t start = 0;
    while (!closed) {
      const auto* from = input.data() + std::max(start, searched);
      const auto* end = static_cast<const char*>(
          std::memchr(from, '\n', static_cast<std::size_t>(input.data() + filled - from)));
      if (end == nullptr) break;
      const auto length = static_cast<std::size_t>(end - (input.data() + start));
      take_line(std::string_view(input.data() + start, length));
      start += length + 1;
      searched = start;
    }
    if (closed) return;
    if (start > 0) std::memmove(input.data(), input.data() + start, filled - start);
    filled -= start;
    searched = filled;
    if (filled > limits::agent_line_bytes)
      close(fmt::format("it sent a line longer than {} bytes", limits::agent_line_bytes));
    else if (filled == 0 && input.size() > 16 * read_bytes)
      input = std::vector<char>(read_bytes);
  }

  void take_line(std::string_view line) {
    const auto message = Json::parse(line, nullptr, false);
    if (!message.is_object()) {
      if (!line.empty() && line != "\r") close("it sent a line that is no JSON object");
      return;
    }
    const auto id = message.find("id");
    if (id == message.end() || !id->is_number_unsigned()) {
      if (on_event) on_event(message);
      return;
    }
    const auto waiter = waiters.find(id->get<std::uint64_t>());
    if (waiter == waiters.end()) return;
    waiter->second->answer = message;
    waiter->second->alarm.cancel();
    waiters.erase(waiter);
  }

  void send(std::string line) {
    output.push_back(std::move(line));
    if (output.size() == 1) write();
  }

  void write() {
    asio::async_write(
        socket, asio::buffer(output.front()),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
          if (self->closed) return;
          if (error) return self->close(error.message());
          self->output.pop_front();
          if (!self->output.empty()) self->write();
        });
  }

  void close(const std::string& reason) {
    if (closed) return;
    closed = true;
    closed_reason = reason;
    boost::system::error_code ignored;
    socket.close(ignored);
    for (auto& [id, waiter] : waiters) {
      waiter->gone = reason;
      waiter->alarm.cancel();
    }
    waiters.clear();
  }
};

Rpc::Rpc(const asio::any_io_executor& executor, int descriptor, std::string peer, std::string code,
         OnEvent on_event)
    : state_(std::make_shared<State>(executor, descriptor)) {
  state_->peer = std::move(peer);
  state_->code = std::move(code);
  state_->on_event = std::move(on_event);
  state_->read();
}

Rpc::~Rpc() {
  state_->on_event = nullptr;
  state_->close("the lab let it go");
}

void Rpc::close(const std::string& reason) { state_->close(reason); }
bool Rpc::open() const { return !state_->closed; }

asio::awaitable<Json> Rpc::call(std::string command, Json arguments,
                                std::chrono::milliseconds timeout) {
  const auto state = state_;  // the Rpc may go while this waits
  const auto gone = [&](const std::string& reason) {
    return Failure("guest_gone",
                   fmt::format("{}: {}: no answer, {}", state->peer, command, reason));
  };
  if (state->closed) throw gone(state->closed_reason);

  const auto id = state->next_id++;
  const auto waiter = std::make_shared<Waiter>(state->socket.get_executor());
  state->waiters.emplace(id, waiter);
  Json request = Json::object();
  request["execute"] = command;
  request["id"] = id;
  if (!arguments.empty()) request["arguments"] = std::move(arguments);
  state->send(request.dump() + "\n");

  waiter->alarm.expires_after(timeout);
  boost::system::error_code woken;
  co_await waiter->alarm.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  if (waiter->gone) throw gone(*waiter->gone);
  if (!waiter->answer) {
    state->waiters.erase(id);
    throw Failure("timeout", fmt::format("{}: {}: no answer within {} ms", state->peer, command,
                                         timeout.count()));
  }
  const Json& answer = *waiter->answer;
  if (const auto error = answer.find("error"); error != answer.end())
    throw Failure(state->code, fmt::format("{}: {}: {}", state->peer, command,
                                           error->value("desc", error->dump())));
  const auto result = answer.find("return");
  if (result == answer.end())
    throw Failure(state->code, fmt::format("{}: {}: an answer with neither return nor error",
                                           state->peer, command));
  co_return *result;
}

}  // namespace tsih::lab
