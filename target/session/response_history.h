// The numbered responses of one connection that its initiator has not acknowledged, kept for Status
// SNACK (RFC 3720 10.16): only at ErrorRecoveryLevel 1 and 2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "target/session/task.h"
#include "target/wire/pdu.h"

namespace tsihd::session {

/// Holds the newest kResponses responses and at most kCopiedBytes of copied data. What is pushed
/// out is lost to recovery: a SNACK for it is answered "SNACK reject". StatSNs in it have no gap.
class ResponseHistory {
 public:
  static constexpr std::size_t kResponses = 256;
  static constexpr std::size_t kCopiedBytes = 1u << 20;

  struct Entry {
    Task* task = nullptr;  ///< its status; null: a PDU as it was sent
    std::array<std::byte, wire::kBhsBytes> header{};
    std::vector<std::byte> data{};
  };

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  std::uint32_t first_stat_sn() const { return first_stat_sn_; }
  /// The response numbered `stat_sn`, or null when it is not (or no longer) here.
  const Entry* find(std::uint32_t stat_sn) const {
    const std::uint32_t index = stat_sn - first_stat_sn_;
    return index < count_ ? &entries_[(head_ + index) % kResponses] : nullptr;
  }
  /// The newest task here under this tag, or null.
  Task* find_task(std::uint32_t initiator_task_tag) const {
    for (std::size_t i = count_; i > 0; --i) {
      Task* const task = entries_[(head_ + i - 1) % kResponses].task;
      if (task && task->initiator_task_tag == initiator_task_tag) return task;
    }
    return nullptr;
  }

  /// A response was numbered and queued. What has to go for it is given to let_go(task).
  template <class LetGo>
  void note(std::uint32_t stat_sn, Task& task, LetGo let_go) {
    next(stat_sn, 0, let_go).task = &task;
  }
  template <class LetGo>
  void note(std::uint32_t stat_sn, std::span<const std::byte> header,
            std::span<const std::byte> data, LetGo let_go) {
    Entry& entry = next(stat_sn, data.size(), let_go);
    std::copy(header.begin(), header.end(), entry.header.begin());
    entry.data.assign(data.begin(), data.end());
    copied_bytes_ += data.size();
  }
  /// Every response below `exp_stat_sn` has arrived.
  template <class LetGo>
  void acknowledge(std::uint32_t exp_stat_sn, LetGo let_go) {
    while (count_ > 0 && first_stat_sn_ != exp_stat_sn) drop_first(let_go);
  }
  template <class LetGo>
  void clear(LetGo let_go) {
    while (count_ > 0) drop_first(let_go);
  }

 private:
  template <class LetGo>
  Entry& next(std::uint32_t stat_sn, std::size_t data_bytes, LetGo let_go) {
    if (entries_.empty()) entries_.resize(kResponses);
    while (count_ == kResponses || (count_ > 0 && copied_bytes_ + data_bytes > kCopiedBytes))
      drop_first(let_go);
    if (count_ == 0) first_stat_sn_ = stat_sn;
    return entries_[(head_ + count_++) % kResponses];
  }
  template <class LetGo>
  void drop_first(LetGo let_go) {
    Entry& entry = entries_[head_];
    Task* const task = entry.task;
    copied_bytes_ -= entry.data.size();
    entry = {};
    head_ = (head_ + 1) % kResponses;
    --count_;
    ++first_stat_sn_;
    if (task) let_go(*task);
  }

  std::vector<Entry> entries_;  ///< a ring; empty until the first response
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  std::uint32_t first_stat_sn_ = 0;
  std::size_t copied_bytes_ = 0;
};

}  // namespace tsihd::session
