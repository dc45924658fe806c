// tsih-lab: guests, the wire between them, and faults. PROTOCOL.md is its manual.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/lab/by_hand.h"
#include "harness/lab/control.h"
#include "harness/lab/failure.h"
#include "harness/lab/lab.h"

namespace {

namespace asio = boost::asio;
using namespace tsih::lab;
using Json = nlohmann::json;

struct Settings {
  LabOptions lab;
  std::string control = "stdio";
  bool keep = false;
  bool no_capture = false;
};

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// What was said in the environment; and beside the program, what the build left there.
void fill_in(Settings& settings) {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  if (settings.lab.image.empty()) settings.lab.image = from_environment("TSIH_IMAGE");
  if (settings.lab.binaries.empty()) settings.lab.binaries = from_environment("TSIH_GUEST_BIN");
  if (settings.lab.binaries.empty()) settings.lab.binaries = self.string();
  if (settings.lab.accelerator.empty()) settings.lab.accelerator = from_environment("TSIH_ACCEL");
  if (settings.lab.accelerator.empty()) settings.lab.accelerator = "auto";
  settings.lab.capture = !settings.no_capture;
  for (auto* path : {&settings.lab.run_dir, &settings.lab.image, &settings.lab.binaries})
    if (!path->empty()) *path = std::filesystem::absolute(*path).lexically_normal().string();
}

/// Everything between start and end; the exit status.
class Program {
 public:
  explicit Program(Settings settings)
      : settings_(std::move(settings)),
        signals_(io_, SIGINT, SIGTERM, SIGHUP),
        control_(io_.get_executor(), [this](const std::string& why) { end(why); }),
        lab_(io_.get_executor(), settings_.lab,
             [this](Json event) { control_.send_event(std::move(event)); }) {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (!error) end(fmt::format("signal {}", signal));
    });
  }

  int run() {
    asio::co_spawn(io_, start(), asio::detached);
    io_.run();
    return status_;
  }

 private:
  asio::awaitable<void> start() {
    try {
      co_await lab_.prepare();
      control_.keep(settings_.keep);
      control_.listen(settings_.lab.run_dir + "/control.sock", false);
      control_.serve(lab_);
      if (settings_.control == "stdio")
        control_.add_driver(::dup(STDIN_FILENO), ::dup(STDOUT_FILENO));
      else
        control_.listen(settings_.control, true);
    } catch (const std::exception& failure) {
      fmt::print(stderr, "tsih-lab: {}\n", failure.what());
      status_ = 1;
      io_.stop();
    }
  }

  void end(const std::string& why) {
    if (std::exchange(ending_, true)) return;
    fmt::print(stderr, "tsih-lab: ends: {}\n", why);
    asio::co_spawn(io_, finish(), asio::detached);
  }

  asio::awaitable<void> finish() {
    co_await lab_.end_guests();
    co_await control_.drain(std::chrono::milliseconds(500));
    io_.stop();
  }

  Settings settings_;
  asio::io_context io_{1};
  asio::signal_set signals_;
  Control control_;
  Lab lab_;
  bool ending_ = false;
  int status_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app(
      "Boots iSCSI systems in QEMU and breaks the wire between them. PROTOCOL.md is the manual.",
      "tsih-lab");
  app.set_version_flag("--version", TSIH_VERSION);
  Settings settings;
  app.add_option("--run-dir", settings.lab.run_dir, "folder that everything of this run goes to");
  app.add_option("--image", settings.lab.image, "folder of the guest image (TSIH_IMAGE)");
  app.add_option("--bin", settings.lab.binaries, "folder of programs for guests (TSIH_GUEST_BIN)");
  app.add_option("--control", settings.control, "stdio, or the path of a Unix socket")
      ->capture_default_str();
  app.add_option("--accel", settings.lab.accelerator, "auto, kvm or tcg (TSIH_ACCEL)")
      ->check(CLI::IsMember({"auto", "kvm", "tcg"}));
  app.add_flag("--keep", settings.keep, "stay when the driver goes away");
  app.add_flag("--no-capture", settings.no_capture, "do not write wire.pcapng");

  std::string run_dir, request, guest;
  auto* call = app.add_subcommand("call", "send one request to a lab that runs, print its reply");
  call->add_option("RUN_DIR", run_dir)->required();
  call->add_option("REQUEST", request, "a JSON object, without id")->required();
  auto* console =
      app.add_subcommand("console", "a root shell in a guest of a lab that runs; ends with Ctrl-]");
  console->add_option("RUN_DIR", run_dir)->required();
  console->add_option("GUEST", guest)->required();
  app.require_subcommand(0, 1);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    if (*call) return call_lab(run_dir, request);
    if (*console) return open_console(run_dir, guest);
    if (settings.lab.run_dir.empty()) {
      fmt::print(stderr, "tsih-lab: --run-dir is required\n");
      return 2;
    }
    fill_in(settings);
    if (settings.lab.accelerator != "auto" && settings.lab.accelerator != "kvm" &&
        settings.lab.accelerator != "tcg") {
      fmt::print(stderr, "tsih-lab: TSIH_ACCEL must be auto, kvm or tcg; '{}' came\n",
                 settings.lab.accelerator);
      return 2;
    }
    return Program(std::move(settings)).run();
  } catch (const std::exception& failure) {
    fmt::print(stderr, "tsih-lab: {}\n", failure.what());
    return 1;
  }
}
