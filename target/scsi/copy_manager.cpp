#include "target/scsi/copy_manager.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "target/scsi/device_server.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

bool same_copy(const CopyRecord& a, const CopyRecord& b) {
  return a.identified && b.identified && a.unit == b.unit && a.nexus_id == b.nexus_id &&
         a.list_identifier == b.list_identifier;
}

CopyRecord key_of(const Task& task, std::uint32_t list_identifier) {
  CopyRecord key;
  key.unit = task.server;
  key.nexus_id = task.command->nexus->id;
  key.list_identifier = list_identifier;
  return key;
}

}  // namespace

CopyManager::CopyManager(void (*random)(std::span<std::byte>), std::function<void()> wake)
    : tokens_(random), wake_(std::move(wake)) {}

CopyManager::~CopyManager() { assert(running_.empty() && "detach every nexus first"); }

void CopyManager::wake() {
  if (wake_) wake_();
}

/// Copies that end take themselves off the list, and a command that they held up may begin another.
void CopyManager::advance() {
  if (std::exchange(advancing_, true)) return;
  ended_.clear();
  std::vector<CopyOperation*> due;
  for (const auto& it : running_)
    if (it->waits_for_turn() || it->is_stopped()) due.push_back(it.get());
  for (CopyOperation* it : due) it->advance();
  advancing_ = false;
}

void CopyManager::start(Task& task, CopyRequest request) {
  CopyRecord key = key_of(task, request.record.list_identifier);
  key.identified = request.record.identified;
  std::size_t of_nexus = 0;
  for (const auto& it : running_) {
    if (same_copy(it->record(), key)) return task.fail(sense::kOperationInProgress);
    if (it->record().nexus_id == key.nexus_id) ++of_nexus;
  }
  if (running_.size() >= kMaxCopies || of_nexus >= kMaxCopiesOfNexus)
    return task.finish(Status::busy);
  task.disk_busy = true;
  task.server->tasks().stop(task);  // only its parts touch the medium
  running_.push_back(std::make_unique<CopyOperation>(*this, task, std::move(request)));
  running_.back()->advance();
}

void CopyManager::end(CopyOperation& operation) {
  const auto at =
      std::ranges::find_if(running_, [&](const auto& it) { return it.get() == &operation; });
  ended_.push_back(std::move(*at));
  running_.erase(at);
  wake();
  if (operation.record().identified && operation.has_reader()) keep(operation.record());
  operation.end_task();
}

void CopyManager::keep(CopyRecord record) {
  std::erase_if(records_, [&](const CopyRecord& it) { return same_copy(it, record); });
  if (records_.size() >= kMaxCopyRecords) records_.pop_front();
  records_.push_back(std::move(record));
}

CopyOperation* CopyManager::find_running(const Task& task, std::uint32_t list_identifier) const {
  const CopyRecord key = key_of(task, list_identifier);
  for (const auto& it : running_)
    if (same_copy(it->record(), key)) return it.get();
  return nullptr;
}

const CopyRecord* CopyManager::find(const Task& task, std::uint32_t list_identifier) const {
  if (const CopyOperation* running = find_running(task, list_identifier)) return &running->record();
  const CopyRecord key = key_of(task, list_identifier);
  for (const CopyRecord& it : records_)
    if (same_copy(it, key)) return &it;
  return nullptr;
}

/// Its copies at this unit are aborted. One that waits for its turn need not wait: the turn may not
/// come any more when the target stops.
void CopyManager::nexus_lost(const DeviceServer& unit, const Nexus& nexus) {
  std::vector<CopyOperation*> lost;
  for (const auto& it : running_)
    if (it->record().unit == &unit && it->record().nexus_id == nexus.id && it->waits_for_turn())
      lost.push_back(it.get());
  for (CopyOperation* it : lost) it->advance();
  std::erase_if(records_,
                [&](const CopyRecord& it) { return it.unit == &unit && it.nexus_id == nexus.id; });
}

void CopyManager::unit_reset(const DeviceServer& unit) {
  std::erase_if(records_, [&](const CopyRecord& it) { return it.unit == &unit; });
  tokens_.forget(unit);
}

}  // namespace tsihd::scsi
