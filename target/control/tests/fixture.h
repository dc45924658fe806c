// A service with two disks in memory and nobody logged in, for the tests of control/.
#pragma once

#include <cstring>

#include "target/config/build.h"
#include "target/config/serve.h"
#include "target/control/commands.h"

namespace tsihd::control {

struct Fixture {
  std::unique_ptr<backstore::IoPool> pool = backstore::IoPool::create(1).value();
  config::Built built = build();
  session::Service service{
      std::move(built.inventory), session::Limits{}, Log{},
      [](std::span<std::byte> bytes) { std::memset(bytes.data(), 7, bytes.size()); }};
  Subject subject{service, built.disks};

 private:
  config::Built build() {
    config::ServeOptions options;
    options.disk = "ram:8M";
    config::Plan plan = config::serve_plan(options).value();
    config::StoragePlan second = plan.storage[0];
    second.name = "second";
    second.serial = "2";
    plan.storage.push_back(second);
    plan.targets[0].groups[0].luns.push_back({1, 1});
    return config::build_inventory(plan, *pool, Log{}).value();
  }
};

}  // namespace tsihd::control
