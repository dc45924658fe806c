// tsihd: the iSCSI target. Exit status: 0 an orderly end, 2 it could not begin (one line says why).
#include <fmt/format.h>

#include "target/app/daemon.h"
#include "target/app/options.h"

int main(int argc, char** argv) {
  using namespace tsihd::app;
  auto command_line = read_command_line(argc, argv);
  if (auto* status = std::get_if<int>(&command_line)) return *status;
  const Options& options = std::get<Options>(command_line);
  auto plan = read_plan(options);
  if (!plan) return 2;
  if (options.check_only) {
    for (const std::string& warning : plan->warnings) fmt::print("warning: {}\n", warning);
    fmt::print("good: {} storage objects, {} targets\n", plan->storage.size(),
               plan->targets.size());
    return 0;
  }
  return serve(*plan, options);
}
