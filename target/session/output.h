// What a connection has to send: PDUs in order, as a gather list over headers that lie here and
// data that stays where it is.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "target/session/task.h"
#include "target/wire/writer.h"

namespace tsihd::session {

/// A ring of PDUs. It grows to the most that was queued at once (the connection bounds that by not
/// reading) and allocates nothing from there on.
class OutputQueue {
 public:
  OutputQueue();

  /// Queues a PDU whose data segment lies in `task` (or is empty) and stays there until it is sent.
  template <wire::Bhs T>
  void push(const T& bhs, std::span<const std::byte> data, Task* task, wire::Digests digests) {
    Slot& slot = next_slot();
    slot.frame.seal(bhs, data, digests);
    slot.data = data;
    slot.task = task;
    if (task) ++task->pdus_unsent;
    bytes_ += slot.frame.head().size() + data.size() + slot.frame.tail().size();
  }
  /// Queues a PDU with a data segment that is copied.
  template <wire::Bhs T>
  void push_copy(const T& bhs, std::span<const std::byte> data, wire::Digests digests) {
    Slot& slot = next_slot();
    slot.owned.assign(data.begin(), data.end());
    slot.frame.seal(bhs, slot.owned, digests);
    slot.data = slot.owned;
    slot.task = nullptr;
    bytes_ += slot.frame.head().size() + data.size() + slot.frame.tail().size();
  }
  /// Queues bytes that are whole PDUs already (the login phase's).
  void push_raw(std::vector<std::byte>&& bytes);

  bool empty() const { return count_ == 0; }
  std::size_t pdus() const { return count_; }
  std::size_t bytes() const { return bytes_; }

  /// Fills `out` with what comes next; how many entries are used.
  std::size_t gather(std::span<iovec> out) const;
  /// `bytes` of what gather() gave have gone. Calls released(task) for each PDU that has gone whole
  /// and lay in a task.
  template <class Released>
  void sent(std::size_t bytes, Released released) {
    bytes_ -= bytes;
    bytes += front_sent_bytes_;
    while (count_ > 0 && bytes >= front().size()) {
      bytes -= front().size();
      if (Task* task = front().task) {
        --task->pdus_unsent;
        released(*task);
      }
      pop();
    }
    front_sent_bytes_ = bytes;
  }
  /// Forgets everything, as after the loss of the connection.
  template <class Released>
  void clear(Released released) {
    while (count_ > 0) {
      if (Task* task = front().task) {
        --task->pdus_unsent;
        released(*task);
      }
      pop();
    }
    front_sent_bytes_ = 0;
    bytes_ = 0;
  }

 private:
  struct Slot {
    wire::Frame frame;
    bool raw = false;
    std::span<const std::byte> data;
    Task* task = nullptr;
    std::vector<std::byte> owned;
    std::size_t size() const {
      return raw ? data.size() : frame.head().size() + data.size() + frame.tail().size();
    }
  };
  static constexpr std::size_t kKeepOwnedBytes = 512;

  Slot& front() { return slots_[head_ & (slots_.size() - 1)]; }
  Slot& next_slot();
  void pop();
  void grow();

  std::vector<Slot> slots_;  // a power of two
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;             ///< not yet sent, all of it
  std::size_t front_sent_bytes_ = 0;  ///< of the first PDU
};

}  // namespace tsihd::session
