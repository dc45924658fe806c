#include "target/app/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "target/app/random.h"
#include "target/config/saveconfig.h"
#include "target/control/protocol.h"
#include "target/scsi/command_page.h"

namespace tsihd::app {
namespace {

constexpr int kUsageError = 2;

const std::map<std::string, Severity> kLevels{{"debug", Severity::debug},
                                              {"info", Severity::info},
                                              {"warning", Severity::warning},
                                              {"error", Severity::error}};

const std::map<std::string, backstore::IoEngine> kEngines{
    {"auto", backstore::IoEngine::automatic},
    {"uring", backstore::IoEngine::uring},
    {"threads", backstore::IoEngine::threads}};

struct Raw {
  config::ServeOptions serve;
  std::string config_file, control, level = "info", io_engine = "auto";
  std::string state = "/var/lib/tsihd/pr";
  bool check = false, list_attributes = false, list_commands = false, make_secret = false;
};

void declare(CLI::App& app, Raw& raw) {
  app.description(
      "An iSCSI target. Serves what LIO's tools saved (--config), or one disk (--serve).");
  app.set_version_flag("--version", "tsihd " TSIH_VERSION);
  auto* config = app.add_option("--config", raw.config_file,
                                "the JSON file of `targetcli saveconfig`, as it is")
                     ->type_name("FILE");
  auto* serve =
      app.add_option("--serve", raw.serve.disk,
                     "a file, a block device, ram:SIZE, or pscsi:DEVICE (a SCSI device, by path or "
                     "H:C:T:L, whose commands are passed to it), for every initiator")
          ->type_name("DISK")
          ->excludes(config);
  auto only_serve = [&](CLI::Option* option, const char* type) {
    option->needs(serve)->type_name(type);
  };
  only_serve(app.add_option("--size", raw.serve.size, "make DISK when it does not exist"), "SIZE");
  only_serve(app.add_option("--iqn", raw.serve.iqn,
                            "the target's name (default: iqn.2026-11.org.tsih:DISK's base name)"),
             "NAME");
  only_serve(app.add_option("--portal", raw.serve.portal,
                            "where to listen (default: 127.0.0.1:3260; port 0 picks a free one)"),
             "ADDR:PORT");
  only_serve(app.add_option("--attribute", raw.serve.attributes,
                            "a portal group attribute, as max_sessions=1 (repeatable)")
                 ->take_all(),
             "NAME=VALUE");
  only_serve(app.add_option("--parameter", raw.serve.parameters,
                            "a negotiation parameter, as InitialR2T=No (repeatable)")
                 ->take_all(),
             "NAME=VALUE");
  only_serve(app.add_option("--chap", raw.serve.chap, "what initiators must present"),
             "USER:PASSWORD");
  only_serve(app.add_option("--mutual-chap", raw.serve.mutual_chap,
                            "what the target presents when an initiator asks back"),
             "USER:PASSWORD");
  app.add_flag("--read-only", raw.serve.read_only, "refuse writes")->needs(serve);
  app.add_option("--control", raw.control,
                 "control socket (default: " + control::default_socket_path() +
                     ", or with the process id when that is taken)")
      ->type_name("PATH");
  app.add_option(
         "--state", raw.state,
         "folder that keeps reservations, mode pages and the journals of WRITE ATOMIC over a "
         "power loss (default: " +
             raw.state + "); none when it is missing")
      ->type_name("DIR");
  app.add_option("--io-engine", raw.io_engine,
                 "how files and block devices are read and written: uring, threads, or auto: "
                 "io_uring where the kernel lets us, found out by using it (default: auto)")
      ->check(CLI::IsMember(kEngines))
      ->type_name("ENGINE");
  app.add_flag("--check", raw.check, "say whether the configuration is good, serve nothing");
  app.add_flag("--list-attributes", raw.list_attributes,
               "what is honoured of LIO's attributes, what has no effect, and why");
  app.add_flag("--list-commands", raw.list_commands,
               "the SCSI commands and task management functions, as docs/scsi-commands.md");
  app.add_flag("--make-secret", raw.make_secret, "print a new CHAP secret of 128 random bits");
  app.add_option("--log-level", raw.level, "debug, info, warning or error (default: info)")
      ->check(CLI::IsMember(kLevels))
      ->type_name("LEVEL");
}

int usage_error(std::string_view what) {
  fmt::print(stderr, "tsihd: {}; see tsihd --help\n", what);
  return kUsageError;
}

/// CLI11's words, in one line.
std::string one_line(std::string text) {
  text = text.substr(0, text.find('\n'));
  while (!text.empty() && (text.back() == '.' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

std::variant<Options, int> read_command_line(int argc, char** argv) {
  CLI::App app("tsihd");
  Raw raw;
  declare(app, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    return app.exit(wanted);
  } catch (const CLI::ParseError& error) {
    return usage_error(one_line(error.what()));
  }
  if (raw.list_attributes) {
    fmt::print("{}", config::describe_attributes());
    return 0;
  }
  if (raw.list_commands) {
    fmt::print("{}", scsi::command_page());
    return 0;
  }
  if (raw.make_secret) {
    fmt::print("{}\n", make_secret());
    return 0;
  }
  Options options;
  if (!raw.config_file.empty()) options.config_file = raw.config_file;
  if (!raw.serve.disk.empty()) options.serve = raw.serve;
  if (!options.config_file && !options.serve)
    return usage_error("give --config FILE or --serve DISK");
  if (app.count("--control") > 0) options.control_socket = raw.control;
  options.state_folder = raw.state;
  options.check_only = raw.check;
  options.io_engine = kEngines.at(raw.io_engine);
  options.log_level = kLevels.at(raw.level);
  return options;
}

}  // namespace tsihd::app
