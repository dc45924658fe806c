#include "target/app/daemon.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "target/app/log_sink.h"
#include "target/app/random.h"
#include "target/config/build.h"
#include "target/config/names.h"
#include "target/config/saveconfig.h"
#include "target/control/protocol.h"
#include "target/control/server.h"
#include "target/net/server.h"
#include "target/session/service.h"

namespace tsihd::app {
namespace {

constexpr int kCannotBegin = 2;

int refuse(std::string_view line) {
  fmt::print(stderr, "tsihd: {}\n", line);
  return kCannotBegin;
}

/// Removes the files that this start made, unless it came to serve.
class MadeFiles {
 public:
  explicit MadeFiles(const config::Plan& plan) {
    for (const auto& storage : plan.storage) {
      std::error_code ignored;
      if (storage.create && !std::filesystem::exists(storage.device, ignored)) {
        files_.push_back(storage.device);
      }
    }
  }
  ~MadeFiles() {
    for (const auto& file : files_) unlink(file.c_str());
  }
  void keep() { files_.clear(); }

 private:
  std::vector<std::string> files_;
};

/// One line for each LUN at each portal: what an initiator's URL is.
void print_ready(const session::Inventory& inventory) {
  for (const auto& target : inventory.targets) {
    for (const auto& group : target->portal_groups) {
      if (!group->enabled) continue;
      for (const auto& portal : group->portals) {
        std::string where = config::show_portal(portal.address, portal.port);
        for (const auto& [lun, entry] : group->luns.entries) {
          fmt::print("ready iscsi://{}/{}/{}\n", where, target->name, lun);
        }
      }
    }
  }
  std::fflush(stdout);
}

/// The default path, or beside it one with our process id when another tsihd has it.
std::string control_path(const Options& options) {
  if (options.control_socket) return *options.control_socket;
  std::string path = control::default_socket_path();
  if (!control::is_served(path)) return path;
  return fmt::format("{}.{}.sock", path.substr(0, path.rfind('.')), getpid());
}

/// SIGHUP: look at every disk's size now.
class Hangup {
 public:
  Hangup(boost::asio::io_context& io, session::Service& service)
      : signals_(io, SIGHUP), service_(service) {
    wait();
  }

 private:
  void wait() {
    signals_.async_wait([this](boost::system::error_code error, int) {
      if (error) return;
      service_.refresh_capacities();
      wait();
    });
  }
  boost::asio::signal_set signals_;
  session::Service& service_;
};

}  // namespace

std::optional<config::Plan> read_plan(const Options& options) {
  if (options.serve) {
    auto plan = config::serve_plan(*options.serve);
    if (plan) return *plan;
    refuse(plan.error().message);
    return std::nullopt;
  }
  auto plan = config::read_saveconfig_file(*options.config_file);
  if (plan) return *plan;
  const auto& lines = plan.error();
  if (options.check_only) {
    for (const auto& line : lines) refuse(line);
  } else if (lines.size() == 1) {
    refuse(lines.front());
  } else {
    refuse(fmt::format("{} (and {} more: tsihd --check --config {} shows all)", lines.front(),
                       lines.size() - 1, *options.config_file));
  }
  return std::nullopt;
}

int serve(const config::Plan& plan, const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  Log log(stderr_sink(options.log_level));
  for (const std::string& warning : plan.warnings) log.warning("configuration: {}", warning);
  MadeFiles made(plan);
  auto pool = backstore::IoPool::create(backstore::IoPool::kDefaultThreads, options.io_engine);
  if (!pool) return refuse(pool.error().message);
  config::Plan kept = plan;
  std::error_code ignored;
  if (std::filesystem::is_directory(options.state_folder, ignored))
    kept.state_folder = options.state_folder;
  auto built = config::build_inventory(kept, **pool, log);
  if (!built) return refuse(built.error().message);

  session::Service service(std::move(built->inventory), session::Limits{}, log, fill_random);
  net::Server server(service, **pool, net::ServerOptions{});
  if (auto started = server.start(); !started) return refuse(started.error().message);
  control::Server control(server.io(), {service, built->disks});
  std::string socket = control_path(options);
  if (!socket.empty()) {
    if (auto listening = control.listen(socket); !listening) {
      return refuse(listening.error().message);
    }
    log.info("control socket={}", socket);
  }
  made.keep();
  log.info("disks engine={}", (*pool)->description());
  if (kept.state_folder.empty())
    log.info(
        "reservations (APTPL) and mode pages are not kept over a power loss, and files and devices "
        "have no WRITE ATOMIC: no folder {}; make it, or name one with --state",
        options.state_folder);
  Hangup hangup(server.io(), service);
  print_ready(service.inventory());
  server.run();
  return 0;
}

}  // namespace tsihd::app
