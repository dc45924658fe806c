// tsihctl: asks a running tsihd. Exit status: 0 done, 1 the daemon refused, 2 usage, 3 no daemon
// was reached.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "target/app/tables.h"
#include "target/config/size.h"
#include "target/control/client.h"
#include "target/control/protocol.h"

namespace {

using namespace tsihd;
using nlohmann::json;

constexpr int kRefused = 1, kUsage = 2, kNotReached = 3;

/// A subcommand: what it sends, and how its answer reads for people.
struct Command {
  json request;
  std::function<std::string(const json&)> show;
};

void add_question(CLI::App& app, Command& chosen, const char* name, const char* help,
                  std::string (*show)(const json&)) {
  app.add_subcommand(name, help)->callback([&chosen, name, show] {
    chosen = {json{{"command", name}}, show};
  });
}

std::string show_size(const json& answer) {
  return fmt::format("{}: {} ({} bytes){}\n", answer.at("name").get<std::string>(),
                     config::show_size_bytes(answer.at("size_bytes")),
                     answer.at("size_bytes").dump(),
                     answer.at("changed") == true ? ", initiators are told" : ", unchanged");
}

struct Arguments {
  std::string socket = control::default_socket_path();
  std::string name, size, initiator;
  std::uint64_t session = 0;
  std::optional<std::uint16_t> cid;
  bool as_json = false;
};

/// What the initiator of a session is told or asked, by Asynchronous Messages (RFC 3720 10.9).
void declare_session_commands(CLI::App& app, Arguments& arguments, Command& chosen) {
  const auto add = [&](const char* name, const char* help, const char* done) {
    auto* command = app.add_subcommand(name, help);
    command->add_option("SESSION", arguments.session, "its id in `tsihctl sessions`")->required();
    command->callback([&arguments, &chosen, name, done] {
      chosen.request = {{"command", name}, {"session", arguments.session}};
      if (arguments.cid) chosen.request["cid"] = *arguments.cid;
      chosen.show = [done](const json& answer) {
        return fmt::format("session {} {}\n", answer.at("session").dump(), done);
      };
    });
    return command;
  };
  add("logout", "ask a session's initiator to log out, then end it", "was asked to log out");
  add("negotiate", "ask a session's initiator to negotiate its parameters anew",
      "was asked to negotiate");
  add("drop", "drop a session's connections, without asking", "was told and dropped")
      ->add_option("--cid", arguments.cid, "only this connection of it");
}

void declare(CLI::App& app, Arguments& arguments, Command& chosen) {
  app.description("Asks a running tsihd, through its control socket.");
  app.set_version_flag("--version", "tsihctl " TSIH_VERSION);
  app.add_option("--control", arguments.socket, "its socket (default: " + arguments.socket + ")")
      ->type_name("PATH");
  app.add_flag("--json", arguments.as_json, "the answer as tsihd gave it, one line");
  app.fallthrough();
  app.require_subcommand(1);
  add_question(app, chosen, "status", "targets, sessions and fenced initiators", app::show_status);
  add_question(app, chosen, "sessions", "who is logged in", app::show_sessions);
  add_question(app, chosen, "luns", "the disks and where they are mapped", app::show_luns);
  add_question(app, chosen, "stats", "what was counted, the guard's decisions too",
               app::show_stats);
  add_question(app, chosen, "ping", "whether tsihd answers", [](const json& answer) {
    return fmt::format("tsihd answers, process {}\n", answer.at("pid").get<int>());
  });

  auto* resize = app.add_subcommand("resize", "make a disk larger or smaller");
  resize->add_option("NAME", arguments.name, "the storage object")->required();
  resize->add_option("SIZE", arguments.size, "as 2G")->required();
  resize->callback([&] {
    chosen = {{{"command", "resize"}, {"name", arguments.name}, {"size", arguments.size}},
              show_size};
  });
  auto* refresh = app.add_subcommand("refresh", "look at a disk's size now");
  refresh->add_option("NAME", arguments.name, "the storage object")->required();
  refresh->callback([&] {
    chosen = {{{"command", "refresh"}, {"name", arguments.name}}, show_size};
  });
  auto* unfence = app.add_subcommand("unfence", "let a fenced initiator log in again");
  unfence->add_option("INITIATOR", arguments.initiator, "its iSCSI name")->required();
  unfence->callback([&] {
    chosen = {{{"command", "unfence"}, {"initiator", arguments.initiator}}, [](const json& answer) {
                return fmt::format("{} may log in again\n",
                                   answer.at("initiator").get<std::string>());
              }};
  });
  declare_session_commands(app, arguments, chosen);
}

int run(const Arguments& arguments, const Command& command) {
  auto answered = control::ask(arguments.socket, command.request.dump());
  if (!answered) {
    fmt::print(stderr, "tsihctl: {}\n", answered.error().message);
    return kNotReached;
  }
  json answer = json::parse(*answered, nullptr, false);
  if (!answer.is_object() || !answer.contains("ok")) {
    fmt::print(stderr, "tsihctl: what listens at {} is no tsihd\n", arguments.socket);
    return kNotReached;
  }
  bool ok = answer["ok"] == true;
  if (arguments.as_json) {
    fmt::print("{}\n", *answered);
  } else if (ok) {
    fmt::print("{}", command.show(answer));
  }
  if (!ok) fmt::print(stderr, "tsihctl: {}\n", answer.value("error", "refused"));
  return ok ? 0 : kRefused;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("tsihctl");
  Arguments arguments;
  Command chosen;
  declare(app, arguments, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted);
  } catch (const CLI::ParseError& error) {
    std::string text = error.what();
    fmt::print(stderr, "tsihctl: {}; see tsihctl --help\n", text.substr(0, text.find('\n')));
    return kUsage;
  }
  try {
    return run(arguments, chosen);
  } catch (const json::exception&) {
    fmt::print(stderr, "tsihctl: the answer is not what this version knows; try --json\n");
    return kNotReached;
  }
}
