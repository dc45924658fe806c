#include "target/session/service.h"

#include <algorithm>
#include <set>
#include <utility>

#include "target/session/connection.h"
#include "target/session/guard.h"
#include "target/session/registry.h"
#include "target/session/session.h"

namespace tsihd::session {
namespace {

/// Every disk that an inventory serves, once.
std::set<scsi::LogicalUnit*> units_of(const Inventory& inventory) {
  std::set<scsi::LogicalUnit*> units;
  for (const auto& target : inventory.targets)
    for (const auto& group : target->portal_groups) {
      for (const auto& [number, entry] : group->luns.entries) units.insert(entry.unit.get());
      for (const auto& [name, acl] : group->acls)
        for (const auto& [number, entry] : acl.luns.entries) units.insert(entry.unit.get());
    }
  return units;
}

}  // namespace

Service::Service(Inventory inventory, Limits limits, Log log, Random random_bytes)
    : copies_(random_bytes, [this] { note_deadline(now_); }),
      inventory_(std::move(inventory)),
      limits_(limits),
      log_(std::move(log)),
      random_(random_bytes),
      registry_(std::make_unique<Registry>(*this)),
      guard_(std::make_unique<Guard>(*this)) {
  for (scsi::LogicalUnit* unit : units_of(inventory_)) {
    unit->offer_copies(copies_);
    sizes_told_.emplace(unit, unit->size_bytes());
  }
}

Service::~Service() = default;

std::vector<SessionInfo> Service::sessions() const {
  std::vector<SessionInfo> infos;
  for (const auto& session : registry_->sessions())
    if (session->state() != Session::State::ended) infos.push_back(session->info());
  return infos;
}

std::vector<FenceInfo> Service::fences() const { return guard_->fences(); }

std::size_t Service::unfence(std::string_view initiator_name) {
  return guard_->unfence(initiator_name);
}

Result<Session*> Service::find_active(std::uint64_t session_id) const {
  Session* const session = registry_->find_id(session_id);
  if (!session || session->state() != Session::State::active)
    return fail(
        fmt::format("no session has the id {}; the list of sessions shows them", session_id));
  return session;
}

Result<void> Service::logout(std::uint64_t session_id) {
  const auto session = find_active(session_id);
  if (!session) return std::unexpected(session.error());
  for (Connection* connection : std::vector((*session)->connections()))
    connection->ask_for_logout();
  return {};
}

Result<void> Service::drop(std::uint64_t session_id, std::optional<std::uint16_t> cid) {
  const auto session = find_active(session_id);
  if (!session) return std::unexpected(session.error());
  if (cid && !(*session)->find_connection(*cid))
    return fail(fmt::format("session {} has no connection with CID {}", session_id, *cid));
  for (Connection* connection : std::vector((*session)->connections()))
    if (!cid || connection->cid() == *cid) connection->announce_and_drop(!cid);
  return {};
}

Result<void> Service::request_negotiation(std::uint64_t session_id) {
  const auto session = find_active(session_id);
  if (!session) return std::unexpected(session.error());
  for (Connection* connection : (*session)->connections()) connection->ask_for_negotiation();
  return {};
}

void Service::refresh_capacities() {
  copies_.tick(now_);
  for (scsi::LogicalUnit* unit : units_of(inventory_)) {
    const std::string& name = unit->identity().name;
    const auto known = std::ranges::find(unreadable_disks_, name);
    const auto changed = unit->refresh_capacity();
    if (!changed && known == unreadable_disks_.end()) {
      log_.warning("disk size unknown disk={} reason=\"{}\"", name, changed.error().message);
      unreadable_disks_.push_back(name);
    } else if (changed && known != unreadable_disks_.end()) {
      unreadable_disks_.erase(known);
    }
    tell_size(*unit);
    if (changed && *changed)
      log_.info("disk size changed disk={} size_bytes={}", name,
                unit->backstore().geometry().size_bytes);
  }
}

/// A unit attention waits for the next command; who wants to hear at once gets an event as well.
void Service::tell_size(const scsi::LogicalUnit& unit) {
  const std::uint64_t size_bytes = unit.size_bytes();
  if (std::exchange(sizes_told_[&unit], size_bytes) == size_bytes) return;
  for (const auto& session : registry_->sessions()) {
    const PortalGroup* group = session->identity().portal_group;
    if (session->state() != Session::State::active || !group || !group->attributes.scsi_events)
      continue;
    for (const auto& [number, entry] : session->luns().entries)
      if (entry.unit.get() == &unit && session->lead())
        session->lead()->tell_scsi_event(number, scsi::sense::kCapacityDataHasChanged);
  }
}

std::unique_ptr<Connection> Service::accept(Endpoints endpoints) {
  const char* limit = nullptr;
  if (shutting_down_) limit = "shutting down";
  if (connections_.size() >= limits_.max_connections) {
    limit = "max_connections reached";
    ++counters_.limit_connections;
  } else if (logins_in_progress_ >= limits_.max_logins_in_progress) {
    limit = "max_logins_in_progress reached";
    ++counters_.limit_logins_in_progress;
  }
  if (limit) {
    if (counters_.connections_refused++ == 0 || !limit_logged_)
      log_.warning("connection refused peer={} reason=\"{}\"", endpoints.remote(), limit);
    limit_logged_ = true;  // once, until a connection is accepted again
    return nullptr;
  }
  limit_logged_ = false;
  ++counters_.connections_accepted;
  ++logins_in_progress_;
  auto connection = std::make_unique<Connection>(*this, std::move(endpoints));
  connections_.push_back(connection.get());
  return connection;
}

void Service::tick() {
  next_deadline_ = Instant::max();
  for (Connection* connection : std::vector(connections_)) {
    connection->tick();
    note_deadline(connection->next_deadline());
  }
  for (const auto& session : registry_->sessions()) {
    session->tick();
    note_deadline(session->next_deadline());
  }
  guard_->advance();
  copies_.advance();
}

bool Service::end_batch() {
  if (std::exchange(memory_freed_, false))
    for (const auto& session : registry_->sessions())
      if (session->waits_for_memory()) session->grant_memory();
  if (registry_->bury()) guard_->wake();
  if (guard_->due()) guard_->advance();
  return ready_head_ != nullptr;
}

Connection* Service::take_ready() {
  Connection* const connection = ready_head_;
  if (!connection) return nullptr;
  ready_head_ = connection->next_ready;
  if (!ready_head_) ready_tail_ = nullptr;
  connection->next_ready = nullptr;
  connection->ready = false;
  return connection;
}

void Service::mark_ready(Connection& connection) {
  if (connection.ready) return;
  connection.ready = true;
  connection.next_ready = nullptr;
  const bool first = ready_head_ == nullptr;
  (ready_tail_ ? ready_tail_->next_ready : ready_head_) = &connection;
  ready_tail_ = &connection;
  if (first && wake_) wake_();
}

void Service::forget(Connection& connection) {
  std::erase(connections_, &connection);
  if (!connection.ready) return;
  Connection* previous = nullptr;
  for (Connection* at = ready_head_; at; previous = at, at = at->next_ready) {
    if (at != &connection) continue;
    (previous ? previous->next_ready : ready_head_) = at->next_ready;
    if (ready_tail_ == at) ready_tail_ = previous;
    return;
  }
}

void Service::login_ended(Connection&) { --logins_in_progress_; }

void Service::begin_shutdown() {
  if (std::exchange(shutting_down_, true)) return;
  for (Connection* connection : std::vector(connections_)) {
    if (connection->in_full_feature_phase())
      connection->ask_for_logout();
    else if (connection->in_login())
      connection->refuse(LoginStatus::service_unavailable);
    else
      connection->close_after_output("the target shuts down");
  }
}

bool Service::idle() const { return connections_.empty() && registry_->living() == 0; }

void Service::advance_task_management() {
  for (const auto& session : registry_->sessions())
    if (session->managing()) session->advance_task_management();
}

}  // namespace tsihd::session
