#include "harness/lab/control.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <deque>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "harness/lab/failure.h"
#include "harness/lab/limits.h"
#include "harness/lab/signal.h"

namespace tsih::lab {
namespace asio = boost::asio;
using Json = nlohmann::json;

namespace {

constexpr std::size_t read_bytes = 64u << 10;

std::string line_of(const Json& message) {
  return message.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json reply_to(const Json& id) {
  Json reply = Json::object();
  reply["id"] = id;
  return reply;
}

Json failed_reply(const Json& id, const Failure& failure) {
  Json error = {{"code", failure.code()}, {"message", failure.what()}};
  for (const auto& [key, text] : failure.details()) error[key] = text;
  auto reply = reply_to(id);
  reply["ok"] = false;
  reply["error"] = std::move(error);
  return reply;
}

}  // namespace

/// One party's conversation.
class Session : public std::enable_shared_from_this<Session> {
 public:
  using OnLine = std::function<void(const std::shared_ptr<Session>&, std::string_view)>;
  using OnClosed = std::function<void(const std::shared_ptr<Session>&, const std::string& why)>;

  Session(const asio::any_io_executor& executor, int input, int output, bool owner)
      : is_owner(owner), input_(executor, input), output_(executor, output) {}

  void start(OnLine on_line, OnClosed on_closed) {
    on_line_ = std::move(on_line);
    on_closed_ = std::move(on_closed);
    read();
  }

  void send(std::string line) {
    if (closed_) return;
    queued_bytes_ += line.size();
    queue_.push_back(std::move(line));
    if (queued_bytes_ > limits::control_output_bytes)
      return close(fmt::format("it does not read; {} bytes wait for it", queued_bytes_));
    if (queue_.size() == 1) write();
  }

  void close(const std::string& why) {
    if (closed_) return;
    closed_ = true;
    boost::system::error_code ignored;
    input_.close(ignored);
    output_.close(ignored);
    queue_.clear();
    queued_bytes_ = 0;
    if (on_closed_) on_closed_(shared_from_this(), why);
  }
  void silence() { on_closed_ = nullptr; }
  bool drained() const { return queue_.empty(); }

  const bool is_owner;
  std::size_t requests_under_way = 0;

 private:
  void read() {
    if (buffer_.size() - filled_ < read_bytes) buffer_.resize(filled_ + read_bytes);
    input_.async_read_some(
        asio::buffer(buffer_.data() + filled_, buffer_.size() - filled_),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
          if (self->closed_) return;
          if (error)
            return self->close(error == asio::error::eof ? "it went away" : error.message());
          self->filled_ += bytes;
          self->take_lines(bytes);
          if (!self->closed_) self->read();
        });
  }

  void take_lines(std::size_t fresh) {
    std::size_t start = 0;
    std::size_t search = filled_ - fresh;
    while (!closed_) {
      const auto* end =
          static_cast<const char*>(std::memchr(buffer_.data() + search, '\n', filled_ - search));
      if (end == nullptr) break;
      const auto stop = static_cast<std::size_t>(end - buffer_.data());
      on_line_(shared_from_this(), std::string_view(buffer_.data() + start, stop - start));
      start = search = stop + 1;
    }
    if (closed_) return;
    if (start > 0) std::memmove(buffer_.data(), buffer_.data() + start, filled_ - start);
    filled_ -= start;
    if (filled_ > limits::control_line_bytes) {
      send(line_of(
          failed_reply(nullptr, Failure("bad_request", fmt::format("a line is longer than {} bytes",
                                                                   limits::control_line_bytes)))));
      close("its line was too long");
    }
  }

  void write() {
    asio::async_write(
        output_, asio::buffer(queue_.front()),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
          if (self->closed_) return;
          if (error) return self->close(error.message());
          self->queued_bytes_ -= self->queue_.front().size();
          self->queue_.pop_front();
          if (!self->queue_.empty()) self->write();
        });
  }

  asio::posix::stream_descriptor input_;
  asio::posix::stream_descriptor output_;
  OnLine on_line_;
  OnClosed on_closed_;
  std::vector<char> buffer_;
  std::size_t filled_ = 0;
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  bool closed_ = false;
};

struct Control::State : std::enable_shared_from_this<State> {
  explicit State(const asio::any_io_executor& io) : executor(io) {}

  asio::any_io_executor executor;
  OnEnd on_end;
  Lab* lab = nullptr;
  bool kept = false;
  bool ending = false;
  std::set<std::shared_ptr<Session>> sessions;
  std::vector<std::shared_ptr<asio::local::stream_protocol::acceptor>> acceptors;
  std::vector<std::string> socket_paths;

  void end(const std::string& why) {
    if (std::exchange(ending, true)) return;
    on_end(why);
  }

  void add(int input, int output, bool owner) {
    const auto session = std::make_shared<Session>(executor, input, output, owner);
    sessions.insert(session);
    if (lab != nullptr) greet(*session);
    session->start(
        [self = shared_from_this()](const std::shared_ptr<Session>& from, std::string_view line) {
          self->take(from, line);
        },
        [self = shared_from_this()](const std::shared_ptr<Session>& from, const std::string& why) {
          self->sessions.erase(from);
          if (from->is_owner && !self->kept) self->end("the driver: " + why);
        });
  }

  void greet(Session& session) const {
    auto event = lab->describe();
    event["event"] = "lab.ready";
    event["protocol"] = 1;
    event["t_ns"] = unix_now();
    session.send(line_of(event));
  }

  void take(const std::shared_ptr<Session>& session, std::string_view line) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    auto request = Json::parse(line, nullptr, false);
    Json id;
    if (request.is_object() && request.contains("id")) id = request["id"];
    const auto refuse = [&](const std::string& code, const std::string& message) {
      session->send(line_of(failed_reply(id, Failure(code, message))));
    };
    if (!request.is_object()) return refuse("bad_request", "a line must be one JSON object");
    if (!id.is_number() && !id.is_string())
      return refuse("bad_request", "'id' must be a number or a string");
    const auto op = request.find("op");
    if (op == request.end() || !op->is_string())
      return refuse("bad_request", "'op' must be a string");
    if (session->requests_under_way >= limits::requests_under_way)
      return refuse("limit", fmt::format("{} requests are under way", limits::requests_under_way));
    ++session->requests_under_way;
    asio::co_spawn(executor, answer(session, std::move(id), std::move(request)), asio::detached);
  }

  asio::awaitable<void> answer(std::shared_ptr<Session> session, Json id, Json request) {
    const auto self = shared_from_this();
    auto reply = reply_to(id);
    try {
      reply["result"] = co_await perform(std::move(request));
      reply["ok"] = true;
    } catch (const Failure& failure) {
      reply = failed_reply(id, failure);
    } catch (const std::exception& error) {
      // Ours: a member that a peer did not send, memory. The lab goes on, the driver is told.
      reply = failed_reply(id, Failure("host", fmt::format("in the lab itself: {}", error.what())));
    }
    --session->requests_under_way;
    session->send(line_of(reply));
  }

  asio::awaitable<Json> perform(Json request) {
    const auto op = request["op"].get<std::string>();
    if (lab == nullptr || ending) throw Failure("wrong_state", "the lab is ending");
    if (op == "lab.keep") {
      kept = request.value("keep", true);
      Json result = Json::object();
      result["control"] = lab->options().run_dir + "/control.sock";
      co_return result;
    }
    if (op == "lab.shutdown") {
      co_await lab->end_guests();
      // The reply goes out first.
      asio::post(executor, [self = shared_from_this()] { self->end("it was asked to"); });
      co_return Json::object();
    }
    const auto found = operations().find(op);
    if (found == operations().end())
      throw Failure("bad_request",
                    fmt::format("there is no operation '{}'; PROTOCOL.md lists them", op));
    co_return co_await found->second(*lab, std::move(request));
  }

  void accept(const std::shared_ptr<asio::local::stream_protocol::acceptor>& acceptor, bool owner) {
    acceptor->async_accept(
        [self = shared_from_this(), acceptor, owner](const boost::system::error_code& error,
                                                     asio::local::stream_protocol::socket peer) {
          if (error) return;
          const auto observers = static_cast<std::size_t>(
              std::count_if(self->sessions.begin(), self->sessions.end(),
                            [](const auto& session) { return !session->is_owner; }));
          if (owner || observers < limits::observers) {
            const int input = peer.release();
            self->add(input, ::dup(input), owner);
          }
          if (!owner) self->accept(acceptor, owner);
        });
  }
};

Control::Control(const asio::any_io_executor& executor, OnEnd on_end)
    : state_(std::make_shared<State>(executor)) {
  state_->on_end = std::move(on_end);
}

Control::~Control() {
  state_->ending = true;
  for (const auto& acceptor : state_->acceptors) {
    boost::system::error_code ignored;
    acceptor->close(ignored);
  }
  for (const auto& path : state_->socket_paths) ::unlink(path.c_str());
  const auto sessions = std::move(state_->sessions);
  state_->sessions.clear();
  for (const auto& session : sessions) {
    session->silence();
    session->close("the lab ends");
  }
}

void Control::serve(Lab& lab) {
  state_->lab = &lab;
  for (const auto& session : state_->sessions) state_->greet(*session);
}

void Control::keep(bool keep) { state_->kept = keep; }

void Control::add_driver(int input, int output) {
  struct stat about = {};
  if (::fstat(input, &about) != 0 || S_ISREG(about.st_mode))
    throw Failure("host", "the control input must be a pipe, a socket or a terminal, not a file");
  state_->add(input, output, true);
}

void Control::listen(const std::string& path, bool owns) {
  ::unlink(path.c_str());
  const auto acceptor = std::make_shared<asio::local::stream_protocol::acceptor>(state_->executor);
  try {
    const asio::local::stream_protocol::endpoint endpoint(path);
    acceptor->open(endpoint.protocol());
    acceptor->bind(endpoint);
    acceptor->listen();
  } catch (const boost::system::system_error& error) {
    throw Failure("host", fmt::format("cannot listen at {}: {}", path, error.code().message()));
  }
  state_->acceptors.push_back(acceptor);
  state_->socket_paths.push_back(path);
  state_->accept(acceptor, owns);
}

void Control::send_event(Json event) {
  if (!event.contains("t_ns")) event["t_ns"] = unix_now();
  const auto line = line_of(event);
  const auto sessions = state_->sessions;
  for (const auto& session : sessions) session->send(line);
}

asio::awaitable<void> Control::drain(std::chrono::milliseconds timeout) {
  const auto state = state_;
  const auto until = std::chrono::steady_clock::now() + timeout;
  const auto busy = [&] {
    return std::any_of(state->sessions.begin(), state->sessions.end(),
                       [](const auto& session) { return !session->drained(); });
  };
  Signal tick(state->executor);
  while (busy() && std::chrono::steady_clock::now() < until)
    co_await tick.wait_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(2));
}

}  // namespace tsih::lab
