#include "harness/lab/operations.h"

#include <fmt/format.h>
#include <signal.h>

#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "harness/lab/arguments.h"
#include "harness/lab/base64.h"
#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace tsih::lab {
namespace asio = boost::asio;
using Json = nlohmann::json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

namespace {

constexpr std::uint64_t exec_timeout_ms = 30'000;
constexpr std::uint64_t shutdown_timeout_ms = 5'000;
constexpr std::uint64_t tail_bytes = 4'000;

/// The arguments of a request, without what belongs to the conversation.
class Request : public Arguments {
 public:
  explicit Request(const Json& request) : Arguments(request, request.value("op", "")) {
    any("id");
    any("op");
  }
};

Json at_time(UnixNanoseconds time) {
  Json result = Json::object();
  result["t_ns"] = time;
  return result;
}

std::optional<Direction> direction_of(Request& request) {
  const auto choice = request.choice("direction", {"both", "from_guest", "to_guest"});
  if (choice == "both") return std::nullopt;
  return choice == "from_guest" ? Direction::from_guest : Direction::to_guest;
}

/// The request without what belongs to the conversation.
Json arguments_of(Json request) {
  request.erase("id");
  request.erase("op");
  return request;
}

// Guests

asio::awaitable<Json> lab_info(Lab& lab, Json request) {
  Request(request).finish();
  co_return lab.describe();
}

asio::awaitable<Json> guest_start(Lab& lab, Json request) {
  const bool wait = Request(request).flag("wait", true);
  const auto guest = co_await lab.start_guest(arguments_of(std::move(request)), wait);
  co_return guest->describe();
}

asio::awaitable<Json> guest_clone(Lab& lab, Json request) {
  const auto guest = co_await lab.clone_guest(arguments_of(std::move(request)));
  co_return guest->describe();
}

asio::awaitable<Json> guest_list(Lab& lab, Json request) {
  Request(request).finish();
  Json guests = Json::array();
  for (const auto& [name, guest] : lab.guests()) guests.push_back(guest->describe());
  Json result = Json::object();
  result["guests"] = std::move(guests);
  co_return result;
}

std::shared_ptr<Guest> only_guest(Lab& lab, const Json& request) {
  Request arguments(request);
  const auto name = arguments.text("guest");
  arguments.finish();
  return lab.guest(name);
}

asio::awaitable<Json> guest_info(Lab& lab, Json request) {
  co_return only_guest(lab, request)->describe();
}

asio::awaitable<Json> guest_wait_ready(Lab& lab, Json request) {
  Request arguments(request);
  const auto guest = lab.guest(arguments.text("guest"));
  const auto timeout = arguments.timeout("timeout_ms", 60'000);
  arguments.finish();
  co_await guest->wait_ready(timeout);
  co_return guest->describe();
}

asio::awaitable<Json> guest_pause(Lab& lab, Json request) {
  const auto guest = only_guest(lab, request);
  co_return at_time(co_await guest->pause());
}

asio::awaitable<Json> guest_continue(Lab& lab, Json request) {
  const auto guest = only_guest(lab, request);
  co_return at_time(co_await guest->resume());
}

asio::awaitable<Json> guest_kill(Lab& lab, Json request) {
  const auto guest = only_guest(lab, request);
  co_return at_time(co_await guest->kill());
}

asio::awaitable<Json> guest_shutdown(Lab& lab, Json request) {
  Request arguments(request);
  const auto guest = lab.guest(arguments.text("guest"));
  const auto timeout = arguments.timeout("timeout_ms", shutdown_timeout_ms);
  arguments.finish();
  co_return at_time(co_await guest->shut_down(timeout));
}

asio::awaitable<Json> guest_serial_tail(Lab& lab, Json request) {
  Request arguments(request);
  const auto guest = lab.guest(arguments.text("guest"));
  const auto bytes = arguments.integer("bytes", 1, 1u << 20, tail_bytes);
  arguments.finish();
  Json result = Json::object();
  result["text"] = guest->serial_tail(bytes);
  co_return result;
}

// Commands and files

Command read_command(Request& request) {
  Command command;
  const auto argv = request.texts("argv");
  const auto shell = request.optional_text("shell");
  if (argv.empty() == !shell.has_value())
    request.refuse("argv", "a list of words, or 'shell' in its place");
  if (shell)
    command.argv = {"/bin/sh", "-c", *shell};
  else
    command.argv = argv;
  command.input = request.text("stdin", "");
  const auto environment = request.any("env");
  if (environment.is_null()) return command;
  if (!environment.is_object()) request.refuse("env", "an object of names and strings");
  for (const auto& [name, value] : environment.items()) {
    if (name.empty() || name.find('=') != std::string::npos || !value.is_string())
      request.refuse("env", "an object of names and strings");
    command.environment[name] = value.get<std::string>();
  }
  return command;
}

Json describe(const Exec& exec) {
  const auto& outcome = *exec.outcome;
  Json result = {{"stdout", make_utf8(outcome.output)},
                 {"stderr", make_utf8(outcome.error_output)},
                 {"truncated", outcome.truncated},
                 {"duration_ms", duration_cast<milliseconds>(exec.ended - exec.started).count()}};
  result["exit_code"] = outcome.exit_code ? Json(*outcome.exit_code) : Json();
  result["signal"] = outcome.signal ? Json(*outcome.signal) : Json();
  return result;
}

asio::awaitable<Json> guest_exec(Lab& lab, Json request) {
  Request arguments(request);
  const auto guest = lab.guest(arguments.text("guest"));
  auto command = read_command(arguments);
  const auto timeout = arguments.timeout("timeout_ms", exec_timeout_ms);
  const bool background = arguments.flag("background", false);
  arguments.finish();

  const auto exec = co_await guest->start_exec(std::move(command));
  if (background) {
    Json result = Json::object();
    result["exec"] = fmt::format("{}/{}", guest->spec().name, guest->number_of(exec));
    result["pid"] = exec->pid;
    co_return result;
  }
  std::optional<Failure> failed;
  try {
    co_await guest->wait_exec(exec, timeout);
  } catch (const Failure& failure) {
    failed = failure;
  }
  if (!failed) {
    guest->forget_exec(exec);
    co_return describe(*exec);
  }
  // Nobody will ask for it again: it is killed, and what it said until then goes into the error.
  if (failed->code() == "exec_timeout" && guest->state() == Guest::State::ready) {
    co_await guest->signal_exec(exec, SIGKILL);
    try {
      co_await guest->wait_exec(exec, milliseconds(1000));
    } catch (const Failure&) {
      // A process that SIGKILL does not end waits for a disk; the error says that it was too slow.
    }
    failed.emplace(failed->code(), fmt::format("{}; killed", failed->what()));
    failed->with("stdout", exec->outcome ? make_utf8(exec->outcome->output) : "");
    failed->with("stderr", exec->outcome ? make_utf8(exec->outcome->error_output) : "");
  }
  guest->forget_exec(exec);
  throw *failed;
}

struct ExecOfGuest {
  std::shared_ptr<Guest> guest;
  std::shared_ptr<Exec> exec;
};

/// `exec` is GUEST/NUMBER, as a background guest.exec gave it.
ExecOfGuest find_exec(Lab& lab, Request& request) {
  const auto name = request.text("exec");
  const auto slash = name.find('/');
  if (slash == std::string::npos || slash + 1 == name.size() || name.size() - slash > 18 ||
      name.find_first_not_of("0123456789", slash + 1) != std::string::npos)
    request.refuse("exec", "GUEST/NUMBER, as guest.exec gave it");
  const auto guest = lab.guest(name.substr(0, slash));
  return {guest, guest->exec(std::stoull(name.substr(slash + 1)))};
}

asio::awaitable<Json> exec_wait(Lab& lab, Json request) {
  Request arguments(request);
  const auto found = find_exec(lab, arguments);
  const auto timeout = arguments.timeout("timeout_ms", exec_timeout_ms);
  arguments.finish();
  co_await found.guest->wait_exec(found.exec, timeout);
  found.guest->forget_exec(found.exec);
  co_return describe(*found.exec);
}

asio::awaitable<Json> exec_kill(Lab& lab, Json request) {
  Request arguments(request);
  const auto found = find_exec(lab, arguments);
  const auto signal = static_cast<int>(arguments.integer("signal", 1, 64, SIGTERM));
  arguments.finish();
  co_await found.guest->signal_exec(found.exec, signal);
  co_return Json::object();
}

asio::awaitable<Json> file_write(Lab& lab, Json request) {
  Request arguments(request);
  const auto guest = lab.guest(arguments.text("guest"));
  const auto path = arguments.text("path");
  const auto text = arguments.optional_text("text");
  const auto base64 = arguments.optional_text("base64");
  const bool append = arguments.flag("append", false);
  arguments.finish();
  if (text.has_value() == base64.has_value())
    arguments.refuse("text", "a string, or 'base64' in its place");
  const auto data = text ? text : from_base64(*base64);
  if (!data) arguments.refuse("base64", "base64");
  co_await guest->agent().write_file(path, *data, append);
  Json result = Json::object();
  result["bytes"] = data->size();
  co_return result;
}

asio::awaitable<Json> file_read(Lab& lab, Json request) {
  Request arguments(request);
  const auto guest = lab.guest(arguments.text("guest"));
  const auto path = arguments.text("path");
  const auto max_bytes = arguments.integer("max_bytes", 1, limits::file_read_bytes, 1u << 20);
  arguments.finish();
  const auto contents = co_await guest->agent().read_file(path, max_bytes);
  Json result = {{"base64", to_base64(contents.data)},
                 {"bytes", contents.data.size()},
                 {"eof", contents.at_end}};
  result["text"] = is_utf8(contents.data) ? Json(contents.data) : Json();
  co_return result;
}

// Links, disks, captures

asio::awaitable<Json> link_cut(Lab& lab, Json request) {
  Request arguments(request);
  const auto link = arguments.text("link");
  const auto direction = direction_of(arguments);
  arguments.finish();
  co_return at_time(lab.wire().cut(link, direction));
}

asio::awaitable<Json> link_heal(Lab& lab, Json request) {
  Request arguments(request);
  const auto link = arguments.text("link");
  arguments.finish();
  co_return at_time(lab.wire().heal(link));
}

asio::awaitable<Json> link_shape(Lab& lab, Json request) {
  Request arguments(request);
  const auto link = arguments.text("link");
  const auto delay_ms =
      static_cast<std::uint32_t>(arguments.integer("delay_ms", 0, limits::delay_max_ms, 0));
  const auto loss = arguments.number("loss", 0.0, 1.0, 0.0);
  const auto seed = static_cast<std::uint32_t>(arguments.integer("seed", 0, 0xFFFFFFFF, 1));
  const auto direction = direction_of(arguments);
  arguments.finish();
  co_return at_time(lab.wire().shape(link, direction, delay_ms, loss, seed));
}

asio::awaitable<Json> link_list(Lab& lab, Json request) {
  Request(request).finish();
  Json result = Json::object();
  result["links"] = lab.wire().describe_links();
  co_return result;
}

asio::awaitable<Json> disk_add(Lab& lab, Json request) {
  Request arguments(request);
  const auto guest = lab.guest(arguments.text("guest"));
  auto wanted = arguments.any("disk");
  arguments.finish();
  co_return describe(co_await guest->add_disk(std::move(wanted)));
}

asio::awaitable<Json> disk_grow(Lab& lab, Json request) {
  Request arguments(request);
  const auto guest = lab.guest(arguments.text("guest"));
  const auto disk = arguments.text("disk");
  const auto size_bytes = arguments.integer("size_bytes", 512, limits::disk_max_bytes);
  arguments.finish();
  auto result = at_time(co_await guest->grow_disk(disk, size_bytes));
  result["size_bytes"] = size_bytes;
  co_return result;
}

asio::awaitable<Json> disk_remove(Lab& lab, Json request) {
  Request arguments(request);
  const auto guest = lab.guest(arguments.text("guest"));
  const auto disk = arguments.text("disk");
  arguments.finish();
  co_await guest->remove_disk(disk);
  co_return Json::object();
}

asio::awaitable<Json> capture_start(Lab& lab, Json request) {
  Request arguments(request);
  const auto name = arguments.identifier("name", limits::name_chars);
  const auto links = arguments.texts("links");
  arguments.finish();
  const auto path = fmt::format("{}/{}.pcapng", lab.options().run_dir, name);
  lab.wire().start_capture(name, path, {links.begin(), links.end()});
  Json result = Json::object();
  result["path"] = path;
  co_return result;
}

asio::awaitable<Json> capture_stop(Lab& lab, Json request) {
  Request arguments(request);
  const auto name = arguments.text("name");
  arguments.finish();
  co_return lab.wire().stop_capture(name);
}

asio::awaitable<Json> capture_flush(Lab& lab, Json request) {
  Request(request).finish();
  lab.wire().flush_captures();
  co_return Json::object();
}

asio::awaitable<Json> mark(Lab& lab, Json request) {
  Request arguments(request);
  const auto text = arguments.text("text");
  arguments.finish();
  co_return at_time(lab.wire().mark(make_utf8(text)));
}

}  // namespace

const std::map<std::string, Operation>& operations() {
  static const std::map<std::string, Operation> all = {
      {"lab.info", lab_info},
      {"mark", mark},
      {"guest.start", guest_start},
      {"guest.clone", guest_clone},
      {"guest.list", guest_list},
      {"guest.info", guest_info},
      {"guest.wait_ready", guest_wait_ready},
      {"guest.pause", guest_pause},
      {"guest.continue", guest_continue},
      {"guest.kill", guest_kill},
      {"guest.shutdown", guest_shutdown},
      {"guest.serial_tail", guest_serial_tail},
      {"guest.exec", guest_exec},
      {"exec.wait", exec_wait},
      {"exec.kill", exec_kill},
      {"file.write", file_write},
      {"file.read", file_read},
      {"link.cut", link_cut},
      {"link.heal", link_heal},
      {"link.shape", link_shape},
      {"link.list", link_list},
      {"disk.add", disk_add},
      {"disk.grow", disk_grow},
      {"disk.remove", disk_remove},
      {"capture.start", capture_start},
      {"capture.stop", capture_stop},
      {"capture.flush", capture_flush},
  };
  return all;
}

}  // namespace tsih::lab
