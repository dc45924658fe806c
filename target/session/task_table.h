// The tasks of one session: a pool with stable addresses, found by Initiator Task Tag or by place.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "target/session/task.h"

namespace tsihd::session {

/// Grows to the most tasks that were in use at once (the session's limits bound that) and allocates
/// nothing from there on.
class TaskTable {
 public:
  TaskTable();
  ~TaskTable();
  TaskTable(const TaskTable&) = delete;
  TaskTable& operator=(const TaskTable&) = delete;

  /// A renewed task, in use but not listed under a tag; null at kMaxTasks.
  Task* take();
  /// Back to the pool; must not be listed.
  void give_back(Task& task);

  void list(Task& task);    ///< from now on find() knows its tag
  void unlist(Task& task);  ///< the tag is free again; harmless when not listed
  Task* find(std::uint32_t initiator_task_tag) const;
  /// By Task::index; null when no such task is in use.
  Task* at(std::uint32_t index) const;

  /// In order of arrival, by next_in_use.
  Task* first_in_use() const { return in_use_head_; }
  std::uint32_t in_use() const { return in_use_; }

  static constexpr std::uint32_t kMaxTasks = 8192;

 private:
  static constexpr std::uint32_t kChunk = 32;
  static constexpr std::uint32_t kBuckets = 256;
  static std::uint32_t bucket(std::uint32_t tag) { return (tag * 2654435761u) >> 24; }

  std::vector<std::unique_ptr<Task[]>> chunks_;
  std::vector<Task*> free_;
  std::unique_ptr<Task*[]> buckets_;
  Task* in_use_head_ = nullptr;
  Task* in_use_tail_ = nullptr;
  std::uint32_t in_use_ = 0;
};

}  // namespace tsihd::session
