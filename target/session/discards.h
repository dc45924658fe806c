// Data that is still under way for tasks that have ended: it is taken and dropped, without a
// Reject, up to the last PDU of its sequence.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "target/wire/pdu.h"

namespace tsihd::session {

/// Remembers the newest kSequences sequences of one connection; data of older ones is rejected like
/// any other that nobody asked for.
class Discards {
 public:
  static constexpr std::size_t kSequences = 128;

  /// `target_transfer_tag` is kReservedTag for unsolicited data.
  void expect(std::uint32_t initiator_task_tag, std::uint32_t target_transfer_tag) {
    sequences_[next_++ % kSequences] = {initiator_task_tag, target_transfer_tag, true};
  }
  /// True when this Data-Out belongs to such a sequence.
  bool takes(const wire::DataOutBhs& bhs) {
    for (Sequence& sequence : sequences_) {
      if (!sequence.open || sequence.initiator_task_tag != bhs.initiator_task_tag ||
          sequence.target_transfer_tag != bhs.target_transfer_tag)
        continue;
      if (bhs.is_final()) sequence.open = false;
      return true;
    }
    return false;
  }

 private:
  struct Sequence {
    std::uint32_t initiator_task_tag = 0;
    std::uint32_t target_transfer_tag = 0;
    bool open = false;
  };
  std::array<Sequence, kSequences> sequences_;
  std::size_t next_ = 0;
};

}  // namespace tsihd::session
