// The side under test: the service with one disk, run the way net/ runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "target/session/service.h"
#include "target/session/tests/sim_disk.h"
#include "target/session/tests/sim_events.h"
#include "target/session/tests/sim_random.h"
#include "target/session/tests/sim_settings.h"
#include "target/session/tests/sim_trace.h"

namespace tsihd::session::sim {

inline constexpr char kTargetName[] = "iqn.2026-11.org.example:disk";
inline constexpr std::uint32_t kDiskBlocks = 512;

/// The target's end of a cable.
class Outlet {
 public:
  /// The connection has something to send, or is to be closed.
  virtual void flush() = 0;

 protected:
  ~Outlet() = default;
};

class TargetSide {
 public:
  TargetSide(Events& events, const Settings& settings, const Trace& trace);
  /// Ends what is still going on, so that a failed simulation leaves nothing behind.
  ~TargetSide();

  Service& service() { return *service_; }
  /// To be called after whatever was done to the service: ready connections are flushed, disk
  /// requests that came are on their way.
  void settle();
  /// When time alone makes the service do something.
  Instant next_deadline() const { return service_->next_deadline(); }
  /// Time has come to that.
  void tick();
  /// The service learns what time it is; before anything is done to it.
  void wake() { service_->advance(events_.now()); }
  /// Throws Failure when anything is left of a session; all connections are gone.
  void expect_nothing_left();

 private:
  void schedule_disk();

  Events& events_;
  const Settings& settings_;
  const Trace& trace_;
  Random random_;
  test::SimDisk* disk_ = nullptr;
  std::size_t completions_due_ = 0;
  std::unique_ptr<Service> service_;
};

}  // namespace tsihd::session::sim
