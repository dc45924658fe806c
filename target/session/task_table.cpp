#include "target/session/task_table.h"

namespace tsihd::session {

TaskTable::TaskTable() : buckets_(std::make_unique<Task*[]>(kBuckets)) {}
TaskTable::~TaskTable() = default;

Task* TaskTable::take() {
  if (free_.empty()) {
    const auto first = static_cast<std::uint32_t>(chunks_.size()) * kChunk;
    if (first >= kMaxTasks) return nullptr;
    chunks_.push_back(std::make_unique<Task[]>(kChunk));
    free_.reserve(first + kChunk);
    for (std::uint32_t i = kChunk; i-- > 0;) {
      chunks_.back()[i].index = static_cast<std::uint16_t>(first + i);
      free_.push_back(&chunks_.back()[i]);
    }
  }
  Task* task = free_.back();
  free_.pop_back();
  task->renew();
  task->next_in_use = nullptr;
  task->previous_in_use = in_use_tail_;
  (in_use_tail_ ? in_use_tail_->next_in_use : in_use_head_) = task;
  in_use_tail_ = task;
  ++in_use_;
  return task;
}

void TaskTable::give_back(Task& task) {
  (task.previous_in_use ? task.previous_in_use->next_in_use : in_use_head_) = task.next_in_use;
  (task.next_in_use ? task.next_in_use->previous_in_use : in_use_tail_) = task.previous_in_use;
  --in_use_;
  task.stage = Task::Stage::idle;
  task.data_in = {};  // the memory goes back now, not when the task is used again
  task.out_buffer = {};
  free_.push_back(&task);
}

void TaskTable::list(Task& task) {
  Task*& head = buckets_[bucket(task.initiator_task_tag)];
  task.next_by_tag = head;
  head = &task;
  task.listed = true;
}

void TaskTable::unlist(Task& task) {
  if (!task.listed) return;
  task.listed = false;
  Task** link = &buckets_[bucket(task.initiator_task_tag)];
  while (*link != &task) link = &(*link)->next_by_tag;
  *link = task.next_by_tag;
}

Task* TaskTable::find(std::uint32_t initiator_task_tag) const {
  Task* task = buckets_[bucket(initiator_task_tag)];
  while (task && task->initiator_task_tag != initiator_task_tag) task = task->next_by_tag;
  return task;
}

Task* TaskTable::at(std::uint32_t index) const {
  if (index / kChunk >= chunks_.size()) return nullptr;
  Task* task = &chunks_[index / kChunk][index % kChunk];
  return task->stage == Task::Stage::idle ? nullptr : task;
}

}  // namespace tsihd::session
