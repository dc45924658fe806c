#include "target/session/tests/sim_target.h"

#include <algorithm>

#include "target/session/connection.h"
#include "target/session/registry.h"
#include "target/session/session.h"

namespace tsihd::session::sim {
namespace {

void no_random(std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{0x5a}); }

Inventory one_target(const Settings& settings, test::SimDisk*& disk) {
  auto backing = std::make_unique<test::SimDisk>(std::uint64_t{kDiskBlocks} * 512);
  disk = backing.get();
  auto group = std::make_unique<PortalGroup>();
  group->attributes.generate_node_acls = true;
  group->attributes.demo_mode_write_protect = false;
  group->attributes.default_cmdsn_depth = settings.command_window;
  OfferedParameters& offered = group->offered;
  offered.max_connections = kSimulated.connections;
  offered.error_recovery_level = kSimulated.error_recovery_level;
  offered.initial_r2t = false;
  offered.max_recv_data_segment_length_bytes = settings.target_segment_bytes;
  offered.first_burst_length_bytes = 262144;
  offered.max_outstanding_r2t = 8;
  offered.default_time2wait_s = 0;
  offered.default_time2retain_s = 60;
  offered.data_pdu_in_order = !kSimulated.pdus_out_of_order;
  offered.data_sequence_in_order = !kSimulated.sequences_out_of_order;
  group->portals.push_back({"192.0.2.100", 3260});
  scsi::Identity identity;
  identity.name = "disk";
  identity.serial = "0001";
  group->luns.entries[0] = {
      std::make_shared<scsi::LogicalUnit>(identity, std::move(backing), Log()), false};
  auto target = std::make_unique<TargetNode>();
  target->name = kTargetName;
  target->portal_groups.push_back(std::move(group));
  Inventory inventory;
  inventory.targets.push_back(std::move(target));
  return inventory;
}

}  // namespace

TargetSide::TargetSide(Events& events, const Settings& settings, const Trace& trace)
    : events_(events), settings_(settings), trace_(trace), random_(settings.seed ^ 0x7a96e7) {
  Log log([this](Severity, std::string_view line) { trace_.line("target: {}", line); });
  service_ = std::make_unique<Service>(one_target(settings, disk_), Limits{}, log, no_random);
  wake();
}

TargetSide::~TargetSide() {
  events_.forget_all();  // with them go the cables, and with these the connections
  while (disk_->waiting() > 0) {
    disk_->complete(0);
    service_->end_batch();
  }
  for (const auto& session : service_->registry().sessions())
    session->end("the simulation is over");
  service_->end_batch();
}

void TargetSide::settle() {
  constexpr unsigned kMostRounds = 100000;
  unsigned rounds = 0;
  while (service_->end_batch())
    while (Connection* connection = service_->take_ready()) {
      if (++rounds > kMostRounds) fail("a batch of the target's work comes to no end");
      static_cast<Outlet*>(connection->pump)->flush();
    }
  schedule_disk();
}

/// Each request completes after a time of its own, so they overtake each other.
void TargetSide::schedule_disk() {
  while (completions_due_ < disk_->waiting()) {
    ++completions_due_;
    const auto slowest = static_cast<std::uint32_t>(settings_.slowest_disk.count());
    events_.after(microseconds(random_.between(1, slowest)), [this] {
      --completions_due_;
      wake();
      disk_->complete(random_.below(disk_->waiting()));
      settle();
    });
  }
}

void TargetSide::tick() {
  events_.pass_until(service_->next_deadline());
  wake();
  service_->tick();
  settle();
}

void TargetSide::expect_nothing_left() {
  if (!service_->connections().empty()) fail("a connection is left at the end");
  for (const auto& session : service_->registry().sessions())
    fail("a session is left at the end, with {} tasks", session->tasks().in_use());
  if (service_->data_bytes() != 0) fail("{} bytes of budget are left", service_->data_bytes());
  if (scsi::BufferPool::local().lent_bytes() != 0) fail("a buffer is left lent");
}

}  // namespace tsihd::session::sim
